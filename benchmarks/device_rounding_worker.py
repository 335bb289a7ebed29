"""Prints as JSON how far an accelerator is from the CPU in the results of single functions, in roundings.

The results are those of the same program under `jax.jit`; roundings are those of single precision, 2^-23.
"""

import json
import operator

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import special


COUNT = 200_000
RNG = np.random.default_rng(0)


def single(array):
    return np.asarray(array, np.float32)


POSITIVE = single(RNG.uniform(0.01, 20, COUNT))
NORMAL = single(3 * RNG.normal(size=COUNT))
UNIT = single(RNG.uniform(-1, 1, COUNT))
OTHER = single(RNG.uniform(0.01, 20, COUNT))
A, B = single(RNG.normal(size=(64, 64))), single(RNG.normal(size=(64, 64)))
DEFINITE = single(A @ A.T + 64 * np.eye(64))
LOWER = single(np.linalg.cholesky(DEFINITE))
IMAGE, KERNEL = single(RNG.normal(size=(1, 1, 32, 32))), single(RNG.normal(size=(1, 1, 3, 3)))
PLACES = np.arange(COUNT) % 100


def product(precision):
    return lambda a, b: jnp.dot(a, b, precision=precision)


def forward(lower, right):
    return lax.linalg.triangular_solve(lower, right, left_side=True, lower=True)


FUNCTIONS = {
    "quotient": (operator.truediv, NORMAL, POSITIVE),
    "sqrt": (jnp.sqrt, POSITIVE),
    "rsqrt": (lax.rsqrt, POSITIVE),
    "cbrt": (jnp.cbrt, NORMAL),
    "exp": (jnp.exp, NORMAL),
    "expm1": (jnp.expm1, NORMAL),
    "log": (jnp.log, POSITIVE),
    "log1p": (jnp.log1p, POSITIVE),
    "sin": (jnp.sin, NORMAL),
    "tan": (jnp.tan, NORMAL),
    "tanh": (jnp.tanh, NORMAL),
    "sinh": (jnp.sinh, NORMAL),
    "asin": (jnp.arcsin, UNIT),
    "atan2": (jnp.arctan2, NORMAL, UNIT),
    "pow": (jnp.power, POSITIVE, NORMAL),
    "logistic": (jax.nn.sigmoid, NORMAL),
    "erf": (lax.erf, NORMAL),
    "erfc": (lax.erfc, NORMAL),
    "erf_inv": (lax.erf_inv, UNIT),
    "bessel_i1e": (lax.bessel_i1e, NORMAL),
    "lgamma": (lax.lgamma, POSITIVE),
    "digamma": (lax.digamma, POSITIVE),
    "igamma": (lax.igamma, POSITIVE, OTHER),
    "igammac": (lax.igammac, POSITIVE, OTHER),
    "betainc": (special.betainc, POSITIVE, OTHER, np.abs(UNIT)),
    "sum of rows": (lambda a: a.reshape(500, 400).sum(1), POSITIVE),
    "cumsum": (jnp.cumsum, POSITIVE),
    "scatter-add": (lambda a: jnp.zeros(100).at[PLACES].add(a), POSITIVE),
    "dot": (product(None), A, B),
    "dot, precision high": (product("high"), A, B),
    "dot, precision highest": (product("highest"), A, B),
    "convolution": (lambda a, b: lax.conv(a, b, (1, 1), "SAME"), IMAGE, KERNEL),
    "cholesky": (jnp.linalg.cholesky, DEFINITE),
    "triangular_solve": (forward, LOWER, B),
    "solve": (jnp.linalg.solve, DEFINITE, B),
    "qr": (lambda a: jnp.linalg.qr(a)[0], A),
    "singular values": (lambda a: jnp.linalg.svd(a, compute_uv=False), A),
    "fft": (lambda a: jnp.fft.fft(a[:1024]).real, NORMAL),
}


def result(function, operands, device):
    with jax.default_device(device):
        found = jax.jit(function)(*(jax.device_put(one, device) for one in operands))
    return np.asarray(found, np.float64)


def differences(function, *operands):
    """The largest difference beside the element that differs, and beside the largest element."""
    here, there = (
        result(function, operands, device) for device in (jax.devices("cpu")[0], jax.devices()[0])
    )
    apart, size = np.abs(there - here), np.abs(here)
    relative = np.max(apart[size > 0] / size[size > 0], initial=0)
    return [float(relative * 2**23), float(np.max(apart) / np.max(size) * 2**23)]


print(json.dumps({name: differences(*case) for name, case in FUNCTIONS.items()}))
