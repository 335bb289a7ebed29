"""Errors about functions, samples and options say what was expected, what came, and what to do."""

import re
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

X = jnp.linspace(0.5, 2.0, 6)


def f(x):
    return x[1:] ** 2 * x[:-1]


def energy(x):
    return jnp.sum(x**3)


FROM_SAMPLES: list[Any] = [
    asdex.jacobian,
    asdex.value_and_jacobian,
    asdex.compressed_jacobian,
    asdex.value_and_compressed_jacobian,
    asdex.hessian,
    asdex.value_and_hessian,
    asdex.compressed_hessian,
    asdex.value_and_compressed_hessian,
]
DETECTION: list[Any] = [
    asdex.jacobian_sparsity,
    asdex.hessian_sparsity,
    asdex.jacobian_coloring,
    asdex.hessian_coloring,
]


def raises(kind, *parts):
    """`pytest.raises` for a message that holds all `parts`, in this order."""
    return pytest.raises(kind, match=r"(?s)" + ".*".join(re.escape(part) for part in parts))


# The function.


@pytest.mark.parametrize(
    "output", [lambda x: x**2, lambda x: (jnp.sum(x), jnp.sum(x)), lambda x: ()]
)
@pytest.mark.parametrize("entry", [asdex.hessian, asdex.hessian_coloring, asdex.hessian_sparsity])
def test_hessians_of_vector_functions(entry, output):
    with raises(ValueError, "scalar-valued", "single element, got", "asdex.jacobian"):
        entry(output, X)


def test_the_shape_of_a_vector_function_is_named():
    with raises(ValueError, "expected an output with a single element, got shape (5,)"):
        asdex.hessian(f, X)
    coloring = asdex.hessian_coloring(energy, X)
    with raises(ValueError, "expected an output with a single element, got shape (5,)"):
        asdex.hessian_from_coloring(f, coloring)(X)


@pytest.mark.parametrize("entry", [*FROM_SAMPLES, *DETECTION])
@pytest.mark.parametrize(
    "untraceable",
    [
        lambda x: jnp.sum(x) if x[0] > 0 else -jnp.sum(x),
        lambda x: jnp.sum(np.sin(x)),
        lambda x: jnp.sum(x) * float(x[0]),
        lambda x: jnp.sum(x[: int(x[0])]),
    ],
    ids=["if", "numpy", "float", "int"],
)
def test_untraceable_functions(entry, untraceable):
    with raises(
        TypeError, "cannot be traced by jax for inputs args[0]: float32[6]", "jax.lax.cond"
    ):
        entry(untraceable, X)


@pytest.mark.parametrize("entry", FROM_SAMPLES)
def test_functions_that_return_nothing(entry):
    with raises(TypeError, "Expected the function to return an array", "got None"):
        entry(lambda x: None, X)


def test_functions_that_return_no_arrays():
    with raises(TypeError, "Expected the function to return arrays, got str at output", "has_aux"):
        asdex.jacobian(lambda x: "text", X)
    with raises(TypeError, "got str at output['name']", "has_aux=True"):
        asdex.jacobian(lambda x: {"name": "text", "value": x}, X)
    coloring = asdex.jacobian_coloring(f, X)
    with raises(TypeError, "Expected an array or a number, got 'f4' of type str"):
        asdex.jacobian_from_coloring(lambda x: "f4", coloring)(X)
    with raises(TypeError, "Expected the function to return an array", "got None"):
        asdex.jacobian_from_coloring(lambda x: None, coloring)(X)


@pytest.mark.parametrize("entry", FROM_SAMPLES)
def test_has_aux_needs_a_pair(entry):
    with raises(
        TypeError, "With has_aux=True", "return a pair (output, auxiliary data), got a list"
    ):
        entry(lambda x: [x, x], X, has_aux=True)
    with raises(
        TypeError,
        "With has_aux=True",
        "return a pair (output, auxiliary data), got an array of shape ()",
    ):
        entry(energy, X, has_aux=True)


def test_has_aux_with_a_coloring_needs_a_pair():
    coloring = asdex.jacobian_coloring(f, X)
    with raises(TypeError, "With has_aux=True the function must return a pair"):
        asdex.jacobian_from_coloring(f, coloring, has_aux=True)(X)


@pytest.mark.parametrize("entry", FROM_SAMPLES)
def test_the_function_comes_first(entry):
    with raises(TypeError, "Expected a function, got ArrayImpl", "asdex.jacobian(f, x)"):
        entry(X, f)


# Samples.


@pytest.mark.parametrize("entry", [*FROM_SAMPLES, *DETECTION])
def test_samples_are_needed(entry):
    with raises(TypeError, "Expected at least one sample input, got none", "input_shape="):
        entry(energy)


@pytest.mark.parametrize("entry", [*FROM_SAMPLES, *DETECTION])
def test_samples_or_a_shape(entry):
    with raises(TypeError, "got 1 sample input(s) and input_shape=6", "Drop one of them"):
        entry(energy, X, input_shape=6)


