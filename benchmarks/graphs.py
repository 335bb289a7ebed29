"""Patterns whose colorings are measured: coordinates `(rows, cols, shape)` with about `n` columns."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.spatial import Delaunay


Coordinates = tuple[np.ndarray, np.ndarray, tuple[int, int]]


def identity(n: int) -> Any:
    return sp.csr_array((np.ones(n, np.int8), (np.arange(n), np.arange(n))), shape=(n, n))


def stencil(sides: tuple[int, ...], periodic: bool = False) -> Any:
    """The star of nearest neighbors on a grid, with the center."""
    matrix: Any = sp.csr_array(np.ones((1, 1), np.int8))
    for side in sides:
        next_one = (np.arange(side - 1), np.arange(1, side))
        upper = sp.csr_array((np.ones(side - 1, np.int8), next_one), shape=(side, side))
        line: Any = upper + upper.T
        if periodic:
            ends = sp.coo_array(
                (np.ones(2, np.int8), ([0, side - 1], [side - 1, 0])), shape=(side, side)
            )
            line = line + ends
        eye = identity(side)
        matrix = sp.kron(matrix, eye) + sp.kron(identity(matrix.shape[0]), line)
    return sp.csr_array(matrix)


def tridiagonal(n: int) -> Any:
    return stencil((n,))


def five_point(n: int) -> Any:
    side = round(n**0.5)
    return stencil((side, side))


def seven_point(n: int) -> Any:
    side = round(n ** (1 / 3))
    return stencil((side, side, side))


def brusselator(n: int) -> Any:
    """Two species on a periodic square grid."""
    side = round((n / 2) ** 0.5)
    laplacian = stencil((side, side), periodic=True)
    eye = identity(side * side)
    return sp.csr_array(sp.block_array([[laplacian, eye], [eye, laplacian]]))


def random_rows(n: int) -> Any:
    """Five random columns in each row."""
    cols = np.random.default_rng(0).integers(0, n, 5 * n)
    return sp.csr_array((np.ones(5 * n, np.int8), (np.repeat(np.arange(n), 5), cols)), shape=(n, n))


def mesh(n: int) -> Any:
    """Vertices of a Delaunay triangulation of random points, numbered along the first axis."""
    points = np.random.default_rng(0).random((n, 2))
    triangles = Delaunay(points[np.argsort(points[:, 0])]).simplices
    rows, cols = np.repeat(triangles, 3, axis=1).ravel(), np.tile(triangles, 3).ravel()
    return sp.csr_array((np.ones(len(rows), np.int8), (rows, cols)), shape=(n, n))


def blocks(n: int) -> Any:
    """Dense blocks of 20 on the diagonal."""
    return sp.csr_array(sp.kron(identity(n // 20), np.ones((20, 20), np.int8)))


def arrowhead(n: int) -> Any:
    return bordered(identity(n), 1)


def bordered(matrix: Any, count: int) -> Any:
    """With full rows and columns in the end."""
    side = np.ones((matrix.shape[0], count), np.int8)
    corner = np.ones((count, count), np.int8)
    return sp.csr_array(sp.block_array([[matrix, side], [side.T, corner]]))


def band_with_hubs(n: int) -> Any:
    return bordered(tridiagonal(n), 5)


def mesh_with_hubs(n: int) -> Any:
    return bordered(mesh(n), 8)


def sparse_with_hubs(n: int) -> Any:
    """Random couplings, one for each variable, and 20 hubs that reach half of the variables."""
    rng = np.random.default_rng(0)
    rest = sp.coo_array((np.ones(n, np.int8), (np.arange(n), rng.integers(0, n, n))), shape=(n, n))
    reach = sp.csr_array((rng.random((n, 20)) < 0.5).astype(np.int8))
    eye, hubs = identity(n), identity(20)
    return sp.csr_array(sp.block_array([[rest + rest.T + eye, reach], [reach.T, hubs]]))


def nearly_dense(n: int) -> Any:
    """Nine in ten entries of a square matrix; the number of columns is `n`."""
    full = np.random.default_rng(0).random((n, n)) < 0.9
    return sp.csr_array(full.astype(np.int8))


def empty(n: int) -> Any:
    """No nonzeros, as the Hessian of a linear objective."""
    return sp.csr_array((n, n), dtype=np.int8)


def finite_elements(n: int) -> Any:
    """Two unknowns at each vertex of a triangulation."""
    return sp.csr_array(sp.kron(mesh(n // 2), np.ones((2, 2), np.int8)))


def coordinates(matrix: Any) -> Coordinates:
    entries = sp.coo_array(matrix)
    return entries.row.astype(np.int32), entries.col.astype(np.int32), matrix.shape


FAMILIES: dict[str, Callable[[int], Any]] = {
    "tridiagonal": tridiagonal,
    "2-D 5-point": five_point,
    "3-D 7-point": seven_point,
    "Brusselator": brusselator,
    "random, 5 a row": random_rows,
    "Delaunay mesh": mesh,
    "blocks of 20": blocks,
    "arrowhead": arrowhead,
    "band with 5 hubs": band_with_hubs,
    "mesh with 8 hubs": mesh_with_hubs,
    "sparse with 20 hubs": sparse_with_hubs,
    "nearly dense": nearly_dense,
    "finite elements": finite_elements,
    "diagonal": identity,
    "empty": empty,
}
