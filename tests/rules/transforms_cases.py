"""Cases for the rules of Fourier transforms, selection, ragged products, random numbers and calls."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import linear_call
from jax.experimental.custom_partitioning import custom_partitioning
from rule_case import Case, case, optional, points


COMPLEX = np.complex64


def sorted_by(keys, **options):
    """Sort the argument by known keys."""
    keys = keys if isinstance(keys, tuple) else (keys,)

    def fn(x):
        return lax.sort((*map(jnp.asarray, keys), x), num_keys=len(keys), **options)[-1]

    return fn


ROWS, COLS = np.array([1, 0, 1, 0]), np.array([0, 1, 1, 0])


def summed_coordinates(values):
    """Known coordinates are sorted together with values, and stay known."""
    rows, cols, values = lax.sort((jnp.asarray(ROWS), jnp.asarray(COLS), values), num_keys=2)
    return jnp.zeros((2, 2)).at[rows, cols].add(values)


def gamma(shape_parameter):
    return jax.random.gamma(jax.random.key(0), shape_parameter)


SIZES = np.array([1, 0, 2])
RAGGED = lax.RaggedDotDimensionNumbers


def ragged(numbers, *axes):
    dimensions = RAGGED(numbers, *axes)
    return lambda x, y: lax.ragged_dot_general(x, y, jnp.asarray(SIZES), dimensions)


GROUP_OF_ROW = np.array([0, 2, 2])


def rows_by_group() -> np.ndarray:
    """Row `i` reads row `i` of `(4, 2)` and matrix `GROUP_OF_ROW[i]` of `(3, 2, 2)`; the last none."""
    left = np.kron(np.eye(4), np.ones((2, 2)))
    right = np.zeros((4, 2, 3, 2, 2))
    for row, group in enumerate(GROUP_OF_ROW):
        right[row, :, group] = np.eye(2)[:, None]
    left[6:] = 0
    return np.hstack([left, right.reshape(8, 12)])


def parts_by_group() -> np.ndarray:
    """Product `g` of `(3, 1, 1)` reads the rows of group `g` of two columns."""
    member = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 1]])
    return np.hstack([member, member])


def partitioned(x):
    def unused(*args):
        raise AssertionError("Nothing is compiled.")

    fn = custom_partitioning(lambda x: x[::-1] * 2)
    fn.def_partition(partition=unused, sharding_rule="i -> i")
    return fn(x)


def optimized_remat(x):
    @jax.custom_vjp
    def fn(x):
        return jnp.sin(x)

    fn.defvjp(lambda x: (jnp.sin(x), x), lambda x, t: (t[::-1] * x,), optimize_remat=True)
    return jax.vjp(fn, x)[0]


compute, custom_dce, fusion, scheduling = (
    optional(f"jax.experimental.{module}")
    for module in ("compute_on", "custom_dce", "fused", "scheduling_groups")
)


def reversed_sine(x):
    return jnp.sin(x[::-1])


def on_the_host(x):
    on = getattr(compute, "compute_on2", compute.compute_on)
    space = jax.memory.Space.Device
    return on(reversed_sine, compute_type="device_host", out_memory_spaces=space)(x)


def fused(x):
    return fusion.fused(out_spaces=(jax.memory.Space.Device,))(lambda x: (reversed_sine(x),))(x)


def in_a_group(x):
    return scheduling.scheduling_group(name="group")(reversed_sine)(x)


def without_dead_code(x):
    both = custom_dce.custom_dce(lambda x: (reversed_sine(x), x))
    both.def_dce(
        lambda used, x: [one if use else None for one, use in zip(both(x), used, strict=True)]
    )
    return both(x)[0]


CASES: dict[str, list[Case]] = {
    "fft": [
        *(case(jnp.fft.fft, points((2, n), COMPLEX), label=f"complex {n}") for n in (1, 4, 5)),
        *(case(jnp.fft.rfft, points((2, n)), label=f"real {n}") for n in (1, 4, 5)),
        *(
            case(
                lambda x, n=n: jnp.fft.irfft(x, n),
                points((2, n // 2 + 1), COMPLEX),
                label=f"to real {n}",
            )
            for n in (1, 4, 5)
        ),
        case(jnp.fft.ifft, points((4,), COMPLEX), label="inverse"),
        case(jnp.fft.rfft2, points((2, 2, 4)), label="two axes"),
        case(jnp.fft.irfft2, points((2, 2, 3), COMPLEX), label="two axes to real"),
        case(jnp.fft.fftn, points((2, 2, 2), COMPLEX), label="all axes"),
        case(lambda x: jnp.fft.fft(x, axis=0), points((3, 2), COMPLEX), label="first axis"),
        case(lambda x: lax.fft(x, "fft", (2,)), points((0, 2), COMPLEX), label="empty"),
    ],
    "sort": [
        case(sorted_by(np.array([2, 0, 1, 0])), points((4,)), label="known keys"),
        case(
            sorted_by(np.array([2, 0, 1, 7]), is_stable=False),
            points((4,)),
            label="distinct, unstable",
        ),
        # Equal keys may end up in any order.
        case(
            sorted_by(np.array([2, 0, 1, 0]), is_stable=False),
            points((4,)),
            label="ties",
            excess=True,
        ),
        case(sorted_by((ROWS, COLS)), points((4,)), label="two known keys"),
        case(
            sorted_by(np.array([[2, 0], [0, 1]]), dimension=0), points((2, 2)), label="first axis"
        ),
        case(sorted_by(points((5,), jnp.bfloat16)), points((5,)), label="half keys"),
        case(sorted_by(np.array([np.nan, -0.0, 0.0, -np.inf])), points((4,)), label="special keys"),
        case(
            sorted_by(np.zeros(0)), points((0,)), label="known and empty", expected=np.zeros((0, 0))
        ),
        case(
            lambda x: jax.random.permutation(jax.random.key(0), x),
            points((6,)),
            label="permutation",
        ),
        case(summed_coordinates, points((4,)), label="keys stay known"),
        case(
            lambda x, y: lax.sort((jnp.asarray(ROWS), x, y), num_keys=2),
            *(points((4,)), points((4,))),
            label="one key known",
            expected=np.vstack([np.zeros((4, 8)), np.kron(np.eye(2), np.ones((4, 4)))]),
        ),
    ],
    "top_k": [
        case(lambda x: lax.top_k(x, 2)[0], points((2, 4))),
        case(lambda x: lax.top_k(x, 2), points((3,)), label="with positions"),
        case(lambda x: lax.top_k(x, 0)[0], points((3,)), label="none"),
        case(lambda x: lax.top_k(x, 1)[0], points((2, 3), jnp.bfloat16), label="half"),
    ],
    "approx_top_k": [
        case(lambda x: lax.approx_max_k(x, 2)[0], points((2, 4))),
        case(
            lambda x: lax.approx_min_k(x, 1, reduction_dimension=0)[0],
            points((3, 2)),
            label="first axis",
        ),
    ],
    "random_gamma": [
        case(gamma, points((2, 3))),
        case(gamma, points(()), label="scalar"),
        case(gamma, points((0,)), label="empty"),
        case(lambda a: jax.random.beta(jax.random.key(1), a, a + 1), points((3,)), label="beta"),
    ],
    # JAX has no batched derivative of it: the patterns are written down.
    "ragged_dot_general": [
        case(
            lambda x, y: lax.ragged_dot(x, y, jnp.asarray(SIZES)),
            *(points((4, 2)), points((3, 2, 2))),
            label="known sizes",
            expected=rows_by_group(),
        ),
        case(
            lambda x, y, sizes: lax.ragged_dot(x, y, sizes),
            *(points((2, 1)), points((3, 1, 1)), jnp.asarray(SIZES)),
            label="unknown sizes",
            expected=np.hstack([np.eye(2), np.ones((2, 3))]),
        ),
        case(
            ragged((((0,), (0,)), ((), ())), [0], []),
            *(points((3, 1)), points((3, 1))),
            label="contracted",
            expected=parts_by_group(),
        ),
        case(
            ragged((((1,), (1,)), ((0,), (0,))), [0], []),
            *(points((3, 2)), points((3, 2))),
            label="batch",
            expected=np.kron([[1, 1]], np.kron(np.eye(3), [[1, 1]])),
        ),
        case(
            lambda x, y: jax.vmap(lax.ragged_dot)(x, y, jnp.ones((2, 2), int)),
            *(points((2, 2, 1)), points((2, 2, 1, 1))),
            label="sizes that differ",
            expected=np.hstack([np.eye(4), np.kron(np.eye(2), np.ones((2, 2)))]),
        ),
    ],
    "linear_call": [
        case(
            lambda x: x + linear_call(lambda r, x: x[::-1] / r, lambda r, t: t[::-1] / r, 2.0, x),
            points((3,)),
            expected=[[1, 0, 1], [0, 1, 0], [1, 0, 1]],
        ),
    ],
    "composite": [
        case(
            lax.composite(lambda x: x[::-1] * 2, name="test.reversed"),
            points((3,)),
            expected=np.eye(3)[::-1],
        ),
    ],
    "custom_partitioning": [case(partitioned, points((3,)), expected=np.eye(3)[::-1])],
    # These have no derivative, or none on a CPU.
    "compute_on": [case(on_the_host, points((3,)), expected=np.eye(3)[::-1])],
    "custom_dce_call": [case(without_dead_code, points((3,)), expected=np.eye(3)[::-1])],
    "fused_call": [case(fused, points((3,)), expected=np.eye(3)[::-1])],
    "scheduling_group": [case(in_a_group, points((3,)), expected=np.eye(3)[::-1])],
    "xla_metadata_call": [case(in_a_group, points((3,)), expected=np.eye(3)[::-1])],
    "remat_opt": [case(optimized_remat, points((3,)), expected=np.eye(3))],
}
