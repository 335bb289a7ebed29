"""What `print` shows, pinned character by character."""

import textwrap

import jax
import numpy as np
import pytest

import asdex


def differences(n, mode=None):
    """The coloring of `f(x) = (x[1:] - x[:-1])**2` with n inputs."""
    i = np.arange(n - 1)
    pattern = asdex.SparsityPattern.from_coo(np.r_[i, i], np.r_[i, i + 1], (n - 1, n))
    return asdex.jacobian_coloring_from_sparsity(pattern, mode=mode)


def tridiagonal(n):
    i = np.arange(n - 1)
    rows, cols = np.r_[i, i + 1, np.arange(n)], np.r_[i + 1, i, np.arange(n)]
    return asdex.SparsityPattern.from_coo(rows, cols, (n, n))


def assert_text(shown, expected):
    assert str(shown) == textwrap.dedent(expected).strip("\n")


def test_the_picture_of_the_tutorial():
    assert_text(
        differences(50),
        """
ColoredPattern(49×50, nnz=98, sparsity=96.0%, JVP, 2 colors)
  2 JVPs (instead of 49 VJPs or 50 JVPs)
⎡⠙⢦⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⎤   ⎡⣿⎤
⎢⠀⠀⠙⢦⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⎥   ⎢⣿⎥
⎢⠀⠀⠀⠀⠙⢦⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⎥   ⎢⣿⎥
⎢⠀⠀⠀⠀⠀⠀⠙⢦⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⎥   ⎢⣿⎥
⎢⠀⠀⠀⠀⠀⠀⠀⠀⠙⢦⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⎥   ⎢⣿⎥
⎢⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠙⢦⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⎥   ⎢⣿⎥
⎢⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠙⢦⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⎥ → ⎢⣿⎥
⎢⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠙⢦⡀⠀⠀⠀⠀⠀⠀⠀⠀⎥   ⎢⣿⎥
⎢⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠙⢦⡀⠀⠀⠀⠀⠀⠀⎥   ⎢⣿⎥
⎢⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠙⢦⡀⠀⠀⠀⠀⎥   ⎢⣿⎥
⎢⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠙⢦⡀⠀⠀⎥   ⎢⣿⎥
⎢⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠙⢦⡀⎥   ⎢⣿⎥
⎣⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠉⎦   ⎣⠉⎦
""",
    )


def test_coloring_of_rows_is_drawn_below():
    assert_text(
        differences(20, "rev"),
        """
ColoredPattern(19×20, nnz=38, sparsity=90.0%, VJP, 2 colors)
  2 VJPs (instead of 19 VJPs or 20 JVPs)
⎡⠙⢦⡀⠀⠀⠀⠀⠀⠀⠀⎤
⎢⠀⠀⠙⢦⡀⠀⠀⠀⠀⠀⎥
⎢⠀⠀⠀⠀⠙⢦⡀⠀⠀⠀⎥
⎢⠀⠀⠀⠀⠀⠀⠙⢦⡀⠀⎥
⎣⠀⠀⠀⠀⠀⠀⠀⠀⠙⠦⎦
      ↓
[⠙⠛⠛⠛⠛⠛⠛⠛⠛⠋]
""",
    )


def test_small_colorings_are_drawn_in_dots():
    assert_text(
        differences(5),
        """
        ColoredPattern(4×5, nnz=8, sparsity=60.0%, JVP, 2 colors)
          2 JVPs (instead of 4 VJPs or 5 JVPs)
        ● ● ⋅ ⋅ ⋅   ● ●
        ⋅ ● ● ⋅ ⋅   ● ●
        ⋅ ⋅ ● ● ⋅ → ● ●
        ⋅ ⋅ ⋅ ● ●   ● ●
        """,
    )
    assert_text(
        differences(5, "rev"),
        """
        ColoredPattern(4×5, nnz=8, sparsity=60.0%, VJP, 2 colors)
          2 VJPs (instead of 4 VJPs or 5 JVPs)
        ● ● ⋅ ⋅ ⋅
        ⋅ ● ● ⋅ ⋅
        ⋅ ⋅ ● ● ⋅
        ⋅ ⋅ ⋅ ● ●
            ↓
        ● ● ● ● ⋅
        ⋅ ● ● ● ●
        """,
    )


