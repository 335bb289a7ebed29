"""Cases for `rules/indexing.py` with known indices, by the idioms of `jax.numpy`.

`test_gather_scatter.py` goes through the dimension numbers; `test_unknown_indices.py` has unknown indices.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from rule_case import Case, case, points


X = points((3, 4))
LINE = points((5,))
MASK = np.array([True, False, True, True, False])
ROWS, COLUMNS = np.array([2, 0, 2]), np.array([1, 1, 3])


def take(mode: str) -> Case:
    """In bounds, negative and out of bounds on both sides; the fill value is no input."""
    index = np.array([0, -1, 7, -9, 4])
    return case(lambda x: jnp.take(x, index, mode=mode, fill_value=0), LINE, label=f"take {mode}")


def updates(method: str, *, unique: bool = False, complex_too: bool = False) -> list[Case]:
    """`x.at[...].<method>(v)`; JAX differentiates `multiply` only if the indices are unique."""

    def at(index, **options):
        return lambda x, v: getattr(x.at[index], method)(v, unique_indices=unique, **options)

    cases = [
        case(at(np.array([3, 0])), LINE, points((2,)), label="elements"),
        case(at((np.array([2, 0]), np.array([1, 3]))), X, points((2,)), label="pairs"),
        case(at((slice(None), np.array([1, 3]))), X, points((3, 2)), label="columns"),
        case(at(np.array([0, 2])), X, points((2, 4)), label="rows"),
        case(at(np.array([0, 2])), X, points((4,)), label="broadcast row"),
        case(at(-1), LINE, points(()), label="negative"),
        case(at(np.array([1, 9]), mode="drop"), LINE, points((2,)), label="dropped"),
        case(at(slice(1, 4)), LINE, points((3,)), label="slice"),
        case(at(slice(None, None, 2)), LINE, points((3,)), label="strided slice"),
        case(at(...), points(()), points(()), label="scalar"),
        case(at(np.array([1])), points((3,), jnp.float16), points((1,), jnp.float16), label="half"),
    ]
    if not unique:
        duplicates = np.array([1, 3, 1, 1])
        cases.append(case(at(duplicates), LINE, points((4,)), label="duplicates"))
    if complex_too:
        x = points((3,), jnp.complex64)
        cases.append(case(at(np.array([1])), x, x[:1], label="complex"))
    return cases


def window(*start, sizes=(2, 2)) -> Case:
    return case(lambda x: lax.dynamic_slice(x, start, sizes), X, label=f"{start}")


def overwritten(*start) -> Case:
    return case(
        lambda x, u: lax.dynamic_update_slice(x, u, start), X, points((2, 2)), label=f"{start}"
    )


STARTS = ((0, 0), (1, 2), (-1, 1), (9, -9), (np.int32(2), np.int32(3)))

CASES: dict[str, list[Case]] = {
    "gather": [
        case(lambda x: x[np.array([4, 0, 0, 2])], LINE, label="elements"),
        case(lambda x: x[np.array([[1, -1], [0, 2]])], LINE, label="negative"),
        case(lambda x: x[:, np.array([3, 0])], X, label="columns"),
        case(lambda x: x[ROWS, COLUMNS], X, label="pairs"),
        case(lambda x: x[ROWS[:, None], COLUMNS], X, label="outer"),
        case(lambda x: x[ROWS, :, None, COLUMNS], points((3, 2, 4)), label="separated"),
        case(lambda x: x[MASK], LINE, label="mask"),
        case(lambda x: x[np.array([1, 0])], points((2,), jnp.complex64), label="complex"),
        case(lambda x: x[np.array([1, 0])], points((2,), jnp.bfloat16), label="half"),
        *(take(mode) for mode in ("clip", "fill", "wrap")),
        case(
            lambda x: x.at[np.array([1, 3])].get(mode="promise_in_bounds", indices_are_sorted=True),
            LINE,
            label="promise in bounds",
        ),
        case(
            lambda x: x.at[np.array([1, 9])].get(mode="fill", fill_value=3.0), LINE, label="filled"
        ),
        case(
            lambda x: jnp.take_along_axis(x, np.array([[3, 0], [1, 1], [2, -1]]), axis=1),
            X,
            label="along axis",
        ),
        case(
            lambda x: jax.vmap(lambda row, i: row[i])(x, np.array([[3], [0], [1]])),
            X,
            label="vmap of rows and indices",
        ),
        case(lambda x: jax.vmap(lambda i: x[:, i])(np.array([2, 0])), X, label="vmap of indices"),
        case(
            lambda x: jax.vmap(lambda row: row[np.array([2, 0])], 1)(x), X, label="vmap of columns"
        ),
        case(lambda x: x[jnp.arange(5)[::-1] % 3], LINE, label="computed"),
        case(lambda x: x[jnp.argsort(jnp.array([0.3, 0.1, 0.2]))], LINE, label="sorted order"),
        case(lambda x: jnp.cumsum(x)[np.array([0, 2])], LINE, label="of sets"),
    ],
    "scatter": [
        *[one for one in updates("set", complex_too=True) if one.label != "duplicates"],
        # Which of the updates wins at one place is up to the compiler: the pattern has them all.
        case(
            lambda x, v: x.at[np.array([1, 3, 1])].set(v),
            LINE,
            points((3,)),
            label="duplicates",
            excess=True,
        ),
        case(lambda x, v: x.at[MASK].set(v), LINE, points(()), label="mask"),
        case(
            lambda x, v: jax.vmap(lambda row, i, one: row.at[i].set(one))(
                x, np.array([3, 0, 1]), v
            ),
            X,
            points((3,)),
            label="vmap",
        ),
        case(lambda x: x.at[np.array([1, 2])].set(0.0), LINE, label="known update"),
        case(
            lambda v: jnp.zeros(5).at[np.array([1, 2])].set(v), points((2,)), label="known operand"
        ),
        case(lambda x: x.at[np.array([0, 1])].set(x[np.array([1, 0])]), LINE, label="swap"),
    ],
    "scatter-add": [
        *updates("add", complex_too=True),
        case(
            lambda x: jax.ops.segment_sum(x, np.array([0, 2, 0, 1, 2]), num_segments=4),
            LINE,
            label="segment sum",
        ),
        case(
            lambda x: jax.ops.segment_sum(x, np.array([0, 5, 1, -1, 1]), num_segments=2),
            LINE,
            label="segments out of bounds",
        ),
        case(
            lambda x: jax.grad(lambda z: jnp.sum(z[ROWS] ** 3))(LINE * x),
            points(()),
            label="gradient",
        ),
        case(
            lambda v: jnp.zeros(3).at[np.zeros(300, np.int32)].add(v),
            points((300,)),
            label="300 duplicates",
        ),
    ],
    "scatter-sub": [
        case(
            lambda x, v: x.at[np.array([3, 0, 3])].subtract(v), LINE, points((3,)), label="elements"
        ),
    ],
    "scatter-mul": [
        *updates("multiply", unique=True, complex_too=True),
        case(
            lambda x: x.at[np.array([1, 1])].multiply(2.0),
            LINE,
            label="duplicates of a known update",
        ),
        case(
            lambda x: x.at[np.array([1, 1])].multiply(jnp.array([0.0, 2.0])),
            LINE,
            # The rule does not look for zeros among the updates.
            label="known zero update",
            excess=True,
        ),
    ],
    "scatter-min": updates("min"),
    "scatter-max": updates("max"),
    "dynamic_slice": [
        *(window(*start) for start in STARTS),
        case(lambda x: lax.dynamic_slice(x, (1,), (0,)), LINE, label="to empty"),
        case(lambda x: lax.dynamic_slice(x, (7,), (5,)), LINE, label="whole"),
        case(lambda x: lax.dynamic_slice(x, (0, 0), (1, 0)), points((2, 0)), label="empty"),
        case(lambda x: lax.dynamic_index_in_dim(x, -1, 1), X, label="index in dim"),
        case(
            lambda x: lax.dynamic_slice(x, (1,), (2,)), points((4,), jnp.complex64), label="complex"
        ),
    ],
    "dynamic_update_slice": [
        *(overwritten(*start) for start in STARTS),
        case(lambda x: lax.dynamic_update_slice(x, jnp.ones(2), (1,)), LINE, label="known update"),
        case(
            lambda u: lax.dynamic_update_slice(jnp.ones(5), u, (1,)),
            points((2,)),
            label="known operand",
        ),
        case(
            lambda x, u: lax.dynamic_update_slice(x, u, (3,)),
            LINE,
            points((0,)),
            label="empty update",
        ),
        case(
            lambda x, u: lax.dynamic_update_slice(x, u, ()), points(()), points(()), label="scalar"
        ),
        case(lambda x, u: lax.dynamic_update_slice(x, u, (9,)), LINE, points((5,)), label="whole"),
    ],
}
