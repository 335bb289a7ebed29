"""Cases for `rules/lineax_solve.py`; `tests/libraries/test_lineax.py` has more."""

import importlib.util

import jax
import jax.numpy as jnp
from rule_case import Case, case, points


CASES: dict[str, list[Case]] = {}

if importlib.util.find_spec("lineax") is not None:
    import lineax as lx

    def solve(matrix, vector):
        operator = lx.MatrixLinearOperator(matrix + 2 * jnp.eye(2))
        return lx.linear_solve(operator, vector, lx.LU(), throw=False).value

    CASES["linear_solve"] = [case(solve, points((2, 2)), points((2,)))]
    CASES["vprim"] = [case(jax.vmap(solve), points((2, 2, 2)), points((2, 2)))]
