"""Patterns written down by hand: what a rule should say, without any derivative behind it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from rule_case import detect, points


I2, I3, I4 = np.eye(2), np.eye(3), np.eye(4)
ONES3 = np.ones((3, 3))
LOWER = np.tri(4)
X3, X4, X23 = points((3,)), points((4,)), points((2, 3))

PATTERNS = {
    "elementwise": (jnp.sin, (X3,), I3),
    "two operands": (jnp.add, (X3, X3), np.hstack([I3, I3])),
    "scalar broadcast": (lambda x, s: x * s, (X3, points(())), np.hstack([I3, np.ones((3, 1))])),
    "multiplication by known zeros": (
        lambda x: x * np.array([1.0, 0.0, 2.0]),
        (X3,),
        np.diag([1, 0, 1]),
    ),
    "where": (
        lambda x, y: jnp.where(np.array([True, False, True]), x, y),
        (X3, X3),
        np.hstack([np.diag([1, 0, 1]), np.diag([0, 1, 0])]),
    ),
    "rounding": (jnp.round, (X3,), np.zeros((3, 3))),
    **{
        f"zeroth power as {name}": (power, (X3,), np.zeros((3, 3)))
        for name, power in {
            "`x**0`": lambda x: x**0,
            "`x**0.0`": lambda x: x**0.0,
            "`x**False`": lambda x: x**False,
            "`jnp.power`": lambda x: jnp.power(x, 0),
            "`jnp.power` of an array": lambda x: jnp.power(x, jnp.zeros(3, jnp.int32)),
            "`jnp.float_power`": lambda x: jnp.float_power(x, 0),
            "`lax.pow`": lambda x: lax.pow(x, 0),
            "`lax.pow` of an array": lambda x: lax.pow(x, jnp.zeros(3)),
            "`lax.integer_pow`": lambda x: lax.integer_pow(x, 0),
        }.items()
    },
    "derivative of `x**1`": (jax.grad(lambda x: jnp.sum(x**1)), (X3,), np.zeros((3, 3))),
    "second derivative of `x**2`": (
        jax.grad(lambda x: jnp.sum(jax.grad(lambda y: jnp.sum(y**2))(x))),
        (X3,),
        np.zeros((3, 3)),
    ),
    "reversal": (lambda x: x[::-1], (X3,), I3[::-1]),
    "transposition": (lambda x: x.T, (X23,), np.eye(6)[[0, 3, 1, 4, 2, 5]]),
    "slice": (lambda x: x[1:3], (X4,), I4[1:3]),
    "differences": (jnp.diff, (X4,), np.eye(3, 4) + np.eye(3, 4, k=1)),
    "cyclic shift": (lambda x: jnp.roll(x, 1), (X3,), np.roll(I3, 1, axis=0)),
    "interior padding": (
        lambda x: lax.pad(x, 0.0, [(1, -1, 1)]),
        (X3,),
        np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    ),
    "concatenation": (
        lambda x, y: jnp.concatenate([y, x]),
        (X3, X4),
        np.roll(np.eye(7), 4, axis=0),
    ),
    "sum over rows": (lambda x: x.sum(0), (X23,), np.hstack([I3, I3])),
    "sum over columns": (lambda x: x.sum(1), (X23,), np.kron(I2, np.ones(3))),
    "maximum of all": (jnp.max, (X3,), np.ones((1, 3))),
    "cumulative sum": (jnp.cumsum, (X4,), LOWER),
    "reversed cumulative maximum": (lambda x: lax.cummax(x, reverse=True), (X4,), LOWER.T),
    "sort along rows": (lambda x: jnp.sort(x, axis=1), (X23,), np.kron(I2, ONES3)),
    "sort of values by keys": (
        lambda k, v: lax.sort((k, v), num_keys=1)[1],
        (X3, X3),
        np.hstack([np.zeros((3, 3)), ONES3]),
    ),
    "matrix times vector": (
        jnp.dot,
        (X23, X3),
        np.hstack([np.kron(I2, np.ones(3)), np.ones((2, 3))]),
    ),
    "known sparse matrix times vector": (
        lambda x: np.array([[1.0, 0, 0], [0, 0, 2.0]]) @ x,
        (X3,),
        np.array([[1, 0, 0], [0, 0, 1]]),
    ),
    "batch of products": (
        lambda x, y: jax.vmap(jnp.dot)(x, y),
        (X23, X23),
        np.hstack([np.kron(I2, np.ones(3))] * 2),
    ),
    "known index": (lambda x: x[np.array([2, 0, 2])], (X3,), I3[[2, 0, 2]]),
    "scatter overwrites": (
        lambda x, v: x.at[1].set(v),
        (X3, points(())),
        np.array([[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]),
    ),
    "scatter adds": (
        lambda x, v: x.at[np.array([1, 1])].add(v),
        (X3, points((2,))),
        np.array([[1, 0, 0, 0, 0], [0, 1, 0, 1, 1], [0, 0, 1, 0, 0]]),
    ),
    "moving sum": (
        lambda x: lax.reduce_window(x, 0.0, lax.add, (2,), (2,), "VALID"),
        (X4,),
        np.kron(I2, [1, 1]),
    ),
    "central difference": (
        lambda x: jnp.convolve(x, np.array([1.0, 0.0, -1.0]), "valid"),
        (X4,),
        np.array([[1, 0, 1, 0], [0, 1, 0, 1]]),
    ),
    "complex to real": (lambda x: x.real * x.imag, (points((3,), jnp.complex64),), I3),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_pattern(name: str):
    fn, args, expected = PATTERNS[name]
    np.testing.assert_array_equal(detect(fn, *args), expected)
