"""Pictures of patterns in plain text: small ones in dots, others in braille (2x4 dots each)."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int


# The largest pattern drawn with one character per entry, and the longest side in braille dots.
_DOT_ROWS, _DOT_COLS = 16, 40
_MAX_SIDE = 80
# A compressed form of up to this many colors is not narrowed further.
_CLEAR_COLORS = 16
# The bit of each dot of a braille character, by row and column within it.
_BRAILLE_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint8)


class Picture(NamedTuple):
    """How to draw a matrix: with one character per entry, or in a raster of braille dots."""

    braille: bool
    height: int
    width: int


def picture_for(shape: tuple[int, int]) -> Picture:
    """Return how to draw an `(m, n)` pattern: undistorted, at most 80 braille dots a side.

    An entry is a dot, unless the pattern is larger. A side that would become very thin is kept to as many
    dots as it has entries, up to two characters.
    """
    m, n = shape
    if m <= _DOT_ROWS and n <= _DOT_COLS:
        return Picture(False, m, n)
    longest = max(m, n, _MAX_SIDE)
    height = max(m * _MAX_SIDE // longest, min(m, 8))
    return Picture(True, height, max(n * _MAX_SIDE // longest, min(n, 4)))


def side_for(picture: Picture, num_colors: int, dots: int, size: int) -> int:
    """Return the side of a compressed form along which colors take the place of `size` entries in `dots`.

    It is scaled as the pattern is, but few colors are kept apart.
    """
    if not picture.braille:
        return num_colors
    return max(num_colors * min(dots, size) // max(size, 1), min(num_colors, _CLEAR_COLORS))


def draw(
    rows: Int[np.ndarray, " k"], cols: Int[np.ndarray, " k"], shape: tuple[int, int], how: Picture
) -> list[str]:
    """Draw the entries of a matrix; a dot is set if any entry falls on it.

    **Returns:** the lines of the picture, all of one length.
    """
    if min(shape) == 0:
        return ["(empty)"]
    if not how.braille:
        characters = np.full(shape, "⋅")
        characters[rows, cols] = "●"
        return [" ".join(line) for line in characters.tolist()]
    cell_rows, cell_cols = -(-how.height // 4), -(-how.width // 2)
    dots = np.zeros((4 * cell_rows, 2 * cell_cols), np.uint8)
    dots[_scale(rows, shape[0], how.height), _scale(cols, shape[1], how.width)] = 1
    cells = np.einsum("iajb,ab->ij", dots.reshape(cell_rows, 4, cell_cols, 2), _BRAILLE_BITS)
    lines = ["".join(map(chr, 0x2800 + row.astype(int))) for row in cells]
    if len(lines) == 1:
        return [f"[{lines[0]}]"]
    lefts = ["⎡", *"⎢" * (len(lines) - 2), "⎣"]
    rights = ["⎤", *"⎥" * (len(lines) - 2), "⎦"]
    return [left + line + right for left, line, right in zip(lefts, lines, rights, strict=True)]


def _scale(indices: Int[np.ndarray, " k"], size: int, dots: int) -> Int[np.ndarray, " k"]:
    """Map [0, size) to [0, dots), ends to ends."""
    return np.rint(indices * float(dots - 1) / max(size - 1, 1)).astype(np.int64)


def beside(left: list[str], right: list[str]) -> list[str]:
    """Join two pictures with an arrow at mid-height; a shorter one is centered."""
    height = max(len(left), len(right))
    middle = height // 2
    lines = zip(_centered(left, height), _centered(right, height), strict=True)
    arrows = [" → " if i == middle else "   " for i in range(height)]
    return [(a + arrow + b).rstrip() for (a, b), arrow in zip(lines, arrows, strict=True)]


def below(upper: list[str], lower: list[str]) -> list[str]:
    """Join two pictures with an arrow between them."""
    width = max(map(len, upper + lower))
    return [*upper, " " * (width // 2) + "↓", *lower]


def _centered(lines: list[str], height: int) -> list[str]:
    blank = " " * len(lines[0])
    before = (height - len(lines) + 1) // 2
    return [blank] * before + lines + [blank] * (height - len(lines) - before)
