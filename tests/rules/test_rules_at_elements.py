"""Derivatives at elements that compute what a rule is for, by the tables in the files `*_cases.py`."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rule_case import Case
from test_every_rule import CALLED_DIRECTLY, each_case, skip_without, TABLES

import asdex


# As all cases take minutes, every fourth, which includes the first of each primitive.
COVERED = {name: cases[::4] for name, cases in TABLES.items() if name not in CALLED_DIRECTLY}
INPUTS, SUMS = 5, 3


def is_real(leaf):
    return jnp.issubdtype(jnp.result_type(leaf), jnp.floating)


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

    return function, jnp.arange(INPUTS, dtype=jnp.float32)


def differentiated(function):
    """A dense Jacobian by forward mode, or by reverse mode where there is no other."""

    def dense(x):
        try:
            return jax.jacfwd(function)(x)
        except TypeError:
            return jax.jacrev(function)(x)

    return dense


@each_case(COVERED)
def test_values_at_elements(primitive: str, one: Case):
    skip_without(primitive)
    if one.expected is not None or not any(map(is_real, one.args)):
        pytest.skip("JAX has no real derivative of it")
    if any(map(jnp.iscomplexobj, one.args)):
        pytest.skip("complex inputs are colored")
    function, x = of_elements(one)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", asdex.DenseColoringWarning)
        derivative = asdex.jacobian(function, x, elements=True, output_format="dense")
    found, expected = jax.jit(lambda x: (derivative(x), differentiated(function)(x)))(x)
    assert derivative.elements is not None or not derivative.coloring.sparsity.nnz
    exact = min(jnp.finfo(jnp.result_type(arg)).bits for arg in one.args if is_real(arg)) > 16
    compared = np.isfinite(found) & np.isfinite(expected)
    scale = np.abs(expected[compared]).max(initial=1)
    np.testing.assert_allclose(
        found[compared], expected[compared], rtol=0, atol=scale * (1e-4 if exact else 5e-2)
    )
