"""Counts of primitives by the kind of their rule, and the patterns of all cases of the tests of rules."""

import json
from collections import Counter, defaultdict
from typing import Any

from .runner import Library, PATTERN_WORKER, REPOSITORY, table


FOLDER = REPOSITORY / "tests" / "rules"
RECORD = REPOSITORY / "docs" / "primitives.json"
VERSIONS = ("0.6.0", "0.10.2", "0.12.0.1")


def run(ours: Library, peer: Library) -> str:
    return "\n".join(
        [
            "## Coverage",
            "",
            "Numbers of primitives of JAX and of `jax.experimental`, by the way in which asdex handles",
            "them: it follows calls, uses a rule, uses a rule that says that the derivative is zero, or",
            "derives a rule from the derivative in JAX. The others have no derivative in JAX: their",
            "integer results depend on nothing, and their other results on all operands.",
            "",
            _primitives(ours),
            "",
            "All cases of the tables in `tests/rules/`, with different shapes, parameters, dtypes and",
            "known operands, compared with automatic differentiation at up to 64 points. *Misses* counts",
            "cases with a missing entry; *entries beyond* counts the excess entries of over-full cases.",
            "",
            *_cases(ours, peer),
        ]
    )


def _primitives(ours: Library) -> str:
    kinds = ours.measure("registry", PATTERN_WORKER)
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))
    rows = []
    for version in VERSIONS:
        count = Counter(
            kinds.get(name, "derived" if differentiable else "none")
            for name, differentiable in recorded[version].items()
        )
        columns = [count[kind] for kind in ("call", "rule", "zero", "derived", "none")]
        rows.append([version, *map(str, [sum(columns), *columns])])
    return table(["jax", "primitives", "calls", "rules", "zero", "derived", "none"], rows)


def _cases(ours: Library, peer: Library) -> list[str]:
    mine = ours.measure("rules", PATTERN_WORKER, folder=str(FOLDER), with_truth=True)
    theirs = peer.measure("rules", PATTERN_WORKER, folder=str(FOLDER), with_truth=False)
    del mine["started"]
    true = {name: {*found["true"]} for name, found in mine.items()}
    names = [name for name in true if name in theirs and not mine[name]["by_hand"]]
    rows = []
    for library, found in ((ours.name, mine), (peer.name, theirs)):
        outcomes = Counter(_outcome(found[name], true[name]) for name in names)
        beyond = sum(len({*found[name].get("detected", ())} - true[name]) for name in names)
        columns = [outcomes[kind] for kind in ("exact", "over-full", "misses", "raises")]
        rows.append([library, *(f"{number:,}" for number in (len(names), *columns, beyond))])
    exact: dict[str, bool] = defaultdict(lambda: True)
    for name, found in mine.items():
        exact[found["primitive"]] &= _outcome(found, true[name]) == "exact"
    header = ["", "cases", "exact", "over-full", "misses", "raises", "entries beyond"]
    others = ", ".join(f"`{primitive}`" for primitive in sorted(exact) if not exact[primitive])
    return [
        table(header, rows),
        "",
        f"With {len(true) - len(names)} further cases, whose patterns are written by hand because JAX cannot",
        f"differentiate them, asdex is exact in all cases of {sum(exact.values())} of {len(exact)}",
        f"primitives. The others are: {others}.",
    ]


def _outcome(found: dict[str, Any], true: set[int]) -> str:
    if "raises" in found:
        return "raises"
    detected = {*found["detected"]}
    if true - detected:
        return "misses"
    return "over-full" if detected - true else "exact"
