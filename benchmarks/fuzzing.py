"""What the fuzzer found, from the record that `make fuzz` writes. The section starts nothing."""

import json

from .runner import Library, REPOSITORY, table


RECORD = REPOSITORY / "benchmarks" / "records" / "fuzz.json"
COUNTS = ("programs", "jacobians", "hessians", "local", "detected", "found")


def run(ours: Library, peer: Library) -> str:
    del ours, peer
    runs = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else []
    rows = []
    for jax in sorted({one["jax"] for one in runs}, key=numbers):
        same = [one for one in runs if one["jax"] == jax]
        totals = [sum(one[key] for one in same) for key in COUNTS]
        failures = sum(len(one["failures"]) for one in same)
        row = [jax, *(f"{total:,}" for total in totals), str(failures)]
        rows.append([*row, max(one["date"] for one in same)])
    header = [
        *("jax", "programs", "Jacobians", "Hessians", "at points too"),
        *("entries detected", "found nonzero"),
    ]
    return "\n".join(
        [
            "## Fuzzing",
            "",
            "The patterns of random programs (`tests/fuzz/`), compared with the nonzeros of",
            "`jax.jacobian` at five points. Every tenth program is also compared with those of",
            "`jax.hessian`, and its local patterns at three of the points with the nonzeros there.",
            "A failure is a missing entry or an exception. The entries are those of Jacobians for all",
            "values. Some are nonzero only at other points, such as the entries of a branch that is not",
            "taken at any of the five.",
            "",
            table([*header, "failures", "date"], rows),
        ]
    )


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]
