"""What the compiler makes of the passes: found in their jaxpr before they are batched."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from .._versions import nested_jaxprs, open_jaxpr


Kind = Literal["fused", "products", "separate"]
"""How XLA computes a pass: in few loops without arrays in between, by products of matrices, or by operations
each of which reads and writes whole arrays."""

_SEPARATE = (
    *("scatter", "conv_general", "sort", "cum", "reduce_window", "select_and", "fft"),
    *("scan", "while", "cond"),
)
"""Beginnings of the names of operations that are not fused with others."""
_PRODUCTS = (
    *("dot_general", "ragged_dot", "triangular_solve", "cholesky"),
    *("lu", "qr", "householder", "eig", "svd", "schur"),
)
"""Beginnings of the names of products with matrices and of factorizations, which are not fused either."""
_NOT_FOLDED = ("scan", "while")
_MULTIPLICATIONS = 2**8
"""How many multiplications of a product are evaluated in the time of one element of a scatter."""


class Program(NamedTuple):
    """Properties of the program for a batch of all passes.

    **Attributes:**

    - `kind`: how a pass is computed.
    - `largest`: elements in one pass of the largest result of an operation that is not fused.
    - `slow`: how many elements of scatters and windows XLA would evaluate while it compiles if the seeds were
        constants. They take some microseconds each, those of most operations a thousandth of that.
    """

    kind: Kind
    largest: int
    slow: int


def examine(rows: Callable[[Any], Any], num_colors: int) -> Program:
    """Return what `rows`, a function of color numbers `(num_colors,)`, is made of; it is traced."""
    jaxpr = jax.make_jaxpr(rows)(jax.ShapeDtypeStruct((num_colors,), jnp.int32))
    products = separate = False
    largest = slow = 0
    for eqn, in_loop in _equations(jaxpr, False):
        is_product = eqn.primitive.name.startswith(_PRODUCTS)
        is_separate = eqn.primitive.name.startswith(_SEPARATE)
        products, separate = products or is_product, separate or is_separate
        if is_product or is_separate:
            largest = max(largest, *map(_size, eqn.outvars))
        if not in_loop:
            slow += _slow_elements(eqn)
    kind = "products" if products else "separate" if separate else "fused"
    return Program(kind, largest // max(num_colors, 1), slow)


def _equations(jaxpr: Any, in_loop: bool) -> Iterator[tuple[Any, bool]]:
    """All equations with results, nested ones too, and whether they are in a loop."""
    for eqn in open_jaxpr(jaxpr).eqns:
        if eqn.outvars:
            yield eqn, in_loop
        for inner in nested_jaxprs(eqn):
            yield from _equations(inner, in_loop or eqn.primitive.name in _NOT_FOLDED)


def _size(atom: Any) -> int:
    """Elements of a value; 0 for tokens and other values that are no arrays."""
    return getattr(atom.aval, "size", 0)


def _slow_elements(eqn: Any) -> int:
    name, size = eqn.primitive.name, _size(eqn.outvars[0])
    if name.startswith("scatter"):
        return _size(eqn.invars[2])
    if name.startswith("cum"):
        return size
    if "window_dimensions" in eqn.params:
        return size * math.prod(eqn.params["window_dimensions"])
    if name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        shape = eqn.invars[0].aval.shape
        return size * math.prod(shape[axis] for axis in contracted) // _MULTIPLICATIONS
    if name == "conv_general_dilated":
        kernel, numbers = eqn.invars[1].aval, eqn.params["dimension_numbers"]
        return size * kernel.size // max(kernel.shape[numbers.rhs_spec[0]], 1) // _MULTIPLICATIONS
    return 0
