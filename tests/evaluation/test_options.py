"""Options: each keyword belongs to asdex or to the function, and what is misspelt or wrong is refused."""

import functools
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

X = jnp.linspace(0.5, 2.0, 6)
JACOBIANS = [
    "jacobian",
    "value_and_jacobian",
    "compressed_jacobian",
    "value_and_compressed_jacobian",
]
HESSIANS = [
    "hessian",
    "value_and_hessian",
    "value_gradient_and_hessian",
    "compressed_hessian",
    "value_and_compressed_hessian",
]
DETECTING = [
    *("jacobian_sparsity", "hessian_sparsity", "jacobian_coloring", "hessian_coloring", "explain"),
]
ALL = [*JACOBIANS, *HESSIANS, *DETECTING]


def options_of(name):
    """The keywords that a public function has for itself."""
    parameters = inspect.signature(getattr(asdex, name)).parameters.values()
    return {one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}


EVERY_OPTION = sorted(set().union(*map(options_of, ALL)))


def function_with(option, is_scalar):
    """A function with a keyword that is called like an option, and what it was last called with."""
    seen = []

    def f(x, **keywords):
        seen.append(keywords)
        scaled = keywords.get(option, 1.0) * x**3
        return jnp.sum(scaled) if is_scalar else scaled

    f.__signature__ = inspect.Signature(
        [
            inspect.Parameter("x", inspect.Parameter.POSITIONAL_ONLY),
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=1.0),
        ]
    )
    return f, seen


@pytest.mark.parametrize("option", EVERY_OPTION)
@pytest.mark.parametrize("name", ["jacobian", "value_and_jacobian", "hessian", "jacobian_sparsity"])
def test_a_keyword_belongs_to_one_side(name, option):
    """An option of the function in question never reaches `f`; any other name does, at once and in calls."""
    public = getattr(asdex, name)
    f, seen = function_with(option, is_scalar="hessian" in name)
    if option in options_of(name):
        default = inspect.signature(public).parameters[option].default
        public(f, X, **{option: default})
        assert seen and not any(seen)
        return
    result = public(f, X, **{option: 2.0})
    assert seen and all(option in keywords for keywords in seen)
    if name == "jacobian":
        np.testing.assert_allclose(result(X, **{option: 3.0}).data, 9 * X**2, rtol=1e-6)
    if name == "hessian":
        np.testing.assert_allclose(result(X, **{option: 3.0}).data, 18 * X, rtol=1e-6)


