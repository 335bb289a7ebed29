"""Detection: where can a Jacobian or a Hessian be nonzero?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from .._arguments import Argnums, normalize_argnums, sample_arguments, size_of
from .._pattern import SparsityPattern
from .._progress import working
from .._versions import has_derivative, open_jaxpr
from ._counter import Counter
from ._dependence import Dependence
from ._gradient import gradient
from ._interpreter import Interpreter
from ._limit import Limit
from ._recorder import Recorder
from ._registry import load_plugins
from ._steps import num_steps
from ._trace import trace, Traced
from ._value import Value


class Detection(NamedTuple):
    """A pattern, and the AD modes that the function does not allow (mode: which primitive and where)."""

    sparsity: SparsityPattern
    unsupported_modes: dict[str, str]


def jacobian_sparsity(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    input_shape: int | Sequence[int] | None = None,
    unknown: Literal["dense", "error"] = "dense",
    values: Literal["use", "ignore"] = "use",
    max_nnz: int | None = None,
    **kwargs: Any,
) -> SparsityPattern:
    """Detect where the Jacobian of `f` can be nonzero, for any input values.

    The function is traced to a jaxpr, on which one rule per primitive propagates index sets (Griewank and
    Walther, *Evaluating Derivatives*, 2nd edition, SIAM 2008, section 7.1: forward propagation of index
    domains, here in array form). No derivative is computed.

    **Arguments:**

    - `f`: a function that `jax.jit` can trace, from arrays or pytrees to an array or a pytree.
    - `args`, `kwargs`: sample inputs: arrays or `jax.ShapeDtypeStruct`s. Only shapes and dtypes matter.
    - `argnums`: which positional arguments to differentiate.
    - `has_aux`: whether `f` returns `(output, auxiliary data)`.
    - `input_shape`: instead of `args`: the shape of a single floating-point array.
    - `unknown`: what to do at a primitive that has neither a rule nor a derivative: `"dense"` (warn, and let
        all results depend on all operands) or `"error"`.
    - `values`: `"use"` takes arrays that a plain function captured for constants, so that their zeros are
        zeros of the pattern; `"ignore"` treats captured floating-point arrays as unknown, for a pattern that
        must outlive them. Floating-point leaves of a callable pytree are always unknown.
    - `max_nnz`: the largest number of entries that the pattern, and what is stored on the way to it, may
        have; by default as many as fit into the memory that is available.

    **Returns:**

    The `asdex.SparsityPattern` of shape `(m, n)`: `m` counts the elements of the output, `n` those of the
    differentiated inputs, both in the order of `jax.tree_util.tree_flatten`, each array in C order.

    **Raises:**

    `TypeError` if there is no sample input or `f` cannot be traced; `ValueError` for wrong `argnums`;
    `asdex.UnknownPrimitiveError` with `unknown="error"`; `asdex.PatternTooLargeError` beyond `max_nnz`.
    """
    args = sample_arguments(args, input_shape)
    return detect_jacobian(
        f,
        args,
        kwargs,
        argnums=argnums,
        has_aux=has_aux,
        unknown=unknown,
        values=values,
        max_nnz=max_nnz,
    ).sparsity


def hessian_sparsity(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    input_shape: int | Sequence[int] | None = None,
    unknown: Literal["dense", "error"] = "dense",
    values: Literal["use", "ignore"] = "use",
    max_nnz: int | None = None,
    **kwargs: Any,
) -> SparsityPattern:
    """Detect where the Hessian of a scalar function can be nonzero, for any input values.

    The pattern is that of the Jacobian of the gradient (by reverse mode; by forward mode where `f` cannot be
    reversed), united with its transpose.

    **Arguments:**

    As for `asdex.jacobian_sparsity`; `f` returns a scalar, or an array with a single element.

    **Returns:**

    The symmetric `asdex.SparsityPattern` of shape `(n, n)`.

    **Raises:**

    As `asdex.jacobian_sparsity`; `ValueError` if the output of `f` has more than one element.
    """
    args = sample_arguments(args, input_shape)
    return detect_hessian(
        f,
        args,
        kwargs,
        argnums=argnums,
        has_aux=has_aux,
        unknown=unknown,
        values=values,
        max_nnz=max_nnz,
    ).sparsity


def detect_jacobian(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    argnums: int | Sequence[int],
    has_aux: bool,
    unknown: str = "dense",
    values: str = "use",
    max_nnz: int | None = None,
) -> Detection:
    propagation = propagate(
        f,
        args,
        kwargs,
        argnums=argnums,
        has_aux=has_aux,
        unknown=unknown,
        values=values,
        max_nnz=max_nnz,
    )
    return _gathered(propagation, Dependence.entries)


def detect_hessian(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    argnums: int | Sequence[int],
    has_aux: bool,
    unknown: str = "dense",
    values: str = "use",
    max_nnz: int | None = None,
) -> Detection:
    positions = normalize_argnums(argnums, len(args))

    def detected(forward: bool) -> Detection:
        function = gradient(f, argnums=positions, has_aux=has_aux, forward=forward)
        propagation = propagate(
            function,
            args,
            kwargs,
            argnums=positions,
            has_aux=False,
            unknown=unknown,
            values=values,
            max_nnz=max_nnz,
        )
        return _gathered(propagation, Dependence.symmetric_entries)

    try:
        return detected(forward=False)
    except ValueError as error:
        if "Reverse-mode" not in str(error):
            raise
        detection = detected(forward=True)
        detection.unsupported_modes["rev"] = str(error)
        return detection


def _gathered(propagation: Propagation, entries: Callable[[Dependence], Any]) -> Detection:
    """The pattern that has these entries of the outputs, which are compressed rows."""
    traced, outputs = propagation.traced, propagation.outputs()
    with working("detecting: gathering the pattern"):
        indptr, cols = propagation.keep(lambda: entries(outputs))
        rows = np.repeat(np.arange(outputs.size, dtype=np.int32), np.diff(indptr))
        sparsity = SparsityPattern(
            rows,
            cols,
            (outputs.size, propagation.n),
            argnums=propagation.argnums,
            input_avals=traced.inputs.avals,
            output_avals=traced.output_avals,
        )
    return Detection(sparsity, propagation.interpreter.unsupported_modes)


class Propagation(NamedTuple):
    """A traced function with the values of its inputs and outputs.

    `keep` calls a function that may not store more entries than are allowed.
    """

    traced: Traced
    argnums: Argnums
    interpreter: Interpreter
    operands: list[Value]
    results: list[Value]
    keep: Callable[[Callable[[], Any]], Any]

    @property
    def n(self) -> int:
        """The number of differentiated inputs."""
        return sum(map(size_of, self.traced.inputs.avals))

    def outputs(self) -> Dependence:
        """All elements of the output, one leaf after the other."""
        pairs = zip(self.results, self.traced.output_avals, strict=True)
        return Dependence.join([value.as_dependence(aval) for value, aval in pairs])


def propagate(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    argnums: int | Sequence[int],
    has_aux: bool,
    unknown: str,
    values: str,
    max_nnz: int | None = None,
    recorder: Recorder | None = None,
) -> Propagation:
    """Trace `f` and propagate the identity from its differentiated inputs to its outputs."""
    _check_choice("unknown", unknown, ("dense", "error"))
    _check_choice("values", values, ("use", "ignore"))
    load_plugins()
    positions = normalize_argnums(argnums, len(args))
    traced = trace(f, args, kwargs, argnums=positions, has_aux=has_aux)
    interpreter = Interpreter(unknown=unknown, values=values, recorder=recorder)
    avals = traced.inputs.avals
    offsets = np.cumsum([0, *map(size_of, avals)])
    operands = [Value.unknown()] * len(open_jaxpr(traced.jaxpr).invars)
    for position, aval, offset in zip(traced.positions, avals, offsets[:-1], strict=True):
        if has_derivative(aval):
            seed = Dependence.identity(aval.shape, offset=int(offset), width=int(offsets[-1]))
            operands[position] = Value(seed, None)
    limit = Limit.of(max_nnz)
    shape = sum(map(size_of, traced.output_avals)), int(offsets[-1])

    def keep(function: Callable[[], Any]) -> Any:
        return limit.keep(
            function, shape, lambda watch: interpreter.again(watch, traced.jaxpr, operands)
        )

    with working("detecting") as work:
        if work is not None:
            interpreter.counter = Counter(lambda: num_steps(traced.jaxpr))
            work.detail = interpreter.counter.__str__
        results = keep(lambda: interpreter.run(traced.jaxpr, operands))
    return Propagation(traced, positions, interpreter, operands, results, keep)


def _check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(
            f"Expected `{name}` to be one of {', '.join(map(repr, allowed))}, got {value!r}."
        )
