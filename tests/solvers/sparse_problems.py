"""Functions with known patterns, and matrices to compare with."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import asdex


def brusselator(y):
    """Right-hand side on a line with two species a point: a band of five, not full."""
    u, v = y.reshape(-1, 2).T
    du = 1 + u**2 * v - 4 * u + 5 * laplacian(u)
    dv = 3 * u - u**2 * v + 2 * laplacian(v)
    return jnp.stack([du, dv], axis=1).ravel()


def laplacian(w):
    left, right = jnp.pad(w[:-1], (1, 0)), jnp.pad(w[1:], (0, 1))
    return left + right - 2 * w


def on_a_grid(y):
    """A five-point stencil on a square grid."""
    side = round(y.size**0.5)
    w = jnp.pad(y.reshape(side, side), 1)
    shifted = w[2:, 1:-1] + w[:-2, 1:-1] + 2 * w[1:-1, 2:] + w[1:-1, :-2]
    return (shifted - 6 * w[1:-1, 1:-1] ** 3).ravel()


def pointwise(y):
    """A diagonal."""
    return jnp.sin(y) + 2 * y


def on_a_line(y):
    """A tridiagonal matrix that is not symmetric."""
    return 4 * y + jnp.sin(jnp.pad(y[:-1], (1, 0))) - jnp.pad(y[1:], (0, 1)) ** 2


def shuffled_line(y):
    """A tridiagonal matrix in an order that hides it."""
    order = np.random.default_rng(0).permutation(y.size)
    return on_a_line(y[order])[np.argsort(order)]


def in_blocks(y):
    """Blocks of three, interleaved."""
    z = y.reshape(3, -1)
    return (z[::-1] * z[1] + 5 * z * z).ravel()


def with_a_zero_diagonal(y):
    """A saddle: no entry of the second half of the diagonal, so columns must be moved."""
    a, b = jnp.split(y, 2)
    return jnp.concatenate([a**3 + b, 2 * a + jnp.pad(a[:-1], (1, 0))])


def lower_triangle(y):
    return 3 * y + jnp.pad(y[:-3] ** 2, (3, 0))


SQUARE = {
    one.__name__: one
    for one in (
        brusselator,
        on_a_grid,
        pointwise,
        on_a_line,
        shuffled_line,
        in_blocks,
        with_a_zero_diagonal,
        lower_triangle,
    )
}


def point(n, dtype=jnp.float32, seed=0):
    values = np.random.default_rng(seed).uniform(0.5, 1.5, n)
    return jnp.asarray(values, dtype)


def random_matrix(pattern, dtype: Any, seed=0):
    """A matrix with a heavy diagonal, as its values and as a dense array."""
    rng = np.random.default_rng(seed)
    data = rng.standard_normal(pattern.nnz)
    if np.issubdtype(dtype, np.complexfloating):
        data = data + 1j * rng.standard_normal(pattern.nnz)
    data = np.where(pattern.rows == pattern.cols, data + 10, data).astype(dtype)
    dense = np.zeros(pattern.shape, dtype)
    dense[pattern.rows, pattern.cols] = data
    return jnp.asarray(data), dense


def random_pattern(m, n, nnz, seed=0):
    rng = np.random.default_rng(seed)
    return asdex.SparsityPattern.from_coo(
        rng.integers(m, size=nnz), rng.integers(n, size=nnz), (m, n)
    )


def solved(matrix, right):
    return np.linalg.solve(np.asarray(matrix, np.complex128), np.asarray(right, np.complex128))


def close(got, expected, dtype):
    """Whether two arrays agree as far as the dtype goes, relative to the largest entry."""
    expected = np.asarray(expected)
    tolerance = 2e4 * float(jnp.finfo(dtype).eps) * max(np.abs(expected).max(initial=0), 1e-300)
    return np.asarray(got).shape == expected.shape and bool(
        np.all(np.abs(np.asarray(got) - expected) <= tolerance)
    )


def dense_jacobian(f, y):
    return np.asarray(jax.jit(jax.jacobian(f))(y))
