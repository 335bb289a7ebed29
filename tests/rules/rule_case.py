"""What a test of a rule is: a function that makes the primitive, and what its pattern should be."""

import gc
import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive

import asdex
from asdex.testing import check_rule


class Case(NamedTuple):
    """A function of arrays that makes a primitive.

    `excess`: the pattern may hold entries that are zero for all values (the reason stands in a comment).
    `expected`: the pattern, written down by hand, of a function for which JAX has no derivative.
    """

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    label: str
    excess: bool
    expected: np.ndarray | None


def case(
    fn: Callable[..., Any], *args: Any, label: str = "", excess: bool = False, expected: Any = None
) -> Case:
    return Case(fn, args, label, excess, None if expected is None else np.asarray(expected))


def check(one: Case, primitive: str) -> None:
    """The function makes the primitive; its pattern misses nothing, and is exact if that is expected."""
    made = set(primitives_of(one.fn, *one.args))
    assert primitive in made, f"The case does not make '{primitive}', only {sorted(made)}."
    if one.expected is not None:
        np.testing.assert_array_equal(detect(one.fn, *one.args), one.expected)
        return
    report = check_rule(one.fn, *one.args, points=4)
    if not report.exact:
        # Which operand of a `max` is taken depends on the point.
        report = check_rule(one.fn, *one.args, points=64)
    if one.excess:
        assert report.excess > 0, "The pattern is exact now: drop the mark `excess`."
    else:
        np.testing.assert_array_equal(report.detected, report.true)


def detect(fn: Callable[..., Any], *args: Any, **options: Any) -> np.ndarray:
    """The detected pattern with respect to all floating-point arguments, dense."""
    is_moving = (jnp.issubdtype(jnp.result_type(arg), jnp.inexact) for arg in args)
    argnums = tuple(i for i, moves in enumerate(is_moving) if moves)
    return asdex.jacobian_sparsity(fn, *args, argnums=argnums, **options).todense()


def primitives_of(fn: Callable[..., Any], *args: Any) -> Iterator[str]:
    """The names of the primitives in the jaxpr of `fn`, nested jaxprs included."""
    return _names(jax.make_jaxpr(fn)(*args))


def _names(jaxpr: Any) -> Iterator[str]:
    for eqn in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        yield eqn.primitive.name
        for value in eqn.params.values():
            for inner in value if isinstance(value, tuple | list) else [value]:
                if hasattr(inner, "eqns"):
                    yield from _names(inner)


def installed_primitives() -> set[str]:
    """The names of all primitives that the installed jax has made: other versions have others."""
    return {one.name for one in gc.get_objects() if issubclass(type(one), Primitive)}


def optional(module: str) -> Any:
    """A module that some versions of jax lack, or `None`."""
    return importlib.import_module(module) if importlib.util.find_spec(module) else None


def points(
    shape: Sequence[int], dtype: Any = np.float32, low: float = 0.2, high: float = 0.8
) -> Any:
    """Distinct values between `low` and `high`, in no order; complex ones have imaginary parts."""
    size = int(np.prod(shape, dtype=np.int64))
    values = np.random.default_rng(size).permutation(np.linspace(low, high, max(size, 1)))[:size]
    if np.issubdtype(dtype, np.complexfloating):
        values = values + 1j * values[::-1]
    return jax.device_put(values.reshape(tuple(shape)).astype(dtype))
