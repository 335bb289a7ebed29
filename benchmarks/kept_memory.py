"""Warm calls of large derivatives in processes that keep the memory of results that are gone."""

import dataclasses

from .evaluation import compare
from .runner import Library


INPUTS = 1_000_000
KEPT = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    "MALLOC_ARENA_MAX": "1",
}
"""Settings of glibc: no mappings of their own for large arrays, nothing that is returned below 16 GiB."""


def run(ours: Library, peer: Library) -> str:
    ours, peer = (dataclasses.replace(one, environment=KEPT) for one in (ours, peer))
    warm, _ = compare(ours, peer, INPUTS)
    settings = " ".join(f"{name}={value}" for name, value in KEPT.items())
    return (
        "## Evaluation, memory kept\n\n"
        f"The warm calls at about {INPUTS:,} inputs again, as in the section before, by processes of both "
        f"libraries with `{settings}`. By default, glibc returns the memory of arrays above 32 MiB to the "
        "system at once, and each page of the next result is a page fault.\n\n"
        f"{warm}"
    )
