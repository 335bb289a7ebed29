"""The guard notices wrong patterns in every way of calling a derivative, and no right ones."""

from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from workers import results, start

import asdex


X = jnp.array([3.0, 1.0, 0.5, -2.0, 5.0, 2.0])
OTHER = X.at[3].set(2.0)


def f(x):
    return jnp.maximum(x, 0) ** 2 + jnp.roll(x, 1) * jnp.where(x > 1, x, 0)


def energy(x):
    return jnp.sum(jnp.maximum(x, 0) ** 3) + x[0] * x[1] * jnp.minimum(x[3], 0)


def agrees(derivative, x):
    return bool(derivative(x)[-1])


@pytest.mark.parametrize("mode", ["fwd", "rev", "bidirectional"])
def test_jacobians(mode):
    jac_fn = asdex.jacobian(f, X, local=True, mode=mode, verify="flag")
    assert (agrees(jac_fn, X), agrees(jac_fn, OTHER)) == (True, False)


@pytest.mark.parametrize("output_format", ["dense", "bsr", "data", "bcsr", "scipy_csc"])
def test_formats(output_format):
    jac_fn = asdex.jacobian(f, X, local=True, output_format=output_format, verify="flag")
    assert (agrees(jac_fn, X), agrees(jac_fn, OTHER)) == (True, False)


