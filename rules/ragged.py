"""Products of matrices whose rows come in groups of different sizes."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from asdex import Dependence, Equation, register, Value


@register("ragged_dot_general")
def ragged_dot_general(eqn: Equation, *operands: Dependence) -> list[Value]:
    """Products group by group: row `i` of the result reads row `i` of `lhs` and the matrix of its group.

    Or, where the contracted axis is ragged, product `g` reads the part of both operands in group `g`. With
    known group sizes the groups are known; otherwise anything may be in any of them.
    """
    del operands
    numbers = eqn.params["ragged_dot_dimension_numbers"]
    dimensions, groups = numbers.dot_dimension_numbers, numbers.rhs_group_dimensions
    (ragged,) = numbers.lhs_ragged_dimensions
    (lhs_contract, rhs_contract), (lhs_batch, _) = dimensions

    def product(lhs: Any, rhs: Any, sizes: Any) -> Any:
        masks = _membership(sizes, lhs.shape[ragged])
        if ragged in lhs_batch:
            return lax.dot_general(lhs, rhs, dimensions)
        if ragged in lhs_contract:
            other = rhs_contract[lhs_contract.index(ragged)]
            return jax.vmap(
                lambda mask: lax.dot_general(
                    lhs * _along(mask, lhs, ragged), rhs * _along(mask, rhs, other), dimensions
                )
            )(masks)
        (group,) = groups
        free = [axis for axis in range(lhs.ndim) if axis not in (*lhs_contract, *lhs_batch)]
        place = len(lhs_batch) + free.index(ragged)
        each = jax.vmap(lambda matrix: lax.dot_general(lhs, matrix, _without(dimensions, group)))
        products = each(jnp.moveaxis(rhs, group, 0))
        return jax.vmap(lambda mask, one: one * _along(mask, one, place))(masks, products).sum(0)

    return eqn.expand(product)


def _membership(sizes: Any, length: int) -> Any:
    """Which places are in which group: `(groups, length)`."""
    if sizes.ndim > 1:  # groups of their own for each batch entry
        return jnp.ones((sizes.shape[-1], length), bool)
    stops = jnp.cumsum(sizes)
    places = jnp.arange(length)
    return (places >= (stops - sizes)[:, None]) & (places < stops[:, None])


def _along(mask: Any, array: Any, axis: int) -> Any:
    shape = [1] * array.ndim
    shape[axis] = mask.shape[0]
    return mask.reshape(shape).astype(array.dtype)


def _without(dimensions: Any, group: int) -> Any:
    """Dimension numbers of the right operand after its group axis is gone."""
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimensions

    def shifted(axes: Any) -> tuple[int, ...]:
        return tuple(axis - (axis > group) for axis in axes)

    return (lhs_contract, shifted(rhs_contract)), (lhs_batch, shifted(rhs_batch))
