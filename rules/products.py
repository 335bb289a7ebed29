"""Contractions."""

import math
from typing import Any

import numpy as np

from asdex import Dependence, Equation, register
from asdex.detection import as_dependence, as_mask, is_everywhere, pairs_to_csr


@register("dot_general", exact=True, linear_in=(0, 1))
def dot_general(eqn: Equation, lhs: Dependence, rhs: Dependence) -> Dependence:
    """Sums of products over contracted axes: result `(b, i, j)` reads `lhs[b, i, :]` and `rhs[b, j, :]`.

    Where a factor is always zero, the other one drops out: `[[1, 0], [0, 2]] @ x` is diagonal, and so is
    `jnp.diag(p) @ x`.
    """
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = eqn.params["dimension_numbers"]
    left = _Operand(eqn, 0, lhs, lhs_batch, lhs_contract)
    right = _Operand(eqn, 1, rhs, rhs_batch, rhs_contract)
    result = _contract(left, right) | _contract(right, left).rearrange(lambda p: p.swapaxes(1, 2))
    return result.reshape(eqn.out_avals[0].shape)


class _Operand:
    """An operand as a `(batch, free, contracted)` array."""

    def __init__(self, eqn: Equation, index: int, dependence: Dependence, batch, contract):
        shape = dependence.shape
        free = [axis for axis in range(len(shape)) if axis not in (*batch, *contract)]
        self._order = (*batch, *free, *contract)
        self.shape = tuple(
            math.prod(shape[axis] for axis in axes) for axes in (batch, free, contract)
        )
        self._eqn, self._index = eqn, index
        self.dependence = dependence.rearrange(
            lambda p: p.transpose(self._order).reshape(self.shape)
        )

    def nonzero(self) -> np.ndarray | None:
        """Where the operand can differ from zero; `None` for everywhere."""
        mask = self._eqn.nonzero(self._index)
        if is_everywhere(mask):
            return None
        return mask.transpose(self._order).reshape(self.shape)


def _contract(operand: _Operand, other: _Operand) -> Dependence:
    """What `(batch, operand's free, other's free)` reads of `operand`."""
    batch, free, contracted = operand.shape
    others = other.shape[1]
    shape = (batch, free, others)
    if operand.dependence.is_none:
        return Dependence.none(shape)
    mask = other.nonzero()
    if mask is None:
        return operand.dependence.reduce([2]).reshape((batch, free, 1)).broadcast_to(shape)
    b, j, k = np.nonzero(mask)
    # Entry (b, j, k) of the mask links result (b, i, j) to element (b, i, k), for every i.
    i = np.arange(free)[:, None]
    results = ((b * free + i) * others + j).reshape(-1)
    elements = ((b * free + i) * contracted + k).reshape(-1)
    links = pairs_to_csr(results, elements, (math.prod(shape), batch * free * contracted))
    return operand.dependence.through(links, shape)


def zeros_of_a_product(eqn: Any, lhs: np.ndarray, rhs: np.ndarray) -> np.ndarray | None:
    """Of sums of products, where some product can be nonzero in both factors, by the primitive's own rule."""
    if is_everywhere(lhs) and is_everywhere(rhs):
        return None
    return as_mask(eqn.rule(eqn, as_dependence(lhs), Dependence.none(rhs.shape)))


dot_general.zeros(zeros_of_a_product)


@dot_general.cause
def factor(eqn: Equation) -> str:
    """Zeros of a factor remove the other one."""
    fixed = [k for k in (0, 1) if eqn.operands[k].dependence is None]
    if not fixed:
        return "neither factor is constant"
    value = eqn.known(fixed[0])
    kind = "matrix" if len(eqn.in_avals[fixed[0]].shape) > 1 else "vector"
    if value is None:
        return eqn.unless_known(fixed, f"the {kind}", "is not constant but comes from")
    return f"the constant {kind} has few zeros" if 2 * np.count_nonzero(value) > value.size else ""
