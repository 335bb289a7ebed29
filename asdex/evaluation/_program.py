"""What the compiler makes of the passes: found in their operations before they are batched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from .._versions import nested_jaxprs, open_jaxpr
from ._straight_line import Step, StraightLine


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
_ASSEMBLED = ("gather", "concatenate", "pad", "stack", "tile", "dynamic", "reduce", "arg")
"""Beginnings of the names of operations that take longer in a fused loop than to read their results."""


class Program(NamedTuple):
    """Properties of the program for a pass.

    **Attributes:**

    - `kind`: how a pass is computed.
    - `largest`: elements of the largest result of an operation that is not fused.
    """

    kind: Kind
    largest: int


def examine(steps: Sequence[Step]) -> Program:
    """What the steps of a pass that depend on its seed are made of."""
    products = separate = False
    largest = 0
    for eqn in (one for step in steps if step.origin.seeded for one in _equations(step.eqn)):
        is_product = eqn.primitive.name.startswith(_PRODUCTS)
        is_separate = eqn.primitive.name.startswith(_SEPARATE)
        products, separate = products or is_product, separate or is_separate
        if is_product or is_separate:
            largest = max(largest, *map(size, eqn.outvars))
    return Program("products" if products else "separate" if separate else "fused", largest)


def seed_terms(
    line: StraightLine, steps: Sequence[Step], wanted: int, most: int
) -> tuple[int, ...]:
    """The values that are worth computing once for all calls, of at most `most` elements together.

    They depend on the seed and on nothing else that is unknown; a step that does depend on more reads them,
    or they are `wanted`; and it takes longer to compute than to read them: they combine several elements of
    the seed.
    """
    sizes: dict[int, int] = {}
    read = {wanted}
    for step in steps:
        if not step.origin.known:
            read.update(step.inputs)
            continue
        seeded = [number for number in step.inputs if line.origins[number].seeded]
        if _is_slow(step.eqn) or len(seeded) > 1 or not sizes.keys().isdisjoint(seeded):
            sizes.update(zip(step.outputs, map(size, step.eqn.outvars), strict=True))
    chosen = []
    for number in sorted(read & sizes.keys(), key=lambda one: (sizes[one], one)):
        most -= sizes[number]
        if most < 0:
            break
        chosen.append(number)
    return tuple(chosen)


def size(atom: Any) -> int:
    """Elements of a value; 0 for tokens and other values that are no arrays."""
    return getattr(atom.aval, "size", 0)


def _is_slow(eqn: Any) -> bool:
    slow = _SEPARATE + _PRODUCTS + _ASSEMBLED
    return any(one.primitive.name.startswith(slow) for one in _equations(eqn))


def _equations(eqn: Any) -> Iterator[Any]:
    """The equation, if it has results, and those in the jaxprs of its parameters."""
    if eqn.outvars:
        yield eqn
    for inner in nested_jaxprs(eqn):
        for one in open_jaxpr(inner).eqns:
            yield from _equations(one)
