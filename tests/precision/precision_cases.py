"""Cases that sparsity detection by index sets gets wrong where it is careless."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from precision_case import Case, case


MASK = np.array([True, False, True, True, False, False])
INDEX = np.array([3, 0, 5])
BINS = np.array([0, 2, 1, 1, 0, 2])
ROUNDING = "in JAX's derivative the other entries are rounding errors, not zeros"


# --- loops ----------------------------------------------------------------------------------------


def dynamic_write(x):
    return lax.fori_loop(0, 6, lambda i, c: c.at[i].set(x[i] ** 2), jnp.zeros(6))


def stencil(x):
    def body(i, c):
        return c.at[i].set((x[i + 1] - x[i]) ** 2)

    return lax.fori_loop(0, 5, body, jnp.zeros(6))


def recurrence(x):
    def body(i, c):
        return c.at[i].set(jnp.sin(c[i - 1]) + x[i])

    return lax.fori_loop(1, 6, body, x)


def stencil_in_scan(x):
    def step(carry, i):
        return carry, x[i] * x[i + 1]

    return lax.scan(step, 0.0, jnp.arange(5))[1]


def long_scan(x):
    def step(carry, _):
        return jnp.sin(carry) * x, None

    return lax.scan(step, x, None, length=10_000)[0]


def long_while(x):
    """Solves `y[i] - y[i - 1] = x[i]` by Jacobi's iteration, which takes as many sweeps as elements."""

    def body(state):
        _, y = state
        return y, x + jnp.concatenate([jnp.zeros(1), y[:-1]])

    def proceed(state):
        return jnp.any(state[0] != state[1])

    return lax.while_loop(proceed, body, (x + 1, x))[1]


# --- indices and moves ----------------------------------------------------------------------------


def vmapped_neighbors(x):
    return jax.vmap(lambda i: x[i] * x[(i + 1) % 6])(jnp.arange(6))


def permutation(x):
    return jax.random.permutation(jax.random.key(0), x) ** 2


def traced_shift(x):
    """Any element may come to any place."""
    return jnp.roll(x, (6 * x[0]).astype(int)) ** 2


def traced_start(x):
    """The start along the rows is data, the columns stay apart."""
    return lax.dynamic_slice(x, ((2 * x[0, 0]).astype(int), 0), (1, 2)) ** 2


def slice_of_bounded_start(x):
    return lax.dynamic_slice(x, (jnp.argmax(x[:2]),), (3,)) ** 2


def interpolated_table(x):
    return jnp.interp(np.array([0.5, 3.2]), np.arange(6.0), x)


def mapped_coordinates(x):
    coordinates = [np.array([0.5, 0.3]), np.array([0.5, 1.7])]
    return jax.scipy.ndimage.map_coordinates(x, coordinates, order=1)


# --- values that are known ------------------------------------------------------------------------


def constant_condition(x):
    return lax.cond(jnp.arange(3).sum() == 3, lambda y: y**2, lambda y: y * y[::-1], x)


def dropout(x):
    return jnp.where(jax.random.bernoulli(jax.random.key(2), 0.5, (6,)), x / 0.5, 0.0)


def sparse_product(x):
    return np.diag(np.arange(1.0, 6.0), 1) @ x


def convolution(x):
    return jnp.convolve(x, np.array([1.0, 0.0, -1.0]), mode="valid")


# --- derivatives ----------------------------------------------------------------------------------


@jax.custom_jvp
def called_back(x):
    return jax.pure_callback(lambda y: np.sin(y), jax.ShapeDtypeStruct(x.shape, x.dtype), x)


called_back.defjvp(lambda x, dx: (called_back(x[0]), jnp.cos(x[0]) * dx[0]))


@jax.custom_jvp
def straight_through(x):
    return jnp.round(x)


straight_through.defjvp(lambda x, dx: (straight_through(x[0]), dx[0]))


def sort_of_values_by_keys(x):
    return lax.sort([x.reshape(2, 3), x.reshape(2, 3) ** 2], dimension=1, num_keys=1)[1]


# --- linear algebra -------------------------------------------------------------------------------


def gram(x):
    """Positive definite: element `[i, j]` reads the rows `i` and `j` of `x`."""
    return x @ jnp.swapaxes(x, -1, -2) + 3 * jnp.eye(x.shape[-1])


def lower_triangle(matrix):
    return matrix[..., *np.tril_indices(matrix.shape[-1])]


