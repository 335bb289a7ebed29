"""What a pass is made of, and how the passes are batched by it where `chunk_size` does not say.

Each threshold carries what it gains, measured on two cores with jax 0.10.2, values under `jax.jit`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import jax

from ..._jaxprs import nested_jaxprs, open_jaxpr
from ._flat_jaxpr import Step


_CACHED = 2**15
"""Elements of a batch on a CPU of operations that are not fused: their arrays should stay in the caches. With
2e5 inputs, one batch for all takes 3 to 4 times as long (graph Laplacian, finite elements, scan)."""
_LOOPED = 3 * 2**18
"""Elements of all passes up to which they are one batch on a CPU where only loops are not fused: to run a
loop again costs more than what leaves the caches. In batches of `_CACHED`, the scan takes 1.9 times as long
with 3e4 inputs, 1.3 times with 1e4; with 1e6 elements or more, one batch takes up to 2.4 times as long."""
_MULTIPLIED = 2**20
"""Elements of a batch on a CPU of products with matrices, which are the faster the larger they are. With
2^15, the full Jacobian of a network of width 1000 takes 1.7 times as long; with no bound, no less."""
_RESIDENT = 2**26
"""Elements of a batch on an accelerator, which large arrays keep busy: 256 MB in single precision."""
_LEAST = 2
"""Passes that are batched however long they are: no slower than one at a time, and half as many turns."""
_UNROLLED = 2**9
"""Operations of all passes together up to which they may be compiled one by one, on a CPU, if they are fused
and move elements. In a batch they take 2.5 (Rosenbrock), 1.7 (Brusselator) and 1.4 times as long (optimal
control, 2e5 inputs). More operations would take long to compile."""


Kind = Literal["fused", "products", "loops", "separate"]
"""How XLA computes a pass: in few loops without arrays in between, by products of matrices, by the user's
loops over such steps, or by operations each of which reads and writes whole arrays."""

_LOOPS = ("scan", "while", "cond")
"""Names of operations that have others inside."""
_OTHERS = (
    *("scatter", "conv_general", "sort", "cum", "reduce_window", "select_and", "fft"),
    *_LOOPS,
)
"""Beginnings of the names of operations that are not fused with others."""
_PRODUCTS = (
    *("dot_general", "ragged_dot", "triangular_solve", "cholesky"),
    *("lu", "qr", "householder", "eig", "svd", "schur"),
)
"""Beginnings of the names of products with matrices and of factorizations, which are not fused either."""
_MOVES = ("gather", "concatenate", "pad", "stack", "tile")
"""Beginnings of the names of operations that only move elements, which takes longer in batches."""
_REDUCTIONS = ("dynamic", "reduce", "arg")
"""Beginnings of the names of operations that, as those above, take longer than to read their results."""


class Makeup(NamedTuple):
    """What the program for a pass is made of.

    **Attributes:**

    - `kind`: how a pass is computed.
    - `moves`: whether it moves elements by index or assembles arrays.
    - `largest`: elements of the largest result of an operation that is not fused.
    - `length`: the number of operations.
    """

    kind: Kind
    moves: bool = False
    largest: int = 0
    length: int = 0


def examine(steps: Sequence[Step]) -> Makeup:
    """What the steps of a pass that depend on its seed are made of."""
    seeded = [step.eqn for step in steps if step.active]
    eqns = [one for eqn in seeded for one in equations(eqn)]
    products, others, moves = (
        [eqn for eqn in eqns if eqn.primitive.name.startswith(names)]
        for names in (_PRODUCTS, _OTHERS, _MOVES)
    )
    separate = [*products, *others]
    only_loops = all(eqn.primitive.name in _LOOPS for eqn in others)
    apart = "loops" if only_loops else "separate"
    return Makeup(
        kind="products" if products else apart if separate else "fused",
        moves=bool(moves),
        largest=max((size(atom) for eqn in separate for atom in eqn.outvars), default=0),
        length=len(eqns),
    )


def is_unrolled(num_colors: int, makeup: Makeup) -> bool:
    """Whether each pass has operations of its own in the program, in place of one batch for all."""
    fused = makeup.kind == "fused" and makeup.moves
    few = 0 < num_colors * makeup.length <= _UNROLLED
    return fused and few and jax.default_backend() == "cpu"


def default_chunk(num_colors: int, length: int, makeup: Makeup) -> int:
    """The number of passes to batch.

    **Arguments:**

    - `num_colors`: how many passes there are.
    - `length`: the elements that one pass reads or writes: the inputs or the outputs, whichever are more.
    - `makeup`: what a pass is made of.
    """
    reach = max(length, makeup.largest, 1)
    if jax.default_backend() != "cpu":
        batch = _RESIDENT
    elif makeup.kind == "fused" or (makeup.kind == "loops" and num_colors * reach <= _LOOPED):
        return num_colors
    else:
        batch = _MULTIPLIED if makeup.kind == "products" else _CACHED
    most = max(_LEAST, batch // reach)
    if 3 * most >= 2 * num_colors:  # rather than a second batch that is not full
        return num_colors
    # The last batch is filled up with passes whose results are dropped: few, if the size is well chosen.
    sizes = range(most, most - max(most // 2, 1), -1)
    return min(sizes, key=lambda size: -(-num_colors // size) * size)


def seed_terms(
    steps: Sequence[Step], known: Container[int], wanted: int, most: int
) -> tuple[int, ...]:
    """The variables that are worth computing once for all calls, of at most `most` elements together.

    They depend on the seed and on nothing else that is unknown; a step that does depend on more reads them,
    or they are `wanted`; and it takes longer to compute than to read them: they combine several elements of
    the seed.
    """
    sizes: dict[int, int] = {}
    read = {wanted}
    for step in steps:
        if step.makes[0] not in known:
            read.update(step.reads)
        elif _is_slow(step.eqn) or len(step.active) > 1 or not sizes.keys().isdisjoint(step.active):
            sizes.update(zip(step.makes, map(size, step.eqn.outvars), strict=True))
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
    slow = _PRODUCTS + _OTHERS + _MOVES + _REDUCTIONS
    return any(one.primitive.name.startswith(slow) for one in equations(eqn))


def equations(eqn: Any) -> Iterator[Any]:
    """The equation, if it has results, and those in the jaxprs of its parameters."""
    if eqn.outvars:
        yield eqn
    for inner in nested_jaxprs(eqn):
        for one in open_jaxpr(inner).eqns:
            yield from equations(one)
