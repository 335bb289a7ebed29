"""`asdex.explain`: what each equation did to the pattern, and how one entry came to be."""

import inspect
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex


X = jnp.linspace(0.5, 1.5, 6)


def steps_of(f, *args, **options):
    """Primitive, entries in, entries out and depth of each step."""
    return [
        (step.primitive, step.entering, step.leaving, step.depth)
        for step in asdex.explain(f, *args, **options).steps
    ]


def line(f, offset):
    """The place in this file of a line of `f`, which starts with line 0."""
    return f"{Path(__file__).name}:{inspect.getsourcelines(f)[1] + offset}:"


def total(x):
    differences = x[1:] - x[:-1]
    return differences * jnp.sum(x)


def test_entries_before_and_after_each_equation():
    assert steps_of(total, X) == [
        ("slice", 6, 5, 0),
        ("slice", 6, 5, 0),
        ("sub", 10, 10, 0),
        ("reduce_sum", 6, 6, 0),
        ("mul", 16, 30, 0),
    ]


def test_shape_and_entries_of_the_whole():
    explanation = asdex.explain(lambda x: x[:2] * x[2:4], X)
    assert (explanation.shape, explanation.nnz) == ((2, 6), 4)
    assert [step.fill for step in explanation.steps] == [1 / 6, 1 / 6, 2 / 6]


def test_lines_of_the_user():
    sources = [step.source for step in asdex.explain(total, X).steps]
    assert all(line(total, 1) in source for source in sources[:3])
    assert all(line(total, 2) in source for source in sources[3:])
    assert all(source.endswith("(total)") for source in sources)


def test_lines_of_asdex_are_nobodys_source():
    (step,) = asdex.explain(jnp.sin, X).steps  # older versions of jax know the line above it
    assert step.source == "unknown source" or line(test_lines_of_asdex_are_nobodys_source, 1) in (
        step.source
    )


def test_where_the_pattern_became_dense():
    became = [step.primitive for step in asdex.explain(total, X).steps if step.became_dense]
    assert became == ["reduce_sum"]


def test_a_pattern_that_stays_sparse_became_dense_nowhere():
    assert not any(
        step.became_dense for step in asdex.explain(lambda x: jnp.roll(x, 1) * x, X).steps
    )
    assert not any(step.became_dense for step in asdex.explain(jnp.sin, X[0]).steps)


def test_dead_and_constant_equations_are_left_out():
    def f(x):
        jnp.cos(x)
        return x * jnp.cos(jnp.arange(6.0))

    assert steps_of(f, X) == [("mul", 6, 6, 0)]


def test_calls_are_followed():
    def f(x):
        return jax.jit(lambda y: jax.checkpoint(jnp.cumsum)(2 * y))(x)

    assert steps_of(f, X) == [("mul", 6, 6, 0), ("cumsum", 6, 21, 0)]


def test_equal_neighbors_are_counted():
    def f(x):
        for _ in range(3):
            x = jnp.sin(x)
        return x

    (step,) = asdex.explain(f, X).steps
    assert (step.primitive, step.count) == ("sin", 3)


def test_body_of_a_scan_that_is_analysed_once():
    def f(x):
        return lax.scan(lambda c, _: (jnp.roll(c, 1) + x, None), x, None, length=9)[0]

    assert steps_of(f, X) == [
        ("scan", 12, 36, 0),
        ("slice", 6, 1, 1),
        ("slice", 6, 5, 1),
        ("concatenate", 6, 6, 1),
        ("add", 12, 12, 1),
    ]


def test_body_of_a_loop_that_differs_from_step_to_step():
    """Each equation is shown as it was at the last step, however many steps there were."""

    def f(x):
        return lax.fori_loop(1, 6, lambda i, c: c.at[i].set(c[i - 1] * x[i]), x)

    explanation = asdex.explain(f, X)
    inner = [step for step in explanation.steps if step.depth == 1 and step.leaving]
    last = {step.primitive: (step.entering, step.leaving) for step in inner}
    assert explanation.steps[0][:1] + explanation.steps[0][2:4] == ("scan", 12, 21)
    assert last["mul"] == (6, 6)
    assert last["scatter"] == (22, 21)
    assert len({step.count for step in inner}) == 1 and inner[0].count >= 5


