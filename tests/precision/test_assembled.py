"""Zeros of matrices that are assembled from values which are not known, and of masked ones."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental.sparse import BCOO
from jax.scipy.linalg import block_diag, cholesky, lu, solve_triangular, toeplitz

import asdex


N = 12
PLACES = np.arange(N - 1)
X, P = jnp.linspace(0.5, 1.5, N), jnp.linspace(1.0, 2.0, N)
DIAGONAL = jnp.stack([PLACES, PLACES], 1)
BAND = np.eye(N) + np.eye(N, k=1) + np.eye(N, k=-1)
LOWER = np.tri(N, dtype=bool)
BLOCKS = ([0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 0, 1, 2, 3, 2, 3])
TRIANGLES = ([0, 1, 1, 2, 3, 3], [0, 0, 1, 2, 2, 3])


def matrix(places, values):
    return jnp.zeros((4, 4)).at[places].set(values)


def symmetric_blocks(values):
    half = matrix(BLOCKS, values)
    return half + half.T + 5 * jnp.eye(4)


def skew(w):
    return jnp.array([[0, -w[2], w[1]], [w[2], 0, -w[0]], [-w[1], w[0], 0]])


def rotation(a):
    c, s = jnp.cos(a), jnp.sin(a)
    return jnp.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def link(a):
    c, s = jnp.cos(a), jnp.sin(a)
    return jnp.array([[c, -s, 0, 1.0], [s, c, 0, 0], [0, 0, 1, 0.5], [0, 0, 0, 1]])


def positions(q):
    def step(frame, a):
        frame = frame @ link(a)
        return frame, frame[:3, 3]

    return jax.lax.scan(step, jnp.eye(4), q)[1]


def last_frame(v, q):
    return jax.lax.scan(lambda frame, a: (frame @ link(a), None), jnp.eye(4), q)[0] @ v


def strain(x, gradients):
    """The strain-displacement matrix of a triangle times its displacements."""
    b = jnp.zeros((3, 6))
    b = b.at[0, 0::2].set(gradients[0]).at[1, 1::2].set(gradients[1])
    return b.at[2, 0::2].set(gradients[1]).at[2, 1::2].set(gradients[0]) @ x


def attention(x, weights):
    scores = jnp.where(np.tri(4, k=0, dtype=bool), weights, -jnp.inf)
    exponentials = jnp.exp(scores - lax.stop_gradient(scores.max(axis=1, keepdims=True)))
    return exponentials / exponentials.sum(axis=1, keepdims=True) @ x


class Autoregressive(eqx.Module):
    weight: jax.Array
    mask: np.ndarray

    def __call__(self, x):
        return jnp.where(self.mask, self.weight, 0.0) @ x


MODEL = Autoregressive(jnp.ones((N, N)), LOWER)

CASES: dict[str, tuple[Any, tuple, int | None]] = {
    "diagonal": (lambda x, p: jnp.diag(p) @ x, (X, P), 12),
    "diagonal of inputs": (lambda z: jnp.diag(z[:N]) @ z[N:], (jnp.concatenate([X, P]),), 24),
    "assembled": (
        lambda u, k: jnp.zeros((N, N)).at[PLACES, PLACES].add(k).at[PLACES, PLACES + 1].add(-k) @ u,
        (X, P[:-1]),
        22,
    ),
    "admittances": (
        lambda z: z[N:] * ((BAND * jnp.cos(z[:N, None] - z[None, :N])) @ z[N:]),
        (jnp.concatenate([X, P]),),
        68,
    ),
    "mask": (lambda x, w: jnp.where(np.tri(N) > 0, w, 0.0) @ x, (X, jnp.ones((N, N))), 78),
    "masked module": (MODEL, (X,), 78),
    "rotation": (lambda v, a: rotation(a) @ v, (X[:3], 0.3), 5),
    "pad": (lambda x, p: jnp.pad(p, (2, 7)) * x, (X, P[:3]), 3),
    "zero product": (lambda q: jnp.dot(q, jnp.zeros(3)) * q, (X[:3],), 0),
    "block_diag": (lambda x, p: block_diag(p, p, p) @ x, (X, jnp.ones((4, 4))), 48),
    "kron": (lambda x, p: jnp.kron(jnp.eye(3), p) @ x, (X, jnp.ones((4, 4))), 48),
    "toeplitz": (
        lambda x, c: toeplitz(jnp.concatenate([c, jnp.zeros(N - 2)])) @ x,
        (X, P[:2]),
        34,
    ),
    "skew": (lambda v, w: skew(w) @ v, (X[:3], P[:3]), 6),
    "skew of inputs": (lambda z: skew(z[:3]) @ z[3:], (X[:6],), 12),
    "einsum": (lambda x, p: jnp.einsum("ij,j->i", jnp.diag(p), x), (X, P), 12),
    "vmap": (
        lambda x, p: jax.vmap(lambda a, v: jnp.diag(a) @ v)(p.reshape(3, 4), x.reshape(3, 4)),
        (X, P),
        12,
    ),
    "strain": (strain, (X[:6], jnp.ones((2, 3))), 12),
    "causal attention": (attention, (X[:4], jnp.ones((4, 4))), 10),
    "BCOO data": (
        lambda x, d: BCOO((jnp.where(PLACES > 5, d, 0.0), DIAGONAL), shape=(N, N)) @ x,
        (X, P[:-1]),
        5,
    ),
    "joint positions": (positions, (X[:5],), 20),
    "last frame": (last_frame, (X[:4], P[:5]), 9),
    "mapped": (
        lambda v, q: jax.lax.map(lambda a: jnp.diag(jnp.stack([a, 2 * a])), q)[2] @ v,
        (X[:2], P),
        2,
    ),
    "triangular": (
        lambda b, a: solve_triangular(matrix(TRIANGLES, a), b, lower=True),
        (X[:4], P[:6]),
        6,
    ),
    "triangular, transposed": (
        lambda b, a: solve_triangular(matrix(TRIANGLES, a), b, lower=True, trans=1),
        (X[:4], P[:6]),
        6,
    ),
    "upper triangular": (
        lambda b, a: solve_triangular(matrix(TRIANGLES, a).T, b),
        (X[:4], P[:6]),
        6,
    ),
    "triangular from the right": (
        lambda b, a: jax.lax.linalg.triangular_solve(matrix(TRIANGLES, a), b[None], lower=True),
        (X[:4], P[:6]),
        6,
    ),
    "triangular of inputs": (
        lambda z: solve_triangular(matrix(TRIANGLES, z[4:]), z[:4], lower=True),
        (jnp.concatenate([X[:4], P[:6]]),),
        14,
    ),
    "solve": (lambda b, a: jnp.linalg.solve(matrix(BLOCKS, a), b), (X[:4], X[:8] ** 2), 8),
    "solve for inputs": (
        lambda z: jnp.linalg.solve(matrix(BLOCKS, z[4:]), z[:4]),
        (jnp.concatenate([X[:4], X[:8] ** 2]),),
        24,
    ),
    "inv": (lambda b, a: jnp.linalg.inv(matrix(BLOCKS, a)) @ b, (X[:4], X[:8] ** 2), 8),
    "cholesky": (lambda b, a: cholesky(symmetric_blocks(a), lower=True) @ b, (X[:4], P[:8]), 6),
    "cholesky of inputs": (lambda a: cholesky(symmetric_blocks(a), lower=True), (P[:8],), None),
    "lu": (lambda b, a: lu(matrix(BLOCKS, a))[2] @ b, (X[:4], X[:8] ** 2), 6),
    "lu of inputs": (lambda a: lu(matrix(BLOCKS, a))[2], (X[:8] ** 2,), 20),
}


def nonzeros(f, args, rng):
    """The union of the nonzeros of the first argument's derivative at a few points."""
    found = np.False_
    for _ in range(3):
        at = [arg * jnp.asarray(rng.uniform(0.7, 1.4, jnp.shape(arg)), jnp.float32) for arg in args]
        jacobian = np.asarray(jax.jacobian(f)(*at))
        found = found | (jacobian.reshape(-1, np.size(args[0])) != 0)
    return found


