"""The layout of patterns and colorings in NumPy's `.npz` files."""

import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np


if TYPE_CHECKING:
    from ._pattern import SparsityPattern


def npz_path(path: str | os.PathLike[str]) -> str:
    """Return `path` with the suffix that `np.savez` would add."""
    path = os.fspath(path)
    return path if path.endswith(".npz") else path + ".npz"


@contextmanager
def saved_arrays(path: str | os.PathLike[str]) -> Iterator[Mapping[str, np.ndarray]]:
    """Open a file that `save` wrote.

    **Raises:** `ValueError` if it is not one of NumPy's `.npz` files.
    """
    with open(npz_path(path), "rb") as file:  # which NumPy leaves open where it fails
        try:
            arrays = np.load(file, allow_pickle=False)
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"Expected a file that `save` of asdex wrote, got {npz_path(path)}, which is no `.npz` file "
                f"of NumPy's ({error})."
            ) from error
        with arrays:
            yield arrays


def pattern_to_arrays(pattern: "SparsityPattern") -> dict[str, Any]:
    """Return the arrays that describe a pattern in a file."""
    metadata = {
        "argnums": pattern.argnums,
        "input_avals": [[aval.shape, aval.dtype.name] for aval in pattern.input_avals],
        "output_avals": [[aval.shape, aval.dtype.name] for aval in pattern.output_avals],
        "modes": pattern.modes,
        "local": pattern.local,
    }
    return {
        "rows": np.asarray(pattern.rows),
        "cols": np.asarray(pattern.cols),
        "shape": np.asarray(pattern.shape),
        "metadata": np.asarray(json.dumps(metadata)),
    }


def pattern_fields(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the arguments of `SparsityPattern.from_coo` that a file's arrays describe.

    **Raises:** `ValueError` if they do not describe a pattern.
    """
    missing = {"rows", "cols", "shape", "metadata"} - set(arrays)
    if missing:
        raise ValueError(
            f"Expected a file that `save` of asdex wrote, with arrays named {sorted(missing)} among others, "
            f"got arrays named {sorted(arrays)}. Files of other libraries have to be made anew; "
            "`SparsityPattern.from_coo` takes plain index arrays."
        )
    metadata = json.loads(str(arrays["metadata"]))
    argnums = metadata["argnums"]
    return {
        "rows": arrays["rows"],
        "cols": arrays["cols"],
        "shape": tuple(arrays["shape"].tolist()),
        "argnums": tuple(argnums) if isinstance(argnums, list) else argnums,
        "input_avals": _structs(metadata["input_avals"]),
        "output_avals": _structs(metadata["output_avals"]),
        "modes": tuple(metadata.get("modes", ("fwd", "rev"))),
        "local": metadata.get("local", False),
    }


def _structs(avals: list[Any]) -> tuple[jax.ShapeDtypeStruct, ...]:
    return tuple(jax.ShapeDtypeStruct(tuple(shape), jnp.dtype(dtype)) for shape, dtype in avals)
