"""A function between arrays that are spread over devices, as one between two vectors of their parts."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
from jax.core import Tracer
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from .._arguments import differentiated, Inputs, normalize_argnums
from .._arrays import has_derivative, is_complex, struct_of
from .._function import AtArguments
from ..formats.partition import axes_of, Cuts, cuts_of, Partition
from ..pattern import check_known, SparsityPattern


class RowSharding(NamedTuple):
    """How inputs and outputs are to be spread, by the specs of inputs, or by one for all arrays."""

    mesh: Mesh
    specs: tuple[PartitionSpec, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes of the mesh that rows are spread over, in its order."""
        named = {name for spec in self.specs for name in axes_of(spec)}
        return tuple(name for name in self.mesh.axis_names if name in named)

    @property
    def cuts(self) -> Cuts:
        """What each dimension of arrays is cut over, at least of the first that is spread.

        Axes that only others are cut over cut the leading dimension, too.
        """
        main = next(spec for spec in self.specs if axes_of(spec))
        return cuts_of(main, len(main), self.axes)

    def spread(self, sparsity: SparsityPattern, is_hessian: bool) -> Spread:
        """The partitions of the rows and columns of a pattern.

        **Raises:** `TypeError` for traced patterns, for inputs without derivatives, and for real and complex
        arrays together.
        """
        check_known(sparsity, "A matrix of row blocks")
        inputs, outputs = sparsity.input_avals, sparsity.output_avals
        if not all(map(has_derivative, inputs)):
            raise TypeError(
                "Expected differentiated inputs of floating point for rows that are spread over devices, got "
                f"dtypes {', '.join(str(one.dtype) for one in inputs)}. Differentiate the others alone."
            )
        for avals in (inputs, outputs):
            if len(set(map(is_complex, avals))) > 1:
                raise TypeError(
                    "Expected real arrays alone, or complex ones, for rows that are spread over devices, got "
                    f"dtypes {', '.join(str(one.dtype) for one in avals)}. Differentiate them apart."
                )
        main = PartitionSpec(*self.cuts)

        def partition(avals: Sequence[Any], size: int, specs: Sequence[PartitionSpec]) -> Partition:
            shapes = [aval.shape for aval in avals] or [(size,)]
            of_arrays = specs if len(specs) == len(shapes) > 0 else [main] * len(shapes)
            return Partition.of(self.mesh, self.axes, shapes, of_arrays)

        columns = partition(inputs, sparsity.n, self.specs)
        rows = columns if is_hessian else partition(outputs, sparsity.m, ())
        return Spread(rows, columns, is_hessian)


RowAxis = str | Sequence[str] | PartitionSpec
"""The option: the axes that leading dimensions are cut over, or those of each dimension, of all arrays."""


def row_sharding(mesh: Mesh | None, row_axis: RowAxis) -> RowSharding:
    """What the options `mesh` and `row_axis` ask for.

    **Raises:** `ValueError` without a mesh, or for axes that are not its.
    """
    if isinstance(row_axis, PartitionSpec):
        spec = row_axis
    else:
        spec = PartitionSpec((row_axis,) if isinstance(row_axis, str) else tuple(row_axis))
    names = axes_of(spec)
    if mesh is None or not names or not set(names) <= set(mesh.axis_names):
        raise ValueError(
            "Expected `row_axis` together with `mesh`, to be one or several of its axes or a PartitionSpec "
            f"of them, got {row_axis!r} and {'no mesh' if mesh is None else mesh.axis_names}."
        )
    return RowSharding(mesh, (spec,))


def sharding_of(args: Sequence[Any], argnums: int | Sequence[int]) -> RowSharding | None:
    """How the differentiated arguments are sharded; `None` unless some are, on one mesh."""
    inputs = differentiated(args, normalize_argnums(argnums, len(args)))
    shardings = [
        None if isinstance(x, Tracer) else getattr(x, "sharding", None) for x in inputs.leaves
    ]
    named = [one for one in shardings if isinstance(one, NamedSharding)]
    named = [one for one in named if axes_of(one.spec)]
    if not named or any(one.mesh != named[0].mesh for one in named):
        return None
    if not isinstance(named[0].mesh, Mesh) or not all(map(has_derivative, inputs.avals)):
        return None
    specs = [one.spec if isinstance(one, NamedSharding) else PartitionSpec() for one in shardings]
    return RowSharding(named[0].mesh, tuple(specs))


