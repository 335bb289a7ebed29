"""How much memory this process may still take."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final


_FALLBACK: Final = 4 << 30
"""Bytes, where the system says nothing."""

_GROUPS: Final = Path("/sys/fs/cgroup")


def available_memory() -> int:
    """The bytes that the system can still give, within the control groups that the process is in.

    Where the system does not say (macOS, Windows), half of the memory that is installed, or 4 GiB.
    """
    rooms = [*_free(Path("/proc/meminfo")), *_left_in_groups(Path("/proc/self/cgroup"), _GROUPS)]
    return max(min(rooms, default=_installed() // 2), 0)


def _installed() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2 * _FALLBACK


def _free(meminfo: Path) -> Iterator[int]:
    """What Linux can give without swapping."""
    for line in _lines(meminfo):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) << 10


def _left_in_groups(membership: Path, root: Path) -> Iterator[int]:
    """What each group of either version, and each group around it, leaves of its limit."""
    for line in _lines(membership):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, limit, usage, cache = root, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            base, cache = root / "memory", "total_inactive_file"
            limit, usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        for folder in dict.fromkeys((base / group, *(base / one for one in group.parents), base)):
            allowed, used = _number(folder / limit), _number(folder / usage)
            if allowed is not None and used is not None:
                # The kernel drops files from memory that nobody has read for a while.
                yield allowed - used + _entry(folder / "memory.stat", cache)


def _entry(file: Path, name: str) -> int:
    pairs = (line.split() for line in _lines(file))
    return next((int(value) for key, value in pairs if key == name), 0)


def _number(file: Path) -> int | None:
    text = "".join(_lines(file))
    return int(text) if text.isdigit() else None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
