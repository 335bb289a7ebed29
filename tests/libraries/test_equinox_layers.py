"""`equinox.nn`: the structure of each layer."""

import inspect
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equinox import nn
from library_checks import assert_covers, assert_exact, values

import asdex


KEY = jax.random.key(0)
VECTOR = values(6, low=-0.9, high=0.9)
SIGNAL = values(2, 5, low=-0.9, high=0.9)
IMAGE = values(2, 4, 4, low=-0.9, high=0.9)
VOLUME = values(1, 3, 3, 3, low=-0.9, high=0.9)

LAYERS = {
    "Linear": (nn.Linear(6, 3, key=KEY), VECTOR, 18),
    "Identity": (nn.Identity(), VECTOR, 6),
    "MLP": (nn.MLP(6, 3, 4, 1, key=KEY), VECTOR, 18),
    "Sequential": (nn.Sequential([nn.Lambda(jnp.sin), nn.Linear(6, 3, key=KEY)]), VECTOR, 18),
    "PReLU": (nn.PReLU(0.2), VECTOR, 6),
    "WeightNorm": (nn.WeightNorm(nn.Linear(6, 3, key=KEY)), VECTOR, 18),
    "Dropout in inference": (nn.Dropout(0.5, inference=True), VECTOR, 6),
    # Three places of a window of three, in both channels, to each of three channels.
    "Conv1d": (nn.Conv1d(2, 3, 3, key=KEY), SIGNAL, 3 * 3 * 2 * 3),
    "Conv1d with padding": (nn.Conv1d(2, 3, 3, padding=1, key=KEY), SIGNAL, 3 * 13 * 2),
    "Conv1d with groups": (nn.Conv1d(2, 2, 3, groups=2, key=KEY), SIGNAL, 2 * 3 * 3),
    "Conv2d": (nn.Conv2d(2, 3, 2, key=KEY), IMAGE, 3 * 9 * 2 * 4),
    "Conv3d": (nn.Conv3d(1, 2, 2, key=KEY), VOLUME, 2 * 8 * 8),
    "ConvTranspose1d": (nn.ConvTranspose1d(2, 3, 2, stride=2, key=KEY), SIGNAL, 3 * 10 * 2),
    "ConvTranspose2d": (nn.ConvTranspose2d(2, 3, 2, key=KEY), IMAGE, 3 * 2 * (4 * 2) ** 2),
    "ConvTranspose3d": (nn.ConvTranspose3d(1, 1, 2, key=KEY), VOLUME, (3 * 2) ** 3),
    "AvgPool1d": (nn.AvgPool1d(2), SIGNAL, 2 * 4 * 2),
    "AvgPool2d": (nn.AvgPool2d(2, 2), IMAGE, 2 * 4 * 4),
    "AvgPool3d": (nn.AvgPool3d(2), VOLUME, 8 * 8),
    "MaxPool1d": (nn.MaxPool1d(2), SIGNAL, 2 * 4 * 2),
    "MaxPool2d": (nn.MaxPool2d(2, 2), IMAGE, 2 * 4 * 4),
    "AdaptiveAvgPool1d": (nn.AdaptiveAvgPool1d(3), SIGNAL, 2 * 5),
    "AdaptiveMaxPool2d": (nn.AdaptiveMaxPool2d(2), IMAGE, 2 * 4 * 4),
    "LayerNorm": (nn.LayerNorm(6), VECTOR, 36),
    "RMSNorm": (nn.RMSNorm(6), VECTOR, 36),
    "GroupNorm": (nn.GroupNorm(2, 4), values(4, 3), 2 * 6 * 6),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str):
    layer, x, nnz = LAYERS[name]
    assert_exact(layer, x, nnz=nnz)


def test_attention():
    attention = nn.MultiheadAttention(2, 4, key=KEY)
    x = values(3, 4, low=-0.9, high=0.9)
    assert_exact(lambda x: attention(x, x, x), x, nnz=144)
    # A mask replaces scores by a large negative number: its zeros are those of the softmax in rounding.
    mask = jnp.tril(jnp.ones((3, 3), bool))
    assert_covers(lambda x: attention(x, x, x, mask=mask), x, nnz=144)


def test_rotary_embedding_rotates_pairs():
    # The first token is not turned.
    rotary = nn.RotaryPositionalEmbedding(4)
    assert_exact(rotary, values(3, 4), nnz=4 + 2 * 4 * 2)


def test_recurrent_cells():
    gru, lstm = nn.GRUCell(4, 3, key=KEY), nn.LSTMCell(4, 3, key=KEY)
    x, h, c = values(4), values(3), values(3, low=-0.5)
    assert_exact(gru, x, h, nnz=3 * (4 + 3))
    # The memory is gated element by element.
    assert_exact(lambda x, h, c: lstm(x, (h, c)), x, h, c, nnz=2 * 3 * (4 + 3 + 1))


def test_scanned_recurrence_does_not_look_ahead():
    gru = nn.GRUCell(1, 1, key=KEY)

    def run(x):
        return jax.lax.scan(lambda h, z: (gru(z, h), gru(z, h)), jnp.zeros(1), x)[1]

    assert_exact(run, values(5, 1), nnz=15)


def test_embedding_of_known_tokens_reads_their_rows():
    tokens = jnp.array([1, 0, 1])
    assert_exact(lambda table: jax.vmap(nn.Embedding(weight=table))(tokens), values(3, 2), nnz=6)


def test_batch_norm():
    # An older equinox has no other mode than this one.
    mode: dict[str, Any] = (
        {"mode": "ema"} if "mode" in inspect.signature(nn.BatchNorm).parameters else {}
    )
    norm, state = nn.make_with_state(nn.BatchNorm)(2, "batch", **mode)
    frozen = nn.inference_mode(norm)
    rows = values(3, 2)

    def of_rows(layer, x):
        call = jax.vmap(layer, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
        return call(x, state)[0]

    assert_exact(lambda x: of_rows(frozen, x), rows, nnz=6)
    assert_exact(lambda x: of_rows(norm, x), rows, nnz=2 * 9)


def test_dropout_with_a_constant_key_reads_what_it_keeps():
    dropout = nn.Dropout(0.5)
    kept = int((dropout(jnp.ones(6), key=KEY) != 0).sum())
    assert_exact(lambda x: dropout(x, key=KEY), VECTOR, nnz=kept)


def test_a_model_of_zeros_has_the_structure_of_the_layer():
    """Floating-point leaves of a model are not constants: training changes them."""
    arrays, static = eqx.partition(nn.MLP(6, 3, 4, 1, key=KEY), eqx.is_array)
    model = eqx.combine(jax.tree.map(jnp.zeros_like, arrays), static)
    assert asdex.jacobian_sparsity(model, VECTOR).nnz == 18
    by_weights = asdex.jacobian_sparsity(lambda m, x: m(x), nn.Linear(6, 3, key=KEY), VECTOR)
    np.testing.assert_array_equal(by_weights.todense().sum(axis=1), 3 * [7])