def test_hessian_of_a_separable_function():
    i = np.arange(20)
    pattern = asdex.SparsityPattern.from_coo(i, i, (20, 20))
    assert_text(
        asdex.hessian_coloring_from_sparsity(pattern),
        """
ColoredPattern(20×20, nnz=20, sparsity=95.0%, HVP, 1 color)
  1 HVP (instead of 20 HVPs)
⎡⠑⢄⠀⠀⠀⠀⠀⠀⠀⠀⎤   ⎡⡇⎤
⎢⠀⠀⠑⢄⠀⠀⠀⠀⠀⠀⎥   ⎢⡇⎥
⎢⠀⠀⠀⠀⠑⢄⠀⠀⠀⠀⎥ → ⎢⡇⎥
⎢⠀⠀⠀⠀⠀⠀⠑⢄⠀⠀⎥   ⎢⡇⎥
⎣⠀⠀⠀⠀⠀⠀⠀⠀⠑⢄⎦   ⎣⡇⎦
""",
    )


def test_wide_patterns_keep_their_proportions():
    rows = np.repeat(np.arange(3), 300)
    pattern = asdex.SparsityPattern.from_coo(rows, np.arange(900), (3, 900))
    assert_text(
        pattern,
        """
SparsityPattern(3×900, nnz=900, sparsity=66.7%)
[⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠓⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠲⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤]
""",
    )


def test_patterns_without_nonzeros_or_entries():
    assert_text(
        asdex.jacobian_coloring_from_sparsity(np.zeros((3, 4))),
        """
        ColoredPattern(3×4, nnz=0, sparsity=100.0%, JVP, 0 colors)
          0 JVPs (instead of 3 VJPs or 4 JVPs)
        ⋅ ⋅ ⋅ ⋅
        ⋅ ⋅ ⋅ ⋅ → (empty)
        ⋅ ⋅ ⋅ ⋅
        """,
    )
    assert_text(
        asdex.SparsityPattern.from_coo([], [], (0, 3)),
        """
        SparsityPattern(0×3, nnz=0, sparsity=100.0%)
        (empty)
        """,
    )


@pytest.mark.parametrize(
    ("shape", "dots"), [((16, 40), True), ((17, 3), False), ((2, 41), False), ((1, 1), True)]
)
def test_where_dots_end_and_braille_begins(shape, dots):
    text = str(asdex.SparsityPattern.from_coo([0], [0], shape))
    assert ("●" in text) == dots and ("⎡" in text or "[" in text) == (not dots)


def test_an_entry_is_a_dot_in_both_pictures():
    """Beside a pattern that is not scaled, k colors are k dots, two of them in a character."""
    pattern = asdex.SparsityPattern.from_dense(np.kron(np.eye(17), np.ones((1, 3))))
    lines = str(asdex.jacobian_coloring_from_sparsity(pattern, mode="fwd")).splitlines()[2:]
    assert [line[-4:] for line in lines] == ["⎡⣿⡇⎤", "⎢⣿⡇⎥", "⎢⣿⡇⎥", "⎢⣿⡇⎥", "⎣⠉⠁⎦"]
    assert lines[0].startswith("⎡⠉⠑⠒⠤⢄⣀⠀⠀")
    narrow = asdex.SparsityPattern.from_dense(np.ones((17, 1)))
    assert_text(
        asdex.jacobian_coloring_from_sparsity(narrow, mode="fwd"),
        """
ColoredPattern(17×1, nnz=17, sparsity=0.0%, JVP, 1 color)
  1 JVP (instead of 17 VJPs or 1 JVP)
⎡⡇⎤   ⎡⡇⎤
⎢⡇⎥   ⎢⡇⎥
⎢⡇⎥ → ⎢⡇⎥
⎢⡇⎥   ⎢⡇⎥
⎣⠁⎦   ⎣⠁⎦
""",
    )


