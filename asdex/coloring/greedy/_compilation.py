"""Scalar loops over graphs, compiled by XLA for the host.

Greedy coloring visits one vertex after the other and cannot be vectorised. As a JAX loop over scalars, which
XLA compiles, it takes a few nanoseconds per step, also if the default device is an accelerator.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import SingleDeviceSharding


Kernel = Callable[..., Any]


@functools.cache
def host_device() -> Any:
    """Return the CPU as a JAX device; `None` if `JAX_PLATFORMS` excludes it."""
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return None


def run_on_host(kernel: Kernel, *arguments: np.ndarray | np.generic) -> Any:
    """Call a function of `jax.lax` loops on the host, also inside a trace of JAX.

    **Arguments:** `kernel`: a function of one-dimensional arrays and scalars. Zeros are appended to
    the arrays until their length is a power of two, so that problems of similar sizes share one
    compilation. Pass the true lengths as scalars if the function needs them.

    **Returns:** the results, as NumPy arrays.
    """
    padded = [_pad(np.asarray(argument)) for argument in arguments]
    with jax.disable_jit(False):  # refuses to compile, and to call what is compiled
        compiled = _compile(kernel, tuple((array.shape, array.dtype) for array in padded))
        return jax.tree.map(np.asarray, compiled(*padded))


def _pad(array: np.ndarray) -> np.ndarray:
    if array.ndim == 0:
        return array
    padded = np.zeros(1 << max(len(array) - 1, 0).bit_length(), array.dtype)
    padded[: len(array)] = array
    return padded


@functools.lru_cache(maxsize=64)
def _compile(kernel: Kernel, avals: tuple[tuple[tuple[int, ...], np.dtype], ...]) -> Any:
    device = host_device()
    assert device is not None
    structs = [
        jax.ShapeDtypeStruct(shape, dtype, sharding=SingleDeviceSharding(device))
        for shape, dtype in avals
    ]
    return jax.jit(kernel).lower(*structs).compile()


def store(array: Any, at: Any, value: Any) -> Any:
    """Return an array, in a kernel, with another value at one place."""
    return array.at[at].set(value, mode="promise_in_bounds")


def insert(sets: Any, at: Any, bits: Any) -> Any:
    """Return sets of colors, which are bits of words, with further members of one of them."""
    return store(sets, at, sets[at] | bits)


def lowest_zero(word: Any) -> Any:
    """Return the least bit that is not in a word."""
    return ~word & (word + jnp.uint32(1))