@dataclasses.dataclass(frozen=True)
class Spread:
    """How the rows and the columns of a derivative are spread: what is differentiated is a function of the
    vector of the inputs, and for a Jacobian its value is the vector of the outputs."""

    rows: Partition
    columns: Partition
    is_hessian: bool

    def at(self, whole: AtArguments) -> SpreadAtArguments:
        """The function of vectors at the arguments of the whole function."""
        return SpreadAtArguments(self, whole)

    @property
    def shape(self) -> tuple[int, int]:
        """That of the matrix of the function of vectors."""
        rows, columns = self.rows, self.columns
        return rows.devices * rows.length, columns.devices * columns.length

    @property
    def specs(self) -> tuple[PartitionSpec, PartitionSpec, PartitionSpec]:
        """How the values, the output and the gradient are sharded where jax has to be told."""
        output = PartitionSpec() if self.is_hessian else _common(self.rows)
        return self.rows.spec, output, _common(self.columns)


def _common(partition: Partition) -> PartitionSpec:
    """How all of the arrays are sharded; whole on every device if they are not sharded alike."""
    specs = set(partition.specs)
    return specs.pop() if len(specs) == 1 else PartitionSpec()


class SpreadAtArguments:
    """A function of vectors at given arguments; it stands in for `AtArguments`."""

    def __init__(self, spread: Spread, whole: AtArguments):
        self._spread, self._whole = spread, whole
        self._tree: Any = None
        self._structures: list[jax.ShapeDtypeStruct] = []

    @functools.cached_property
    def inputs(self) -> Inputs:
        vector = _vector(self._spread.columns, self._whole.leaves)
        return Inputs([vector], jtu.tree_structure((0,)), ("the differentiated inputs",))

    @property
    def leaves(self) -> list[Any]:
        return self.inputs.leaves

    def __call__(self, vector: Array) -> tuple[Any, Any]:
        """The vector of the outputs, or the scalar; and the auxiliary data."""
        output, aux = self._whole(*self._inputs_of(vector))
        if self._spread.is_hessian:
            return output, aux
        leaves, self._tree = jtu.tree_flatten(output)
        self._structures = list(map(struct_of, leaves))
        return _vector(self._spread.rows, leaves), aux

    def of_whole(self, output: Any, gradient: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        """The output of the whole function, and its gradient with respect to the inputs."""
        if not self._spread.is_hessian:
            is_evaluated = not isinstance(output, jax.ShapeDtypeStruct)
            unravel = self._outputs_of
            output = unravel(output) if is_evaluated else jax.eval_shape(unravel, output)
        return output, self._inputs_of(*gradient) if gradient else gradient

    def _outputs_of(self, vector: Array) -> Any:
        return self._tree.unflatten(_arrays(self._spread.rows, vector, self._structures))

    def _inputs_of(self, vector: Array) -> list[Array]:
        return _arrays(self._spread.columns, vector, list(map(struct_of, self._whole.leaves)))


def _arrays(
    partition: Partition, vector: Array, like: Sequence[jax.ShapeDtypeStruct]
) -> list[Array]:
    """The arrays of a vector, with the shapes and dtypes of others."""
    pairs = zip(partition.unravel(vector), like, strict=True)
    return [array.reshape(one.shape).astype(one.dtype) for array, one in pairs]


def _vector(partition: Partition, leaves: Sequence[Any]) -> Array:
    """The vector of arrays; of a single one of any shape where only the size is known."""
    shapes = [jnp.shape(leaf) for leaf in leaves]
    flat = len(shapes) == 1 and partition.shapes == ((math.prod(shapes[0]),),)
    if not flat and shapes != list(partition.shapes):
        raise ValueError(
            f"The coloring is for a function of arrays with shapes {list(partition.shapes)}, but got {shapes}"
            ". Make a coloring for this function."
        )
    return partition.ravel([jnp.asarray(leaf) for leaf in leaves])
