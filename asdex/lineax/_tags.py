"""Tags of lineax, for properties that a pattern cannot show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import lineax as lx


def as_tags(tags: object | Iterable[object]) -> frozenset[object]:
    """One tag or several as a set."""
    return frozenset(tags) if isinstance(tags, Iterable) else frozenset([tags])


def is_symmetric_by(tags: frozenset[object], dtype: Any) -> bool:
    """Whether the tags say that A = Aᵀ; definite matrices are Hermitian, so symmetric if they are real."""
    if lx.symmetric_tag in tags or lx.diagonal_tag in tags:
        return True
    definite = lx.positive_semidefinite_tag in tags or lx.negative_semidefinite_tag in tags
    return definite and not jnp.issubdtype(dtype, jnp.complexfloating)


def tags_of(operator: lx.AbstractLinearOperator) -> frozenset[object]:
    """The properties of an operator that lineax's functions report, as tags."""
    checks = {
        lx.is_symmetric: lx.symmetric_tag,
        lx.is_positive_semidefinite: lx.positive_semidefinite_tag,
        lx.is_negative_semidefinite: lx.negative_semidefinite_tag,
        lx.has_unit_diagonal: lx.unit_diagonal_tag,
    }
    return frozenset(tag for check, tag in checks.items() if check(operator))
