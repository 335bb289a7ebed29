"""The options that all coloring functions share."""

from typing import Any

from .._pattern import SparsityPattern
from ._orders import Order, ORDERS
from ._search import Budget, default_budget


def effort(
    sparsity: SparsityPattern, order: Any, budget: float | None
) -> tuple[Budget, Order | None]:
    """Return how much to search, and the order for a single greedy coloring instead.

    **Raises:** `ValueError` for an unknown order or a negative budget.
    """
    if order is not None:
        check_one_of("order", order, tuple(ORDERS))
    if budget is not None and not budget >= 0:
        raise ValueError(f"Expected `budget` to be a number of seconds, 0 or more, got {budget!r}.")
    seconds = default_budget(sparsity.nnz) if budget is None else float(budget)
    return Budget(seconds), None if order is None else ORDERS[order]


def check_one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    """Refuse a value that is not among the known ones."""
    if value not in known:
        raise ValueError(
            f"Expected `{name}` to be one of {', '.join(map(repr, known))}, got {value!r}."
        )


def check_mode(mode: str | None, known: tuple[str, ...], what: str) -> str:
    """Return the mode, "auto" for `None`; refuse unknown ones."""
    if mode is None:
        return "auto"
    if mode not in known:
        raise ValueError(
            f"Unknown mode for a {what}: expected one of {', '.join(map(repr, known))}, got "
            f"{mode!r}."
        )
    return mode
