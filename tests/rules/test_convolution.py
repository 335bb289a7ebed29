"""Convolutions over strides, padding, dilations, groups, layouts and one to three spatial axes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from rule_case import points

from asdex.testing import check_rule


class Convolution(NamedTuple):
    """Shapes in the layouts of `numbers`, and the other parameters."""

    array: tuple[int, ...]
    kernel: tuple[int, ...]
    options: dict[str, Any]

    def __call__(self, x, k):
        return lax.conv_general_dilated(x, k, **self.options)


def draw(seed: int) -> Convolution:
    rng = np.random.default_rng(seed)
    rank = 1 + seed % 3
    groups, kind = int(rng.integers(1, 4)), ("none", "feature", "batch")[seed // 3 % 3]
    feature_groups, batch_groups = (
        groups if kind == "feature" else 1,
        groups if kind == "batch" else 1,
    )
    group_channels = int(rng.integers(1, 3))
    outputs = feature_groups * batch_groups * int(rng.integers(1, 3))
    batch = batch_groups * int(rng.integers(1, 3))
    longest = (7, 4, 3)[rank - 1]
    space = [int(n) for n in rng.integers(2, longest + 1, rank)]
    size = [int(n) for n in rng.integers(1, 4 if rank < 3 else 3, rank)]
    array = (batch, feature_groups * group_channels, *space)
    kernel = (outputs, group_channels, *size)
    array_order, kernel_order, out_order = (rng.permutation(rank + 2) for _ in range(3))
    numbers = lax.ConvDimensionNumbers(
        *(
            tuple(int(i) for i in np.argsort(order))
            for order in (array_order, kernel_order, out_order)
        )
    )
    low, high = rng.integers(-1, 3, rank), rng.integers(0, 3, rank)
    options = dict(
        window_strides=tuple(int(n) for n in rng.integers(1, 3, rank)),
        padding=[(int(a), int(b)) for a, b in zip(low, high, strict=True)],
        lhs_dilation=tuple(int(n) for n in rng.integers(1, 3, rank)),
        rhs_dilation=tuple(int(n) for n in rng.integers(1, 3, rank)),
        feature_group_count=feature_groups,
        batch_group_count=batch_groups,
        dimension_numbers=numbers,
    )
    return Convolution(
        tuple(array[i] for i in array_order), tuple(kernel[i] for i in kernel_order), options
    )


CONVOLUTIONS = [pytest.param(draw(seed), id=str(seed)) for seed in range(18)]


def half_zero(shape: tuple[int, ...]) -> jax.Array:
    kept = np.random.default_rng(1).random(shape) < 0.5
    return points(shape) * kept


@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_both_operands_unknown(convolution: Convolution):
    report = check_rule(
        convolution, points(convolution.array), points(convolution.kernel), points=2
    )
    np.testing.assert_array_equal(report.detected, report.true)


@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_zeros_of_a_known_kernel_drop_out(convolution: Convolution):
    kernel = half_zero(convolution.kernel)
    report = check_rule(lambda x: convolution(x, kernel), points(convolution.array), points=1)
    np.testing.assert_array_equal(report.detected, report.true)


@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_zeros_of_a_known_array_drop_out(convolution: Convolution):
    array = half_zero(convolution.array)
    report = check_rule(lambda k: convolution(array, k), points(convolution.kernel), points=1)
    np.testing.assert_array_equal(report.detected, report.true)


def test_five_point_laplacian_is_the_pattern_of_the_stencil():
    n = 4
    stencil = jnp.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    report = check_rule(lambda u: lax.conv(u[None, None], stencil, (1, 1), "SAME"), points((n, n)))
    line = np.eye(n, k=1) + np.eye(n, k=-1)
    expected = np.kron(np.eye(n), line + np.eye(n)) + np.kron(line, np.eye(n))
    np.testing.assert_array_equal(report.detected, expected)


def test_depthwise_convolution_keeps_channels_apart():
    report = check_rule(
        lambda x: lax.conv_general_dilated(
            x, jnp.ones((3, 1, 2)), (1,), "VALID", feature_group_count=3
        ),
        points((1, 3, 4)),
    )
    band = np.eye(3, 4) + np.eye(3, 4, k=1)
    np.testing.assert_array_equal(report.detected, np.kron(np.eye(3), band))


def test_batch_entries_stay_apart():
    report = check_rule(
        lambda x: lax.conv(x, jnp.ones((1, 2, 3)), (1,), "VALID"), points((2, 2, 3))
    )
    np.testing.assert_array_equal(report.detected, np.kron(np.eye(2), np.ones((1, 6))))


def test_transposed_convolution_is_the_transposed_pattern():
    kernel = jnp.array([1.0, 0.0, 2.0])[None, None]

    def forward(x):
        return lax.conv_general_dilated(x[None, None], kernel, (2,), [(1, 1)])[0, 0]

    def backward(y):
        return jax.vjp(forward, jnp.zeros(7))[1](y)[0]

    ahead, back = check_rule(forward, points((7,))), check_rule(backward, points((4,)))
    np.testing.assert_array_equal(back.detected, ahead.detected.T)
    np.testing.assert_array_equal(ahead.detected[0], [0, 1, 0, 0, 0, 0, 0])
    assert ahead.exact
    assert back.exact
