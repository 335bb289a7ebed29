"""Numbers of detected entries and of true entries, in cases that are easy to get wrong."""

from typing import Any

from .runner import Library, PATTERN_WORKER, REPOSITORY, table


FOLDER = REPOSITORY / "tests" / "precision"
LONG_LOOPS = ("`scan` of 10,000 steps", "`while` of 600 sweeps")


def run(ours: Library, peer: Library) -> str:
    true = ours.measure("truth", PATTERN_WORKER, folder=str(FOLDER))
    detected = {
        library.name: library.measure("precision", PATTERN_WORKER, folder=str(FOLDER))
        for library in (ours, peer)
    }
    del true["started"]
    rows = [
        [name, *(_outcome(found.get(name), true[name]) for found in detected.values())]
        for name in true
    ]
    reasons = [f"- {name}: {one['reason']}" for name, one in true.items() if one["reason"]]
    return "\n".join(
        [
            "## Precision",
            "",
            "Numbers of detected and of true entries. True entries are nonzero in `jax.jacfwd`, by more",
            "than rounding errors, at one or more of 40 random points. The cases are those of",
            "`tests/precision/`. No entry that is nonzero at any of these points may be missing, even if",
            "it is only a rounding error.",
            "",
            table(["", *detected], rows),
            "",
            f"{_exact(true, detected)} Where asdex detects more:",
            "",
            *reasons,
            "",
            f"asdex takes {_seconds(detected[ours.name], LONG_LOOPS[0])} s for the scan and "
            f"{_seconds(detected[ours.name], LONG_LOOPS[1])} s for the `while`, including the compilation of "
            "known values.",
        ]
    )


def _outcome(found: dict[str, Any] | None, true: dict[str, list[int]]) -> str:
    if found is None:
        return "—"
    if "raises" in found:
        return "raises"
    text = f"{len(found['detected']):,}/{len(true['more']):,}"
    missing = len({*true["anything"]} - {*found["detected"]})
    return f"{text}, misses {missing}" if missing else text


def _exact(true: dict[str, Any], detected: dict[str, dict[str, Any]]) -> str:
    counts = []
    for library, found in detected.items():
        patterns = [(found.get(name) or {}).get("detected") for name in true]
        pairs = zip(true.values(), patterns, strict=True)
        exact = sum(pattern == one["more"] for one, pattern in pairs)
        counts.append(f"{library} in {exact} of {len(true)} cases")
    return f"Exact: {', '.join(counts)}."


def _seconds(found: dict[str, Any], name: str) -> str:
    return f"{found[name]['seconds']:.2g}"
