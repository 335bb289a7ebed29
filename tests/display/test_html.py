"""What notebooks show: the picture is read back from its SVG, and compared with the pattern."""

import dataclasses
import re
from xml.etree import ElementTree

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex
from asdex.display._raster import palette


SVG = "{http://www.w3.org/2000/svg}"
INK = "currentColor"


def pictures(shown):
    """The pixels of each picture of an object: the name of a color, or "" for paper."""
    # Arrows and the like are text, so that what is shown is well-formed XML.
    root = ElementTree.fromstring(shown._repr_html_())
    return [pixels(one) for one in root.iter(f"{SVG}svg")]


def pixels(svg):
    height, width = int(svg.get("height")), int(svg.get("width"))
    paper = np.full((height, width), "", "U12")
    thick = int(svg.get("stroke-width"))
    for path in svg.iter(f"{SVG}path"):
        for x, y, length in re.findall(r"M(\d+) ([\d.]+)h(\d+)", path.get("d")):
            top, left = float(y) - thick / 2, int(x)
            assert top == int(top)
            paper[int(top) : int(top) + thick, left : left + int(length)] = path.get("stroke")
    return paper


def cells(picture, shape):
    """One pixel per entry, from the middle of it."""
    steps = [size // count for size, count in zip(picture.shape, shape, strict=True)]
    return picture[steps[0] // 2 :: steps[0], steps[1] // 2 :: steps[1]]


def facts(shown):
    root = ElementTree.fromstring(shown._repr_html_())
    return {row.findtext("th"): row.findtext("td", "") for row in root.iter("tr")}


def expected_colors(groups, num_colors):
    """The colors of an array of groups, where -1 is none."""
    return np.array([*palette(num_colors), ""])[groups]


def pattern_of(text):
    return asdex.SparsityPattern.from_dense(
        [[character == "x" for character in line] for line in text.split()]
    )


SMALL = pattern_of("xx.. .xx. ..xx")
ARROW = pattern_of("xxxxxxxx xx...... x.x..... x..x.... x...x... x....x.. x.....x. x......x")


def test_picture_of_a_pattern():
    (picture,) = pictures(SMALL)
    np.testing.assert_array_equal(cells(picture, (3, 4)), np.where(SMALL.todense() == 1, INK, ""))


def test_pictures_of_groups_of_columns():
    coloring = asdex.jacobian_coloring_from_sparsity(SMALL)
    whole, compressed = pictures(coloring)
    groups = np.where(SMALL.todense(), coloring.colors, -1)
    np.testing.assert_array_equal(cells(whole, (3, 4)), expected_colors(groups, 2))
    both = np.tile([0, 1], (3, 1))
    np.testing.assert_array_equal(cells(compressed, (3, 2)), expected_colors(both, 2))


def test_pictures_of_groups_of_rows():
    coloring = asdex.jacobian_coloring_from_sparsity(SMALL, mode="rev")
    whole, compressed = pictures(coloring)
    groups = np.where(SMALL.todense(), coloring.colors[:, None], -1)
    np.testing.assert_array_equal(cells(whole, (3, 4)), expected_colors(groups, 2))
    rows = [[0, 0, 0, 0], [-1, 1, 1, -1]]
    np.testing.assert_array_equal(cells(compressed, (2, 4)), expected_colors(rows, 2))


def test_pictures_of_groups_of_both():
    coloring = asdex.jacobian_coloring_from_sparsity(ARROW, mode="auto")
    assert coloring.mode == "bidirectional" and coloring.num_row_colors == 1
    whole, by_column, by_row = pictures(coloring)
    row_color = palette(3)[2]
    top, *rest = cells(whole, (8, 8))
    assert set(top[1:]) == {row_color}
    assert row_color not in np.array(rest)
    assert set(cells(by_row, (1, 8)).ravel()) == {row_color}
    assert set(cells(by_column, (8, 2)).ravel()) - {""} == set(palette(3)[:2])


@pytest.mark.parametrize("shape", [(1000, 1000), (130, 2000), (3, 100_000), (1_000_000, 1)])
def test_large_patterns_lose_no_nonzero(shape):
    rng = np.random.default_rng(0)
    rows, cols = (rng.integers(0, size, 500) for size in shape)
    pattern = asdex.SparsityPattern.from_coo(rows, cols, shape)
    (picture,) = pictures(pattern)
    assert max(picture.shape) == 240 and min(picture.shape) >= 2
    inked = np.zeros(picture.shape, bool)
    for dy in range(2):
        for dx in range(2):
            y = pattern.rows.astype(int) * (picture.shape[0] // 2) // shape[0] * 2
            x = pattern.cols.astype(int) * (picture.shape[1] // 2) // shape[1] * 2
            inked[y + dy, x + dx] = True
    np.testing.assert_array_equal(picture == INK, inked)


def test_the_size_is_bounded():
    full = np.ones((300, 300))
    assert len(asdex.SparsityPattern.from_dense(full)._repr_html_()) < 10_000
    checkered = asdex.SparsityPattern.from_dense(np.indices((119, 119)).sum(0) % 2)
    assert len(checkered._repr_html_()) < 120_000


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (5, 0), (5, 4)])
def test_patterns_without_nonzeros(shape):
    pattern = asdex.SparsityPattern.from_coo([], [], shape)
    (picture,) = pictures(pattern)
    assert not np.any(picture == INK)
    assert facts(pattern)["nonzeros"] == "0 (0.0%)"
    assert facts(asdex.jacobian_coloring_from_sparsity(pattern))["passes"][:2] == "0 "


def test_facts_of_a_pattern():
    pattern = asdex.jacobian_sparsity(lambda x: (x[0], x[1:] * x[:-1]), jnp.ones(6))
    assert facts(pattern) == {
        "shape": "6 × 6",
        "nonzeros": "11 (30.6%)",
        "per row": "1 to 2",
        "per column": "1 to 2",
        "inputs": "float32[6]",
        "outputs": "float32[], float32[5]",
    }
    index = np.arange(100_000)
    diagonal = facts(asdex.SparsityPattern.from_coo(index, index, (100_000, 100_000)))
    assert diagonal["nonzeros"] == "100,000 (0.001%)"
    assert diagonal["per row"] == diagonal["per column"] == "1"
    assert diagonal["a dot"] == "any of up to 834×834 entries"


def test_facts_of_colorings():
    shown = facts(asdex.jacobian_coloring_from_sparsity(ARROW, mode="auto"))
    assert shown["passes"] == "2 JVPs and 1 VJP (instead of 8 VJPs or 8 JVPs)"
    assert shown["colors"] == "3 colors, proven to be the fewest"
    assert shown["mode"] == "forward and reverse"
    assert "both modes; forward alone takes 8" in shown["reason"]

    shown = facts(asdex.hessian_coloring_from_sparsity(ARROW, recovery="substitution"))
    assert shown["colors"] == "2 colors, proven to be the fewest (acyclic coloring)"
    assert shown["recovery"] == "substitution"

    path = pattern_of("xx... xxx.. .xxx. ..xxx ...xx")
    loose = asdex.ColoredPattern(path, np.arange(5, dtype=np.int32), 5, True, "rev_over_rev", 3)
    assert facts(loose)["colors"] == "5 colors, at least 3 needed (star coloring)"
    assert facts(loose)["mode"] == "reverse over reverse"
    assert "reason" not in facts(loose)


def test_text_is_escaped():
    coloring = asdex.jacobian_coloring_from_sparsity(SMALL)
    coloring = dataclasses.replace(coloring, reason="a < b & c")
    assert facts(coloring)["reason"] == "a < b & c"


def test_groups_have_colors_of_their_own():
    for number in (1, 10, 20, 21, 50):
        colors = palette(number)
        assert len(set(colors)) == len(colors) == number
        assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in colors)


REPLACED = {
    "struct": lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype),
    "none": lambda leaf: None,
    "flag": lambda leaf: True,
    "batch": lambda leaf: np.stack([leaf, leaf]),
    "scalar": np.sum,
    "floats": lambda leaf: leaf * 1.5,
}


@pytest.mark.parametrize(
    "shown", [SMALL, asdex.jacobian_coloring_from_sparsity(ARROW, mode="auto")]
)
@pytest.mark.parametrize("how", REPLACED)
def test_what_is_not_known_is_only_described(shown, how):
    replaced = jax.tree.map(REPLACED[how], shown)
    for text in (repr(replaced), str(replaced), replaced._repr_html_()):
        assert type(shown).__name__ in text and "svg" not in text


def test_traced_and_deleted_arrays_are_only_described():
    coloring = jax.tree.map(jnp.array, asdex.jacobian_coloring_from_sparsity(ARROW, mode="auto"))
    assert "<svg" in coloring._repr_html_()
    texts = []
    jax.jit(lambda one: texts.extend([one._repr_html_(), one.sparsity._repr_html_()]))(coloring)
    jax.tree.map(lambda leaf: leaf.delete(), coloring)
    texts.append(coloring._repr_html_())
    assert [text.split("(")[0] for text in texts] == [
        "<pre>ColoredPattern",
        "<pre>SparsityPattern",
        "<pre>ColoredPattern",
    ]
