"""Patterns of blocks: vector unknowns on meshes, colored by node and read block by block."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from .graphs import coordinates, five_point, identity, mesh
from .runner import format_ratio, format_seconds, Library, table


WORKER = Path(__file__).with_name("blocks_worker.py")
MOST_FOR_THE_PEER = 1_000_000  # nonzeros of a Hessian


def cases() -> Iterator[tuple[str, str, Any]]:
    """Names, what to color, and matrices."""
    for nodes, size in [(3_000, 3), (33_000, 3), (20_000, 5), (333_000, 3)]:
        matrix = blown_up(mesh(nodes), size)
        name = f"triangles, {size} unknowns a node"
        yield name, "columns", matrix
        if nodes < 100_000:
            yield name, "star", matrix
    matrix = sp.csr_array(sp.kron(np.ones((3, 3), np.int8), mesh(33_000)))
    yield "triangles, 3 species", "columns", matrix
    yield "triangles, 3 species", "star", matrix
    matrix = blown_up(five_point(200_000), 5)
    yield "5-point stencil, 5 unknowns a node", "columns", matrix
    yield "10,000 dense functions of 30", "columns", blown_up(identity(10_000), 30)


def blown_up(nodes: Any, size: int) -> Any:
    return sp.csr_array(sp.kron(nodes, np.ones((size, size), np.int8)))


def run(ours: Library, peer: Library) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pattern.npz"
        rows = []
        for name, kind, matrix in cases():
            print(f"  {name}, {kind} ...", file=sys.stderr, flush=True)
            store(path, matrix)
            rows.append(_coloring_row(name, kind, path, ours, peer))
        reading = []
        for nodes, size in [(100_000, 3), (33_000, 5)]:
            print(f"  reading blocks of {size} ...", file=sys.stderr, flush=True)
            store(path, blown_up(mesh(nodes), size))
            reading.append(
                _reading_row(size, ours.measure("read", WORKER, path=str(path), repeats=15))
            )
    return "\n".join(
        [
            "## Blocks",
            "",
            "Numbers of colors, and times of the first call of a process: of asdex with the blocks of the "
            "pattern, of asdex without them (by vertex), and of the peer, which does not look for blocks.",
            "",
            table(_COLORING_HEADER, rows),
            "",
            "Times from the compressed Jacobian to the values of its blocks, by one window of the matrix per "
            "block, or by one position per value. Times from there to SciPy's `bsr_matrix`, directly, or "
            "through `csr_matrix.tobsr`.",
            "",
            table(_READING_HEADER, reading),
        ]
    )


def store(path: Path, matrix: Any) -> None:
    rows, cols, shape = coordinates(matrix)
    np.savez(path, rows=rows, cols=cols, shape=shape)


_COLORING_HEADER = [
    *("case", "of", "columns", "nonzeros", "bound", "colors", "by vertex", "peer"),
    *("time", "by vertex", "peer", "ratio", "peer ratio"),
]
_READING_HEADER = [
    *("blocks", "nonzeros", "windows", "single values", "ratio"),
    *("SciPy", "through CSR", "ratio"),
]


def _coloring_row(name: str, kind: str, path: Path, ours: Library, peer: Library) -> list[str]:
    parameters: dict[str, Any] = {"path": str(path), "kind": kind, "repeats": 1}
    by_node = ours.measure("color", WORKER, by_vertex=False, **parameters)
    by_vertex = ours.measure("color", WORKER, by_vertex=True, **parameters)
    theirs = None
    if kind == "columns" or by_node["nnz"] <= MOST_FOR_THE_PEER:
        theirs = peer.measure("color", WORKER, by_vertex=False, **parameters)
    return [
        name,
        "Jacobian" if kind == "columns" else "Hessian",
        *(f"{by_node[key]:,}" for key in ("n", "nnz", "bound")),
        *(str(one["colors"]) if one else "" for one in (by_node, by_vertex, theirs)),
        *(format_seconds(one["cold"]) if one else "" for one in (by_node, by_vertex, theirs)),
        *(
            format_ratio(one["cold"] / by_node["cold"]) if one else ""
            for one in (by_vertex, theirs)
        ),
    ]


def _reading_row(size: int, times: dict[str, Any]) -> list[str]:
    return [
        f"{size} by {size}",
        f"{times['nnz']:,}",
        *(format_seconds(times[key]) for key in ("windows", "single")),
        format_ratio(times["single"] / times["windows"]),
        *(format_seconds(times[key]) for key in ("scipy", "through_scipy")),
        format_ratio(times["through_scipy"] / times["scipy"]),
    ]
