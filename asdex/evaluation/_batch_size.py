"""How the passes are batched where `chunk_size` does not say."""

from __future__ import annotations

import jax

from ._pass_properties import Program


_CACHED = 2**15
"""Elements of a batch on a CPU of operations that are not fused: their arrays should stay in the caches."""
_MULTIPLIED = 2**20
"""Elements of a batch on a CPU of products with matrices, which are the faster the larger they are."""
_RESIDENT = 2**26
"""Elements of a batch on an accelerator, which large arrays keep busy: 256 MB in single precision."""
_LEAST = 2
"""Passes that are batched however long they are, unless they only move elements."""
_UNROLLED = 2**9
"""Operations of all passes together, up to which they may be compiled one by one."""
_FUSED = 8
"""Passes that XLA still fuses with what reads their results: `kMaxConcatenateArguments` in its sources."""
_WORTHWHILE = 2**14, 2**7
"""Elements of all passes together, and of one pass for each of its operations, from which on it matters more
how fast the operations are than how fast they are compiled."""
_SPARE = 2**20
"""Elements of all passes together up to which their arrays may all be there at once: some megabytes each."""


def is_unrolled(num_colors: int, length: int, program: Program) -> bool:
    """Whether each pass has operations of its own in the program, in place of one batch for all.

    On a CPU this is up to twice as fast for passes that move elements; but where there are arrays between
    their operations, those of all passes are there at once. The arguments are those of `default_chunk`.
    """
    if jax.default_backend() != "cpu" or not program.moves:
        return False
    least, least_of_operation = _WORTHWHILE
    if num_colors * length < least or length < program.length * least_of_operation:
        return False
    if program.kind == "fused":
        fits = num_colors <= _FUSED
    else:
        fits = num_colors * length <= _SPARE
    return fits and num_colors * program.length <= _UNROLLED


def default_chunk(num_colors: int, length: int, program: Program) -> int:
    """The number of passes to batch.

    **Arguments:**

    - `num_colors`: how many passes there are.
    - `length`: the elements that one pass reads or writes: the inputs or the outputs, whichever are more.
    - `program`: what a pass is made of.
    """
    if jax.default_backend() != "cpu":
        batch = _RESIDENT
    elif program.kind == "fused":
        return num_colors
    else:
        batch = _MULTIPLIED if program.kind == "products" else _CACHED
    most = max(1 if program.moves else _LEAST, batch // max(length, program.largest, 1))
    if most >= num_colors:
        return num_colors
    # The last batch is filled up with passes whose results are dropped: few, if the size is well chosen.
    sizes = range(most, most - max(most // 2, 1), -1)
    return min(sizes, key=lambda size: -(-num_colors // size) * size)
