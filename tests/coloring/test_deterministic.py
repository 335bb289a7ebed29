"""Processes that search for a coloring of the same pattern find the same: they need not tell each other."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import asdex
from asdex.coloring.greedy import adjacency, breadth_first


NARROW = "AVX2 AVX512F AVX512_SKX AVX512_ICL AVX512_SPR X86_V3 X86_V4"
"""Instructions with which NumPy sorts equal numbers in another order, by their names in all its versions."""


def fingerprint():
    """A hash of the colors of several patterns for every problem."""
    rng = np.random.default_rng(0)
    rows, cols = rng.integers(0, 60, (2, 400))
    scattered = asdex.SparsityPattern.from_coo(rows, cols, (60, 60))
    symmetric = asdex.SparsityPattern.from_coo(
        np.concatenate([rows, cols]), np.concatenate([cols, rows]), (60, 60)
    )
    arrow = np.eye(60, dtype=bool)
    arrow[0] = arrow[:, 0] = True
    arrays = [asdex.color_cols(scattered)[0], asdex.color_rows(scattered)[0]]
    arrays += [asdex.color_symmetric(symmetric)[0], asdex.color_acyclic(symmetric)[0]]
    arrays += asdex.color_bidirectional(asdex.SparsityPattern.from_dense(arrow))[:2]
    neighbors = np.random.default_rng(1).integers(0, 3000, (2, 6000))
    graph = asdex.SparsityPattern.from_coo(
        np.concatenate(neighbors), np.concatenate(neighbors[::-1]), (3000, 3000)
    )
    arrays.append(breadth_first(adjacency(graph)))
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def test_other_processes_find_the_same_colors():
    root = Path(__file__).parents[2]
    for others in ({"PYTHONHASHSEED": "1"}, {"NPY_DISABLE_CPU_FEATURES": NARROW}):
        environment = {**os.environ, "PYTHONPATH": str(root), **others}
        result = subprocess.run(
            [sys.executable, __file__], capture_output=True, text=True, env=environment, check=True
        )
        assert result.stdout.strip() == fingerprint()


if __name__ == "__main__":
    print(fingerprint())
