"""A twisted block of rubber: Newton's method on hexahedra, with the Hessian computed at the elements.

Run it with `python examples/finite_elements.py` where asdex is installed. The energy is written for one
element; nothing says how the elements are to be assembled.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse.linalg import splu

import asdex


CORNERS = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)


def mesh(cells: int) -> tuple[np.ndarray, np.ndarray]:
    """The nodes of a unit cube of `cells` hexahedra in each direction, and the eight nodes of each."""
    side = cells + 1
    nodes = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    first = np.stack(np.meshgrid(*[np.arange(cells)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    return nodes / cells, (first + CORNERS) @ [side**2, side, 1]


def shape_gradients(cells: int) -> np.ndarray:
    """Derivatives of the eight trilinear shape functions at the eight Gauss points, `(8, 8, 3)`."""
    signs = 2 * CORNERS - 1
    factors = 1 + signs[:, None] * signs / np.sqrt(3)
    others = np.prod(factors, axis=2, keepdims=True) / factors
    return signs * others * cells / 4


def main(cells: int = 8, angle: float = 0.8, loads: int = 2) -> None:
    jax.config.update("jax_enable_x64", True)
    nodes, hexahedra = mesh(cells)
    gradients, weight = shape_gradients(cells), 1 / (8 * cells**3)
    held = (nodes[:, 0] == 0) | (nodes[:, 0] == 1)

    def energy_of_element(displacements):
        """A compressible neo-Hookean material, integrated over the Gauss points."""
        stretch = jnp.eye(3) + jnp.einsum("ai,qaj->qij", displacements, gradients)
        volume = jnp.log(jnp.linalg.det(stretch))
        density = (jnp.sum(stretch**2, (1, 2)) - 3) / 2 - volume + 5 * volume**2
        return weight * jnp.sum(density)

    def energy(free, boundary):
        u = boundary.at[~held].set(free)
        return jnp.sum(jax.vmap(energy_of_element)(u[hexahedra]))

    def twisted(angle):
        """The held nodes: one end stays, the other is turned about the axis of the block."""
        y, z = nodes[:, 1] - 0.5, nodes[:, 2] - 0.5
        turned = np.stack([0 * y, y * np.cos(angle) - z * np.sin(angle) - y, 0 * z], axis=1)
        turned[:, 2] = y * np.sin(angle) + z * np.cos(angle) - z
        return jnp.asarray(np.where((nodes[:, :1] == 1) & held[:, None], turned, 0.0))

    free = jnp.zeros((np.count_nonzero(~held), 3))
    begin = time.perf_counter()
    derivatives = asdex.value_gradient_and_hessian(
        energy, free, twisted(0.0), output_format="scipy_csc", flatten=True
    )
    print(f"set up in {time.perf_counter() - begin:.1f} s:", str(derivatives).splitlines()[0])
    elements = derivatives.elements
    assert elements is not None
    print(
        f"{elements.coloring.num_colors} products at {elements.count} elements, instead of "
        f"{derivatives.coloring.num_colors} for the whole Hessian"
    )
    for load in range(1, loads + 1):
        boundary = twisted(angle * load / loads)
        print(f"\nturned by {angle * load / loads:.2f}")
        for step in range(20):
            value, gradient, hessian = derivatives(free, boundary)
            residual = float(jnp.linalg.norm(gradient))
            print(f"Newton step {step}: energy {value:.6f}, residual {residual:.1e}")
            if residual < 1e-12:
                break
            free = free - splu(hessian).solve(np.ravel(gradient)).reshape(free.shape)


if __name__ == "__main__":
    main()
