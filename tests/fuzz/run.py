"""A long run of the fuzzer: `make fuzz`, or `python tests/fuzz/run.py --programs 20000`."""

from __future__ import annotations

import argparse
import sys
import time
import traceback

import jax
import numpy as np
from comparison import compare_hessian, compare_jacobian
from programs import program


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=20_000, help="how many programs to compare")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first program")
    parser.add_argument(
        "--hessians", type=int, default=5, help="every how many programs a Hessian too"
    )
    options = parser.parse_args()
    # Each program runs once: compile it fast rather than well.
    jax.config.update("jax_disable_most_optimizations", True)
    failures = jacobians = hessians = detected = found = 0
    start = time.perf_counter()
    for seed in range(options.first, options.first + options.programs):
        try:
            missing = 0
            first = compare_jacobian(program_of_seed(seed))
            if first is not None:
                jacobians += 1
                detected, found = detected + first.detected, found + first.found
                missing += len(first.missing)
            if seed % options.hessians == 0:
                second = compare_hessian(program_of_seed(seed))
                hessians += second is not None
                missing += 0 if second is None else len(second.missing)
        except Exception:
            traceback.print_exc()
            missing = -1
        if missing:
            failures += 1
            print(
                f"seed {seed}: {'raised' if missing < 0 else f'{missing} entries missing'}",
                flush=True,
            )
        done = seed - options.first + 1
        if done % 500 == 0:
            rate = done / (time.perf_counter() - start)
            print(f"{done} programs, {failures} failures, {rate:.1f} a second", flush=True)
    print(
        f"{options.programs} programs from seed {options.first}, {jacobians} Jacobians and {hessians} "
        f"Hessians compared: {failures} failures; {detected} entries detected, {found} found nonzero"
    )
    return min(failures, 1)


def program_of_seed(seed: int):
    rng = np.random.default_rng(seed)
    return program(lambda limit: int(rng.integers(limit)))


if __name__ == "__main__":
    sys.exit(main())
