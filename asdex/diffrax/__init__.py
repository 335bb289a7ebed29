"""Sparse Jacobians for the implicit solvers of diffrax."""

from importlib.util import find_spec as _find_spec


if _find_spec("diffrax") is None:
    raise ImportError(
        'asdex.diffrax needs the package diffrax. Install it with `pip install "asdex[solvers]"`.'
    )

from ._root_finder import sparse_root_finder as sparse_root_finder