@pytest.mark.parametrize(
    ("shape", "nnz", "shown"),
    [
        ((3, 4), 0, "100.0%"),
        ((3, 4), 12, "0.0%"),
        ((100, 100), 1, "99.99%"),
        ((100, 100), 9999, "0.01%"),
        ((1000, 1000), 1, "99.9999%"),
        ((10, 200), 1999, "0.05%"),
        ((2**31 - 1, 2**31 - 1), 1, "99.99999999999999998%"),
    ],
)
def test_only_nothing_and_all_are_rounded_to_the_ends(shape, nnz, shown):
    at = np.arange(nnz)
    pattern = asdex.SparsityPattern.from_coo(at // shape[1], at % shape[1], shape)
    assert f"sparsity={shown})" in repr(pattern)


@pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")
def test_the_reason_stands_below_where_there_is_one():
    """One line, as it is; none where the cheaper of forward and reverse is forward."""
    arrow = np.eye(9, dtype=bool)
    arrow[0] = arrow[:, 0] = True
    both = asdex.jacobian_coloring_from_sparsity(arrow, mode="auto")
    assert str(both).splitlines()[-1] == f"  {both.reason}"
    assert both.reason.startswith("both modes; forward alone takes 9")
    one = asdex.jacobian_coloring_from_sparsity(arrow)
    assert str(one).splitlines()[-1] == '  forward mode; mode="auto" takes 3, in both modes'
    for mode in (None, "auto", "fwd"):
        plain = asdex.jacobian_coloring_from_sparsity(tridiagonal(20), mode=mode)
        assert str(plain).splitlines()[-1].startswith("⎣")


def test_pictures_are_bounded_and_show_the_ends():
    n = 100_000
    lines = str(asdex.hessian_coloring_from_sparsity(tridiagonal(n))).splitlines()
    assert len(lines) == 2 + 20 and {len(line) for line in lines[2:]} == {42 + 3 + 4}
    assert lines[2].startswith("⎡⠻⣦⡀⠀") and lines[-1].startswith("⎣" + 37 * "⠀" + "⠈⠻⣦⎦")
    assert " → " in lines[12]


def test_few_colors_stay_apart_beside_a_large_pattern():
    blocks = np.arange(1000) // 10
    rows = np.repeat(np.arange(1000), 10)
    cols = 10 * np.repeat(blocks, 10) + np.tile(np.arange(10), 1000)
    pattern = asdex.SparsityPattern.from_coo(rows, cols, (1000, 1000))
    lines = str(asdex.jacobian_coloring_from_sparsity(pattern)).splitlines()
    assert lines[2].endswith("   ⎡⣿⣿⣿⣿⣿⎤")
    wider = asdex.jacobian_coloring_from_sparsity(np.kron(np.eye(20), np.ones((50, 50))))
    assert str(wider).splitlines()[2].endswith("   ⎡" + 8 * "⣿" + "⎤")


def test_repr_is_the_first_line():
    coloring = differences(50)
    assert repr(coloring) == str(coloring).splitlines()[0]
    assert repr(coloring.sparsity) == "SparsityPattern(49×50, nnz=98, sparsity=96.0%)"
    replaced = jax.tree.map(lambda _: None, coloring)
    assert "JVP, 2 colors" in repr(replaced) and "JVP, 2 colors" in str(replaced)


def test_the_cost_line_follows_the_mode_and_not_the_symmetry():
    pattern = tridiagonal(9)
    hessian = asdex.hessian_coloring_from_sparsity(pattern, symmetric=False)
    assert str(hessian).splitlines()[1] == "  3 HVPs (instead of 9 HVPs)"
    jacobian = asdex.jacobian_coloring_from_sparsity(pattern, symmetric=True)
    assert str(jacobian).splitlines()[1] == "  3 JVPs (instead of 9 VJPs or 9 JVPs)"


def test_derivatives_are_described_in_one_line():
    def f(x):
        return (x[1:] - x[:-1]) ** 2

    name = "test_derivatives_are_described_in_one_line.<locals>.f"
    coloring = "ColoredPattern(5×6, nnz=10, sparsity=66.7%, JVP, 2 colors)"
    assert repr(asdex.jacobian(f, np.ones(6))) == f"SparseDerivative({name}, {coloring})"
