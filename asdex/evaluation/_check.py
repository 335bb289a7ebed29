"""Checks of a sparse derivative against JAX's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np

from .._arguments import Argnums, check_choice
from .._arrays import has_derivative, ravel, size_of
from .._errors import VerificationError
from .._function import AtArguments
from ..coloring import ColoredPattern
from ._hessian import hessian_from_coloring
from ._jacobian import jacobian_from_coloring


Method = Literal["matvec", "dense"]


def check_jacobian_correctness(
    f: Callable[..., Any],
    *args: Any,
    coloring: ColoredPattern | None = None,
    method: Method = "matvec",
    num_probes: int = 25,
    seed: int = 0,
    rtol: float | None = None,
    atol: float | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    **kwargs: Any,
) -> None:
    """Compare the sparse Jacobian at some arguments with JAX's own.

    **Arguments:**

    - `f`: a function that `asdex.jacobian` takes.
    - `args`, `kwargs`: where to compare, in the calling convention of `f`, followed by the coloring:
        `check_jacobian_correctness(f, x, y, coloring)`. For a coloring with a tuple of `argnums` they may be
        one tuple.
    - `coloring`: the coloring to check, if it is not the last of `args`. It says what is differentiated.
    - `method`: `"matvec"` compares products with `num_probes` random vectors (a JVP each, or a VJP each for
        a coloring with mode `"rev"`), `"dense"` all entries with `jax.jacobian`, at `m * n` memory.
    - `seed`: of the random vectors.
    - `rtol`, `atol`: tolerances, relative to the largest entry and absolute; by default they follow the
        dtype.
    - `has_aux`, `holomorphic`, `allow_int`: as for `asdex.jacobian`.

    **Raises:**

    `asdex.VerificationError` with the largest difference and where it is; `TypeError` without a coloring.
    """
    check_choice("method", method, Method)
    args, known = _arguments(args, coloring)
    options: Any = {"has_aux": has_aux, "holomorphic": holomorphic, "allow_int": allow_int}
    result = jacobian_from_coloring(f, known, "data", **options)(*args, **kwargs)
    at = _Point(f, args, kwargs, known.sparsity.argnums, has_aux)
    reverse = known.mode == "rev"
    data = result[0] if has_aux else result
    compare = _Comparison(data, known, at.columns, rtol, atol)
    if method == "dense":
        derivative = jax.jacrev if reverse else jax.jacfwd
        compare.dense(derivative(at.outputs, holomorphic=holomorphic)(at.vector))
    elif reverse:
        probes = _probes(jax.eval_shape(at.outputs, at.vector), num_probes, seed)
        compare.transposed_products(_pullback(at.outputs, at.vector), probes)
    else:
        compare.products(_pushforward(at.outputs, at.vector), _probes(at.vector, num_probes, seed))


def check_hessian_correctness(
    f: Callable[..., Any],
    *args: Any,
    coloring: ColoredPattern | None = None,
    method: Method = "matvec",
    num_probes: int = 25,
    seed: int = 0,
    rtol: float | None = None,
    atol: float | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    **kwargs: Any,
) -> None:
    """As `asdex.check_jacobian_correctness`, for the Hessian of a scalar-valued function.

    The reference is `jax.hessian`, or Hessian-vector products by forward over reverse mode.
    """
    check_choice("method", method, Method)
    args, known = _arguments(args, coloring)
    options: Any = {"has_aux": has_aux, "holomorphic": holomorphic, "allow_int": allow_int}
    result = hessian_from_coloring(f, known, "data", **options)(*args, **kwargs)
    at = _Point(f, args, kwargs, known.sparsity.argnums, has_aux)
    gradient = jax.grad(at.scalar, holomorphic=holomorphic)
    data = result[0] if has_aux else result
    compare = _Comparison(data, known, at.columns, rtol, atol)
    if method == "dense":
        compare.dense(jax.jacfwd(gradient, holomorphic=holomorphic)(at.vector), by_row=True)
    else:
        probes = _probes(at.vector, num_probes, seed)
        compare.products(_pushforward(gradient, at.vector), probes, by_row=True)


def _arguments(
    args: tuple[Any, ...], coloring: ColoredPattern | None
) -> tuple[tuple[Any, ...], ColoredPattern]:
    """The arguments of the function, and the coloring."""
    if coloring is None:
        if not args or not isinstance(args[-1], ColoredPattern):
            raise TypeError(
                "Expected a coloring after the arguments of the function, as in "
                "`asdex.check_jacobian_correctness(f, x, coloring)`, got none."
            )
        args, coloring = args[:-1], args[-1]
    argnums = coloring.sparsity.argnums
    if isinstance(argnums, tuple) and len(args) == 1 and isinstance(args[0], tuple):
        # One argument is enough only if it is the one that is differentiated.
        if len(args[0]) > max(argnums) and (len(args[0]) > 1 or len(argnums) == 1):
            args = args[0]
    return args, coloring


class _Point:
    """A function at some arguments, as a function of one vector.

    **Attributes:**

    - `vector`: the elements of the differentiated arguments that have a derivative.
    - `columns`: their numbers among all differentiated elements.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        argnums: Argnums,
        has_aux: bool,
    ):
        self._at = AtArguments(f, args, kwargs, argnums, has_aux)
        avals = self._at.inputs.avals
        follows = [has_derivative(aval) for aval in avals]
        self.columns = np.flatnonzero(np.repeat(follows, [size_of(aval) for aval in avals]))
        self.vector, self._unravel = jax.flatten_util.ravel_pytree(self._at.leaves)

    def outputs(self, vector: jax.Array) -> jax.Array:
        return ravel(jax.tree.leaves(self._at(*self._unravel(vector))[0]))

    def scalar(self, vector: jax.Array) -> jax.Array:
        return self._at.scalar(*self._unravel(vector))


