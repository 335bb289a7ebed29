"""Fourier transforms, interpolation and image resizing."""

import jax
import jax.numpy as jnp
import jax.scipy.fft
import numpy as np
import pytest
from library_checks import assert_covers, assert_exact, values


X, IMAGE = values(6), values(4, 5)


def test_fourier_transforms_mix_their_axes():
    assert_exact(jnp.fft.fft, X, nnz=36)
    assert_exact(jnp.fft.rfft, X, nnz=24)
    assert_exact(lambda x: jnp.fft.irfft(x.astype(jnp.complex64)), X, nnz=60)
    assert_exact(lambda x: jnp.fft.hfft(x.astype(jnp.complex64)), X, nnz=60)
    assert_exact(jnp.fft.fft2, IMAGE, nnz=400)
    assert_exact(lambda x: jnp.fft.fft(x, axis=0), IMAGE, nnz=20 * 4)
    assert_exact(lambda x: jnp.fft.ifftn(x, axes=(1,)), IMAGE, nnz=20 * 5)
    assert_exact(jax.vmap(jnp.fft.rfft), IMAGE, nnz=4 * 3 * 5)
    assert_exact(jnp.fft.fftshift, X, nnz=6)


def test_cosine_transform():
    assert_exact(lambda x: jax.scipy.fft.dctn(x, axes=[0]), IMAGE, nnz=20 * 4)
    # In the middle of five points the odd cosines are zero, or a rounding error.
    assert_covers(lambda x: jax.scipy.fft.dctn(x, axes=[1]), IMAGE, nnz=20 * 5)


# Each axis on its own: 4 to 8 points read 14 entries, 5 to 10 read 18, and 4 to 2 read 2 * 4 or 2 * 3.
@pytest.mark.parametrize(
    ("method", "shape", "nnz"),
    [
        ("nearest", (8, 10), 80),
        ("linear", (8, 10), 14 * 18),
        ("cubic", (8, 10), 24 * 32),
        ("lanczos3", (8, 10), 30 * 42),
        ("nearest", (2, 3), 6),
        ("lanczos3", (2, 3), 120),
    ],
)
def test_resize(method: str, shape: tuple[int, int], nnz: int):
    assert_exact(lambda x: jax.image.resize(x, shape, method), IMAGE, nnz=nnz)


def test_translation_by_a_constant_shifts():
    scale, shift = jnp.array([1.0, 1.0]), jnp.array([1.0, 0.0])

    def translate(x):
        return jax.image.scale_and_translate(x, (4, 5), (0, 1), scale, shift, "linear")

    assert_exact(translate, IMAGE, nnz=15)


def test_translation_by_an_input():
    scale = jnp.array([1.0, 1.0])

    def translate(x, shift):
        return jax.image.scale_and_translate(x, (4, 5), (0, 1), scale, shift, "linear")

    assert_covers(translate, IMAGE, values(2), nnz=20 * (20 + 2))


def test_interpolation_in_a_table():
    knots, table = np.arange(4.0), np.array([1.0, 3, 2, 5])
    assert_exact(lambda x: jnp.interp(x, knots, table), values(4), nnz=4)
    places = np.array([0.5, 1.5, 2.5])
    assert_exact(lambda y: jnp.interp(places, knots, y), values(4), nnz=6)
    assert_exact(lambda y: jnp.interp(np.array([0.5, 5.5]), knots, y, period=4), values(4), nnz=4)
    # With unknown places a result reads its place and may read any element of the table.
    assert_covers(lambda x, y: jnp.interp(x, knots, y), values(4), values(4), nnz=4 + 16)