@pytest.mark.parametrize("input_shape", ["abc", (2.0,), (-1,), (True,), ((6,),)])
def test_shapes_are_sizes(input_shape):
    with raises(TypeError, "Expected `input_shape` to be a size or a sequence of sizes, got"):
        asdex.jacobian(f, input_shape=input_shape)


def test_samples_are_arrays():
    with raises(TypeError, "Expected an array or a number, got 'text' of type str"):
        asdex.jacobian(f, "text")


@pytest.mark.parametrize("entry", [*FROM_SAMPLES, *DETECTION])
@pytest.mark.parametrize(
    ("argnums", "kind", "parts"),
    [
        (1, ValueError, ["to name one of 1 positional argument(s), got 1", "by position"]),
        (-2, ValueError, ["to name one of 1 positional argument(s), got -2"]),
        ((0, 3), ValueError, ["to name one of 1 positional argument(s), got (0, 3)"]),
        ((0, 0), ValueError, ["Expected distinct positions in `argnums`, got (0, 0)"]),
        ((0, -1), ValueError, ["Expected distinct positions in `argnums`, got (0, -1)"]),
        ((), ValueError, ["`argnums` to name at least one argument, got none", "argnums=0"]),
        (0.0, TypeError, ["integer or a sequence of integers, got 0.0"]),
        (None, TypeError, ["integer or a sequence of integers, got None"]),
        ("x", TypeError, ["integer or a sequence of integers, got 'x'"]),
        (True, TypeError, ["integer or a sequence of integers, got True"]),
        ((0, 1.0), TypeError, ["integer or a sequence of integers, got (0, 1.0)"]),
    ],
)
def test_argnums(entry, argnums, kind, parts):
    with raises(kind, *parts):
        entry(energy, X, argnums=argnums)


# Options.


@pytest.mark.parametrize("entry", [*FROM_SAMPLES[:4], asdex.jacobian_coloring])
def test_modes_of_a_jacobian(entry):
    with raises(
        ValueError,
        "Expected `mode` to be one of 'auto', 'fwd', 'rev', 'bidirectional', got 'fwd_over_rev'",
    ):
        entry(f, X, mode="fwd_over_rev")


@pytest.mark.parametrize("entry", [*FROM_SAMPLES[4:], asdex.hessian_coloring])
def test_modes_of_a_hessian(entry):
    with raises(
        ValueError, "one of 'auto', 'fwd_over_rev', 'rev_over_fwd', 'rev_over_rev', got 'fwd'"
    ):
        entry(energy, X, mode="fwd")


def test_output_formats():
    parts = ["Expected `output_format` to be one of 'bcoo'", "'scipy_bsr', 'row_blocks', got 'csr'"]
    with raises(ValueError, *parts):
        asdex.jacobian(f, X, output_format="csr")  # pyright: ignore
    with raises(ValueError, *parts):
        asdex.value_and_hessian(energy, X, output_format="csr")  # pyright: ignore[reportArgumentType]
    coloring = asdex.jacobian_coloring(f, X)
    with raises(ValueError, *parts):
        asdex.jacobian_from_coloring(f, coloring, "csr")  # pyright: ignore


def test_options_are_checked_before_detection():
    def never(x):
        raise AssertionError("traced")

    with raises(ValueError, "output_format"):
        asdex.jacobian(never, X, output_format="csr")  # pyright: ignore
    with raises(ValueError, "chunk_size"):
        asdex.jacobian(never, X, chunk_size=0)


@pytest.mark.parametrize(
    "entry",
    [
        asdex.compressed_jacobian,
        asdex.value_and_compressed_jacobian,
        asdex.compressed_hessian,
        asdex.value_and_compressed_hessian,
    ],
)
def test_compressed_derivatives_have_no_format(entry):
    with raises(
        TypeError,
        "Expected no `output_format` for asdex.",
        "compressed derivative",
        "asdex.decompress",
    ):
        entry(energy, X, output_format="dense")


@pytest.mark.parametrize("chunk_size", [0, -3, 2.5, "all"])
@pytest.mark.parametrize("entry", FROM_SAMPLES)
def test_chunk_sizes(entry, chunk_size):
    with raises(ValueError, "integer of at least 1, or None", f"got {chunk_size!r}"):
        entry(energy, X, chunk_size=chunk_size)


@pytest.mark.parametrize("entry", [*FROM_SAMPLES, *DETECTION])
def test_choices_of_detection(entry):
    with raises(ValueError, "Expected `unknown` to be one of 'dense', 'error', got 'warn'"):
        entry(energy, X, unknown="warn")
    with raises(ValueError, "Expected `captured` to be one of 'constant', 'unknown', got 'keep'"):
        entry(energy, X, captured="keep")


def test_symmetry_needs_a_square_pattern():
    with raises(ValueError, "square", "(5, 6)", "symmetric=False"):
        asdex.jacobian(f, X, symmetric=True)
