"""Progress of long work, shown by tqdm where that is installed (`asdex[progress]`); nothing otherwise."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TypeVar


T = TypeVar("T")

_DELAY = 2.0
"""Seconds after which a bar appears."""


def track(items: Iterable[T], name: str, total: int | None = None) -> Iterable[T]:
    """The items, with a bar on a terminal that says how many of them are done."""
    if sys.stderr is None or not sys.stderr.isatty():
        return items
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return tqdm(items, f"asdex: {name}", total, delay=_DELAY, leave=False)
