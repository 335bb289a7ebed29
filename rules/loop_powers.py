"""Many steps of a loop at a time, by powers of the structure of its body."""

from __future__ import annotations

from collections.abc import Sequence

from asdex import Dependence


_BLOCK = 1 << 21
"""Entries of the states that are held at a time, 8 MB; sparse powers of a body have no more than that."""


def powers_of(step: Dependence, count: int) -> list[Dependence]:
    """The structures of 1, 2, 4, ... steps: as many as `count` steps need, while they are sparse."""
    powers = [step]
    while 2 ** len(powers) <= count:
        last = powers[-1]
        if last.nnz**2 > _BLOCK * max(last.size, 1):
            break
        powers.append(last.substitute(last))
        if not powers[-1].nnz:
            break
    return powers


def block_length(powers: Sequence[Dependence], state: Dependence) -> int:
    """Steps that are applied at a time: as many as the powers reach, while their sets fit into a block."""
    fitting = max(_BLOCK // max(state.size, state.nnz, 1), 1)
    return fitting if not powers[-1].nnz else min(2 ** len(powers) - 1, fitting)


def reached(state: Dependence, added: Dependence, powers: Sequence[Dependence]) -> Dependence:
    """The carry before each of some steps and after the last one, a row each."""
    states = Dependence.concatenate([state.reshape((1, state.size)), added])
    for number, power in enumerate(powers):
        shift = 2**number
        if shift >= states.shape[0] or not power.nnz:
            break
        moved = power.substitute_each(states.rearrange(lambda p, shift=shift: p[:-shift]))
        states = states | Dependence.concatenate(
            [Dependence.none((shift, state.size)), moved.reshape((-1, state.size))]
        )
    return states
