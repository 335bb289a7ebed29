"""Lineax's linear solves."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np

from asdex import Dependence, Equation, register, Value
from asdex.detection import everywhere, nowhere

from .equinox_internal import implementation, innermost
from .linear_solves import solve_by_components


_SOLVERS_BY_COMPONENTS = frozenset(
    {"LU", "QR", "Cholesky", "Tridiagonal", "CG", "BiCGStab", "GMRES", "LSMR"}
)
"""Solvers whose arithmetic never mixes the connected components of the operator.

A matrix factorisation by rows and columns fills in within components only, and Krylov vectors stay in the
components of the right-hand side.
"""


@register("linear_solve")
def linear_solve(eqn: Equation, *operands: Dependence) -> Sequence[Value | Dependence]:
    """The (least-squares, or minimum-norm) solution `x` of `A x = b`, and statistics without derivative.

    Lineax differentiates by the implicit function theorem. An unknown reads all of `b` and of `A` in its
    own connected component of the graph of `A`, so batches, blocks and diagonals stay apart. What is finer
    (a triangular solve) or coarser (a singular value decomposition) follows the solver instead.
    """
    call = _Call(eqn)
    if call.keeps_components:
        return call.by_components()
    vector = call.positions_of_vector()
    if all(operand.is_none for i, operand in enumerate(operands) if i not in vector):
        return eqn.expand(implementation(eqn), key=(), derivative=True)
    # The tangent solves in turn depend on inputs through their right-hand sides alone.
    return eqn.derive_forward()


@linear_solve.undecided
def undecided_solution(eqn: Equation, *undecided: np.ndarray) -> list[np.ndarray]:
    """All of it, if the right-hand side or products with the matrix are. How it is found does not count."""
    call = _Call(eqn)
    unknown = [Value.unknown()] * (len(call.vector) + call.num_unknowns)
    products = eqn.interpret(call.products(), [*eqn.primals(), *unknown])
    marked = [
        *(one.undecided for one in products),
        *(undecided[k] for k in call.positions_of_vector()),
    ]
    decide = everywhere if any(mask is not None and mask.any() for mask in marked) else nowhere
    return [decide(aval.shape) for aval in eqn.out_avals]


class _Call:
    """A `linear_solve` equation, or a batch of such solves, and what it says of itself.

    - `keeps_components`: whether the solver keeps the operator's connected components apart, as solvers of
        asdex say of themselves by an attribute of this name.
    - `is_coupled`: whether there are options, such as a preconditioner, that may couple all unknowns.
    - `vector`: the shapes of the right-hand side, one per array, with batch axes in front.
    - `num_unknowns`: the number of arrays in the solution.
    """

    def __init__(self, eqn: Equation):
        self.eqn = eqn
        _, self.params, self.batches = innermost(eqn)
        self.vector = eqn.trace(self.function(self._inspect)).out_avals

    def function(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """A function of the operands and of further arrays, with batch axes in front.

        `rule` gets the further arrays as a list, then the arguments of `lineax.linear_solve`'s primitive.
        """
        count = len(self.eqn.in_avals)

        def call(*arrays: Any) -> Any:
            return self.rebuild(lambda *args: rule(list(arrays[count:]), *args), arrays[:count])

        def batched(*arrays: Any) -> Any:
            further = [0] * (len(arrays) - count)
            function = call
            for batch in reversed(self.batches):
                function = batch.of(function, further)
            return function(*arrays)

        return batched

    def rebuild(self, rule: Callable[..., Any], operands: Sequence[Any]) -> Any:
        """Apply `rule` to `(operator, state, vector, options, solver, throw)`; the leaves of its result."""
        treedef, static = self.params["treedef"], self.params["static"]
        function = eqxi.filter_primitive_def(rule)
        return function(*operands, treedef=treedef, static=static, flatten=jtu.tree_leaves)

    def positions_of_vector(self) -> set[int]:
        """Which operands hold the right-hand side."""
        numbers = range(len(self.eqn.in_avals))
        return set(self.rebuild(lambda _operator, _state, vector, *_: vector, numbers))

    def _inspect(self, _further, operator, _state, vector, options, solver, _throw) -> Any:
        self.is_coupled = bool(options)
        while not hasattr(solver, "keeps_components"):
            self.is_coupled |= hasattr(solver, "preconditioner")
            if hasattr(solver, "select_solver"):
                solver = solver.select_solver(operator)
            elif hasattr(solver, "inner_solver"):
                solver = solver.inner_solver
            else:
                break
        self.keeps_components = getattr(solver, "keeps_components", _is_of_lineax(solver))
        self.num_unknowns = len(jtu.tree_leaves(operator.in_structure()))
        return vector

    def products(self) -> Any:
        """The jaxpr, of the operands and of further `(b, x)`, of `(A x + b, x)`."""

        def product(further, operator, *_) -> list[Any]:
            vector, x = further[: len(self.vector)], further[len(self.vector) :]
            tree = jtu.tree_structure(operator.in_structure())
            result = jtu.tree_leaves(operator.mv(jtu.tree_unflatten(tree, x)))
            total = sum(jnp.sum(one) for one in x) if self.is_coupled else 0
            return [*(a + b + total for a, b in zip(result, vector, strict=True)), *x]

        unknowns = self.eqn.out_avals[: self.num_unknowns]
        further = [
            jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in (*self.vector, *unknowns)
        ]
        return self.eqn.trace(self.function(product), *further)

    def by_components(self) -> list[Dependence]:
        """An unknown reads all that meets it in its connected component.

        The components of `A` as a graph between equations and unknowns, which need not be equally many, are
        those of the square matrix that takes `(b, x)` to `(A x + b, x)`.
        """

        def right_hand_side(_further, _operator, _state, vector, *_) -> Any:
            return vector

        values = self.eqn.expand(self.function(right_hand_side))
        vector = [v.as_dependence(aval) for v, aval in zip(values, self.vector, strict=True)]
        unknowns = self.eqn.out_avals[: self.num_unknowns]
        none = [Dependence.none(aval.shape) for aval in unknowns]
        ignored = self.positions_of_vector()
        consts = [
            value._replace(dependence=None) if i in ignored else value
            for i, value in enumerate(self.eqn.operands)
        ]
        solved = solve_by_components(self.eqn, self.products(), consts, [*vector, *none])
        rest = self.eqn.out_avals[self.num_unknowns :]
        return [*solved[len(vector) :], *(Dependence.none(aval.shape) for aval in rest)]


def _is_of_lineax(solver: Any) -> bool:
    kind = type(solver)
    return kind.__module__.split(".")[0] == "lineax" and kind.__name__ in _SOLVERS_BY_COMPONENTS
