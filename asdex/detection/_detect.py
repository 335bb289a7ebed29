"""Detection: where can a Jacobian or a Hessian be nonzero?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._arguments import Argnums, check_differentiable, differentiated, normalize_argnums, Samples
from .._arrays import has_derivative, is_complex, size_of
from .._function import Gradient
from .._jaxprs import open_jaxpr
from ..pattern import frozen, SparsityPattern
from ._limit import Limit
from ._options import Captured, DetectionOptions, Local, Unknown
from ._points import at_point, united
from ._registry import load_plugins
from ._traced_function import changing_leaves, trace, Traced
from .dependence import Dependence, identities
from .interpreter import Interpreter, Recorder, Value


def jacobian_sparsity(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    allow_int: bool = False,
    input_shape: int | Sequence[int] | None = None,
    unknown: Unknown = "dense",
    captured: Captured = "constant",
    max_nnz: int | None = None,
    local: Local = False,
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
    - `allow_int`: whether differentiated arguments may be integers or booleans, whose columns are empty.
    - `input_shape`: instead of `args`: the shape of a single floating-point array.
    - `unknown`: what to do at a primitive that has neither a rule nor a derivative: `"dense"` (warn, and let
        all results depend on all operands) or `"error"`.
    - `captured`: `"constant"` takes arrays that a plain function captured for constants, so that their zeros
        are zeros of the pattern; `"unknown"` takes captured floating-point arrays for unknown, for a pattern
        that must outlive them. Floating-point leaves of a callable pytree are always unknown.
    - `max_nnz`: the largest number of entries that the pattern, and what is stored on the way to it, may
        have; by default as many as fit into the memory that is available.
    - `local`: `True` for the pattern at the sample inputs only, which must be arrays then: conditions,
        largest elements, orders, indices, numbers of steps and zero factors are what they are at these
        values, and all sides of a tie or a kink are kept. A sequence of points instead gives the union of
        the patterns at these: an array, or a tuple of the positional arguments, for each.

    **Returns:**

    The `asdex.SparsityPattern` of shape `(m, n)`: `m` counts the elements of the output, `n` those of the
    differentiated inputs, both in the order of `jax.tree_util.tree_flatten`, each array in C order.

    **Raises:**

    `TypeError` if there is no sample input, if a differentiated one is an integer without `allow_int`, or if
    `f` cannot be traced; `ValueError` for wrong `argnums`;
    `asdex.UnknownPrimitiveError` with `unknown="error"`; `asdex.PatternTooLargeError` beyond `max_nnz`. With
    `local`: `TypeError` where an argument has no value, `ValueError` for a point unlike the samples.
    """
    samples = Samples.of(jacobian_sparsity, f, args, kwargs, input_shape)
    return detect_jacobian(
        f, samples, DetectionOptions(argnums, has_aux, allow_int, unknown, captured, max_nnz, local)
    )


