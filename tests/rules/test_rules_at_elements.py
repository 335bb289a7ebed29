"""Derivatives at elements that compute what a rule is for, by the tables in the files `*_cases.py`."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rule_case import Case
from test_every_rule import skip_without, TABLES

import asdex


INPUTS, SUMS = 5, 3
LEFT_OUT = {
    ("select_n", "choice out of range"),  # another derivative in reverse mode than in forward mode
    ("bcoo_dot_general", "blocks"),  # JAX cannot batch its derivative
}
TOGETHER = 6
"""Cases of a primitive that one function computes, for they compile faster together."""


def is_real(leaf):
    return jnp.issubdtype(jnp.result_type(leaf), jnp.floating)


def has_real_derivative(one: Case) -> bool:
    """Whether JAX has a derivative of a case, with respect to real inputs; complex ones are colored."""
    real, complex_ = any(map(is_real, one.args)), any(map(jnp.iscomplexobj, one.args))
    return one.expected is None and real and not complex_


def groups():
    for name, cases in TABLES.items():
        covered = [
            one for one in cases if has_real_derivative(one) and (name, one.label) not in LEFT_OUT
        ]
        for k in range(0, len(covered), TOGETHER):
            yield pytest.param(name, covered[k : k + TOGETHER], id=f"{name}-{k}")


def of_elements(one: Case):
    """The case on copies of five inputs, and its results added up to three outputs."""
    rng = np.random.default_rng(0)
    sources = [rng.integers(0, INPUTS, np.shape(arg)) for arg in one.args]

    def function(u):
        shifts = u - jnp.arange(INPUTS, dtype=u.dtype)
        args = [
            arg + shifts[source].astype(jnp.result_type(arg)) if is_real(arg) else arg
            for arg, source in zip(one.args, sources, strict=True)
        ]
        results = [leaf for leaf in jax.tree.leaves(one.fn(*args)) if is_real(leaf)]
        total = jnp.zeros(SUMS)
        for leaf in results:
            targets = np.arange(leaf.size).reshape(leaf.shape) % SUMS
            total = total.at[targets].add(leaf.astype(jnp.float32))
        return total

    return function


def differentiated(function):
    """A dense Jacobian by forward mode, or by reverse mode where there is no other."""

    def dense(x):
        try:
            return jax.jacfwd(function)(x)
        except (TypeError, ValueError, NotImplementedError):
            return jax.jacrev(function)(x)

    return dense


@pytest.mark.parametrize(("primitive", "cases"), list(groups()))
def test_values_at_elements(primitive: str, cases: list[Case]):
    skip_without(primitive)
    if primitive == "reshard" and jax.__version_info__ < (0, 7):
        pytest.skip("jax 0.6 cannot add to an array with explicit axes")
    functions = list(map(of_elements, cases))

    def function(u):
        return jnp.stack([one(u) for one in functions])

    x = jnp.arange(INPUTS, dtype=jnp.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", asdex.DenseColoringWarning)
        derivative = asdex.jacobian(function, x, elements=True, output_format="dense")
    pairs = jax.jit(lambda x: (derivative(x), differentiated(function)(x)))(x)
    assert derivative.elements is not None or not derivative.coloring.sparsity.nnz
    for one, found, expected in zip(cases, *pairs, strict=True):
        real = [jnp.finfo(jnp.result_type(arg)).bits for arg in one.args if is_real(arg)]
        compared = np.isfinite(found) & np.isfinite(expected)
        atol = np.abs(expected[compared]).max(initial=1) * (1e-4 if min(real) > 16 else 5e-2)
        np.testing.assert_allclose(found[compared], expected[compared], rtol=0, atol=atol)
