"""Results of evaluations that are asked for: by NumPy, by one program for several, or by JAX one by one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, TYPE_CHECKING

import jax

from ...pattern import in_order
from ._known import compiled, not_computable, on_host, Unavailable


if TYPE_CHECKING:
    from ._evaluations import Evaluation, Evaluations


_SMALL: Final = 1 << 16
"""Elements of results that are computed before they are asked for, to compile one program in place of two."""

_RECURRING: Final = 4
"""Equations of each kind on average from which on they are run one by one."""


def force(wanted: Evaluation, others: Evaluations) -> None:
    """Compute what an evaluation needs, and it, if that is possible: on the host, outside any trace.

    What NumPy cannot compute, and what follows from it, is compiled as one program; or it is run as it is,
    and NumPy goes on, where few kinds of equations are to be compiled, of which JAX keeps each. So a chain of
    1,000 sines takes 0.15 s, in one program 0.6 s; the weights of a cubic `image.resize` 0.03 s, not 0.24 s;
    and a loop of 80 steps that draw random numbers 1 s, with a program for each step 16 s.

    **Raises:** `Unavailable`.
    """
    left: dict[Evaluation, None] = {}
    _by_numpy(in_order(wanted, lambda one: one.pending()), left)
    if any(one.bind is not_computable for one in left):
        raise Unavailable
    if left:
        if not others.at_once:
            _by_numpy(_also_small(others, left), left)
            _drop_unavailable(left)
        _run(list(left), others)


def _also_small(others: Evaluations, left: Collection[Evaluation]) -> list[Evaluation]:
    """Further evaluations whose results, and all that they need, are small, in order.

    None that draw random numbers, which are compiled by themselves, if anyone asks for them.
    """
    chosen, refused = [], set()
    for one in list(others.values()):
        if one.results is not None or one in left:
            continue
        is_apart = one.bind is not_computable or one.is_probing or one.is_draw
        if one.size > _SMALL or is_apart or not refused.isdisjoint(one.pending()):
            refused.add(one)
        else:
            chosen.append(one)
    return chosen


def _drop_unavailable(left: dict[Evaluation, None]) -> None:
    """Leave out what cannot be computed, and what needs it."""
    dropped: set[Evaluation] = set()
    for one in list(left):
        if one.bind is not_computable or not dropped.isdisjoint(one.pending()):
            dropped.add(one)
            del left[one]


def _by_numpy(order: Sequence[Evaluation], left: dict[Evaluation, None]) -> None:
    """Compute what NumPy can, and note what is left."""
    for evaluation in order:
        if any(one in left for one in evaluation.pending()) or not evaluation.computed():
            left[evaluation] = None


def _run(evaluations: Sequence[Evaluation], others: Evaluations) -> None:
    """Compute with JAX, and add to the kinds of what was computed before."""
    new = {one.kind for one in evaluations if one.compute is None} - others.kinds
    others.kinds |= new
    recur = others.at_once or len(new) * _RECURRING <= len(evaluations)
    try:
        with on_host():
            (_run_apart if recur else _run_together)(evaluations)
    except Unavailable:  # as in `run`
        raise
    except Exception as error:  # a kernel for another backend, a collective, too little memory
        for one in evaluations:
            one.bind = not_computable
        raise Unavailable from error


def _run_apart(evaluations: Sequence[Evaluation]) -> None:
    failed: set[Evaluation] = set()
    for one in evaluations:
        if not failed.isdisjoint(one.pending()) or not one.run():
            failed.add(one)


def _run_together(evaluations: Sequence[Evaluation]) -> None:
    inside = set(evaluations)
    operands = [known for one in evaluations for known in one.operands]
    outside = {id(known): known for known in operands if known.maker not in inside}

    def program(given: dict[int, Any]) -> list[Sequence[Any]]:
        results: dict[Evaluation, Sequence[Any]] = {}
        for one in evaluations:
            results[one] = jax.jit(one.bind)(
                *(
                    given[id(known)]
                    if known._make is None or id(known) in given
                    else results[known._make[0]][known._make[1]]
                    for known in one.operands
                )
            )
        return list(results.values())

    arrays = {key: known.raw() for key, known in outside.items()}
    results = compiled(program, arrays)(arrays)
    for one, result in zip(evaluations, results, strict=True):
        one.settle(result)
