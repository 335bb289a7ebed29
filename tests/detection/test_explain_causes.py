"""Why an equation made a pattern dense: what `asdex.explain` says beside the place."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex


N = 12
X = jnp.linspace(0.5, 1.5, N)
INDEX = np.arange(N)
FULL = np.ones((N, N), np.float32)
BAND = np.eye(N, dtype=np.float32) + np.eye(N, k=1, dtype=np.float32)
MATRIX = "the matrix is not constant but comes from"
COMBINES = "each result combines 12 elements"
STEPS = "each step passes on what the steps before it have read"


def causes_of(f, *args, **options):
    """Primitive and cause of each equation at which the pattern became dense."""
    steps = asdex.explain(f, *args, **options).steps
    return [(step.primitive, step.cause) for step in steps if step.became_dense]


def looped(x):
    return lax.fori_loop(0, 10, lambda i, c: c + jnp.roll(c, 1), x)


def waited(x):
    return lax.while_loop(lambda c: c[0] > 0, lambda c: c + jnp.roll(c, 1), x)


def halves(x, flag):
    """Each branch reads a half of the inputs, less one."""
    left, right = jnp.roll(x[:5], 1) * jnp.sum(x[:5]), x[5:10] * jnp.sum(x[5:10])
    return lax.cond(flag, lambda: left, lambda: right)


@pytest.mark.parametrize(
    ("f", "others", "primitive", "cause"),
    [
        (lambda x, i: x[i], [INDEX], "gather", "the index comes from args[1]"),
        (lambda x, i: x[i % 8 + 3], [INDEX], "gather", "the index comes from args[1]"),
        (
            lambda x, i, j: x[i + j["k"]],
            [INDEX, {"k": INDEX}],
            "gather",
            "the index comes from args[1] and args[2]['k']",
        ),
        (lambda x: x[jnp.argsort(x)], [], "gather", "the index comes from the input args[0]"),
        (lambda x, i: x.at[i].set(x), [INDEX], "scatter", "the index comes from args[1]"),
        (
            lambda x, i: lax.dynamic_slice(x, (i,), (3,)),
            [np.int32(2)],
            "dynamic_slice",
            "the index comes from args[1]",
        ),
        (
            lambda x, i: lax.map(lambda k: x[k], i),
            [INDEX],
            "dynamic_slice",
            "the index comes from args[1]",
        ),
        (lambda x, matrix: matrix @ x, [FULL], "dot_general", f"{MATRIX} args[1]"),
        (lambda x: FULL @ x, [], "dot_general", "the constant matrix has few zeros"),
        (
            lambda x: jnp.outer(x[:6], jnp.ones(6)) @ x[6:],
            [],
            "dot_general",
            "neither factor is constant",
        ),
        (
            lambda x: jnp.linalg.solve(jnp.outer(x, x) + jnp.eye(N), x),
            [],
            "custom_linear_solve",
            f"{MATRIX} the input args[0]",
        ),
        (
            lambda x: jnp.linalg.solve(BAND, x),
            [],
            "custom_linear_solve",
            "the constant matrix connects the unknowns",
        ),
        (
            lambda x: jax.scipy.linalg.solve_triangular(jnp.outer(x, x), jnp.ones(N)),
            [],
            "triangular_solve",
            f"{MATRIX} the input args[0]",
        ),
        (
            lambda x: jnp.linalg.svd(x.reshape(3, 4), compute_uv=False),
            [],
            "svd",
            "it mixes the elements of each 3×4 matrix",
        ),
        (
            lambda x, w: jnp.convolve(x, w, mode="same"),
            [jnp.ones(N)],
            "conv_general_dilated",
            "the kernel is not constant but comes from args[1]",
        ),
        (lambda x: jnp.sum(x), [], "reduce_sum", COMBINES),
        (lambda x: jnp.fft.fft(x).real, [], "fft", COMBINES),
        (jnp.cumsum, [], "cumsum", "each result combines all elements before it"),
        (jnp.sort, [], "sort", "the order depends on the input args[0]"),
        (
            lambda x: lax.top_k(x, 2)[0],
            [],
            "top_k",
            "which elements are chosen depends on the input args[0]",
        ),
        (looped, [], "scan", STEPS),
        (waited, [], "while", STEPS),
        (halves, [np.bool_(True)], "cond", "the predicate depends on args[1]"),
        (lambda x: x[:5].sum() * x[5:10].sum(), [], "mul", "its operands read different inputs"),
    ],
)
def test_the_cause_is_named(f, others, primitive, cause):
    assert causes_of(f, X, *others) == [(primitive, cause)]


def test_arrays_that_a_function_holds():
    layer = eqx.nn.Linear(N, N, key=jax.random.key(0))
    assert causes_of(layer, X) == [("dot_general", f"{MATRIX} f.weight")]
    hidden = causes_of(lambda x: BAND @ x, X, captured="unknown")
    assert hidden == [("dot_general", f"{MATRIX} a captured array")]


def test_keywords_and_many_names():
    def f(x, i, *, shift):
        return x[i["a"] + i["b"] + i["c"] + shift]

    index = dict.fromkeys("abc", INDEX)
    cause = "the index comes from args[1]['a'], args[1]['b'] and 2 other arguments"
    assert causes_of(f, X, index, shift=INDEX) == [("gather", cause)]
    one = causes_of(lambda x, *, k: x[k], X, k=INDEX)
    assert one == [("gather", "the index comes from kwargs['k']")]


def test_what_no_rule_knows():
    def f(x):
        return jax.pure_callback(lambda y: y, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    with pytest.warns(asdex.UnknownPrimitiveWarning):
        assert causes_of(f, X) == [("pure_callback", "it has no rule")]


def test_of_nested_equations_the_innermost_is_blamed():
    assert causes_of(lambda x, i: lax.map(lambda k: x[k], i), X, INDEX) == [
        ("dynamic_slice", "the index comes from args[1]")
    ]
    assert causes_of(lambda x: jax.scipy.special.logsumexp(x) * x, X)[-1][0] == "reduce_sum"


def test_what_is_dense_within_small_blocks_alone_is_not_blamed():
    explanation = asdex.explain(
        lambda x: lax.map(lambda row: row * jnp.sum(row), x.reshape(4, 3)), X
    )
    assert explanation.nnz == 36
    assert not any(step.became_dense for step in explanation.steps)


def test_results_that_nobody_reads_are_not_blamed():
    """`argsort` sorts the values along with their numbers."""
    assert causes_of(lambda x: x[jnp.argsort(x)], X)[0][0] == "gather"


def test_printed_with_the_place():
    text = str(asdex.explain(lambda x, i: x[i], X, INDEX))
    (culprit,) = (line for line in text.splitlines() if line.startswith("It became dense"))
    assert culprit.endswith(" (<lambda>): the index comes from args[1].")
    chain = asdex.explain(lambda x, i: 2 * x[i], X, INDEX, entry=(3, 5))
    assert [link.cause for link in chain.links] == ["the index comes from args[1]", ""]
    _, first, second = str(chain).splitlines()
    assert first.endswith(" (<lambda>): the index comes from args[1]")
    assert second.endswith(" (<lambda>)")


def test_an_empty_pattern_became_dense_nowhere():
    assert "became dense" not in str(asdex.explain(lambda x: jnp.sum(x) * 0.0, X))
