"""Real and imaginary parts that depend on different inputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex
from asdex import Dependence
from asdex.testing import check_rule


V = jnp.linspace(0.3, 1.7, 6)
HEAD = np.eye(6)[:3]
TAIL = np.eye(6)[3:]


def z(v):
    return lax.complex(v[:3], v[3:])


def pattern(f, *args):
    return asdex.jacobian_sparsity(f, *(args or (V,))).todense()


EXACT = {
    "real": (lambda v: z(v).real, HEAD),
    "imag": (lambda v: z(v).imag, TAIL),
    "both": (lambda v: jnp.concatenate([z(v).real, z(v).imag]), np.eye(6)),
    "conjugate": (lambda v: jnp.conj(z(v)).imag, TAIL),
    "an imaginary unit": (lambda v: (v[:3] + 1j * v[3:]).real, HEAD),
    "an imaginary unit, imaginary part": (lambda v: (v[:3] + 1j * v[3:]).imag, TAIL),
    "turned": (lambda v: (1j * z(v)).real, TAIL),
    "turned by a quotient": (lambda v: (z(v) / 2j).imag, HEAD),
    "some turned": (
        lambda v: (z(v) * jnp.array([1, 1j, 1 + 1j])).real,
        np.array([[1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1]]),
    ),
    "scaled": (lambda v: (-2 * z(v) / 3).real, HEAD),
    "moved": (lambda v: jnp.stack([z(v)[::-1], z(v)]).T.reshape(-1)[::2].real, HEAD[::-1]),
    "gathered": (lambda v: z(v)[jnp.array([2, 0, 0])].imag, TAIL[[2, 0, 0]]),
    "scattered": (lambda v: jnp.zeros(3, complex).at[::-1].set(z(v)).real, HEAD[::-1]),
    "summed": (lambda v: jnp.sum(z(v)).real[None], HEAD.sum(0)[None]),
    "of a known value": (lambda v: (z(v) + jnp.array([1, 2j, 3])).real, HEAD),
    "selected": (lambda v: jnp.where(v[:3] > 1, z(v), 0).imag, TAIL),
    "converted": (lambda v: z(v).astype(np.complex64).real, HEAD),
    "of a real array": (lambda v: v.astype(complex).imag, np.zeros((6, 6))),
    "within a function": (lambda v: jax.jit(lambda w: 2 * w)(z(v)).real, HEAD),
}


@pytest.mark.parametrize("name", EXACT)
def test_parts_are_followed_apart(name):
    f, expected = EXACT[name]
    np.testing.assert_array_equal(pattern(f), expected)
    report = check_rule(f, V)
    np.testing.assert_array_equal(report.true, expected)


MIXING = {
    "exp": lambda w: jnp.exp(w),
    "square": lambda w: w * w,
    "product": lambda w: w * w[::-1],
    "quotient": lambda w: 2 / w,
    "power": lambda w: w**3,
    "abs": lambda w: jnp.abs(w) + 0j,
    "cumulative product": lambda w: jnp.cumprod(w),
    "transform": lambda w: jnp.fft.fft(w),
    "matrix": lambda w: jnp.array([[1, 1j, 2], [0, 1, 1j], [1j, 0, 1]]) @ w,
    "loop": lambda w: lax.fori_loop(0, 3, lambda _, c: c * w, w),
    "branch": lambda w: lax.cond(jnp.abs(w[0]) > 9, lambda c: c, lambda c: jnp.exp(c), w),
    "custom": lambda w: jax.nn.softplus(w.real) * w,
    "sort": lambda w: jnp.sort(w),
    "add after exp": lambda w: (w + jnp.exp(w))[::-1],
    "unknown factor": lambda w: (w * w.imag)[::-1] + w,
}


@pytest.mark.parametrize("part", [jnp.real, jnp.imag])
@pytest.mark.parametrize("name", MIXING)
def test_no_entry_is_lost_where_parts_are_mixed(name, part):
    check_rule(lambda v: part(MIXING[name](z(v))), V)


def test_parts_of_a_complex_input_depend_on_it():
    w = V[:3] + 1j * V[3:]
    np.testing.assert_array_equal(pattern(lambda w: (2j * w).real, w), np.eye(3))
    np.testing.assert_array_equal(pattern(lambda w: jnp.conj(w).imag, w), np.eye(3))


def test_hessians():
    def f(v):
        w = v[:3] + 1j * v[3:]
        return jnp.sum(w.real**2) + jnp.sum(w[::-1].imag ** 3)

    detected = asdex.hessian_sparsity(f, V).todense()
    assert np.all(detected >= (np.asarray(jax.jit(jax.hessian(f))(V)) != 0))
    np.testing.assert_array_equal(detected, np.eye(6))


@pytest.mark.usefixtures("registry")
def test_a_users_rule_does_not_see_parts():
    """What it returns, be it the operand itself, mixes them."""

    @asdex.register("exp", override=True)
    def rule(eqn, x):
        assert isinstance(x, Dependence)
        return eqn.operands[0].dependence

    detected = pattern(lambda v: jnp.exp(z(v)).real)
    np.testing.assert_array_equal(detected, HEAD + TAIL)
