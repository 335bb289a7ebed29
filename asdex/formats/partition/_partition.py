"""How the elements of arrays are spread over the devices of a mesh, as the parts of one vector."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int, Int32

from ..._versions import constraint


Cuts = tuple[tuple[str, ...], ...]
"""For each dimension of an array, the axes of a mesh that it is cut over."""


@dataclasses.dataclass(frozen=True)
class Partition:
    """Arrays cut into tiles, one of each array on each device.

    The tiles of a device, one after the other, are its part of a *vector*. All parts have the same length:
    arrays are filled up to equal tiles. To make the vector of arrays that are sharded so moves nothing.

    **Attributes:**

    - `mesh`: the devices. `axes`: those of its axes that arrays are spread over; along others they are equal.
    - `shapes`: those of the arrays. `cuts`: what each is cut over; each of `axes` once.
    """

    mesh: Mesh
    axes: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    cuts: tuple[Cuts, ...]

    @classmethod
    def of(
        cls,
        mesh: Mesh,
        axes: tuple[str, ...],
        shapes: Iterable[tuple[int, ...]],
        specs: Iterable[PartitionSpec],
    ) -> Partition:
        """Arrays of `shapes` that are sharded by `specs`.

        Those of `axes` that a spec does not name cut the leading dimension.
        """
        shapes = tuple(shapes)
        cuts = tuple(cuts_of(spec, len(s), axes) for spec, s in zip(specs, shapes, strict=True))
        return cls(mesh, axes, shapes, cuts)

    @property
    def devices(self) -> int:
        """How many parts there are."""
        return math.prod(self.mesh.shape[name] for name in self.axes)

    @functools.cached_property
    def length(self) -> int:
        """The length of each part."""
        return sum(math.prod(tile) for _, _, tile in self._tiles())

    @property
    def spec(self) -> PartitionSpec:
        """How vectors are sharded."""
        return PartitionSpec(self.axes)

    @property
    def specs(self) -> list[PartitionSpec]:
        """How the arrays are sharded, along dimensions that can be cut into equal tiles."""
        return [
            PartitionSpec(
                *(
                    names
                    if size % math.prod(map(self.mesh.shape.__getitem__, names)) == 0
                    else None
                    for names, size in zip(cuts, shape, strict=False)
                )
            )
            for cuts, shape in zip(self.cuts, self.shapes, strict=True)
        ]

    def ravel(self, leaves: Sequence[Any], fill: Any = 0) -> Any:
        """The vector of arrays, of jax or of NumPy, with `fill` where they are filled up."""
        parts = []
        for leaf, (cuts, shape, tile) in zip(leaves, self._tiles(), strict=True):
            xp = np if isinstance(leaf, np.ndarray) else jnp
            whole = leaf.reshape(shape)
            counts = self._counts(cuts)
            missing = [(0, c * t - s) for c, t, s in zip(counts, tile, shape, strict=True)]
            if any(more for _, more in missing):
                whole = xp.pad(whole, missing, constant_values=fill)
            whole = self._spread(whole, PartitionSpec(*cuts))
            split, order = self._axes_of_tiles(cuts, tile)
            parts.append(whole.reshape(split).transpose(order).reshape(self.devices, -1))
        xp = np if parts and isinstance(parts[0], np.ndarray) else jnp
        with jax.numpy_dtype_promotion("standard"):
            return self._spread(xp.concatenate(parts, axis=1).reshape(-1), self.spec)

    def unravel(self, vector: Array) -> list[Array]:
        """The arrays that `ravel` made a vector of."""
        of_devices, start, leaves = vector.reshape(self.devices, -1), 0, []
        for (cuts, shape, tile), own in zip(self._tiles(), self.shapes, strict=True):
            size = math.prod(tile)
            split, order = self._axes_of_tiles(cuts, tile)
            part = of_devices[:, start : start + size].reshape([split[k] for k in order])
            filled = [c * t for c, t in zip(self._counts(cuts), tile, strict=True)]
            whole = part.transpose(np.argsort(order)).reshape(filled)
            whole = self._spread(whole, PartitionSpec(*cuts))
            leaves.append(whole[tuple(map(slice, shape))].reshape(own))
            start += size
        return leaves

    @functools.cached_property
    def places(self) -> Int32[np.ndarray, " size"]:
        """The place of each element of the arrays, numbered one array after the other, in the vector."""
        sizes = [math.prod(shape) for shape in self.shapes]
        starts = np.cumsum([0, *sizes])
        numbers = [
            np.arange(start, start + size, dtype=np.int32).reshape(shape)
            for start, size, shape in zip(starts, sizes, self.shapes, strict=False)
        ]
        elements, every = self.ravel(numbers, fill=-1), np.s_[:]
        if len(elements) > starts[-1]:
            every = elements >= 0
        places = np.empty(starts[-1], np.int32)
        places[elements[every]] = np.arange(len(elements), dtype=np.int32)[every]
        return places

    def locate(self, elements: Int[np.ndarray, " k"]) -> tuple[np.ndarray, np.ndarray]:
        """The devices that have some of the elements, and their places in the parts of those."""
        return np.divmod(self.places[elements], np.int32(max(self.length, 1)))

    def put(self, part: Callable[[int], np.ndarray], shape: tuple[int, ...]) -> Array:
        """A global array of which each device has `part(device)`, of a `shape`, one after the other.

        Only the parts of this process's devices are made.
        """
        length, *others = shape

        def make(index: Any) -> np.ndarray:
            return part((index[0].start or 0) // max(length, 1))

        sharding = NamedSharding(self.mesh, self.spec)
        whole = (self.devices * length, *others)
        with jax.ensure_compile_time_eval():  # concrete also where a trace is under way
            return jax.make_array_from_callback(whole, sharding, make)

    def put_elements(self, values: np.ndarray, fill: int) -> Array:
        """The vector of the values of all elements, with `fill` where arrays are filled up."""
        vector = np.full(self.devices * self.length, fill, values.dtype)
        vector[self.places] = values
        parts = vector.reshape(self.devices, self.length)
        return self.put(lambda device: parts[device], (self.length,))

    def _spread(self, array: Any, spec: PartitionSpec) -> Any:
        if isinstance(array, np.ndarray):
            return array
        return jax.lax.with_sharding_constraint(array, constraint(self.mesh, spec))

    def _counts(self, cuts: Cuts) -> list[int]:
        """Into how many tiles each dimension is cut."""
        return [math.prod(self.mesh.shape[name] for name in names) for names in cuts]

    def _tiles(self) -> Iterator[tuple[Cuts, tuple[int, ...], tuple[int, ...]]]:
        """What each array is cut over, its shape with at least one dimension, and that of its tiles."""
        for cuts, shape in zip(self.cuts, self.shapes, strict=True):
            at_least_one = shape or (1,)
            counts = self._counts(cuts)
            yield (
                cuts,
                at_least_one,
                tuple(-(-s // c) for s, c in zip(at_least_one, counts, strict=True)),
            )

    def _axes_of_tiles(self, cuts: Cuts, tile: tuple[int, ...]) -> tuple[list[int], list[int]]:
        """The shape of an array with its dimensions split by axes and within tiles, and the order of those
        dimensions in which axes come first, as in `axes`."""
        split: list[int] = []
        of_axis: dict[str, int] = {}
        within: list[int] = []
        for names, size in zip(cuts, tile, strict=True):
            for name in names:
                of_axis[name] = len(split)
                split.append(self.mesh.shape[name])
            within.append(len(split))
            split.append(size)
        return split, [*(of_axis[name] for name in self.axes), *within]


def axes_of(spec: PartitionSpec) -> tuple[str, ...]:
    """The axes of a mesh that a spec names."""
    return tuple(name for entry in spec for name in _names(entry))


def _names(entry: Any) -> tuple[str, ...]:
    """The axes in an entry of a spec."""
    if entry is None or entry is PartitionSpec.UNCONSTRAINED:
        return ()
    return (entry,) if isinstance(entry, str) else tuple(entry)


def cuts_of(spec: PartitionSpec, rank: int, axes: tuple[str, ...]) -> Cuts:
    """What each dimension of an array is cut over, with those of `axes` that are left."""
    cuts = [_names(entry) for entry in tuple(spec)[:rank]]
    cuts += [()] * (max(rank, 1) - len(cuts))
    missing = [name for name in axes if not any(name in names for names in cuts)]
    return ((*cuts[0], *missing), *cuts[1:])
