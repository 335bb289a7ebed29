"""How many passes are batched where `chunk_size` does not say."""

from __future__ import annotations

import jax

from ._program import Program


_CACHED = 2**15
"""Elements of a batch on a CPU of operations that are not fused: their arrays should stay in the caches."""
_MULTIPLIED = 2**20
"""Elements of a batch on a CPU of products with matrices, which are the faster the larger they are."""
_RESIDENT = 2**26
"""Elements of a batch on an accelerator, which large arrays keep busy: 256 MB in single precision."""
_LEAST = 2
"""Passes that are batched however long they are: gathers and scatters share their indices."""


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
    most = max(_LEAST, batch // max(length, program.largest, 1))
    if most >= num_colors:
        return num_colors
    # The last batch is filled up with passes that nobody needs: the fewer the better.
    return min(range(most, (most + 1) // 2, -1), key=lambda size: -(-num_colors // size) * size)
