"""Functions whose sparse derivatives are measured, with about `n` inputs each.

Imports nothing but NumPy and jax: the workers of both libraries read it. Index arrays and other data are
leaves of a `jax.tree_util.Partial`, so that they are no constants of a compiled program.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial


def _side(length):
    """The number next to `length` without the factors 2, 3, 5 and 7: no period of colors divides it."""
    numbers = range(max(round(length) - 10, 11), round(length) + 11)
    return min(
        (one for one in numbers if math.gcd(one, 210) == 1), key=lambda one: abs(one - length)
    )


def differences(n):
    return lambda x: (x[1:] - x[:-1]) ** 2


def brusselator(n):
    """Two species on a periodic square grid."""
    side = _side((n / 2) ** 0.5)

    def laplacian(w):
        return (
            jnp.roll(w, 1, 0) + jnp.roll(w, -1, 0) + jnp.roll(w, 1, 1) + jnp.roll(w, -1, 1) - 4 * w
        )

    def f(x):
        u, v = x.reshape(2, side, side)
        du = 1.0 + u**2 * v - 4.4 * u + 0.1 * laplacian(u)
        dv = 3.4 * u - u**2 * v + 0.1 * laplacian(v)
        return jnp.stack([du, dv]).ravel()

    return f


def _neighbors(u):
    return (
        *(u[2:, 1:-1, 1:-1], u[:-2, 1:-1, 1:-1], u[1:-1, 2:, 1:-1]),
        *(u[1:-1, :-2, 1:-1], u[1:-1, 1:-1, 2:], u[1:-1, 1:-1, :-2]),
    )


def heat_padded(n):
    """Heat with a reaction in a cube that is zero around."""
    side = _side(n ** (1 / 3))

    def f(x):
        u = x.reshape(side, side, side)
        return (sum(_neighbors(jnp.pad(u, 1))) - 6 * u - u**3).ravel()

    return f


def heat_sliced(n):
    """The same for the inner points alone."""
    side = _side(n ** (1 / 3))

    def f(x):
        u = x.reshape(side, side, side)
        inner = u[1:-1, 1:-1, 1:-1]
        return (sum(_neighbors(u)) - 6 * inner - inner**3).ravel()

    return f


def convolution(n):
    """A 3x3 kernel over a square image, and `tanh`."""
    side = _side(n**0.5)
    kernel = jnp.asarray(np.random.default_rng(0).normal(size=(1, 1, 3, 3)), jnp.float32)

    def f(x):
        image = x.reshape(1, 1, side, side)
        return jnp.tanh(jax.lax.conv(image, kernel, (1, 1), "SAME")).ravel()

    return f


def scan(n):
    """Ten explicit steps of diffusion and reaction in one dimension."""

    def step(x, _):
        return x + 0.1 * (jnp.roll(x, 1) - 2 * x + jnp.roll(x, -1)) - 0.01 * x**3, None

    return lambda x: jax.lax.scan(step, x, None, length=10)[0]


def _runge_kutta(slope, step, count):
    """Classical Runge-Kutta steps."""

    def one(y, _):
        first = slope(y)
        second = slope(y + 0.5 * step * first)
        third = slope(y + 0.5 * step * second)
        fourth = slope(y + step * third)
        return y + step / 6 * (first + 2 * second + 2 * third + fourth), None

    return lambda y: jax.lax.scan(one, y, None, length=count)[0]


def reactions(n):
    """Twenty steps of three species that react in each of many cells."""
    rates = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3)) / 3, jnp.float32)

    def slope(y):
        pairs = [[rates[i, j] * y[j] * y[(j + 1) % 3] for j in range(3)] for i in range(3)]
        return jnp.stack([sum(terms) - y[i] for i, terms in enumerate(pairs)])

    return lambda x: _runge_kutta(slope, 0.05, 20)(x.reshape(3, -1)).ravel()


def pendulums(n):
    """Ten steps of many double pendulums, such as in multiple shooting."""

    def slope(y):
        a, b, c, d = y
        inertia = 2 - jnp.cos(a - b) ** 2
        torques = jnp.sin(b) - jnp.sin(a - b) * d**2, jnp.sin(a) + jnp.sin(a - b) * c**2
        return jnp.stack([c, d, torques[0] / inertia, torques[1] / inertia])

    return lambda x: _runge_kutta(slope, 0.01, 10)(x.reshape(4, -1)).ravel()


def burgers(n):
    """Three steps of Burgers' equation in one dimension."""

    def slope(u):
        right, left = jnp.roll(u, -1), jnp.roll(u, 1)
        return 0.1 * (right - 2 * u + left) - 0.5 * u * (right - left)

    return _runge_kutta(slope, 0.01, 3)


