"""Arrays and what stands for them: their kinds, shapes and dtypes, and several of them as one vector."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def has_derivative(value: Any) -> bool:
    """Whether an array, or its abstract value, has tangents: whether it is real or complex floating point."""
    return _is_of(value, np.inexact)


def is_real(value: Any) -> bool:
    """Whether an array, or its abstract value, is real floating point, of few digits (`bfloat16`) or many."""
    return _is_of(value, np.floating)


def is_half(value: Any) -> bool:
    """Whether an array, or its abstract value, is floating point of fewer digits than single precision."""
    return is_real(value) and value.dtype.itemsize < 4


def is_complex(value: Any) -> bool:
    """Whether an array, or its abstract value, is complex."""
    return _is_of(value, np.complexfloating)


def is_key(value: Any) -> bool:
    """Whether an array, or its abstract value, has an extended dtype, such as keys of random numbers have."""
    return _is_of(value, jax.dtypes.extended)


def _is_of(value: Any, kind: Any) -> bool:
    dtype = getattr(value, "dtype", None)
    return dtype is not None and _is_subtype(dtype, kind)


_is_subtype = functools.cache(jnp.issubdtype)


def is_array(value: Any) -> bool:
    """Whether `value` is an array, or stands for one."""
    return isinstance(value, jax.Array | np.ndarray | np.generic | jax.ShapeDtypeStruct)


def is_floating(value: Any) -> bool:
    """Whether `value` is an array, or a stand-in for one, of real or complex floating point."""
    return is_array(value) and has_derivative(value)


def is_number(value: Any) -> bool:
    """Whether `value` is a floating-point number of Python's."""
    return isinstance(value, float | complex) and not is_array(value)


def may_change(value: Any) -> bool:
    """Whether an argument is data, which may differ in the next call, rather than configuration."""
    return is_array(value) or is_number(value)


def struct_of(value: Any) -> jax.ShapeDtypeStruct:
    """Shape and (canonical) dtype of an array, a stand-in for one, or a Python scalar."""
    if is_array(value):
        dtype = value.dtype
        if isinstance(value, np.ndarray | np.generic):
            dtype = jax.dtypes.canonicalize_dtype(dtype)
        return jax.ShapeDtypeStruct(value.shape, dtype)
    try:
        if isinstance(value, str | bytes):  # which names a dtype
            raise TypeError
        return jax.ShapeDtypeStruct(np.shape(value), jnp.result_type(value))
    except TypeError as error:
        raise TypeError(
            f"Expected an array or a number, got {value!r} of type {type(value).__name__}."
        ) from error


def on_device(array: Any, dtype: Any = None) -> Array:
    """The device's copy of an array: concrete where a trace is under way, unless the array is traced itself.

    `jnp.asarray` would compile a program for each shape of NumPy's arrays, in a hundredth of a second. What
    is placed may share memory with NumPy's array, so one that its owner can write to is copied.
    """
    with jax.ensure_compile_time_eval():
        if isinstance(array, jax.Array):
            return jnp.asarray(array, dtype)
        host = np.asarray(array, dtype)
        return jax.device_put(host.copy() if host is array and host.flags.writeable else host)


def size_of(aval: Any) -> int:
    """The number of elements of an array with this abstract value."""
    return math.prod(aval.shape)


def ravel(leaves: Sequence[Any]) -> Array:
    """Arrays as one vector, of a dtype that they share."""
    flat = [jnp.ravel(leaf) for leaf in leaves]
    # They share it also where the user forbids implicit promotion.
    with jax.numpy_dtype_promotion("standard"):
        return flat[0] if len(flat) == 1 else jnp.concatenate(flat or [jnp.zeros(0)])


def unravel(vector: Any, leaves: Sequence[Any]) -> list[Any]:
    """The parts of a vector, with the shapes of the leaves that it consists of."""
    if not leaves:
        return []
    split = np.split if isinstance(vector, np.ndarray) else jnp.split
    parts = split(vector, np.cumsum([size_of(leaf) for leaf in leaves])[:-1])
    return [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
