"""`jax.nn`: activations are diagonal, normalisations dense along their axis."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from library_checks import assert_covers, assert_exact, values


ACTIVATIONS = [
    *("celu", "elu", "gelu", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "log_sigmoid"),
    *("mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_sign", "softplus", "sparse_plus"),
    *("sparse_sigmoid", "squareplus", "swish", "tanh", "hard_sigmoid", "identity"),
]
X = values(2, 3, low=-0.9, high=0.9)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name: str):
    activation = getattr(jax.nn, name, None)
    if activation is None:
        pytest.skip(f"this jax has no jax.nn.{name}")
    assert_exact(activation, X, nnz=6)


@pytest.mark.parametrize("approximate", [False, True])
def test_gelu(approximate: bool):
    assert_exact(lambda x: jax.nn.gelu(x, approximate=approximate), X, nnz=6)


@pytest.mark.parametrize(
    "fn",
    [jax.nn.softmax, jax.nn.log_softmax, jax.nn.standardize],
    ids=lambda fn: fn.__name__,
)
def test_normalisation_mixes_its_axis_only(fn):
    assert_exact(fn, X, nnz=2 * 3 * 3)
    assert_exact(lambda x: fn(x, axis=0), X, nnz=3 * 2 * 2)


def test_masked_softmax_reads_where_the_mask_holds():
    mask = np.array([True, False, True])
    assert_exact(lambda x: jax.nn.softmax(x, where=mask), X, nnz=2 * 2 * 2)


def test_logsumexp():
    assert_exact(lambda x: jax.nn.logsumexp(x, axis=1), X, nnz=6)
    assert_exact(lambda x: jax.nn.logsumexp(x, axis=1, b=np.array([1.0, 0, 2])), X, nnz=4)


def test_glu_gates_one_half_with_the_other():
    assert_exact(jax.nn.glu, values(2, 4), nnz=2 * 2 * 2)


def test_one_hot_of_a_constant_picks():
    assert_exact(lambda x: jax.nn.one_hot(np.array([2, 0, 2]), 3) @ x, values(3), nnz=3)


def test_one_hot_of_an_input_has_no_derivative():
    picked = jax.nn.one_hot
    assert_exact(lambda x: picked(jnp.argmax(x, axis=-1), 3) * x, X, nnz=6)


def test_dot_product_attention_keeps_batches_and_heads_apart():
    query, key, value = values(2, 3, 2, 2), values(2, 4, 2, 2), values(2, 4, 2, 2, low=-0.5)
    attention = jax.nn.dot_product_attention
    # An element reads its own query, all keys of its head, and its channel of all values.
    assert_exact(attention, query, key, value, nnz=2 * 3 * 2 * 2 * (2 + 4 * 2 + 4))


def test_causal_attention_does_not_look_ahead():
    query = values(1, 3, 1, 2)
    causal = lambda x: jax.nn.dot_product_attention(x, x, x, is_causal=True)  # noqa: E731
    # The mask replaces scores by a large negative number: the zeros after it are rounded, not structural.
    # Keys that a query does not see still drop out of the scores that it reads.
    assert_covers(causal, query, nnz=30)