def test_branches_of_a_cond():
    def f(x):
        return lax.cond(x[0] > 0, lambda y: y[::-1], lambda y: y * jnp.sum(y[:2]), x)

    inner = {step[0]: step[1:3] for step in steps_of(f, X) if step[3] == 1}
    assert inner == {"rev": (6, 6), "slice": (6, 2), "reduce_sum": (2, 2), "mul": (8, 16)}
    (cond,) = (step for step in asdex.explain(f, X).steps if step.primitive == "cond")
    assert (cond.leaving, cond.became_dense) == (20, True)


@jax.custom_jvp
def doubled(x):
    return jnp.floor(x)


@doubled.defjvp
def doubled_jvp(primals, tangents):
    return doubled(*primals), tangents[0] + tangents[0][::-1]


@jax.custom_vjp
def reversed_derivative(x):
    return jnp.sin(x)


reversed_derivative.defvjp(
    lambda x: (reversed_derivative(x), x), lambda x, ct: (ct[::-1] * jnp.cos(x),)
)


def test_equations_of_custom_derivatives_are_those_of_the_rule():
    assert steps_of(lambda x: doubled(x), X) == [
        ("custom_jvp_call", 6, 12, 0),
        ("rev", 6, 6, 1),
        ("add", 12, 12, 1),
    ]
    outer, *inner = steps_of(lambda x: reversed_derivative(x), X)
    assert outer[0].startswith("custom_vjp_call") and outer[1:] == (6, 6, 0)
    assert inner == [("rev", 6, 6, 1), ("mul", 6, 6, 1)]


def called(x):
    return jax.pure_callback(lambda y: y, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


def test_primitives_without_a_rule():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", asdex.UnknownPrimitiveWarning)
        explanation = asdex.explain(lambda x: called(x) * x, X)
    assert [(step.origin, step.became_dense) for step in explanation.steps] == [
        ("dense", True),
        ("rule", False),
    ]
    assert "dense (no rule)" in str(explanation)
    assert "No rule: all results are taken to depend on all operands" in str(explanation)


def test_options_are_those_of_detection():
    zeros = jnp.zeros(6)
    assert [step[2] for step in steps_of(lambda x: x * zeros, X)] == [0]
    assert [step[2] for step in steps_of(lambda x: x * zeros, X, captured="unknown")] == [6]
    assert [step[2] for step in steps_of(lambda a, b: a * b, X, X, argnums=(0, 1))] == [12]
    assert asdex.explain(jnp.sin, input_shape=3).shape == (3, 3)
    with pytest.raises(asdex.UnknownPrimitiveError):
        asdex.explain(lambda x: called(x), X, unknown="error")


def test_text_of_an_explanation():
    text = str(asdex.explain(total, X))
    title, culprit, header, *rows, note = text.splitlines()
    assert title == "5×6 pattern with 30 entries (100.0% full)."
    assert culprit.startswith("It became dense in reduce_sum at ")
    assert note == "Fill: the share of the inputs that an average element depends on."
    assert header.split() == ["primitive", "entries", "in", "out", "fill", "where"]
    assert rows[3].split()[:5] == ["reduce_sum", "6", "6", "100.0%", "dense"]
    assert len(rows) == 5


def test_text_explains_indentation_and_counts():
    def twice(y):
        for _ in range(2):
            y = jnp.sin(y)
        return y

    text = str(asdex.explain(lambda x: lax.map(twice, x), X))
    assert "    sin ×2" in text
    assert "Indented: what loops, branches and derivative rules consist of." in text
    assert "×k: k times, of which the last is shown." in text
    assert "became dense" not in text and "No rule" not in text


def test_text_without_equations():
    assert str(asdex.explain(lambda x: x, X[:1])) == (
        "1×1 pattern with 1 entry (100.0% full): no equation reads an input."
    )


def test_unused_inputs_and_empty_arrays():
    assert asdex.explain(lambda x: jnp.ones(3), X).steps == ()
    assert steps_of(jnp.sin, np.zeros(0, np.float32)) == [("sin", 0, 0, 0)]
