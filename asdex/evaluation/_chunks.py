"""How many passes are batched where `chunk_size` does not say."""

from __future__ import annotations

import jax


_CACHED = 2**16
"""Elements of a batch on a CPU, whose arrays should stay in the caches from one operation to the next."""
_RESIDENT = 2**26
"""Elements of a batch on an accelerator, which large arrays keep busy: 256 MB in single precision."""
_LEAST = 4
"""Passes that are batched however long they are: gathers and scatters share their indices."""
_WORTH_A_LOOP = 2**14
"""Elements of all passes from which on a CPU makes two batches even of a few passes.

XLA moves a single batch into the gather that follows, and computes it there one element at a time. Loops
stay where they are.
"""


def default_chunk(num_colors: int, length: int) -> int:
    """The number of passes to batch.

    **Arguments:**

    - `num_colors`: how many passes there are.
    - `length`: the elements that one pass reads or writes: the inputs or the outputs, whichever are more.
    """
    on_cpu = jax.default_backend() == "cpu"
    most = max(_LEAST, (_CACHED if on_cpu else _RESIDENT) // max(length, 1))
    if on_cpu and 1 < num_colors <= _LEAST and num_colors * length >= _WORTH_A_LOOP:
        most = min(most, -(-num_colors // 2))
    if most >= num_colors:
        return num_colors
    # The last batch is filled up with passes that nobody needs: the fewer the better.
    return min(range(most, (most - 1) // 2, -1), key=lambda size: -(-num_colors // size) * size)
