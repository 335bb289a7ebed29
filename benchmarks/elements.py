"""Partially separable functions: what it saves to differentiate at their elements."""

from __future__ import annotations

from .runner import Library
from .ways import print_measured, Problem, section, Ways


NODES, BUSES, CELLS, PARTICLES = 200_000, 100_000, 10, 12

WAYS: Ways = {"colored": {"elements": False}, "elements": {}}


def run(ours: Library, peer: Library) -> str:
    del peer
    text = (
        "Derivatives by a coloring of the whole matrix (`elements=False`) and as chosen by default, at the "
        "elements. The elements are found beside the coloring, so their setup comes on top."
    )
    return section(ours, __name__, "Elements", text)


def problems() -> list[Problem]:
    import jax.numpy as jnp
    import numpy as np
    from scipy.spatial import Delaunay, KDTree

    import asdex

    rng = np.random.default_rng(0)
    points = rng.random((NODES, 2)).astype(np.float32)
    triangles = Delaunay(points).simplices
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    left, right = np.unique(np.sort(edges, axis=1), axis=0).T

    def fluxes(u):
        flux = (u[left] ** 2 + u[right] ** 2) * (u[left] - u[right])
        return jnp.zeros_like(u).at[left].add(flux).at[right].add(-flux)

    sides = points[triangles[:, 1:]] - points[triangles[:, :1]]
    gradients, areas = np.linalg.inv(sides), np.abs(np.linalg.det(sides)) / 2

    def minimal_surface(u):
        e = u[triangles]
        slopes = jnp.einsum("eij,ej->ei", gradients, e[:, 1:] - e[:, :1])
        return jnp.sum(areas * jnp.sqrt(1 + jnp.sum(slopes**2, 1)))

    side = CELLS + 1
    corner = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
    cells = np.stack(np.meshgrid(*[np.arange(CELLS)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    hexahedra = rng.permutation(side**3)[(cells + corner) @ [side**2, side, 1]]
    signs = 2 * corner - 1
    factors = 1 + signs[None] * signs[:, None] / np.sqrt(3)
    others = np.prod(factors, 2, keepdims=True) / factors
    shapes = signs * others * CELLS / 4

    def neo_hooke(u):
        stretch = jnp.eye(3) + jnp.einsum("eai,qaj->eqij", u[hexahedra], shapes)
        volume = jnp.linalg.det(stretch)
        energy = (jnp.sum(stretch**2, (2, 3)) - 3) / 2 - jnp.log(volume) + 5 * jnp.log(volume) ** 2
        return jnp.sum(energy)

    grid = np.stack(np.meshgrid(*[np.arange(PARTICLES)] * 3, indexing="ij"), -1).reshape(-1, 3)
    particles = grid + 0.1 * rng.normal(size=grid.shape)
    one, other = KDTree(particles).query_pairs(1.55, output_type="ndarray").T

    def lennard_jones(x):
        inverse = 1 / jnp.sum((x[one] - x[other]) ** 2, 1) ** 3
        return jnp.sum(inverse**2 - inverse)

    start = np.arange(1, BUSES)
    begin = np.concatenate([start, rng.integers(0, BUSES, BUSES // 2)])
    end = np.concatenate([rng.integers(0, start), rng.integers(0, BUSES, BUSES // 2)])
    g, b = rng.random((2, len(begin))).astype(np.float32)

    def power_flow(state):
        v, angle = state
        c, s = jnp.cos(angle[begin] - angle[end]), jnp.sin(angle[begin] - angle[end])
        vv, zeros = v[begin] * v[end], jnp.zeros(BUSES)
        active = zeros.at[begin].add(vv * (g * c + b * s)).at[end].add(vv * (g * c - b * s))
        reactive = zeros.at[begin].add(vv * (g * s - b * c)).at[end].add(-vv * (g * s + b * c))
        return active, reactive

    def normal(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    return [
        (f"fluxes over {len(left):,} edges", asdex.jacobian, fluxes, normal(NODES)),
        (
            f"{len(triangles):,} linear triangles, Hessian",
            asdex.hessian,
            minimal_surface,
            normal(NODES),
        ),
        (
            f"{CELLS**3:,} neo-Hooke hexahedra, Hessian",
            asdex.hessian,
            neo_hooke,
            normal(side**3, 3) / 1e3,
        ),
        (
            f"{len(one):,} pairs of particles, Hessian",
            asdex.hessian,
            lennard_jones,
            jnp.asarray(particles),
        ),
        (
            f"power flow, {BUSES:,} buses",
            asdex.jacobian,
            power_flow,
            (jnp.ones(BUSES), normal(BUSES)),
        ),
    ]


if __name__ == "__main__":
    print_measured(problems(), WAYS)
