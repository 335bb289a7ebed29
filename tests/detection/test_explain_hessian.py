"""`asdex.explain(f, ..., hessian=True)`: where the pattern of a Hessian comes from."""

import re
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex


X = jnp.linspace(0.5, 1.5, 6)


def energy(x):
    return jnp.sum(x**2) ** 2


def springs(x):
    return jnp.sum((x[1:] - x[:-1]) ** 4)


def test_shape_and_entries_are_those_of_the_hessian():
    for f in (energy, springs, lambda x: x[0] * x[5]):
        explanation = asdex.explain(f, X, hessian=True)
        pattern = asdex.hessian_sparsity(f, X)
        assert (explanation.shape, explanation.nnz) == (pattern.shape, pattern.nnz)


def test_the_line_and_the_cause_of_a_dense_hessian():
    explanation = asdex.explain(energy, X, hessian=True)
    (culprit,) = (step for step in explanation.steps if step.became_dense)
    assert culprit.primitive == "reduce_sum" and culprit.source.endswith("(energy)")
    assert culprit.cause == "each result combines 6 elements"
    text = str(explanation)
    assert text.startswith(
        "6×6 pattern with 36 entries (100.0% full).\nIt became dense in reduce_sum "
    )
    assert "Equations: those of the gradient, whose Jacobian is the Hessian." in text
    assert "became dense" not in str(asdex.explain(springs, X, hessian=True))
    assert "gradient" not in str(asdex.explain(energy, X))


def test_chain_of_an_entry():
    chain = asdex.explain(energy, X, entry=(0, 5), hessian=True)
    assert chain.output_place == "derivative by args[0][0]"
    assert chain.input_place == "args[0][5]"
    assert [link.primitive for link in chain.links].count("reduce_sum") == 1
    with pytest.raises(
        ValueError, match=r"output 0 \(derivative by args\[0\]\[0\]\) does not depend"
    ):
        asdex.explain(springs, X, entry=(0, 3), hessian=True)
    with pytest.raises(IndexError, match="row is at least 0 and less than 6"):
        asdex.explain(energy, X, entry=(6, 0), hessian=True)


def test_every_entry_has_a_chain():
    """Also one that detection sees on one side of the diagonal alone."""

    @jax.custom_jvp
    def linked(x):
        return jnp.sum(x)

    @linked.defjvp
    def _(primals, tangents):
        (x,), (t,) = primals, tangents
        return linked(x), jnp.sum(x**2 * t) + x[4] * t[1]

    pattern = asdex.hessian_sparsity(linked, X)
    entries = set(zip(pattern.rows.tolist(), pattern.cols.tolist(), strict=True))
    assert {(1, 4), (4, 1)} <= entries
    for entry in entries:
        assert asdex.explain(linked, X, entry=entry, hessian=True).links


def test_options_and_arguments():
    def f(model, x, scale, *, shift):
        return (jnp.sum(model(x * scale) * x + shift),), "auxiliary"

    model = eqx.nn.Linear(6, 6, key=jax.random.key(0))
    options = {"argnums": (1, 2), "has_aux": True, "shift": 1.0}
    explanation = asdex.explain(f, model, X, 2.0, hessian=True, **options)
    pattern = asdex.hessian_sparsity(f, model, X, 2.0, **options)
    assert (explanation.shape, explanation.nnz) == ((7, 7), pattern.nnz)
    assert "args[0].weight" in str(explanation)
    assert asdex.explain(springs, input_shape=5, hessian=True).shape == (5, 5)
    own = asdex.explain(
        eqx.nn.MLP(6, "scalar", 3, 1, jnp.tanh, key=jax.random.key(0)), X, hessian=True
    )
    assert "comes from f.layers[0].weight" in str(own)


def test_functions_that_cannot_be_reversed():
    def f(x):
        return lax.while_loop(lambda c: c[0] < 9, lambda c: c**2, x[:2] + 1.1).sum()

    assert asdex.explain(f, X, hessian=True).nnz == asdex.hessian_sparsity(f, X).nnz > 0


def test_only_scalar_functions_have_one():
    with pytest.raises(ValueError, match="needs a scalar-valued function"):
        asdex.explain(jnp.sin, X, hessian=True)


def test_the_warning_about_a_dense_hessian_names_the_call():
    with pytest.warns(asdex.DenseColoringWarning) as caught:
        asdex.hessian_coloring(energy, X)
    (call,) = re.findall(r"`(asdex\.explain.*?)` shows where", str(caught[0].message))
    assert call == "asdex.explain(f, ..., hessian=True)"
    with pytest.warns(
        asdex.DenseColoringWarning, match=r"`asdex\.explain\(f, \.\.\.\)` shows where"
    ):
        asdex.jacobian_coloring(lambda x: x * jnp.sum(x), X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert asdex.explain(energy, X, hessian=True).nnz == np.size(X) ** 2