@pytest.mark.parametrize("mode", ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"])
@pytest.mark.parametrize("triangle", [None, "lower"])
def test_hessians(mode, triangle):
    coloring = asdex.hessian_coloring(energy, X, local=True, mode=mode)
    hess_fn = asdex.hessian_from_coloring(energy, coloring, triangle=triangle, verify="flag")
    assert (agrees(hess_fn, X), agrees(hess_fn, OTHER)) == (True, False)


@pytest.mark.parametrize("options", [{"constant": "reuse"}, {"elements": True}])
def test_constant_entries_and_elements(options):
    def g(x):
        return (x[1:] - x[:-1]) ** 2 + 3 * x[1:]

    assert agrees(asdex.jacobian(g, X, verify="flag", **options), X)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_rounding_is_no_error(dtype):
    rng = np.random.default_rng(0)
    A = (
        rng.standard_normal((80, 80))
        * (rng.random((80, 80)) < 0.1)
        * 10.0 ** rng.uniform(-2, 2, (80, 1))
    )
    A = jnp.asarray(A, dtype)
    jac_fn = asdex.jacobian(lambda x: jnp.tanh(A @ x) * x, jnp.zeros(80, dtype), verify="flag")
    for _ in range(5):
        assert agrees(jac_fn, jnp.asarray(rng.standard_normal(80), dtype))


def test_a_small_missing_entry_is_noticed():
    diagonal = asdex.SparsityPattern.from_dense(np.eye(6))
    coloring = asdex.jacobian_coloring_from_sparsity(diagonal)
    for size, expected in ((0.0, True), (0.1, False)):

        def g(x, size=size):
            return x**2 + size * jnp.roll(x, 1)

        assert agrees(asdex.jacobian_from_coloring(g, coloring, verify="flag"), X) == expected


def test_integers_and_complex_numbers():
    tree = {"x": X, "k": jnp.arange(6)}
    jac_fn = asdex.jacobian(lambda t: t["x"] * t["k"], tree, allow_int=True, verify="flag")
    assert agrees(jac_fn, tree)
    z = X + 1j
    for mode in ("fwd", "rev"):
        jac_fn = asdex.jacobian(
            lambda z: z**2 * z[::-1], z, holomorphic=True, mode=mode, verify="flag"
        )
        assert agrees(jac_fn, z)


def test_errors_inside_of_transformations():
    jac_fn = asdex.jacobian(f, X, local=True, output_format="data", verify=True)

    calls = {
        "plain": jac_fn,
        "jit": eqx.filter_jit(lambda x: jac_fn(x)),
        "vmap": eqx.filter_jit(lambda x: jax.vmap(jac_fn)(jnp.stack([X, x]))),
        "scan": eqx.filter_jit(
            lambda x: jax.lax.scan(lambda c, y: (c, jac_fn(y)), 0, jnp.stack([X, x]))[1]
        ),
        "while": eqx.filter_jit(
            lambda x: jax.lax.while_loop(
                lambda c: jnp.sum(c) > 0, lambda c: c - 100 * jnp.sum(jac_fn(x)) ** 2, jnp.abs(x)
            )
        ),
        "grad": eqx.filter_jit(jax.grad(lambda x: jnp.sum(jac_fn(x)))),
        "grad of vmap": eqx.filter_jit(
            jax.grad(lambda x: jnp.sum(jax.vmap(jac_fn)(jnp.stack([X, x]))))
        ),
    }

    for call in calls.values():
        jax.block_until_ready(call(X))
        with pytest.raises(RuntimeError, match="lacks entries at these arguments"):
            jax.block_until_ready(call(OTHER))


def test_on_meshes():
    said = results(start("guard_on_eight_devices.py", 8))
    assert len(said) == 28
    wrong = {name for name, one in said.items() if one != [True, False]}
    if jax.__version_info__ < (
        0,
        7,
    ):  # after an error on a mesh, later calls on meshes raise it again
        wrong -= {
            f"error, {how}, {m}" for how in ("plain", "jit") for m in ("one axis of two", "chunks")
        }
    assert wrong == set()


def test_a_miss_is_as_rare_as_the_documentation_says():
    """In half precision, where it can be counted: an entry as large as its row has none in the pattern."""
    x = jnp.ones(2, jnp.float16)
    diagonal = asdex.jacobian_coloring_from_sparsity(asdex.SparsityPattern.from_dense(np.eye(2)))
    jac_fn = asdex.jacobian_from_coloring(
        lambda x: jnp.stack([x[0] + x[1], x[1]]), diagonal, output_format="data", verify="flag"
    )
    draws = jnp.asarray(np.random.default_rng(0).standard_normal((20_000, 2, 2)), jnp.float32)

    @eqx.filter_jit
    def agree(probes):
        return eqx.tree_at(lambda g: g.guard.probes, jac_fn, probes)(x)[1]

    missed = float(jnp.mean(jax.vmap(agree)(draws)))
    assert 1e-3 < missed < 10 * float(jnp.finfo(x.dtype).eps)


def test_where_the_flag_stands():
    def aux(x):
        return (f(x), {"twice": 2 * x})

    (value, data), matrix, agree = asdex.value_and_jacobian(aux, X, has_aux=True, verify="flag")(X)
    np.testing.assert_allclose(value, f(X))
    np.testing.assert_allclose(data["twice"], 2 * X)
    assert matrix.shape == (6, 6)
    assert bool(agree)


def test_the_guard_has_no_derivative():
    guarded = asdex.jacobian(f, X, output_format="data", verify=True)
    plain = asdex.jacobian(f, X, output_format="data")
    slopes = [jax.jit(jax.grad(lambda x, g=g: g(x).sum()))(X) for g in (guarded, plain)]
    np.testing.assert_allclose(*slopes)


def test_refusals():
    with pytest.raises(ValueError, match="verify"):
        asdex.jacobian(f, X, verify=cast(Any, "always"))
    with pytest.raises(TypeError, match="verify"):
        asdex.compressed_jacobian(f, X, verify=True)


@pytest.mark.parametrize("output_format", ["bsr", "scipy_bsr"])
def test_blocks_of_a_triangle_and_of_constant_entries(output_format):
    def of_nodes(x):
        mixed = jnp.stack([x[:, 0] * x[:, 1], x[:, 0] + x[:, 1] ** 2], 1)
        return mixed + 2 * x + 3 * jnp.roll(x, 1, 0)

    options: dict[str, Any] = {"output_format": output_format, "verify": "flag", "flatten": True}
    x = jnp.arange(1.0, 11.0).reshape(5, 2)
    assert agrees(asdex.jacobian(of_nodes, x, constant="reuse", **options), x)
    assert agrees(asdex.hessian(energy, X, local=True, triangle="lower", **options), X)
