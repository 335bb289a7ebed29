"""The answers of direct solvers to lineax's question which operators they can solve."""

from __future__ import annotations

from typing import TypeVar

import lineax as lx


_State = TypeVar("_State")


class AbstractFullRankSolver(lx.AbstractLinearSolver[_State]):
    """A solver that needs operators of full rank, so that gradients need fewer terms.

    lineax calls `assume_full_rank`; versions before 0.1 call the other two methods.
    """

    def assume_full_rank(self) -> bool:
        return True

    def allow_dependent_columns(self, operator: lx.AbstractLinearOperator) -> bool:
        return operator.in_size() > operator.out_size()

    def allow_dependent_rows(self, operator: lx.AbstractLinearOperator) -> bool:
        return operator.out_size() > operator.in_size()
