"""Results of the tests under the oldest and the newest jax.

    python -m benchmarks.versions oldest        run the tests here, and record the outcome under this name

`make test-jax-oldest` and `make test-jax-newest` do so, each in an environment of its own. The section of
`benchmarks/RESULTS.md` shows the last record.
"""

import argparse
import datetime
import json
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from .runner import Library, REPOSITORY, table


RECORD = REPOSITORY / "benchmarks" / "records" / "versions.json"
PACKAGES = ("jax", "equinox", "numpy", "scipy", "lineax", "optimistix", "diffrax")
OUTCOMES = ("passed", "skipped", "failed")


def run(ours: Library, peer: Library) -> str:
    """The section of `benchmarks/RESULTS.md`; it starts nothing."""
    del ours, peer
    recorded = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    columns = ("python", *PACKAGES, *OUTCOMES, "date")
    rows = [
        [name, *(str(found.get(key, "none")) for key in columns)]
        for name, found in sorted(recorded.items(), key=lambda item: _numbers(item[1]["jax"]))
    ]
    reasons = Counter[str]()
    for found in recorded.values():
        reasons.update(found["reasons"])
    lines = [f"- {count}: {reason}" for reason, count in sorted(reasons.items())]
    return "\n".join(
        [
            "## Versions",
            "",
            "Results of all tests, in environments with the oldest packages that `pyproject.toml` allows",
            "(`make test-jax-oldest`) and with the newest packages that pip finds (`make test-jax-newest`).",
            "",
            table(["", *columns], rows),
            "",
            "Skipped tests, in all runs together:",
            "",
            *lines,
        ]
    )


def outcome(report: Path) -> dict[str, Any]:
    """Counts of a JUnit report, and how many tests were skipped for which reason."""
    suites = ElementTree.parse(report).getroot().findall(".//testsuite")
    count = {
        key: sum(int(suite.get(key, 0)) for suite in suites)
        for key in ("tests", "skipped", "failures", "errors")
    }
    failed = count["failures"] + count["errors"]
    skips = (skip.get("message", "") for suite in suites for skip in suite.iter("skipped"))
    return {
        "passed": count["tests"] - count["skipped"] - failed,
        "skipped": count["skipped"],
        "failed": failed,
        "reasons": dict(sorted(Counter(skips).items())),
    }


def installed() -> dict[str, str]:
    """The versions of Python and of the packages in this environment, without those that are missing."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def record(name: str, report: Path) -> None:
    """Replace the entry `name` of the record by what a JUnit report says of this environment."""
    recorded = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    date = {"date": datetime.date.today().isoformat()}
    recorded[name] = {**installed(), **date, **outcome(report)}
    RECORD.parent.mkdir(exist_ok=True)
    text = json.dumps(recorded, indent=1, sort_keys=True, ensure_ascii=False)
    RECORD.write_text(text + "\n", encoding="utf-8")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(".") if part.isdigit()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.versions", description=__doc__)
    parser.add_argument("name", help="the entry of the record")
    parser.add_argument(
        "pytest", nargs="*", help="options for pytest, after `--`; nothing is recorded with them"
    )
    arguments = parser.parse_args()
    whole = ["-n", "auto", "--dist", "loadfile"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        options = [*(arguments.pytest or whole), f"--junitxml={report}"]
        done = subprocess.run([sys.executable, "-m", "pytest", *options], cwd=REPOSITORY)
        if not arguments.pytest and report.exists():
            record(arguments.name, report)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