def cholesky(x):
    return lower_triangle(jnp.linalg.cholesky(gram(x)))


def qr(x):
    return jnp.linalg.qr(x + 4 * jnp.eye(3))[1][np.triu_indices(3)]


def lu(x):
    """Far from singular, so that no rows are exchanged at any of the points."""
    return jax.scipy.linalg.lu_factor(0.1 * x + 4 * jnp.eye(3))[0][np.triu_indices(3)]


def solves(x):
    return jax.vmap(jnp.linalg.solve)(x[:, :, :3] + 9 * jnp.eye(3), x[:, :, 3])


def factorized_solve(x):
    """A factorization that is computed once, of a matrix with a block for every two elements."""
    factor = jax.scipy.linalg.cho_factor(jnp.kron(jnp.eye(3), jnp.array([[4.0, 1.0], [1.0, 3.0]])))
    return jax.scipy.linalg.cho_solve(factor, x**2)


def euler_step(x):
    import diffrax

    def field(t, y, args):
        return jnp.roll(y, 1) - 2 * y + jnp.roll(y, -1) - y**3

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field), diffrax.Euler(), 0.0, 0.1, dt0=0.1, y0=x, max_steps=4
    )
    return solution.ys


def softmax(x):
    return jax.nn.softmax(x.reshape(2, 3))


CASES: dict[str, Case] = {
    "`fori_loop`, dynamic write": case(dynamic_write, 6),
    "`fori_loop`, stencil": case(stencil, 10),
    "`fori_loop`, recurrence": case(recurrence, 21),
    "`scan`, stencil": case(stencil_in_scan, 10),
    "`scan` of 10,000 steps": case(long_scan, 6),
    "`while` of 600 sweeps": case(long_while, 600 * 601 // 2, shape=(600,)),
    "vmapped `x[(i + 1) % 6]`": case(vmapped_neighbors, 12),
    "permutation by a constant key": case(permutation, 6),
    "`one_hot(constant) @ x`": case(lambda x: jax.nn.one_hot(INDEX, 6) @ x, 3),
    "weighted `bincount`": case(lambda x: jnp.bincount(BINS, weights=x, length=3), 6),
    "`interp` with table `x`": case(interpolated_table, 4),
    "`map_coordinates`": case(mapped_coordinates, 8, shape=(2, 3)),
    "`image.resize`": case(lambda x: jax.image.resize(x, (4, 6), "linear"), 60, shape=(2, 3)),
    "`cond` with a constant predicate": case(constant_condition, 6),
    "`stop_gradient`": case(lambda x: x**2 + lax.stop_gradient(x[::-1]), 6),
    "dropout with a constant key": case(dropout, 3),
    "`unwrap`": case(
        jnp.unwrap,
        6,
        detected=21,
        reason="it holds `d % p - d`, whose derivative is one minus one",
    ),
    "`custom_jvp` around a callback": case(called_back, 6),
    "straight-through `round`": case(straight_through, 6),
    "`cholesky`": case(cholesky, 39, shape=(3, 3), detected=42, reason=ROUNDING),
    "`cholesky` of a batch": case(cholesky, 20, shape=(2, 2, 2)),
    "`qr`": case(qr, 39, shape=(3, 3), detected=42, reason=ROUNDING),
    "`lu`": case(
        lu,
        20,
        shape=(3, 3),
        detected=42,
        reason="other values of `x` make pivoting exchange rows",
    ),
    "vmapped 3×3 solves": case(solves, 72, shape=(2, 3, 4)),
    "solve with a constant factorization": case(factorized_solve, 12),
    "a diffrax Euler step": case(euler_step, 18, needs="diffrax"),
    "roll by a traced shift": case(traced_shift, 36),
    "slice with a start that depends on `x`": case(traced_start, 6, shape=(3, 2)),
    "slice with a bounded start": case(slice_of_bounded_start, 6),
    "product with a constant sparse matrix": case(sparse_product, 5),
    "convolution with zeros": case(convolution, 8),
    "`where` with a constant mask": case(lambda x: jnp.where(MASK, x, x[::-1] ** 2), 6),
    "`sort` of values by keys": case(sort_of_values_by_keys, 18),
    "`softmax` of rows": case(softmax, 18),
    "comparison and `argmax`": case(lambda x: x * (x > 0.5) + jnp.argmax(x) + jnp.floor(x), 6),
}
