"""Linear systems that are given as functions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from asdex import Dependence, Equation, register, Value
from asdex.detection import as_dependence, as_mask, connected_components, everywhere, Facts, nowhere

from .ties import within_groups


@register("custom_linear_solve")
def custom_linear_solve(eqn: Equation, *operands: Dependence) -> list[Dependence]:
    """The solution `x` of `matvec(x) = b`, and auxiliary results, which JAX does not differentiate.

    JAX applies the implicit function theorem, `dx = A⁻¹ (db - dA x)`: what counts is `matvec`, not how it is
    solved. A thousand systems of size three under `jax.vmap` stay a thousand blocks.
    """
    lengths = eqn.params["const_lengths"]
    consts = eqn.operands[: lengths.matvec]
    right_hand_side = operands[sum(lengths) :]
    solution = solve_by_components(eqn, eqn.params["jaxprs"].matvec, consts, right_hand_side)
    auxiliary = eqn.out_avals[len(solution) :]
    return [*solution, *(Dependence.none(aval.shape) for aval in auxiliary)]


@custom_linear_solve.zeros
def zeros_of_a_solution(eqn: Facts, *masks: np.ndarray) -> list[np.ndarray]:
    """The solution is zero in components whose right-hand side is: on operands that depend on nothing."""
    lengths, equation = eqn.params["const_lengths"], eqn.equation()
    right_hand_side = [as_dependence(mask) for mask in masks[sum(lengths) :]]
    matvec, consts = eqn.params["jaxprs"].matvec, equation.operands[: lengths.matvec]
    solution = solve_by_components(equation, matvec, consts, right_hand_side)
    others = [everywhere(aval.shape) for aval in eqn.out_avals[len(solution) :]]
    return [*map(as_mask, solution), *others]


@custom_linear_solve.undecided
def undecided_solution(eqn: Equation, *undecided: np.ndarray) -> list[np.ndarray]:
    """All of it, if products with the matrix are undecided. How the solution is found does not count.

    It does for auxiliary results.
    """
    lengths, primals = eqn.params["const_lengths"], eqn.primals()
    # Not the values of the right-hand side, of which a zero would hide a column of the matrix.
    unknowns = [one._replace(known=None, facts=None) for one in primals[sum(lengths) :]]
    products = eqn.interpret(eqn.params["jaxprs"].matvec, [*primals[: lengths.matvec], *unknowns])
    decide = nowhere if all(one.undecided is None for one in products) else everywhere
    solution, auxiliary = eqn.out_avals[: len(products)], eqn.out_avals[len(products) :]
    return [
        *(decide(aval.shape) for aval in solution),
        *(everywhere(aval.shape) for aval in auxiliary),
    ]


@custom_linear_solve.cause
def matrix_of_a_solve(eqn: Equation) -> str:
    """The structure of a matrix is that of the constants in its `matvec`."""
    count = eqn.params["const_lengths"].matvec
    return (
        eqn.unless_known(range(count), "the matrix", "is not constant but comes from")
        or "the constant matrix connects the unknowns"
    )


@register("spsolve")
def spsolve(
    eqn: Equation, data: Dependence, indices: Dependence, indptr: Dependence, b: Dependence
):
    """The solution of `A x = b` for a sparse matrix in compressed row form.

    With known indices an element reads its connected component of the matrix, of which row `i` holds the
    data from `indptr[i]` to `indptr[i + 1]`.
    """
    del indices, indptr
    columns, starts = eqn.known(1), eqn.known(2)
    if columns is None or starts is None:
        return eqn.dense()
    ones = np.ones(data.size, np.bool_)
    graph = sp.csr_array((ones, columns, starts), shape=(b.size, b.size))
    rows = sp.csr_array((ones, np.arange(data.size), starts), shape=(b.size, data.size))
    return within_groups(b | data.through(rows), connected_components(graph)[1])


def solve_by_components(
    eqn: Equation, matvec: Any, consts: Sequence[Value], right_hand_side: Sequence[Dependence]
) -> list[Dependence]:
    """What the solution of a linear system reads.

    The inverse of a matrix is block diagonal with the matrix itself: an element of the solution reads all of
    the right-hand side, and all that the matrix is made from, in its own connected component of the
    (undirected) graph of `matvec`. Finer structure, such as that of a triangular matrix, is up to the solver.

    **Arguments:**

    - `matvec`: a jaxpr, from the constants and an `x` like the right-hand side, linear in `x`.
    - `consts`: the operands of `matvec` before `x`.
    - `right_hand_side`: one `Dependence` per array.

    **Returns:**

    The dependences of the solution, shaped like those of the right-hand side.
    """
    followed = [value.dependence for value in consts if value.dependence is not None]
    unfollowed = [value if value.dependence is None else None for value in consts]
    unknowns = [None] * len(right_hand_side)
    facts = [*(value.facts for value in consts), *unknowns]
    products = eqn.structure(matvec, [*unfollowed, *unknowns], facts)
    joined = Dependence.join(
        [value.as_dependence(one) for value, one in zip(products, right_hand_side, strict=True)]
    )
    start = sum(one.size for one in followed)
    constants, graph = joined.restrict(0, start), joined.restrict(start, start + joined.size)
    residual = Dependence.join(right_hand_side) | constants.substitute(Dependence.join(followed))
    # Every element of the solution depends on all elements of the residual in its connected component.
    solution = within_groups(residual, connected_components(graph.to_csr(joined.size))[1])
    return solution.split([one.shape for one in right_hand_side])
