"""`jax.scipy` beyond linear algebra: special functions, distributions, signals, images, grids."""

import jax
import jax.numpy as jnp
import jax.scipy.integrate
import jax.scipy.interpolate
import jax.scipy.ndimage
import jax.scipy.signal
import jax.scipy.special as special
import jax.scipy.stats as stats
import numpy as np
import pytest
from library_checks import assert_covers, assert_exact, values


X = values(4)
SPECIAL = {
    1: [
        *("dawsn", "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp1", "expi", "expit"),
        *("factorial", "gamma", "gammaln", "i0", "i0e", "i1", "i1e", "log_ndtr", "loggamma"),
        *("logit", "ndtr", "ndtri", "spence", "wofz", "fresnel", "sici"),
    ],
    2: [
        *("beta", "betaln", "boxcox", "boxcox1p", "gammainc", "gammaincc", "kl_div", "owens_t"),
        *("poch", "rel_entr", "xlog1py", "xlogy", "zeta"),
    ],
    3: ["hyp1f1"],
}


@pytest.mark.parametrize(
    ("name", "count"), [(name, count) for count, names in SPECIAL.items() for name in names]
)
def test_special_function_is_elementwise(name: str, count: int):
    function = getattr(special, name, None)
    if function is None:
        pytest.skip(f"this jax has no jax.scipy.special.{name}")
    args = [X + 0.1 * k for k in range(count)]
    outputs = len(jax.tree.leaves(jax.eval_shape(function, *args)))
    assert_exact(function, *args, nnz=4 * count * outputs)


def test_special_functions_of_some_arguments():
    assert_exact(lambda x: special.betainc(1.5, 2.5, x), X, nnz=4)
    assert_exact(lambda x: special.polygamma(1, x), X, nnz=4)
    assert_exact(lambda x: special.multigammaln(3 + x, 2), X, nnz=4)
    assert_exact(lambda x: special.gammasgn(x), X, nnz=0)
    # The Bernoulli numbers of an `expn` follow a branch on its order.
    assert_covers(lambda x: special.expn(2, x), X, nnz=4)


DISTRIBUTIONS = {
    1: ["cauchy", "expon", "gumbel_l", "gumbel_r", "laplace", "logistic", "norm"],
    2: ["chi2", "gamma", "gennorm", "t", "vonmises", "wrapcauchy"],
    3: ["beta"],
}


@pytest.mark.parametrize(
    ("name", "count"), [(name, count) for count, names in DISTRIBUTIONS.items() for name in names]
)
def test_log_density_is_elementwise(name: str, count: int):
    distribution = getattr(stats, name, None)
    if distribution is None:
        pytest.skip(f"this jax has no jax.scipy.stats.{name}")
    assert_exact(distribution.logpdf, *(X + 0.1 * k for k in range(count)), nnz=4 * count)


def test_multivariate_log_density_reads_its_row():
    density = lambda x: stats.multivariate_normal.logpdf(x, np.zeros(2), np.eye(2))  # noqa: E731
    assert_exact(density, values(3, 2), nnz=6)


def test_convolution_has_the_width_of_its_kernel():
    convolve = jax.scipy.signal.convolve
    assert_exact(lambda x: convolve(x, jnp.array([1.0, 2, 3])), X, nnz=12)
    assert_exact(lambda x: convolve(x, jnp.array([1.0, 0, 3]), mode="same"), X, nnz=6)
    kernel = jnp.array([[1.0, 2], [0, 3]])
    assert_exact(lambda x: jax.scipy.signal.correlate2d(x, kernel), values(3, 4), nnz=36)


def test_convolution_by_fourier_transform_is_dense():
    # The transforms cancel only up to rounding.
    kernel = np.array([1.0, 2, 3], np.float32)
    assert_covers(lambda x: jax.scipy.signal.fftconvolve(x, kernel), X, nnz=24)


def test_spectra_read_their_windows():
    signal = values(16)
    # The first weight of the Hann window is zero.
    spectrum = lambda x: jnp.abs(jax.scipy.signal.stft(x, nperseg=8, boundary=None)[2])  # noqa: E731
    assert_exact(spectrum, signal, nnz=5 * 3 * 7)
    assert_exact(jax.scipy.signal.detrend, X, nnz=16)


IMAGE = values(4, 5)
ROWS, COLUMNS = np.array([0.5, 1.2, 2.7]), np.array([0.5, 3.2, 0.0])


def test_map_coordinates_reads_the_neighbours():
    sample = jax.scipy.ndimage.map_coordinates
    # The last point lies on a column, so that two of its four weights vanish.
    assert_exact(lambda x: sample(x, [ROWS, COLUMNS], order=1), IMAGE, nnz=10)
    assert_exact(lambda x: sample(x, [ROWS + 0.1, COLUMNS], order=0), IMAGE, nnz=3)
    wrapped = [np.array([-0.5, 3.6]), np.array([4.5, 3.2])]
    assert_exact(lambda x: sample(x, wrapped, order=1, mode="wrap"), IMAGE, nnz=8)


def test_map_coordinates_with_unknown_places():
    sample = lambda x, r, c: jax.scipy.ndimage.map_coordinates(x, [r, c], order=1)  # noqa: E731
    # A value reads its own coordinates, and may lie anywhere in the image.
    assert_covers(sample, IMAGE, values(2), values(2), nnz=2 * (20 + 2))


def test_grid_interpolation_reads_a_cell():
    grid = (np.arange(4.0), np.arange(5.0))
    points = np.array([[0.5, 1.5], [2.2, 3.3]])

    def interpolate(x):
        return jax.scipy.interpolate.RegularGridInterpolator(grid, x)(points)

    assert_exact(interpolate, IMAGE, nnz=8)


def test_trapezoid():
    assert_exact(lambda x: jax.scipy.integrate.trapezoid(x, axis=1), IMAGE, nnz=20)
