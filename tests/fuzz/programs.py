"""Random programs: compositions of primitives, control flow, indexing, transformations, custom rules.

A program is a function of a vector of `SIZE` inputs. It is determined by a sequence of small numbers, which
the caller supplies through `choose(limit)`: hypothesis in the tests, a random generator in long runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


SIZE = 6

Choose = Callable[[int], int]
Function = Callable[[jax.Array], jax.Array]
"""From a vector of `SIZE` elements to a vector of `SIZE` elements, so that all of them compose."""


def program(choose: Choose, depth: int = 2) -> Function:
    """A composition of a few functions; `depth` bounds the nesting of control flow."""
    functions = [_function(choose, depth) for _ in range(1 + choose(4))]
    join = _JOINS[choose(len(_JOINS))]

    def composed(x: jax.Array) -> jax.Array:
        first = x
        for function in functions:
            x = function(x)
        return join(first, x)

    return composed


_JOINS: list[Callable[[jax.Array, jax.Array], jax.Array]] = [
    lambda first, last: last,
    lambda first, last: last,
    lambda first, last: first + last,
    lambda first, last: first * last[::-1],
    lambda first, last: jnp.where(first > 0, first, last),
    lambda first, last: jnp.concatenate([first[:2], last[2:]]),
]


def _function(choose: Choose, depth: int) -> Function:
    nested = _NESTED if depth else []
    number = choose(len(_FLAT) + len(nested))
    if number < len(_FLAT):
        return _FLAT[number](choose)
    return nested[number - len(_FLAT)](choose, depth - 1)


def _array(choose: Choose, limit: int, count: int = SIZE) -> np.ndarray:
    return np.array([choose(limit) for _ in range(count)])


# --- functions without nested programs --------------------------------------------------------------


def _elementwise(choose: Choose) -> Function:
    functions: list[Function] = [
        jnp.sin,
        jnp.tanh,
        jnp.square,
        jnp.abs,
        jax.nn.relu,
        jax.nn.softplus,
        jnp.floor,
        jnp.sign,
        lax.stop_gradient,
        jnp.cbrt,
        lambda x: jnp.sqrt(1 + x**2),
        lambda x: jnp.clip(x, -0.5, 0.5),
        lambda x: x**3,
        lambda x: 1 / (2 + x**2),
        lambda x: jnp.exp(-(x**2)),
        lambda x: jnp.round(x) * x,
        lambda x: lax.rem(x, jnp.float32(0.7)),
        lambda x: x.astype(jnp.float16).astype(jnp.float32),
        lambda x: x.astype(jnp.int32).astype(jnp.float32) + x,
        lambda x: jnp.real((x + 1j * x) ** 2) + jnp.imag(jnp.exp(1j * x)),
        lambda x: jnp.arctan2(x, 1 + x[::-1] ** 2),
        lambda x: jax.scipy.special.erf(x) + jax.scipy.special.gammaln(2 + x**2),
    ]
    return functions[choose(len(functions))]


def _move(choose: Choose) -> Function:
    k = choose(SIZE)
    functions: list[Function] = [
        lambda x: x[::-1],
        lambda x: jnp.roll(x, k),
        lambda x: x.reshape(2, 3).T.reshape(-1),
        lambda x: jnp.pad(x[1:], (k % 2, 1 - k % 2)),
        lambda x: jnp.pad(x[:3], (0, 1), constant_values=1.0).repeat(2)[:SIZE],
        lambda x: jnp.tile(x[: 1 + k % 3], SIZE)[:SIZE],
        lambda x: lax.pad(x, jnp.float32(0), [(-1, 2 + k, 1)])[:SIZE],
        lambda x: jnp.flip(x.reshape(3, 2), axis=k % 2).ravel(),
        lambda x: jnp.stack([x[:3], x[3:]], axis=k % 2).ravel(),
        lambda x: jnp.concatenate(jnp.split(x, 3)[::-1]),
        lambda x: jnp.broadcast_to(x[k], (SIZE,)),
        lambda x: jnp.tril(jnp.outer(x[:3], jnp.ones(3)))[jnp.triu_indices(3)],
        lambda x: jnp.diag(x[:3]).ravel()[:SIZE] + x,
    ]
    return functions[choose(len(functions))]


def _reduce(choose: Choose) -> Function:
    axis, k = choose(2), choose(SIZE)
    functions: list[Function] = [
        lambda x: x + jnp.sum(x[:k]),
        lambda x: x * jnp.max(x),
        lambda x: jnp.tile(jnp.min(x.reshape(2, 3), axis), 3)[:SIZE],
        lambda x: jnp.tile(jnp.prod(x.reshape(3, 2), axis), 3)[:SIZE],
        jnp.cumsum,
        lambda x: lax.cumprod(x, reverse=True),
        lambda x: lax.cummax(x.reshape(2, 3), axis).ravel(),
        lambda x: lax.cumlogsumexp(x),
        lambda x: jax.nn.softmax(x.reshape(2, 3), axis).ravel(),
        lambda x: x - jax.scipy.special.logsumexp(x[k:]),
        lambda x: jnp.sort(x),
        lambda x: jnp.sort(x.reshape(2, 3), axis).ravel(),
        lambda x: lax.sort([x[::-1], x], num_keys=1)[1],
        lambda x: lax.top_k(x, 3)[0].repeat(2),
        lambda x: jnp.linalg.norm(x + 3) * x,
        lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2,), (1,), "SAME"),
        lambda x: lax.reduce_window(x, 0.0, lax.add, (3,), (1,), "SAME"),
    ]
    return functions[choose(len(functions))]


def _index(choose: Choose) -> Function:
    to, k = _array(choose, SIZE), choose(SIZE)
    index = jnp.asarray(to)
    functions: list[Function] = [
        lambda x: x[index],
        lambda x: x[(index * 2 + 1) % SIZE],
        lambda x: x[jnp.argsort(index)],
        lambda x: x.at[index].add(x),
        lambda x: x.at[index].set(x[::-1]),
        lambda x: x.at[jnp.argsort(index)].multiply(2 * x, unique_indices=True),
        lambda x: lax.dynamic_index_in_dim(x.reshape(3, 2), k % 3, 0).repeat(3),
        lambda x: x.at[jnp.argmax(x[:2]) + index[0] % 3].min(x[k]),
        lambda x: x.at[index].max(x[::-1]),
        lambda x: jnp.zeros(SIZE).at[index[:3]].add(x[3:]),
        lambda x: jax.ops.segment_sum(x, index, SIZE),
        lambda x: jnp.take(x, index + 3, mode="fill", fill_value=0.0),
        lambda x: jnp.take(x, index - 2, mode="clip"),
        lambda x: jnp.take(x, index + k, mode="wrap"),
        lambda x: x[jnp.argmax(x)] + x,
        lambda x: x[jnp.argsort(x)],
        lambda x: x.at[jnp.argmin(x[:3])].set(x[k]),
        lambda x: x.at[jnp.argmax(x)].add(x[k] * 2),
        lambda x: jnp.roll(x, jnp.argmax(x[:3])),
        lambda x: lax.dynamic_slice(jnp.tile(x, 2), (jnp.argmax(x),), (SIZE,)),
        lambda x: lax.dynamic_update_slice(x, x[:3] * 2, (jnp.argmin(x[:2]) + 1,)),
        lambda x: x.reshape(2, 3)[:, index[:2] % 3].ravel().repeat(2)[:SIZE],
        lambda x: x.reshape(3, 2)[jnp.argmax(x[:3])].repeat(3),
        lambda x: jnp.take_along_axis(x.reshape(2, 3), index.reshape(2, 3) % 3, 1).ravel(),
        lambda x: x[jnp.clip(jnp.floor(x * 3).astype(int), 1, 4)],
        lambda x: jnp.interp(x, jnp.arange(SIZE) - 2.5, x[::-1]),
        lambda x: jnp.interp(jnp.arange(SIZE) * 0.7, jnp.arange(SIZE) * 1.0, x),
        lambda x: jax.vmap(lambda i: x[(i + k) % SIZE])(jnp.arange(SIZE)),
        lambda x: jax.nn.one_hot(index, SIZE) @ x,
        lambda x: jax.random.permutation(jax.random.key(k), x),
        lambda x: x * jax.random.bernoulli(jax.random.key(k), 0.5, (SIZE,)),
        lambda x: jnp.searchsorted(jnp.sort(x), x) * x,
    ]
    return functions[choose(len(functions))]


def _contract(choose: Choose) -> Function:
    mask = jnp.asarray((_array(choose, 3, SIZE * SIZE).reshape(SIZE, SIZE) == 0).astype(np.float32))
    kernel = jnp.asarray(_array(choose, 2, 3).astype(np.float32))
    functions: list[Function] = [
        lambda x: mask @ x,
        lambda x: x * mask[0],
        lambda x: (x.reshape(2, 3) @ x.reshape(3, 2)).ravel().repeat(2)[:SIZE],
        lambda x: jnp.einsum("bij,bj->bi", x.reshape(1, 2, 3), x[:3].reshape(1, 3)).repeat(3),
        lambda x: jnp.convolve(x, kernel, mode="same"),
        lambda x: jnp.convolve(x, x[:3], mode="same"),
        lambda x: jnp.linalg.solve(jnp.eye(3) * 3 + mask[:3, :3], x.reshape(3, 2)).ravel(),
        lambda x: jnp.kron(x[:2], mask[0, :3]) + x,
        lambda x: jnp.real(jnp.fft.ifft(jnp.fft.fft(x.reshape(2, 3)) * 2)).ravel(),
        lambda x: jnp.linalg.inv(jnp.diag(2 + x[:3] ** 2) + 0.1).ravel()[:SIZE],
        lambda x: jnp.linalg.cholesky(jnp.diag(2 + x[:3] ** 2)).ravel()[:SIZE],
    ]
    return functions[choose(len(functions))]


@jax.custom_jvp
def _straight_through(x: jax.Array) -> jax.Array:
    return jnp.round(x)


_straight_through.defjvp(lambda primals, tangents: (_straight_through(*primals), tangents[0]))


@jax.custom_jvp
def _neighbors(x: jax.Array) -> jax.Array:
    return x * 0


@_neighbors.defjvp
def _neighbors_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return _neighbors(x), dx * jnp.cos(x) + jnp.roll(dx, 1)


@jax.custom_vjp
def _reversed(x: jax.Array) -> jax.Array:
    return jnp.sin(x)


_reversed.defvjp(lambda x: (_reversed(x), x), lambda x, ct: (ct[::-1] * jnp.cos(x),))


def _custom(choose: Choose) -> Function:
    return [_straight_through, _neighbors, _reversed][choose(3)]


def _assembled(choose: Choose) -> Function:
    """Products and solves with a matrix made of the inputs, most elements of which are always zero."""
    rows, cols, kind = _array(choose, SIZE), _array(choose, SIZE), choose(6)
    mask = np.array([choose(3) == 0 for _ in range(SIZE * SIZE)]).reshape(SIZE, SIZE)

    def matrix(x: jax.Array) -> jax.Array:
        if kind % 2:
            return jnp.zeros((SIZE, SIZE)).at[rows, cols].add(jnp.tanh(x))
        return jnp.where(mask, jnp.tanh(jnp.outer(x, x)), 0.0)

    def apply(x: jax.Array) -> jax.Array:
        if kind < 2:
            return matrix(x) @ x
        large = matrix(x) + 4 * jnp.eye(SIZE)
        if kind < 4:
            return jax.scipy.linalg.solve_triangular(large, x, lower=bool(rows[0] % 2))
        return jnp.linalg.solve(large, x)

    return apply


def _writes(choose: Choose) -> Function:
    """Loops that write to places of what they carry, guarded or not, and read what they have written."""
    before, inside, after = ([_write(choose) for _ in range(choose(2))] for _ in range(3))
    start, stop, reverse = choose(2), 64 if choose(16) == 0 else 2 + choose(5), bool(choose(2))
    length, kind, factor = choose(4), choose(3), 1 + choose(3)

    def sweep(x: jax.Array) -> jax.Array:
        def steps(writes: list[Any], y: jax.Array, i: jax.Array) -> jax.Array:
            for write in writes:
                y = write(i, x, y)
            return y

        def step(y: jax.Array, i: jax.Array) -> tuple[jax.Array, jax.Array]:
            y = steps(before, y, i)

            def inner(y: jax.Array, j: jax.Array) -> tuple[jax.Array, None]:
                return steps(inside, y, factor * i + j), None

            if kind < 2:
                y = lax.scan(inner, y, jnp.arange(length), reverse=kind == 1)[0]
            else:  # as long as a counter says
                y = lax.fori_loop(0, (i + length) % 4, lambda j, y: inner(y, j)[0], y)
            y = steps(after, y, i)
            return y, y[0] * x[i % SIZE]

        y, outputs = lax.scan(step, x * start, jnp.arange(stop), reverse=reverse)
        return y.at[0].add(jnp.tanh(outputs.sum()))

    return sweep


def _write(choose: Choose) -> Callable[[jax.Array, jax.Array, jax.Array], jax.Array]:
    to, other, reads, kind, guard = choose(SIZE), choose(SIZE), choose(SIZE), choose(5), choose(6)

    def write(i: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        place, value = (i + to) % SIZE, jnp.tanh(x[(i * reads) % SIZE] + y[(i + reads) % SIZE])
        if kind == 0:
            return y.at[place].add(x[i % SIZE])
        if kind == 1:
            return y.at[place].multiply(value)
        if kind == 2:
            return lax.dynamic_update_slice(y, value * x[:2], (i + to - 2,))
        return y.at[place].set(value)

    def first(i: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        y = write(i, x, y)
        return y.at[(i + other) % SIZE].set(y[to] * x[other])

    def guarded(i: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        if guard == 0:
            return jnp.where(i % 2 == 0, first(i, x, y), y)
        if guard == 1:
            return lax.cond(i % 3 == 1, first, write, i, x, y)
        if guard == 2:
            return lax.switch((i + to) % 3, [first, lambda i, x, y: y, write], i, x, y)
        if guard == 3:
            return jnp.where(x[to] > 0, write(i, x, y), first(i, x, y))
        return jax.jit(first)(i, x, y) if guard == 4 else write(i, x, y)

    return guarded


_FLAT: list[Callable[[Choose], Function]] = [
    _elementwise,
    _elementwise,
    _move,
    _move,
    _reduce,
    _index,
    _index,
    _contract,
    _custom,
    _assembled,
    _writes,
]


# --- control flow and transformations of nested programs ------------------------------------------------


def _conditional(choose: Choose, depth: int) -> Function:
    branches = [program(choose, depth) for _ in range(2)]
    k, kind = choose(SIZE), choose(3)
    if kind == 0:
        return lambda x: lax.cond(x[k] > 0, *branches, x)
    if kind == 1:
        return lambda x: lax.cond(k % 2 == 0, *branches, x)
    return lambda x: lax.switch(jnp.argmax(x[:3]), [*branches, jnp.negative], x)


def _scan(choose: Choose, depth: int) -> Function:
    body = program(choose, depth)
    k, reverse, kind = choose(SIZE), bool(choose(2)), choose(3)

    def over_inputs(x: jax.Array) -> jax.Array:
        def step(carry: jax.Array, item: jax.Array) -> tuple[jax.Array, jax.Array]:
            carry = jnp.tanh(body(carry)) + item
            return carry, carry[k]

        return lax.scan(step, jnp.zeros(SIZE), x, reverse=reverse)[1]

    def with_counter(x: jax.Array) -> jax.Array:
        def step(carry: jax.Array, i: jax.Array) -> tuple[jax.Array, None]:
            return carry.at[i].set(jnp.tanh(body(carry)[(i + 1) % SIZE]) + x[i]), None

        return lax.scan(step, x, jnp.arange(3), reverse=reverse)[0]

    def repeated(x: jax.Array) -> jax.Array:
        return lax.fori_loop(0, 1 + k, lambda i, carry: jnp.tanh(body(carry)) * 2, x)

    return [over_inputs, with_counter, repeated][kind]


def _while(choose: Choose, depth: int) -> Function:
    body, limit = program(choose, depth), 1 + choose(3)

    def counted(x: jax.Array) -> jax.Array:
        def step(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            return state[0] + 1, jnp.tanh(body(state[1]))

        return lax.while_loop(lambda state: state[0] < limit, step, (jnp.int32(0), x))[1]

    def dynamic(x: jax.Array) -> jax.Array:
        def step(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            return state[0] + 1, jnp.tanh(body(state[1]))

        def proceed(state: tuple[jax.Array, jax.Array]) -> jax.Array:
            return (state[0] < 3) & (state[1][0] > -0.5)

        return lax.while_loop(proceed, step, (jnp.int32(0), x))[1]

    return [counted, dynamic][choose(2)]


def _transform(choose: Choose, depth: int) -> Function:
    body, other = program(choose, depth), program(choose, 0)
    transforms: list[Function] = [
        jax.jit(body),
        jax.checkpoint(body),
        lambda x: jax.vmap(body)(jnp.stack([x, x[::-1]]))[:, :3].ravel(),
        lambda x: jax.vmap(body, in_axes=1, out_axes=1)(jnp.stack([x, 2 * x], 1))[:3].ravel(),
        lambda x: lax.map(body, jnp.stack([x, x + 1]))[1],
        lambda x: jnp.tanh(jax.grad(lambda y: jnp.sum(other(y) ** 2))(x)),
        lambda x: jnp.tanh(jax.vjp(other, x)[1](x[::-1])[0]),
        lambda x: jax.jit(lambda a, b: body(a) * b)(x, x[::-1]),
    ]
    return transforms[choose(len(transforms))]


_NESTED: list[Callable[[Choose, int], Function]] = [
    _conditional,
    _scan,
    _while,
    _transform,
    _transform,
]
