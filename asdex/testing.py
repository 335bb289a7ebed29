"""Checks for authors of sparsity rules, which compare a pattern with automatic differentiation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial, reduce
from operator import or_
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from ._arguments import differentiated, Inputs, substitute
from ._arrays import is_floating, is_key, size_of
from ._errors import VerificationError
from ._jaxprs import primitive_names
from .detection import claimed_facts, jacobian_sparsity


class RuleReport(NamedTuple):
    """The result of `check_rule`.

    - `detected`: boolean `(m, n)`, the detected pattern.
    - `true`: boolean `(m, n)`, the union of the nonzeros at all points.
    """

    detected: Bool[np.ndarray, "m n"]
    true: Bool[np.ndarray, "m n"]

    @property
    def excess(self) -> int:
        """The number of entries that were detected, but are zero at all points."""
        return int((self.detected & ~self.true).sum())

    @property
    def exact(self) -> bool:
        """Whether the detected pattern is equal to the union of the nonzeros."""
        return self.excess == 0


def check_rule(
    fn: Callable[..., Any], *args: Any, points: int = 8, seed: int = 0, **options: Any
) -> RuleReport:
    """Compare the detected pattern of `fn` with the nonzeros of its derivative at random points.

    All floating-point leaves of `args` are differentiated, in forward mode, or in reverse mode if `fn` has no
    forward mode. The first point is `args`. The others are random, some near `args` and some far from them.
    Derivatives that are not finite are ignored. A complex derivative counts as nonzero if it is nonzero in a
    real or in an imaginary direction.

    At a last point some elements of `args` are zero, at random places, and what rules claim about the values
    of the results, given these zeros, is compared with their values; not for functions with a `while` loop,
    which may never end there. At the first and the last point, the pattern with `local=True` is compared with
    the nonzeros at that point.

    **Arguments:**

    - `fn`: a function that calls the primitive. It takes arrays, and returns an array or a pytree.
    - `args`: arrays. If the rule should know an integer array, let `fn` capture it instead.
    - `points`: the number of points.
    - `seed`: the seed of the random points.
    - `options`: options of `asdex.jacobian_sparsity`.

    **Returns:**

    An `asdex.testing.RuleReport`. Its `excess` counts the detected entries that are zero at all points.

    **Raises:**

    `asdex.VerificationError` if an entry is missing, with its row and column, or if a claim about values is
    wrong.
    """
    argnums = tuple(i for i, arg in enumerate(args) if all(map(is_floating, jax.tree.leaves(arg))))
    sparsity = jacobian_sparsity(fn, *args, argnums=argnums, **options)
    detected = sparsity.todense().astype(bool)
    inputs = differentiated(args, argnums)

    def flat(*leaves: Any) -> list[Any]:
        return jax.tree.leaves(fn(*substitute(args, argnums, inputs, leaves)))

    true = np.zeros_like(detected)
    rng = np.random.default_rng(seed)
    first = [_near(leaf, 0, rng) for leaf in inputs.leaves]
    derivative, by_columns = _derivative(flat, first)

    def compare(leaves: Sequence[Any], local: bool = False) -> Sequence[Any]:
        nonlocal true
        values, parts = jax.block_until_ready(derivative(*leaves))
        found = reduce(
            or_, [_nonzeros(part).T if by_columns else _nonzeros(part) for part in parts]
        )
        true = true | found
        if local and not (found & ~detected).any():
            here = [*substitute(args, argnums, inputs, leaves)]
            at_point = jacobian_sparsity(fn, *here, argnums=argnums, **{**options, "local": True})
            _check_entries(at_point.todense().astype(bool), found, inputs, " at this point")
        return values

    compare(first, local=True)
    for number in range(1, points):
        compare([_near(leaf, number, rng) for leaf in inputs.leaves])
    if "while" not in primitive_names(jax.make_jaxpr(flat)(*first)):
        zeros = np.random.default_rng([seed, 1])
        masks = [zeros.random(np.shape(leaf)) < 0.6 for leaf in first]
        pairs = zip(first, masks, strict=True)
        leaves = [np.where(mask, leaf, leaf.dtype.type(0)) for leaf, mask in pairs]
        try:
            values = compare(leaves, local=True)
        except VerificationError:
            raise
        except Exception:  # the function refuses zeros, as a solver does a singular matrix
            pass
        else:
            _check_claims(flat, leaves, masks, values)
    _check_entries(detected, true, inputs)
    return RuleReport(detected, true)


def _check_entries(detected: np.ndarray, true: np.ndarray, inputs: Inputs, where: str = "") -> None:
    missing = np.argwhere(true & ~detected)
    if len(missing):
        row, col = (int(i) for i in missing[0])
        raise VerificationError(
            f"The pattern misses {len(missing)} entries: output {row} depends on input {col} "
            f"({_place(inputs, col)}){where}, but the rule says that it does not. {int(detected.sum())} "
            f"entries were detected, {int(true.sum())} are nonzero."
        )


def _check_claims(
    flat: Callable[..., list[Any]],
    leaves: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    values: Sequence[Any],
) -> None:
    """Compare what is claimed about the results, where some elements are zero, with their values."""
    claims = claimed_facts(jax.make_jaxpr(flat)(*leaves), masks)
    for number, ((nonzero, bounds), value) in enumerate(zip(claims, values, strict=True)):
        array = np.asarray(value) if not is_key(value) else np.zeros(0)
        if array.dtype.kind not in "biufc" or not array.size:
            continue
        wrong = ~nonzero & np.isfinite(array) & (array != 0)
        if array.dtype.kind != "c":
            as_float = array.astype(np.float64)
            wrong = wrong | (as_float < bounds.low) | (as_float > bounds.high)
        if wrong.any():
            place = tuple(map(int, np.argwhere(wrong)[0]))
            raise VerificationError(
                f"A rule claims that element {list(place)} of output {number} is "
                f"{'zero' if not nonzero[place] else f'in {bounds.low[place]} to {bounds.high[place]}'} "
                f"in every call, given zeros in the arguments, but it is {array[place]}. Check `zeros`, "
                "`range` and the traits of the registration."
            )


def _near(leaf: Any, number: int, rng: np.random.Generator) -> np.ndarray:
    """The leaf itself, and then alternately a random point near it and one that does not depend on it."""
    noise = rng.standard_normal(np.shape(leaf))
    if jnp.issubdtype(leaf.dtype, np.complexfloating):
        noise = noise + 1j * rng.standard_normal(np.shape(leaf))
    value = np.asarray(leaf, dtype=noise.dtype)
    moved = (value, value * (1 + 0.3 * noise), noise)[0 if number == 0 else 1 + number % 2]
    return moved.astype(leaf.dtype)


def _derivative(
    flat: Callable[..., list[Any]], leaves: Sequence[Any]
) -> tuple[Callable[..., Any], bool]:
    """The compiled derivative in all unit directions, and whether these are of the inputs.

    It returns the outputs, and for each entry of `_basis` a batch of tangents of the outputs or, where `flat`
    has no forward mode, a batch of cotangents of the inputs: one array per leaf, with the batch along its
    first axis. A primitive without a rule for batches takes one direction after another.
    """

    def push(batch: Callable[..., Any], *leaves: Any) -> tuple[list[Any], list[list[Any]]]:
        def along(*seed: Any) -> list[Any]:
            return _filled(jax.jvp(flat, leaves, seed)[1])

        return flat(*leaves), [batch(along)(*seeds) for seeds in _basis(leaves)]

    def pull(batch: Callable[..., Any], *leaves: Any) -> tuple[list[Any], list[list[Any]]]:
        outputs, pullback = jax.vjp(flat, *leaves)
        return outputs, [
            batch(lambda *seed: _filled(pullback(list(seed))))(*seeds) for seeds in _basis(outputs)
        ]

    refused: Exception | None = None
    for batch in (jax.vmap, _in_turn):
        for derivative in (push, pull):
            compiled = jax.jit(partial(derivative, batch))
            try:
                compiled.eval_shape(*leaves)  # the calls do not trace it again
            except (TypeError, NotImplementedError) as error:
                refused = refused or error
            else:
                return compiled, derivative is push
    assert refused is not None
    raise refused


def _in_turn(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *batch: jax.lax.map(lambda one: function(*one), batch)


def _filled(derivatives: Sequence[Any]) -> list[Any]:
    """Zeros in place of the derivatives of leaves that have none."""
    return [
        jnp.zeros(leaf.shape) if leaf.dtype == jax.dtypes.float0 else leaf for leaf in derivatives
    ]


def _nonzeros(batched: Sequence[Any]) -> np.ndarray:
    """A mask of the finite nonzero derivatives, with a row per batch entry and the elements of all leaves."""
    rows = []
    for leaf in batched:
        array = np.asarray(leaf).reshape(len(leaf), math.prod(leaf.shape[1:]))
        rows.append(np.isfinite(array) & (array != 0))
    return np.concatenate(rows, axis=1)


def _basis(leaves: Sequence[Any]) -> list[list[Any]]:
    """All unit directions of the leaves in one batch, with the imaginary directions of complex leaves.

    The compiler must not fold them into later operations: in the XLA of jax 0.6 and 0.7, a gather that the
    compiler evaluates is wrong.
    """
    sizes = [size_of(leaf) for leaf in leaves]
    eye = np.eye(sum(sizes))
    parts = np.split(eye, np.cumsum(sizes)[:-1], axis=1)
    is_complex = any(jnp.issubdtype(leaf.dtype, np.complexfloating) for leaf in leaves)
    return [
        [
            _direction(part * factor, leaf).reshape((len(eye), *leaf.shape))
            for part, leaf in zip(parts, leaves, strict=True)
        ]
        for factor in ([1, 1j] if is_complex else [1])
    ]


def _direction(part: np.ndarray, leaf: Any) -> Any:
    if jnp.issubdtype(leaf.dtype, np.complexfloating):
        return jax.lax.optimization_barrier(jnp.asarray(part, leaf.dtype))
    if jnp.issubdtype(leaf.dtype, np.inexact):
        return jax.lax.optimization_barrier(jnp.asarray(np.real(part), leaf.dtype))
    return np.zeros(part.shape, jax.dtypes.float0)


def _place(inputs: Inputs, col: int) -> str:
    """The name and index of an input."""
    for path, aval in zip(inputs.paths, inputs.avals, strict=True):
        if col < size_of(aval):
            index = (
                ", ".join(str(int(i)) for i in np.unravel_index(col, aval.shape))
                if aval.shape
                else ""
            )
            return f"{path}, element [{index}]" if index else path
        col -= size_of(aval)
    raise IndexError(col)
