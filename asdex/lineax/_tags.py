"""Tags of lineax's, which say what a pattern cannot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import lineax as lx


def as_tags(tags: object | Iterable[object]) -> frozenset[object]:
    """One tag or several as a set."""
    return frozenset(tags) if isinstance(tags, Iterable) else frozenset([tags])


def is_symmetric_by(tags: frozenset[object], dtype: Any) -> bool:
    """Whether the tags say that A = Aᵀ; definite matrices are Hermitian, which is that for real ones."""
    if lx.symmetric_tag in tags or lx.diagonal_tag in tags:
        return True
    definite = lx.positive_semidefinite_tag in tags or lx.negative_semidefinite_tag in tags
    return definite and not jnp.issubdtype(dtype, jnp.complexfloating)


def tags_of(operator: lx.AbstractLinearOperator) -> frozenset[object]:
    """What lineax's functions say of an operator, as tags."""
    checks = {
        lx.is_symmetric: lx.symmetric_tag,
        lx.is_positive_semidefinite: lx.positive_semidefinite_tag,
        lx.is_negative_semidefinite: lx.negative_semidefinite_tag,
        lx.has_unit_diagonal: lx.unit_diagonal_tag,
    }
    return frozenset(tag for check, tag in checks.items() if check(operator))
