"""A long run of the fuzzer: `make fuzz`, or `python tests/fuzz/run.py --programs 20000`."""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import sys
import time
import traceback
from concurrent.futures import as_completed, ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple


sys.path.insert(0, str(Path(__file__).parents[1]))
import quick_compiler  # noqa: F401


# isort: split
import jax
import numpy as np
from comparison import compare_hessian, compare_jacobian
from programs import Function, program


CHUNK = 500
"""Programs that one process compares: memory that jax keeps for compiled code goes with the process."""


class Tally(NamedTuple):
    """What a number of comparisons came to.

    - `jacobians`, `hessians`: the numbers of those that jax could differentiate.
    - `local`: the number of programs whose local patterns were compared.
    - `detected`, `found`: the numbers of entries in all patterns of Jacobians, and of those found nonzero.
    - `failures`: the seeds of programs with a missing entry or an exception.
    """

    programs: int = 0
    jacobians: int = 0
    hessians: int = 0
    local: int = 0
    detected: int = 0
    found: int = 0
    failures: tuple[int, ...] = ()

    def plus(self, other: Tally) -> Tally:
        return Tally(
            self.programs + other.programs,
            self.jacobians + other.jacobians,
            self.hessians + other.hessians,
            self.local + other.local,
            self.detected + other.detected,
            self.found + other.found,
            self.failures + other.failures,
        )

    def __str__(self) -> str:
        return (
            f"{self.programs} programs, {self.jacobians} Jacobians and {self.hessians} Hessians compared, "
            f"{self.local} at points too: "
            f"{len(self.failures)} failures; {self.detected} entries detected, {self.found} found nonzero"
        )


def program_of_seed(seed: int) -> Function:
    rng = np.random.default_rng(seed)
    return program(lambda limit: int(rng.integers(limit)))


def compare(seeds: range, hessians: int) -> Tally:
    """Compare the programs of some seeds, with Hessians and local patterns where `hessians` divides."""
    return sum_of([_compare_one(seed, seed % hessians == 0) for seed in seeds])


def _compare_one(seed: int, further: bool) -> Tally:
    try:
        jacobians = compare_jacobian(program_of_seed(seed), local=further)
        hessians = compare_hessian(program_of_seed(seed), local=True) if further else []
    except Exception:
        traceback.print_exc()
        print(f"seed {seed}: raised", flush=True)
        return Tally(programs=1, failures=(seed,))
    missing = sum(len(one.missing) for one in jacobians + hessians)
    if missing:
        print(f"seed {seed}: {missing} entries missing", flush=True)
    return Tally(
        programs=1,
        jacobians=bool(jacobians),
        hessians=bool(hessians),
        local=further and bool(jacobians or hessians),
        detected=sum(one.detected for one in jacobians[:1]),
        found=sum(one.found for one in jacobians[:1]),
        failures=(seed,) if missing else (),
    )


def sum_of(tallies: list[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total = total.plus(tally)
    return total


def compare_in_processes(seeds: range, hessians: int, jobs: int) -> Tally:
    """Compare chunks of the programs, each in a fresh process, a few at a time."""
    chunks = [seeds[k : k + CHUNK] for k in range(0, len(seeds), CHUNK)]
    done, start = Tally(), time.perf_counter()
    with ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as executor:
        for chunk in as_completed([executor.submit(compare, one, hessians) for one in chunks]):
            done = done.plus(chunk.result())
            rate = done.programs / (time.perf_counter() - start)
            print(
                f"{done.programs} programs, {len(done.failures)} failures, {rate:.1f} a second",
                flush=True,
            )
    return done


def add_to_record(path: Path, first: int, tally: Tally) -> None:
    """Add a run to the list of runs in a JSON file, in place of an earlier run of the same programs."""
    run = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "first": first,
        **tally._asdict(),
    }
    runs: list[dict[str, Any]] = (
        json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    )
    same = ("jax", "first", "programs")
    kept = [other for other in runs if any(other[key] != run[key] for key in same)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([*kept, run], indent=1) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=20_000, help="how many programs to compare")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first program")
    parser.add_argument(
        "--hessians",
        type=int,
        default=5,
        help="every how many programs a Hessian, and local patterns, too",
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="how many processes run at a time"
    )
    parser.add_argument("--record", type=Path, help="a JSON file to which the run is added")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.programs)
    tally = compare_in_processes(seeds, options.hessians, options.jobs)
    print(tally)
    if tally.failures:
        print(f"seeds of failures: {', '.join(map(str, sorted(tally.failures)))}")
    if options.record is not None:
        add_to_record(options.record, options.first, tally)
    return min(len(tally.failures), 1)


if __name__ == "__main__":
    sys.exit(main())