def test_a_keyword_of_the_function_that_is_called_like_an_option():
    def f(x, order):
        return order * x**2

    jacobian = asdex.jacobian(functools.partial(f, order=3.0), X, order="natural")
    np.testing.assert_allclose(jacobian(X).data, 6 * X, rtol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_every_parameter_is_explicit(name):
    parameters = inspect.signature(getattr(asdex, name)).parameters
    assert [one.name for one in parameters.values() if one.kind is one.VAR_KEYWORD] == ["kwargs"]
    assert next(iter(parameters)) == "f"


@pytest.mark.parametrize("name", [f"{name}_from_coloring" for name in (*JACOBIANS, *HESSIANS)])
def test_nothing_but_options_is_taken_with_a_coloring(name):
    parameters = inspect.signature(getattr(asdex, name)).parameters
    assert not any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    assert list(parameters)[:2] == ["f", "coloring"]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("takes_any", [False, True])
def test_misspelt_options_are_refused(name, takes_any):
    """Also where the function takes any keyword: the misspelt option would vanish into it."""
    scalar = "hessian" in name

    def f(x):
        return jnp.sum(x**3) if scalar else x**3

    def g(x, **keywords):
        return f(x)

    function = g if takes_any else f
    public = getattr(asdex, name)
    with pytest.raises(TypeError, match=r"`hasaux`. Did you mean the option `has_aux`"):
        public(function, X, hasaux=True)
    if "chunk_size" in options_of(name):
        with pytest.raises(TypeError, match="Did you mean the option `chunk_size`"):
            public(function, X, chunksize=3)
    if not takes_any:
        with pytest.raises(TypeError, match="Did you mean the option `argnums`"):
            public(function, X, argnum=0)


def test_keywords_that_resemble_no_option_are_left_to_the_function():
    def f(x, **keywords):
        return keywords["scale"] * x**2

    np.testing.assert_allclose(asdex.jacobian(f, X, scale=2.0)(X, scale=3.0).data, 6 * X, rtol=1e-6)
    with pytest.raises(TypeError, match="unexpected keyword argument 'scale'"):
        asdex.jacobian(lambda x: x**2, X, scale=2.0)


@pytest.mark.parametrize("name", ["compressed_jacobian", "value_and_compressed_hessian"])
@pytest.mark.parametrize("option", [{"output_format": "dense"}, {"flatten": True}])
def test_a_compressed_derivative_has_no_format(name, option):
    with pytest.raises(
        TypeError, match=f"no `{next(iter(option))}` for asdex.{name}: .*decompress"
    ):
        getattr(asdex, name)(lambda x: jnp.sum(x**2), X, **option)


@pytest.mark.parametrize("name", ALL)
def test_integer_inputs_are_refused_at_creation(name):
    """Their patterns would be empty: a solver would take the first point for the solution."""
    public = getattr(asdex, name)

    def f(x):
        return jnp.sum(x * x) if "hessian" in name else x * x

    for sample in (np.array([1, 1, 1]), np.ones(3, bool), jax.ShapeDtypeStruct((3,), jnp.int32)):
        with pytest.raises(TypeError, match=r"args\[0\] of real or complex dtype, got (int|bool)"):
            public(f, sample)


def test_integer_inputs_that_are_allowed():
    x = jnp.array([1, 2, 3])
    assert asdex.jacobian_sparsity(lambda x: 2.0 * x, x, allow_int=True).nnz == 0
    pattern = asdex.jacobian_sparsity(
        lambda x, n: x**2 * n, X[:3], x, argnums=(0, 1), allow_int=True
    )
    np.testing.assert_array_equal(pattern.todense(), np.eye(3, 6))


@pytest.mark.parametrize("name", JACOBIANS)
def test_integer_outputs_are_refused(name):
    """As by `jax.jacobian`. Their rows of a pattern are empty."""
    message = r"real or complex outputs, got one of dtype int32.*has_aux"
    with pytest.raises(TypeError, match=message):
        getattr(asdex, name)(lambda x: (x**2, jnp.argmax(x)), X)
    coloring = asdex.jacobian_coloring(lambda x: (x**2, jnp.argmax(x)), X)
    np.testing.assert_array_equal(coloring.sparsity.todense(), np.eye(7, 6))
    with pytest.raises(TypeError, match=message):
        asdex.jacobian_from_coloring(lambda x: (x**2, jnp.argmax(x)), coloring)


def test_argnums_and_shapes_say_what_is_wrong():
    with pytest.raises(ValueError, match="at least one argument, got none"):
        asdex.jacobian(lambda x: x, X, argnums=())
    with pytest.raises(TypeError, match=r"`input_shape` to be a size.*got 6\.0"):
        asdex.jacobian(lambda x: x, input_shape=6.0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="must return a pair"):
        asdex.jacobian(lambda x: x, X, has_aux=True)


def test_long_lists_of_arguments_are_shortened():
    numbers = [1.0] * 40
    derivative = asdex.jacobian(lambda x: jnp.stack(x), numbers)
    with pytest.raises(ValueError) as caught:
        derivative(numbers[:30])
    assert "and 5 more" in str(caught.value) and len(str(caught.value)) < 400


def test_an_argument_that_is_none():
    derivative = asdex.jacobian(lambda p: p["a"] * 2, {"a": X, "b": X})
    with pytest.raises(ValueError, match=r"args\[0\]\['b'\] is None; the sample had an array"):
        derivative({"a": X, "b": None})


def test_sparse_outputs_are_refused():
    from jax.experimental.sparse import BCOO

    def f(x):
        return BCOO((x, jnp.arange(6)[:, None]), shape=(6,))

    for name in ("jacobian", "jacobian_sparsity"):
        with pytest.raises(TypeError, match=r"got a BCOO.*matrix\.data"):
            getattr(asdex, name)(f, X)
    coloring = asdex.jacobian_coloring(lambda x: x**2, X)
    with pytest.raises(TypeError, match="got a BCOO"):
        asdex.jacobian_from_coloring(f, coloring)(X)


@pytest.mark.parametrize("option", [{"constant": "reuse"}, {"elements": True}])
def test_what_needs_samples_is_refused_with_a_reason(option):
    x = jnp.ones(4)
    jacobian = asdex.jacobian_coloring(jnp.sin, x)
    hessian = asdex.hessian_coloring(lambda x: jnp.sum(x**2), x)
    colorings = {
        "jacobian_from_coloring": jacobian,
        "value_and_jacobian_from_coloring": jacobian,
        "hessian_from_coloring": hessian,
        "value_gradient_and_hessian_from_coloring": hessian,
    }
    for name, coloring in colorings.items():
        with pytest.raises(
            TypeError, match=rf"asdex\.{name}: .*at sample arguments.*coloring=coloring"
        ):
            getattr(asdex, name)(jnp.sin, coloring, **option)


def test_symmetric_is_a_truth_value():
    functions: list[Any] = [asdex.jacobian, asdex.jacobian_coloring, asdex.hessian_coloring]
    for make in functions:
        with pytest.raises(ValueError, match="`symmetric` to be True or False, got 'no'"):
            make(lambda x: jnp.sum(x**2), X, symmetric="no")
