"""The warning about colorings that save nothing, with what would help."""

import os
import sys
import warnings
from collections.abc import Collection

import numpy as np

from .._errors import DenseColoringWarning
from ._colored_pattern import ColoredPattern
from .problems import Bidirectional


def warn_if_dense(
    colored: ColoredPattern, dense: int, what: str, untried: Collection[str] = ()
) -> None:
    """Warn if there are as many passes as the dense matrix needs.

    **Arguments:**

    - `dense`: how many passes the dense matrix needs.
    - `what`: "Jacobian" or "Hessian".
    - `untried`: the modes that could have been asked for, and which the choice did not weigh.
    """
    sparsity = colored.sparsity
    if colored.num_colors < dense or min(sparsity.shape) <= 1:
        return
    m, n = sparsity.shape
    warnings.warn(
        f"The coloring needs {colored.num_colors} colors for a {m}×{n} {what}: as many derivative "
        f"passes as the dense matrix. {_remedy(colored, what, untried)}",
        DenseColoringWarning,
        stacklevel=_caller_level(),
    )


def _remedy(colored: ColoredPattern, what: str, untried: Collection[str]) -> str:
    """What would help, judging by lower bounds."""
    sparsity, tried = colored.sparsity, colored.num_colors
    other, groups = ("fwd", sparsity.rows) if colored.mode == "rev" else ("rev", sparsity.cols)
    if other in untried and np.bincount(groups).max(initial=0) < tried:
        return f'Pass mode="{other}", which may need fewer.'
    both = Bidirectional(sparsity)
    if "bidirectional" in untried and both.lower_bound < tried and both.splits[0].bound < tried:
        return (
            'A few full rows or columns are to blame: pass mode="bidirectional", or "auto", '
            "which needs a function that can be differentiated in both modes."
        )
    if not colored.symmetric and "over" in colored.mode:
        return "Pass `symmetric=True`, which may need fewer."
    call = "asdex.explain(f, ...)" if what == "Jacobian" else "asdex.explain(f, ..., hessian=True)"
    return (
        f"If the pattern has more nonzeros than you expect, `{call}` shows where they come from; if it is "
        "truly dense, use JAX's dense derivatives."
    )


def _caller_level() -> int:
    """Return the `stacklevel` with which `warn_if_dense` points outside of asdex."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    return level
