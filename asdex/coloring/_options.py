"""The options that all coloring functions share."""

from typing import Any

from .._pattern import SparsityPattern
from ._orders import Order, ORDERS
from ._search import Budget, default_budget


def effort(
    sparsity: SparsityPattern, order: Any, budget: float | None
) -> tuple[Budget, Order | None]:
    """Return the budget of the search, and the order if a single greedy coloring is asked for instead.

    **Raises:** `ValueError` for an unknown order or a negative budget.
    """
    if order is not None:
        check_one_of("order", order, tuple(ORDERS))
    if budget is not None and not budget >= 0:
        raise ValueError(f"Expected `budget` to be a number of seconds, 0 or more, got {budget!r}.")
    seconds = default_budget(sparsity.nnz) if budget is None else float(budget)
    return Budget(seconds), None if order is None else ORDERS[order]


def check_one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    """Raise if a value is not among the known ones."""
    if value not in known:
        raise ValueError(
            f"Expected `{name}` to be one of {', '.join(map(repr, known))}, got {value!r}."
        )


def check_mode(mode: str | None, known: tuple[str, ...], what: str) -> str:
    """Return the mode, "auto" for `None`; raise if it is unknown."""
    if mode is None:
        return "auto"
    if mode not in known:
        raise ValueError(
            f"Unknown mode for a {what}: expected one of {', '.join(map(repr, known))}, got "
            f"{mode!r}."
        )
    return mode
