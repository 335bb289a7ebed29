"""Checks of a sparse derivative against JAX's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np

from .._errors import VerificationError
from .._scalar import as_scalar
from ..coloring import ColoredPattern
from ._hessian import hessian_from_coloring
from ._jacobian import jacobian_from_coloring


Method = Literal["matvec", "dense"]


def check_jacobian_correctness(
    f: Callable[..., Any],
    x: Any,
    coloring: ColoredPattern,
    *,
    method: Method = "matvec",
    num_probes: int = 25,
    seed: int = 0,
    rtol: float | None = None,
    atol: float | None = None,
    holomorphic: bool = False,
) -> None:
    """Compare the sparse Jacobian at `x` with JAX's own.

    **Arguments:**

    - `f`: a function of one argument, an array or a pytree.
    - `x`: where to compare.
    - `coloring`: the coloring to check.
    - `method`: `"matvec"` compares products with `num_probes` random vectors (a JVP each, or a VJP each for
        a coloring with mode `"rev"`), `"dense"` all entries with `jax.jacobian`, at `m * n` memory.
    - `seed`: of the random vectors.
    - `rtol`, `atol`: tolerances, relative to the largest entry and absolute; by default they follow the
        dtype.
    - `holomorphic`: as for `asdex.jacobian`.

    **Raises:**

    `asdex.VerificationError` with the largest difference and where it is.
    """
    dense = _is_dense(method)
    data = jacobian_from_coloring(f, coloring, "data", holomorphic=holomorphic)(x)
    flat_x, function = _flat(f, x)
    reverse = coloring.mode == "rev"
    if dense:
        derivative = jax.jacrev if reverse else jax.jacfwd
        reference = derivative(function, holomorphic=holomorphic)(flat_x)
        _compare_dense(data, coloring, reference, rtol, atol)
    else:
        product = _pullback(function, flat_x) if reverse else _pushforward(function, flat_x)
        probes = _probes(jax.eval_shape(function, flat_x) if reverse else flat_x, num_probes, seed)
        _compare_products(data, coloring, product, probes, reverse, rtol, atol)


def check_hessian_correctness(
    f: Callable[..., Any],
    x: Any,
    coloring: ColoredPattern,
    *,
    method: Method = "matvec",
    num_probes: int = 25,
    seed: int = 0,
    rtol: float | None = None,
    atol: float | None = None,
    holomorphic: bool = False,
) -> None:
    """Compare the sparse Hessian at `x` with JAX's own.

    **Arguments:**

    As for `asdex.check_jacobian_correctness`; `f` is scalar-valued, and the reference is `jax.hessian` or
    Hessian-vector products by forward over reverse mode.

    **Raises:**

    `asdex.VerificationError` with the largest difference and where it is.
    """
    dense = _is_dense(method)
    data = hessian_from_coloring(f, coloring, "data", holomorphic=holomorphic)(x)
    flat_x, function = _flat(f, x)

    def gradient(z: jax.Array) -> jax.Array:
        return jax.grad(lambda y: as_scalar(function(y)), holomorphic=holomorphic)(z)

    if dense:
        reference = jax.jacfwd(gradient, holomorphic=holomorphic)(flat_x)
        _compare_dense(data, coloring, reference, rtol, atol)
    else:
        probes = _probes(flat_x, num_probes, seed)
        _compare_products(data, coloring, _pushforward(gradient, flat_x), probes, False, rtol, atol)


def _is_dense(method: str) -> bool:
    if method not in ("matvec", "dense"):
        raise ValueError(f"Expected `method` to be 'matvec' or 'dense', got {method!r}.")
    return method == "dense"


def _probes(like: Any, count: int, seed: int) -> np.ndarray:
    """Random vectors of the length and dtype of `like`."""
    return np.random.default_rng(seed).standard_normal((count, like.size)).astype(like.dtype)


def _flat(f: Callable[..., Any], x: Any) -> tuple[jax.Array, Callable[[jax.Array], jax.Array]]:
    """`x` as a vector, and `f` between vectors."""
    flat_x, unravel = jax.flatten_util.ravel_pytree(x)
    return flat_x, lambda z: jax.flatten_util.ravel_pytree(f(unravel(z)))[0]


def _pushforward(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> Callable[..., Any]:
    return jax.jit(jax.vmap(lambda v: jax.jvp(function, (x,), (v,))[1]))


def _pullback(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> Callable[..., Any]:
    return jax.jit(jax.vmap(lambda u: jax.vjp(function, x)[1](u)[0]))


def _compare_products(
    data: Any,
    coloring: ColoredPattern,
    product: Callable[..., Any],
    probes: np.ndarray,
    transposed: bool,
    rtol: float | None,
    atol: float | None,
) -> None:
    sparsity = coloring.sparsity
    values = np.asarray(data)
    sources, targets = (
        (sparsity.rows, sparsity.cols) if transposed else (sparsity.cols, sparsity.rows)
    )
    length = sparsity.n if transposed else sparsity.m
    reference = np.asarray(product(jnp.asarray(probes)))
    with np.errstate(invalid="ignore", over="ignore"):
        rows = [_accumulate(targets, values * probe[sources], length) for probe in probes]
    got = np.asarray(rows).reshape(len(probes), length)
    what = "column" if transposed else "row"

    def where(place: tuple[int, ...]) -> str:
        return f"{what} {place[1]} of its product with probe {place[0]}"

    _compare(got, reference, rtol, atol, where)


def _accumulate(targets: np.ndarray, weights: np.ndarray, length: int) -> np.ndarray:
    sums = np.bincount(targets, weights=np.real(weights), minlength=length)
    if np.iscomplexobj(weights):
        return sums + 1j * np.bincount(targets, weights=np.imag(weights), minlength=length)
    return sums


def _compare_dense(
    data: Any, coloring: ColoredPattern, reference: Any, rtol: float | None, atol: float | None
) -> None:
    values, reference = np.asarray(data), np.asarray(reference)
    got = np.zeros(coloring.sparsity.shape, values.dtype)
    # A dense pass multiplies infinite factors by the zeros of its seeds: NaN outside of the pattern is
    # no evidence of a dependence.
    got[np.isnan(reference)] = np.nan
    got[coloring.sparsity.rows, coloring.sparsity.cols] = values
    _compare(got, reference, rtol, atol, lambda place: f"entry {place}")


def _compare(
    got: np.ndarray,
    reference: np.ndarray,
    rtol: float | None,
    atol: float | None,
    where: Callable[[tuple[int, ...]], str],
) -> None:
    if not got.size:
        return
    finfo = jnp.finfo(reference.dtype)
    tolerance = float(np.sqrt(float(finfo.eps))) if rtol is None else rtol
    scale = float(np.abs(reference[np.isfinite(reference)]).max(initial=0.0))
    bound = tolerance * scale + (float(finfo.eps) if atol is None else atol)
    with np.errstate(invalid="ignore"):  # equal infinities
        difference = np.abs(got - reference)
    agree = (difference <= bound) | (np.isnan(got) & np.isnan(reference)) | (got == reference)
    if agree.all():
        return
    difference = np.where(agree, 0, np.nan_to_num(difference, nan=np.inf))
    place = tuple(int(i) for i in np.unravel_index(int(difference.argmax()), difference.shape))
    raise VerificationError(
        f"The sparse derivative differs from jax's at {where(place)}: expected {reference[place]}, got "
        f"{got[place]} (tolerance {bound:.1e}). The coloring does not fit this function: detect it anew, and "
        "if that does not help, report it."
    )
