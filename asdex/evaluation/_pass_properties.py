"""What the compiler makes of the passes: found in their operations before they are batched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from .._jaxprs import nested_jaxprs, open_jaxpr
from ._operations import Step, StraightLine


Kind = Literal["fused", "products", "separate"]
"""How XLA computes a pass: in few loops without arrays in between, by products of matrices, or by operations
each of which reads and writes whole arrays."""

_SCATTERS = ("scatter",)
"""Beginnings of the names of operations that are not fused with others, in batches or not."""
_OTHERS = (
    *("conv_general", "sort", "cum", "reduce_window", "select_and", "fft"),
    *("scan", "while", "cond"),
)
"""Beginnings of the names of other operations that are not fused."""
_PRODUCTS = (
    *("dot_general", "ragged_dot", "triangular_solve", "cholesky"),
    *("lu", "qr", "householder", "eig", "svd", "schur"),
)
"""Beginnings of the names of products with matrices and of factorizations, which are not fused either."""
_MOVES = ("gather", "concatenate", "pad", "stack", "tile")
"""Beginnings of the names of operations that only move elements, which takes longer in batches."""
_REDUCTIONS = ("dynamic", "reduce", "arg")
"""Beginnings of the names of operations that, as those above, take longer than to read their results."""


class Program(NamedTuple):
    """Properties of the program for a pass.

    **Attributes:**

    - `kind`: how a pass is computed.
    - `moves`: whether it moves elements by index or assembles arrays, and nothing is faster in batches.
    - `largest`: elements of the largest result of an operation that is not fused.
    - `length`: the number of operations.
    """

    kind: Kind
    moves: bool = False
    largest: int = 0
    length: int = 0


def examine(steps: Sequence[Step]) -> Program:
    """What the steps of a pass that depend on its seed are made of."""
    seeded = [step.eqn for step in steps if step.origin.seeded]
    eqns = [one for eqn in seeded for one in equations(eqn)]
    products, others, scatters, moves = (
        [eqn for eqn in eqns if eqn.primitive.name.startswith(names)]
        for names in (_PRODUCTS, _OTHERS, _SCATTERS, _MOVES)
    )
    separate = [*products, *others, *scatters]
    return Program(
        kind="products" if products else "separate" if separate else "fused",
        moves=bool(moves or scatters) and not (products or others),
        largest=max((size(atom) for eqn in separate for atom in eqn.outvars), default=0),
        length=len(eqns),
    )


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
    slow = _PRODUCTS + _OTHERS + _SCATTERS + _MOVES + _REDUCTIONS
    return any(one.primitive.name.startswith(slow) for one in equations(eqn))


def equations(eqn: Any) -> Iterator[Any]:
    """The equation, if it has results, and those in the jaxprs of its parameters."""
    if eqn.outvars:
        yield eqn
    for inner in nested_jaxprs(eqn):
        for one in open_jaxpr(inner).eqns:
            yield from equations(one)
