"""Partially separable functions, for `elements_worker.py` of both libraries: NumPy, SciPy and jax alone."""

import jax.numpy as jnp
import numpy as np
from scipy.spatial import Delaunay, KDTree


NODES, BUSES, CELLS, PARTICLES = 200_000, 100_000, 10, 12


def _normal(size):
    return jnp.asarray(np.random.default_rng(1).normal(size=size), jnp.float32)


def _mesh():
    """Points and triangles."""
    points = np.random.default_rng(0).random((NODES, 2)).astype(np.float32)
    return points, Delaunay(points).simplices


def edge_fluxes():
    _, triangles = _mesh()
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    left, right = np.unique(np.sort(edges, axis=1), axis=0).T

    def fluxes(u):
        flux = (u[left] ** 2 + u[right] ** 2) * (u[left] - u[right])
        return jnp.zeros_like(u).at[left].add(flux).at[right].add(-flux)

    return fluxes, _normal(NODES)


def linear_triangles():
    points, triangles = _mesh()
    sides = points[triangles[:, 1:]] - points[triangles[:, :1]]
    gradients, areas = np.linalg.inv(sides), np.abs(np.linalg.det(sides)) / 2

    def minimal_surface(u):
        e = u[triangles]
        slopes = jnp.einsum("eij,ej->ei", gradients, e[:, 1:] - e[:, :1])
        return jnp.sum(areas * jnp.sqrt(1 + jnp.sum(slopes**2, 1)))

    return minimal_surface, _normal(NODES)


def hexahedra():
    side = CELLS + 1
    corner = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
    cells = np.stack(np.meshgrid(*[np.arange(CELLS)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    corners = np.random.default_rng(0).permutation(side**3)[(cells + corner) @ [side**2, side, 1]]
    signs = 2 * corner - 1
    factors = 1 + signs[None] * signs[:, None] / np.sqrt(3)
    others = np.prod(factors, 2, keepdims=True) / factors
    shapes = signs * others * CELLS / 4

    def neo_hooke(u):
        stretch = jnp.eye(3) + jnp.einsum("eai,qaj->eqij", u.reshape(-1, 3)[corners], shapes)
        volume = jnp.linalg.det(stretch)
        energy = (jnp.sum(stretch**2, (2, 3)) - 3) / 2 - jnp.log(volume) + 5 * jnp.log(volume) ** 2
        return jnp.sum(energy)

    return neo_hooke, _normal(3 * side**3) / 1e3


def pairs():
    grid = np.stack(np.meshgrid(*[np.arange(PARTICLES)] * 3, indexing="ij"), -1).reshape(-1, 3)
    particles = grid + 0.1 * np.random.default_rng(0).normal(size=grid.shape)
    one, other = KDTree(particles).query_pairs(1.55, output_type="ndarray").T

    def lennard_jones(x):
        x = x.reshape(-1, 3)
        inverse = 1 / jnp.sum((x[one] - x[other]) ** 2, 1) ** 3
        return jnp.sum(inverse**2 - inverse)

    return lennard_jones, jnp.asarray(particles.ravel(), jnp.float32)


def power_flow():
    rng = np.random.default_rng(0)
    start = np.arange(1, BUSES)
    begin = np.concatenate([start, rng.integers(0, BUSES, BUSES // 2)])
    end = np.concatenate([rng.integers(0, start), rng.integers(0, BUSES, BUSES // 2)])
    g, b = rng.random((2, len(begin))).astype(np.float32)

    def residual(state):
        v, angle = state.reshape(2, BUSES)
        c, s = jnp.cos(angle[begin] - angle[end]), jnp.sin(angle[begin] - angle[end])
        vv, zeros = v[begin] * v[end], jnp.zeros(BUSES)
        active = zeros.at[begin].add(vv * (g * c + b * s)).at[end].add(vv * (g * c - b * s))
        reactive = zeros.at[begin].add(vv * (g * s - b * c)).at[end].add(-vv * (g * s + b * c))
        return jnp.concatenate([active, reactive])

    return residual, jnp.concatenate([jnp.ones(BUSES), _normal(BUSES)])


JACOBIANS = {"fluxes over the edges of a mesh": edge_fluxes, "power flow": power_flow}
HESSIANS = {
    "linear triangles, Hessian": linear_triangles,
    "neo-Hooke hexahedra, Hessian": hexahedra,
    "pairs of particles, Hessian": pairs,
}


def make(name):
    """The function, a point, and whether its Hessian is meant."""
    f, x = (JACOBIANS | HESSIANS)[name]()
    return f, x, name in HESSIANS
