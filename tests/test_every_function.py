"""Every public function on one small problem: the quickest answer to whether anything is broken."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex
import asdex.nlp


pytestmark = pytest.mark.quick

X = jnp.array([0.5, -1.0, 2.0, 0.25])


def f(x):
    return (x[1:] - x[:-1]) ** 2


def g(x):
    return jnp.sum(f(x) * x[:-1])


JACOBIAN, HESSIAN = np.asarray(jax.jit(jax.jacobian(f))(X)), np.asarray(jax.jit(jax.hessian(g))(X))
JACOBIAN_PATTERN = asdex.SparsityPattern.from_dense(JACOBIAN)
HESSIAN_PATTERN = asdex.SparsityPattern.from_dense(HESSIAN)
OF_JACOBIAN = asdex.jacobian_coloring_from_sparsity(JACOBIAN_PATTERN)
OF_HESSIAN = asdex.hessian_coloring_from_sparsity(HESSIAN_PATTERN)
PATTERNS = {
    "jacobian_sparsity": lambda: asdex.jacobian_sparsity(f, X),
    "hessian_sparsity": lambda: asdex.hessian_sparsity(g, X),
    "jacobian_coloring": lambda: asdex.jacobian_coloring(f, X).sparsity,
    "hessian_coloring": lambda: asdex.hessian_coloring(g, X).sparsity,
}
COLORINGS = {
    "jacobian_coloring_from_sparsity": (OF_JACOBIAN.num_colors, 2),
    "hessian_coloring_from_sparsity": (OF_HESSIAN.num_colors, 3),
    "color_cols": (asdex.color_cols(JACOBIAN_PATTERN)[-1], 2),
    "color_rows": (asdex.color_rows(JACOBIAN_PATTERN)[-1], 2),
    "color_symmetric": (asdex.color_symmetric(HESSIAN_PATTERN)[1], 3),
    "color_acyclic": (asdex.color_acyclic(HESSIAN_PATTERN)[-1], 2),
    "color_bidirectional": (asdex.color_bidirectional(JACOBIAN_PATTERN)[-1], 2),
}
CHECKS = {
    "check_jacobian_correctness": (f, X, OF_JACOBIAN),
    "check_hessian_correctness": (g, X, OF_HESSIAN),
    "check_coloring_rows": (JACOBIAN_PATTERN, asdex.color_rows(JACOBIAN_PATTERN)[0]),
    "check_coloring_cols": (JACOBIAN_PATTERN, asdex.color_cols(JACOBIAN_PATTERN)[0]),
    "check_coloring_symmetric": (HESSIAN_PATTERN, asdex.color_symmetric(HESSIAN_PATTERN)[0]),
    "check_coloring_acyclic": (HESSIAN_PATTERN, asdex.color_acyclic(HESSIAN_PATTERN)[0]),
    "check_coloring_bidirectional": (JACOBIAN_PATTERN, np.arange(4), np.full(3, -1)),
}
DERIVATIVES = [
    f"{before}{what}{after}"
    for what in ("jacobian", "hessian")
    for before in ("", "value_and_", "value_gradient_and_", "compressed_", "value_and_compressed_")
    for after in ("", "_from_coloring")
    if (before, what) != ("value_gradient_and_", "jacobian")
]
OTHERS = {
    "decompress": lambda: asdex.decompress(compressed(), OF_JACOBIAN, "dense"),
    "decompress_data": lambda: asdex.decompress_data(compressed(), OF_JACOBIAN),
    "materialize": lambda: asdex.materialize(lambda x: JACOBIAN @ x, X, output_format="dense"),
    "lagrangian_hessian": lambda: asdex.nlp.lagrangian_hessian(g, None, X)(X).todense(),
    "explain": lambda: asdex.explain(f, X).nnz,
    "spy": lambda: asdex.spy(JACOBIAN_PATTERN),
    "decompressor_for": lambda: asdex.decompressor_for(OF_JACOBIAN)(compressed()),
}
EXPECTED = {
    "decompress": JACOBIAN,
    "decompress_data": JACOBIAN[JACOBIAN != 0],
    "materialize": JACOBIAN,
    "lagrangian_hessian": HESSIAN,
    "explain": 6,
    "decompressor_for": JACOBIAN[JACOBIAN != 0],
}
OF_RULES = {"with_sparsity", "register", "registered_rules", "elementwise", "zero_derivative"}


def compressed():
    return asdex.compressed_jacobian_from_coloring(f, OF_JACOBIAN)(X)


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns(name):
    expected = HESSIAN if "hessian" in name else JACOBIAN
    np.testing.assert_array_equal(PATTERNS[name]().todense(), expected != 0)


@pytest.mark.parametrize("name", COLORINGS)
def test_colorings(name):
    got, expected = COLORINGS[name]
    assert got == expected


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives(name):
    function, dense = (g, HESSIAN) if "hessian" in name else (f, JACOBIAN)
    coloring = OF_HESSIAN if "hessian" in name else OF_JACOBIAN
    argument = coloring if "coloring" in name else X
    result = getattr(asdex, name)(function, argument)(X)
    if "value" in name:
        value, *_, result = result
        np.testing.assert_allclose(value, function(X), rtol=1e-6)
    if "compressed" in name:
        result = asdex.decompress(result, coloring)
    np.testing.assert_allclose(result.todense(), dense, rtol=1e-5)


@pytest.mark.parametrize("name", CHECKS)
def test_checks(name):
    assert getattr(asdex, name)(*CHECKS[name]) is None


@pytest.mark.parametrize("name", OTHERS)
def test_others(name):
    result = OTHERS[name]()
    if name in EXPECTED:
        np.testing.assert_allclose(result, EXPECTED[name], rtol=1e-5)


def test_nothing_is_missing():
    public = {*vars(asdex), "lagrangian_hessian"} - {"annotations"}
    functions = {
        name
        for name in public
        if inspect.isfunction(getattr(asdex, name, asdex.nlp.lagrangian_hessian))
    }
    functions = {name for name in functions if not name.startswith("_")}
    assert functions - OF_RULES == {*PATTERNS, *COLORINGS, *CHECKS, *DERIVATIVES, *OTHERS}