def _probes(like: Any, count: int, seed: int) -> np.ndarray:
    """Random vectors of the length and dtype of `like`."""
    return np.random.default_rng(seed).standard_normal((count, like.size)).astype(like.dtype)


def _pushforward(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> Callable[..., Any]:
    return jax.jit(lambda vs: jax.lax.map(lambda v: jax.jvp(function, (x,), (v,))[1], vs))


def _pullback(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> Callable[..., Any]:
    return jax.jit(lambda us: jax.lax.map(lambda u: jax.vjp(function, x)[1](u)[0], us))


class _Comparison(NamedTuple):
    """The values of a sparse derivative, to be compared with jax's in the given columns; others are zero."""

    data: Any
    coloring: ColoredPattern
    columns: np.ndarray
    rtol: float | None
    atol: float | None

    def dense(self, reference: Any, by_row: bool = False) -> None:
        """Compare all entries; with `by_row`, the reference has rows for the given columns alone, too."""
        values, sparsity = np.asarray(self.data), self.coloring.sparsity
        rows = self.columns if by_row else np.arange(sparsity.m)
        expected = np.zeros(sparsity.shape, np.asarray(reference).dtype)
        expected[np.ix_(rows, self.columns)] = reference
        got = np.zeros(sparsity.shape, values.dtype)
        # A dense pass multiplies infinite factors by the zeros of its seeds: NaN outside of the pattern is
        # no evidence of a dependence.
        got[np.isnan(expected)] = np.nan
        got[sparsity.rows, sparsity.cols] = values
        self._compare(got, expected, "entry ({}, {})")

    def products(
        self, product: Callable[..., Any], probes: np.ndarray, by_row: bool = False
    ) -> None:
        """Compare products with vectors."""
        sparsity = self.coloring.sparsity
        vectors = self._whole(probes, sparsity.n)
        reference = np.asarray(product(jnp.asarray(probes)))
        expected = self._whole(reference, sparsity.m) if by_row else reference
        got = self._sums(sparsity.rows, vectors[:, sparsity.cols], sparsity.m)
        self._compare(got, expected, "row {1} of its product with probe {0}")

    def transposed_products(self, product: Callable[..., Any], probes: np.ndarray) -> None:
        """Compare products of the transpose with vectors."""
        sparsity = self.coloring.sparsity
        expected = self._whole(np.asarray(product(jnp.asarray(probes))), sparsity.n)
        got = self._sums(sparsity.cols, probes[:, sparsity.rows], sparsity.n)
        self._compare(got, expected, "column {1} of its product with probe {0}")

    def _whole(self, vectors: np.ndarray, length: int) -> np.ndarray:
        whole = np.zeros((len(vectors), length), vectors.dtype)
        whole[:, self.columns] = vectors
        return whole

    def _sums(self, targets: np.ndarray, factors: np.ndarray, length: int) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):
            sums = [_accumulate(targets, np.asarray(self.data) * one, length) for one in factors]
        return np.asarray(sums).reshape(len(factors), length)

    def _compare(self, got: np.ndarray, reference: np.ndarray, where: str) -> None:
        if not got.size:
            return
        finfo = jnp.finfo(reference.dtype)
        tolerance = float(np.sqrt(float(finfo.eps))) if self.rtol is None else self.rtol
        scale = float(np.abs(reference[np.isfinite(reference)]).max(initial=0.0))
        bound = tolerance * scale + (float(finfo.eps) if self.atol is None else self.atol)
        with np.errstate(invalid="ignore"):  # equal infinities
            difference = np.abs(got - reference)
        agree = (difference <= bound) | (np.isnan(got) & np.isnan(reference)) | (got == reference)
        if agree.all():
            return
        difference = np.where(agree, 0, np.nan_to_num(difference, nan=np.inf))
        place = tuple(int(i) for i in np.unravel_index(int(difference.argmax()), difference.shape))
        raise VerificationError(
            f"The sparse derivative differs from jax's at {where.format(*place)}: expected "
            f"{reference[place]}, got {got[place]} (tolerance {bound:.1e}). The coloring does not fit this "
            "function: detect it anew, and if that does not help, report it."
        )


def _accumulate(targets: np.ndarray, weights: np.ndarray, length: int) -> np.ndarray:
    sums = np.bincount(targets, weights=np.real(weights), minlength=length)
    if np.iscomplexobj(weights):
        return sums + 1j * np.bincount(targets, weights=np.imag(weights), minlength=length)
    return sums