def hessian_sparsity(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    allow_int: bool = False,
    input_shape: int | Sequence[int] | None = None,
    unknown: Unknown = "dense",
    captured: Captured = "constant",
    max_nnz: int | None = None,
    local: Local = False,
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
    samples = Samples.of(hessian_sparsity, f, args, kwargs, input_shape)
    return detect_hessian(
        f, samples, DetectionOptions(argnums, has_aux, allow_int, unknown, captured, max_nnz, local)
    )


def detect_jacobian(
    f: Callable[..., Any], samples: Samples, options: DetectionOptions
) -> SparsityPattern:
    """The pattern of the Jacobian of `f`, with the AD modes that `f` allows."""
    propagation = propagate(f, samples, options)
    return _gathered(propagation, Dependence.entries, _modes(propagation), options)


def detect_hessian(
    f: Callable[..., Any], samples: Samples, options: DetectionOptions
) -> SparsityPattern:
    """The pattern of the Hessian of `f`: that of the Jacobian of its gradient, made symmetric."""
    propagation, reversible = propagate_gradient(f, samples, options)
    modes = tuple(mode for mode in _modes(propagation) if reversible or mode != "rev")
    return _gathered(propagation, Dependence.symmetric_entries, modes, options)


def _gathered(
    propagation: Propagation,
    entries: Callable[[Dependence], Any],
    modes: tuple[str, ...],
    options: DetectionOptions,
) -> SparsityPattern:
    """The pattern that has these entries of the outputs, which are compressed rows."""
    traced = propagation.traced
    indptr, cols = propagation.keep(lambda: entries(propagation.outputs()))
    m = len(indptr) - 1
    rows = np.repeat(np.arange(m, dtype=np.int32), np.diff(indptr))
    return SparsityPattern(
        frozen(rows),
        frozen(cols),
        (m, propagation.n),
        argnums=propagation.argnums,
        input_avals=traced.inputs.avals,
        output_avals=traced.output_avals,
        modes=modes,
        local=options.is_local,
    )


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
    samples: Samples,
    options: DetectionOptions,
    recorder: Recorder | None = None,
) -> Propagation:
    """Trace `f` and propagate the identity from its differentiated inputs to its outputs."""
    load_plugins()
    args, kwargs = samples.args, samples.kwargs
    positions = normalize_argnums(options.argnums, len(args))
    check_differentiable(differentiated(args, positions), options.allow_int)
    traced = trace(f, args, kwargs, argnums=positions, has_aux=options.has_aux)
    interpreter = Interpreter(
        unknown=options.unknown,
        captured=options.captured,
        recorder=recorder,
        at_point=options.is_local,
    )
    operands = seeded(traced)
    points = [operands]
    if options.is_local:
        arguments = options.points(args)
        leaves = [changing_leaves(f, one, kwargs, positions, traced.changing) for one in arguments]
        points = [at_point(traced, operands, [leaf for _, leaf in some]) for some in leaves]
        operands = points[0]
    if recorder is not None:
        original = f.f if isinstance(f, Gradient) else f
        named = changing_leaves(original, args, kwargs, positions, traced.changing)
        pairs = zip(operands, named, strict=True)
        operands = [one._replace(comes_from=frozenset([name])) for one, (name, _) in pairs]
        points = [operands, *points[1:]]
    limit = Limit(options.max_nnz)
    shape = sum(map(size_of, traced.output_avals)), sum(map(size_of, traced.inputs.avals))

    def keep(function: Callable[[], Any]) -> Any:
        return limit.keep(
            function, shape, lambda watch: interpreter.again(watch, traced.jaxpr, operands)
        )

    results = keep(lambda: united([interpreter.run(traced.jaxpr, one) for one in points]))
    return Propagation(traced, positions, interpreter, operands, results, keep)


def seeded(traced: Traced) -> list[Value]:
    """The values of the inputs of a traced function: the differentiated ones depend on themselves."""
    operands = [Value.unknown()] * len(open_jaxpr(traced.jaxpr).invars)
    seeds = identities(traced.inputs.avals)
    for position, aval, seed in zip(traced.positions, traced.inputs.avals, seeds, strict=True):
        if has_derivative(aval):
            operands[position] = Value(seed, None)
    return operands


def propagate_gradient(
    f: Callable[..., Any],
    samples: Samples,
    options: DetectionOptions,
    recorder: Recorder | None = None,
) -> tuple[Propagation, bool]:
    """As `propagate`, for the gradient of `f`: by reverse mode, or by forward mode where `f` has no other.

    **Returns:**

    What was propagated, and whether `f` can be reversed.
    """
    positions = normalize_argnums(options.argnums, len(samples.args))
    of_gradient = dataclasses.replace(options, argnums=positions, has_aux=False)

    def by(forward: bool) -> Propagation:
        function = Gradient(f, positions, options.has_aux, forward)
        return propagate(function, samples, of_gradient, recorder)

    try:
        return by(forward=False), True
    except ValueError as error:
        if "Reverse-mode" not in str(error):
            raise
        return by(forward=True), False


def _modes(propagation: Propagation) -> tuple[str, ...]:
    """The modes in which jax differentiates the function; those that its primitives allow, if none is left.

    A complex output of a real input has derivatives in forward mode alone, a real output of a complex
    input in reverse mode alone, and both modes serve where all is real or all holomorphic.
    """
    unsupported, traced = propagation.interpreter.unsupported_modes, propagation.traced
    possible = tuple(mode for mode in ("fwd", "rev") if mode not in unsupported)
    complex_input, complex_output = (
        any(map(is_complex, avals)) for avals in (traced.inputs.avals, traced.output_avals)
    )
    excluded = "" if complex_input == complex_output else "rev" if complex_output else "fwd"
    allowed = tuple(mode for mode in possible if mode != excluded)
    return allowed or possible or ("fwd", "rev")