@pytest.mark.parametrize("name", CASES)
def test_pattern(name):
    f, args, expected = CASES[name]
    found = asdex.jacobian_sparsity(f, *args)
    true = nonzeros(f, args, np.random.default_rng(0))
    assert not (true & ~found.todense().astype(bool)).any()
    assert found.nnz == (true.sum() if expected is None else expected)


def test_a_boolean_mask_is_known_where_captured_weights_are_not():
    assert asdex.jacobian_sparsity(MODEL, X, captured="unknown").nnz == 78
    plain = lambda x: jnp.where(LOWER, MODEL.weight, 0.0) @ x  # noqa: E731
    assert asdex.jacobian_sparsity(plain, X, captured="unknown").nnz == 78


def test_weights_that_a_step_traces():
    counts = []

    @jax.jit
    def step(weight):
        model = eqx.tree_at(lambda m: m.weight, MODEL, weight)
        counts.append(asdex.jacobian_sparsity(model, X).nnz)
        return weight

    step(jnp.ones((N, N)))
    assert counts == [78]


@jax.custom_jvp
def zero_with_a_derivative(x):
    return 0 * x


zero_with_a_derivative.defjvp(lambda primals, tangents: (0 * primals[0], tangents[0]))


def test_a_zero_removes_what_it_multiplies_and_never_what_it_carries():
    """The value is zero in every call, its derivative by its own rule is not."""

    def f(z):
        return jnp.where(np.arange(4) < 0, z[:4], zero_with_a_derivative(z[:4])) * z[4:]

    def masked(z):
        return zero_with_a_derivative(z[:4] * np.array([1.0, 0, 1, 0])) * z[4:]

    for g in (f, masked):
        pattern = asdex.jacobian_sparsity(g, jnp.ones(8)).todense().astype(bool)
        assert not (np.asarray(jax.jacobian(g)(jnp.ones(8)) != 0) & ~pattern).any()


def test_an_element_outside_of_the_components_connects_them_by_its_derivative():
    def f(z):
        a = matrix(BLOCKS, jnp.array([2.0, 1, 1, 2, 3, 1, 1, 3]))
        a = a.at[0, 2].set(zero_with_a_derivative(z[0]))
        return lu(a)[2]

    pattern = asdex.jacobian_sparsity(f, jnp.ones(1)).todense().astype(bool)
    assert not (np.asarray(jax.jacobian(f)(jnp.ones(1))).reshape(16, 1) != 0)[~pattern].any()