def _triangles(n):
    """Corners `(elements, 3)` of a triangulated square with shuffled numbers of its nodes."""
    side = _side(n**0.5)
    numbers = np.random.default_rng(0).permutation(side * side).reshape(side, side).astype(np.int32)
    a, b, c, d = numbers[:-1, :-1], numbers[1:, :-1], numbers[:-1, 1:], numbers[1:, 1:]
    corners = [np.stack([a, b, c], -1), np.stack([d, c, b], -1)]
    return np.concatenate([part.reshape(-1, 3) for part in corners])


def _flow(one, other, weights, x):
    flux = weights * jnp.tanh(x[other] - x[one])
    return jnp.zeros_like(x).at[one].add(flux).at[other].add(-flux)


def graph_laplacian(n):
    """A nonlinear Laplacian on an unstructured mesh: gathers and scatters."""
    corners = _triangles(n)
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, len(edges)).astype(np.float32)
    return Partial(_flow, *map(jnp.asarray, (edges[:, 0], edges[:, 1], weights)))


def _area(corners, x):
    a, b, c = (x[corners[:, k]] for k in range(3))
    return jnp.sum(jnp.sqrt(1.0 + (b - a) ** 2 + (c - a) ** 2))


def finite_elements(n):
    """The energy of a minimal surface, by linear elements on an unstructured mesh."""
    return Partial(_area, jnp.asarray(_triangles(n)))


def rosenbrock(n):
    return lambda x: jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def _lagrangian(multipliers, z):
    steps = multipliers.shape[0]
    z = z.reshape(steps + 1, 5)
    state, force = z[:, :4], z[:-1, 4]
    position, angle, speed, spin = state[:-1].T
    sine, cosine = jnp.sin(angle), jnp.cos(angle)
    thrust = (force + 0.1 * spin**2 * sine) / 1.1
    turn = (9.81 * sine - cosine * thrust) / (2 / 3 - 0.1 * cosine**2 / 1.1)
    slope = jnp.stack([speed, spin, thrust - 0.05 * turn * cosine, turn], axis=1)
    defects = state[1:] - state[:-1] - 0.02 * slope
    cost = jnp.sum(angle**2 + 0.1 * position**2) + 0.01 * jnp.sum(force**2)
    return cost + jnp.sum(multipliers * defects)


def optimal_control(n):
    """The Lagrangian of a cart and pole, transcribed by explicit steps."""
    shape = (n // 5 - 1, 4)
    multipliers = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return Partial(_lagrangian, jnp.asarray(multipliers))


JACOBIANS = {
    "1-D differences": differences,
    "Brusselator": brusselator,
    "3-D heat, padded": heat_padded,
    "3-D heat, sliced": heat_sliced,
    "3x3 convolution": convolution,
    "10-step scan": scan,
    "graph Laplacian": graph_laplacian,
    "reactions": reactions,
    "double pendulums": pendulums,
    "Burgers": burgers,
}
HESSIANS = {
    "finite elements": finite_elements,
    "Rosenbrock": rosenbrock,
    "optimal control": optimal_control,
}


def num_inputs(name, n):
    if name == "Brusselator":
        return 2 * _side((n / 2) ** 0.5) ** 2
    if name.startswith("3-D"):
        return _side(n ** (1 / 3)) ** 3
    if name in ("3x3 convolution", "graph Laplacian", "finite elements"):
        return _side(n**0.5) ** 2
    return n - n % {"reactions": 3, "double pendulums": 4}.get(name, 1)


def make(name, n):
    """The function, a point, and whether its Hessian is meant."""
    function = (JACOBIANS | HESSIANS)[name](n)
    x = np.random.default_rng(2).uniform(0.5, 1.5, num_inputs(name, n)).astype(np.float32)
    return function, jnp.asarray(x), name in HESSIANS
