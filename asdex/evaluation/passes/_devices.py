"""Where the passes run: how many at a time, and on which devices.

The colors are spread over a mesh by sharding constraints on the color axis of the seeds and of `B`, which the
compiler follows through all that is batched over the colors. That holds inside `jit`, `vmap`, `grad` and
loops and for functions that are sharded themselves. A `shard_map` over the colors would not: it refuses a
function with a `shard_map` inside, and loops whose carry starts out equal on all devices.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Shaped

from ..._versions import constraint, in_auto_axes


class Batches(NamedTuple):
    """How the passes are batched.

    `size` is the number of passes that one device batches (`None`: chosen by their length), `axes` are those
    of `mesh` that the colors are spread over, `cuts` those that each dimension of arrays is that rows are of.
    """

    size: int | None = None
    mesh: Mesh | None = None
    axes: tuple[str, ...] = ()
    cuts: tuple[tuple[str, ...], ...] = ()

    @property
    def rows(self) -> tuple[str, ...]:
        """The axes that rows are spread over, in the order of the mesh."""
        named = set(itertools.chain(*self.cuts))
        return () if self.mesh is None else tuple(n for n in self.mesh.axis_names if n in named)

    @property
    def are_default(self) -> bool:
        """Whether neither their size is limited nor colors are spread."""
        return self.size is None and not self.axes

    @property
    def devices(self) -> int:
        """How many devices the colors are spread over."""
        return 1 if self.mesh is None else math.prod(self.mesh.shape[name] for name in self.axes)

    def share(self, num_colors: int) -> int:
        """How many of the passes one device has."""
        return -(-num_colors // self.devices)

    def width(self, size: int, num_colors: int) -> int:
        """The number of passes that run at once, up to `size` on each device: a multiple of `devices`."""
        return self.devices * min(size, self.share(num_colors))

    def spread(self, array: Array) -> Array:
        """The array with its leading axis, of a multiple of `devices`, spread over the devices.

        The others are spread as the vectors are that the rows of the compressed matrix are.
        """
        if self.rows and not self.axes:
            return array
        return self._place(array, PartitionSpec(self.axes, *[self.rows or None] * (array.ndim - 1)))

    def stored(self, array: Shaped[Array, "colors ..."]) -> Array:
        """What is computed for all passes, filled up so that it can be spread as arrays with rows are.

        Results of a program have equal parts on all devices. Others would be whole on each of them.
        """
        if self.mesh is None or not self.cuts:
            return array
        cuts = self.cuts if array.ndim > len(self.cuts) else (self.rows,) * (array.ndim > 1)
        counts = [math.prod(self.mesh.shape[name] for name in names) for names in cuts]
        sizes = array.shape[1 : 1 + len(cuts)]
        if any(size < count for size, count in zip(sizes, counts, strict=True)):
            return array
        missing = [(0, -size % count) for size, count in zip(sizes, counts, strict=True)]
        padded = jnp.pad(array, [(0, 0), *missing, *[(0, 0)] * (array.ndim - 1 - len(cuts))])
        return self._place(padded, PartitionSpec(None, *cuts))

    def gathered(self, function: Callable[..., Any], specs: Any = None) -> Callable[..., Any]:
        """The function with the arrays of its results whole on every device.

        Where rows are spread they stay as they are: on `Explicit` axes sharded by `specs`.
        """
        mesh = self.mesh
        if mesh is None:
            return function

        def call(*args: Any) -> Any:
            arrays, others = eqx.partition(args, eqx.is_array)

            def whole(arrays: Any) -> Any:
                results = function(*eqx.combine(arrays, others))
                if self.rows:
                    return results
                return jax.tree.map(lambda one: self._place(one, PartitionSpec()), results)

            return in_auto_axes(whole, arrays, mesh, specs)(arrays)

        return call

    def _place(self, array: Array, spec: PartitionSpec) -> Array:
        if self.mesh is None:
            return array
        return jax.lax.with_sharding_constraint(array, constraint(self.mesh, spec))


ONE_BY_ONE = Batches(1)
"""No batches: one pass at a time, on one device."""


def batches(
    size: int | None = None,
    mesh: Mesh | None = None,
    axis: str | Sequence[str] | None = None,
    cuts: tuple[tuple[str, ...], ...] = (),
) -> Batches:
    """The batches that the options `chunk_size`, `mesh` and `axis` ask for, with rows of arrays with `cuts`.

    **Raises:**

    `TypeError` if `mesh` is no mesh; `ValueError` if `axis` is not one of its axes or missing where it has
    several, or if `size` is not positive.
    """
    if size is not None and not (isinstance(size, int | np.integer) and size > 0):
        raise ValueError(
            f"Expected `chunk_size` to be an integer of at least 1, or None, got {size!r}."
        )
    if mesh is None:
        if axis is not None:
            raise ValueError(
                f"Expected `axis` together with `mesh`, got {axis!r} alone. Pass a keyword `axis` of `f` "
                "by functools.partial."
            )
        return Batches(size)
    if not isinstance(mesh, Mesh):
        raise TypeError(
            f"Expected `mesh` to be a jax.sharding.Mesh, got {type(mesh).__name__}. Make one with "
            "jax.make_mesh((jax.device_count(),), ('colors',))."
        )
    if axis is None and cuts:
        return Batches(size, mesh, (), cuts)
    names = tuple(name for name in mesh.axis_names if name not in itertools.chain(*cuts))
    if axis is None and len(names) != 1:
        raise ValueError(
            f"Expected `axis` to say which axis of the mesh the colors are spread over: one of {names}."
        )
    axes = names if axis is None else (axis,) if isinstance(axis, str) else tuple(axis)
    if not axes or len(set(axes)) != len(axes) or not set(axes) <= set(names):
        raise ValueError(
            f"Expected `axis` to be one or several axes of the mesh, out of {names}, got {axis!r}."
        )
    return Batches(size, mesh, tuple(axes), cuts)
