"""Cases of `triangular_solve` for `rules/linear_algebra.py`."""

import itertools

import numpy as np
from jax.lax import linalg
from linear_algebra_cases import COMPLEX, FLOAT, matrix
from rule_case import Case, case


def triangular(left: bool, lower: bool, transpose_a: bool, unit: bool, dtype) -> Case:
    def solve(a, b):
        return linalg.triangular_solve(
            a, b, left_side=left, lower=lower, transpose_a=transpose_a, unit_diagonal=unit
        )

    words = (
        "left" if left else "right",
        "lower" if lower else "upper",
        *(["transposed"] if transpose_a else []),
        *(["unit"] if unit else []),
        np.dtype(dtype).name,
    )
    shape = (2, 3, 2) if left else (2, 2, 3)
    return case(
        solve,
        matrix(2, 3, 3, dtype=dtype, shift=3),
        matrix(*shape, dtype=dtype),
        label=" ".join(words),
    )


SPARSE_TRIANGLES = np.array(
    [
        [[2, 0, 0, 0], [1, 3, 0, 0], [0, 0, 2, 0], [0, 4, 0, 1]],
        [[2, 0, 0, 0], [0, 3, 0, 0], [0, 1, 2, 0], [5, 0, 0, 1]],
    ],
    FLOAT,
)


def known_triangle(left: bool, lower: bool, transpose_a: bool) -> Case:
    a = SPARSE_TRIANGLES if lower else SPARSE_TRIANGLES.swapaxes(-1, -2)

    def solve(b):
        return linalg.triangular_solve(a, b, left_side=left, lower=lower, transpose_a=transpose_a)

    shape = (2, 4, 2) if left else (2, 2, 4)
    words = ("known", "left" if left else "right", "lower" if lower else "upper", str(transpose_a))
    return case(solve, matrix(*shape), label=" ".join(words))


def solve_lower(a, b):
    return linalg.triangular_solve(a, b, left_side=True, lower=True)


CASES: dict[str, list[Case]] = {
    "triangular_solve": [
        *(
            triangular(left, lower, transpose_a, unit, dtype)
            for left, lower, transpose_a, unit in itertools.product([False, True], repeat=4)
            for dtype in (FLOAT, COMPLEX)
        ),
        *(known_triangle(*options) for options in itertools.product([False, True], repeat=3)),
        case(solve_lower, matrix(3, 3, shift=3), matrix(3), label="vector"),
        case(solve_lower, matrix(2, 2, shift=3), matrix(2, 5), label="many columns"),
        case(solve_lower, matrix(2, 2), matrix(2, 0), label="empty"),
        case(
            lambda b: solve_lower(np.tri(3, dtype=FLOAT) + np.eye(3, dtype=FLOAT), b),
            matrix(3),
            label="known matrix",
        ),
        case(
            lambda a: solve_lower(a, np.ones(3, FLOAT)), matrix(3, 3, shift=3), label="known side"
        ),
    ],
}
