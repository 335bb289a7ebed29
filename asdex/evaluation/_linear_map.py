"""The sparse matrix of a linear map that is given as a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Shaped

from .._arguments import check_choice
from .._arrays import has_derivative, is_complex, struct_of
from .._detect_and_color import jacobian_coloring
from ..coloring import ColoredPattern, JacobianMode, Order, OrderName
from ..detection import Captured, Unknown
from ..formats import Dtypes, FORMATS, layout_for, OutputFormat
from ..pattern import as_pattern, SparsityPattern
from ._derivative import evaluate, with_value
from ._kinds import JACOBIAN
from ._options import EvaluationOptions


_MAGNITUDES = (1.0, -100.0)  # of arguments of opposite signs: the larger is beyond most thresholds
_TOLERANCE = 1e-4  # of a linear solve that stops early, relative to the terms of a row


def materialize(
    matvec: Callable[[Any], Any],
    x: Any,
    *,
    coloring: ColoredPattern | None = None,
    output_format: OutputFormat = "bcoo",
    mode: JacobianMode | None = None,
    symmetric: bool = False,
    order: OrderName | Order | None = None,
    budget: float | None = None,
    flatten: bool = False,
    chunk_size: int | None = None,
    check: bool = True,
    unknown: Unknown = "dense",
    captured: Captured = "constant",
    max_nnz: int | None = None,
) -> Any:
    """The sparse matrix of a linear map: detect its pattern, color it, and evaluate it, at zeros.

    **Arguments:**

    - `matvec`: a linear function of one argument, an array or a pytree, such as a matrix-free operator,
        what `jax.linearize` returns, or the `mv` of a lineax operator. `jax.jit` must be able to trace it.
    - `x`: an argument, or the `jax.ShapeDtypeStruct`s of one, of real or of complex floating point; its
        values do not matter.
    - `coloring`: what `asdex.jacobian_coloring(matvec, x)` returned, for another map with the same
        pattern; by default the pattern is detected and colored.
    - `output_format`, `flatten`, `chunk_size`: as for `asdex.jacobian`.
    - `mode`, `symmetric`, `order`, `budget`, `unknown`, `captured`, `max_nnz`: as for
        `asdex.jacobian_coloring`; of no use with a `coloring`.
    - `check`: compare the map with its matrix at two random arguments. Inside a transformation, where values
        are not known, nothing is compared.

    **Returns:**

    The matrix, `(m, n)` for a map of vectors, with shape `output.shape + x.shape` for other arrays and a
    tree of trees of blocks for pytrees, as `asdex.jacobian` gives. The map of complex vectors must be
    linear over the complex numbers.

    **Raises:**

    `ValueError` if the map is not linear; `TypeError` if `x` has a leaf that is not of floating point, or
    real and complex ones; as `asdex.jacobian`.
    """
    structure = jtu.tree_map(struct_of, x)
    holomorphic = _is_holomorphic(structure)
    check_choice("output_format", output_format, FORMATS)
    if coloring is None:
        coloring = jacobian_coloring(
            matvec,
            structure,
            mode=mode or "auto",
            symmetric=symmetric,
            order=order,
            budget=budget,
            unknown=unknown,
            captured=captured,
            max_nnz=max_nnz,
        )
    values = EvaluationOptions("data", holomorphic=holomorphic, chunk_size=chunk_size, flatten=True)
    derivative = with_value(evaluate(matvec, coloring, values, JACOBIAN))
    at_zero, data = derivative(_zeros(structure))
    if check and not any(isinstance(leaf, Tracer) for leaf in jtu.tree_leaves((at_zero, data))):
        _check_zero(at_zero)
        for magnitude in _MAGNITUDES:
            argument = _random(structure, magnitude)
            output, _ = derivative(argument)
            _check_product(output, data, coloring.sparsity, argument)
    layout = layout_for(coloring.sparsity, False, flatten, output_format)
    rows, columns = (tuple(map(struct_of, jtu.tree_leaves(one))) for one in (at_zero, structure))
    dtypes = Dtypes(rows, columns, by_column=coloring.mode == "rev")
    made = layout.compute(data, None if dtypes.are_equal else dtypes)
    return layout.assembly(jtu.tree_structure(at_zero), jtu.tree_structure(structure))(made)


def _is_holomorphic(structure: Any) -> bool:
    """Whether the argument is complex.

    **Raises:**

    `TypeError` for arguments of other dtypes, or of both real and complex ones.
    """
    leaves = jtu.tree_leaves(structure)
    kinds = {is_complex(leaf) for leaf in leaves}
    if len(kinds) > 1 or not all(map(has_derivative, leaves)):
        dtypes = {str(leaf.dtype) for leaf in leaves}
        raise TypeError(
            "Expected an argument of real, or else of complex, floating point for a linear map, got dtypes "
            f"{', '.join(sorted(dtypes))}. Convert it, or close over what is no variable."
        )
    return kinds == {True}


def _zeros(structure: Any) -> Any:
    return jtu.tree_map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), structure)


def _random(structure: Any, magnitude: float) -> Any:
    """An argument whose entries are of any sign and of about the given magnitude."""
    rng = np.random.default_rng(0)

    def draw(leaf):
        entries = magnitude * rng.uniform(0.5, 2.0, leaf.shape) * rng.choice([-1, 1], leaf.shape)
        if is_complex(leaf):
            entries = entries * np.exp(1j * rng.uniform(0, 2 * np.pi, leaf.shape))
        return jnp.asarray(entries, leaf.dtype)

    return jtu.tree_map(draw, structure)


def _check_zero(output: Any) -> None:
    flat = _flat(output)
    if np.any(flat != 0):  # NaN included
        position = int(np.argmax(flat != 0))
        raise ValueError(
            f"Expected a linear map, got a function whose output {position} is {flat[position]} at zero. For "
            "the matrix of an affine map f pass `lambda x: f(x) - f(zero)`, and use `asdex.jacobian` for a "
            "nonlinear function."
        )


def _check_product(
    output: Any, data: Shaped[Array, " nnz"], sparsity: SparsityPattern, argument: Any
) -> None:
    """Compare the output of the map with the product of its matrix.

    **Raises:**

    `ValueError` if they differ by more than rounding, or than a linear solve inside may be off.
    """
    got, vector, entries = _flat(output), _flat(argument), _flat(data)
    pattern = as_pattern(sparsity)
    expected = pattern.to_scipy(entries) @ vector
    terms = pattern.to_scipy(np.abs(entries)) @ np.abs(vector)
    leaves = jtu.tree_leaves((output, argument))
    eps = max((float(jnp.finfo(jnp.result_type(leaf)).eps) for leaf in leaves), default=0.0)
    allowed = max(_TOLERANCE, eps**0.5) * terms + 100 * eps * terms.max(initial=0.0)
    wrong = ~(np.abs(got - expected) <= allowed)
    if np.any(wrong):
        position = int(np.argmax(wrong))
        raise ValueError(
            f"Expected a linear map, got a function whose output {position} is {got[position]:.6g} at a "
            f"random argument, where its derivative at zero says {expected[position]:.6g}. Use "
            "`asdex.jacobian` for a nonlinear function; if the map is linear but computed "
            "inaccurately, pass `check=False`."
        )


def _flat(tree: Any) -> np.ndarray:
    """The entries of a tree, one after the other, in double precision."""
    leaves = [np.asarray(leaf) for leaf in jax.device_get(jtu.tree_leaves(tree))]
    dtype = complex if any(map(is_complex, leaves)) else float
    parts = [leaf.astype(dtype).ravel() for leaf in leaves]
    return np.concatenate([np.zeros(0), *parts])
