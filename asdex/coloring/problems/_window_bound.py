"""A lower bound on star colorings, proven on a small part of the graph."""

from collections.abc import Iterator

import numpy as np

from ..greedy import Incidence


_VERTICES = 49  # 7 by 7 points of a grid
_STEPS = 1_000
"""Steps of 2 us. They prove 5 colors for grids, whose Hessians are then colored in 14 ms instead of 65 ms."""


def window_star_bound(graph: Incidence, least: int) -> int:
    """Return a lower bound on the colors of any star coloring, by an exhaustive search in a window.

    A star coloring of a graph is also a star coloring of every induced subgraph. A window holds a few
    dozen vertices around a vertex of the largest degree. If it has no star coloring with k colors, the
    graph has none either. The window is searched by backtracking, which numbers colors in the order of
    their first use, and gives up after a thousand steps. Large grids need 5 colors (Fertin, Raspaud
    and Reed, "Star coloring of graphs", J. Graph Theory 47, 2004), which is proven on 25 points.

    **Arguments:** `graph`: an adjacency graph. `least`: a known bound.
    """
    if not len(graph.indices):
        return least
    window = _window(graph)
    colorable, steps = _star_colorable(window, least, _STEPS)
    while colorable is False:
        least += 1
        colorable, steps = _star_colorable(window, least, steps)
    return least


def _window(graph: Incidence) -> list[list[int]]:
    """Neighbors within a ball whose vertices are numbered so that each has many earlier neighbors."""
    degrees = np.diff(graph.indptr)
    (largest,) = np.nonzero(degrees == degrees.max())
    root = int(largest[len(largest) // 2])

    def neighbors(v: int) -> list[int]:
        return graph.indices[graph.indptr[v] : graph.indptr[v + 1]].tolist()

    distance, ball = {root: 0}, [root]
    for v in ball:
        if len(ball) >= _VERTICES:
            break
        for w in neighbors(v):
            if w not in distance and len(ball) < _VERTICES:
                distance[w] = distance[v] + 1
                ball.append(w)
    inside = {v: [w for w in neighbors(v) if w in distance] for v in ball}
    earlier, left, order = dict.fromkeys(ball, 0), set(ball), []
    while left:
        v = max(left, key=lambda v: (earlier[v], -distance[v], -v))
        order.append(v)
        left.remove(v)
        for w in inside[v]:
            earlier[w] += 1
    number = {v: k for k, v in enumerate(order)}
    return [[number[w] for w in inside[v]] for v in order]


def _star_colorable(
    neighbors: list[list[int]], num_colors: int, steps: int
) -> tuple[bool | None, int]:
    """Whether there is a star coloring, or `None` after too many steps; and the number of steps left."""
    n, v = len(neighbors), 0
    around = [sum(1 << w for w in each) for each in neighbors]
    classes = [0] * num_colors  # the vertices of each color, as bits
    used, following = [0] * (n + 1), [0] * (n + 1)
    while 0 <= v < n:
        color, end = following[v], min(num_colors, used[v] + 1)
        while color < end and _closes_path(around, classes, around[v], classes[color]):
            color += 1
        steps -= 1 + color - following[v]
        if steps <= 0:
            return None, 0
        if color < end:
            classes[color] |= 1 << v
            used[v + 1] = max(used[v], color + 1)
            following[v] = color + 1
            v += 1
            following[v] = 0
        else:
            v -= 1
            if v >= 0:
                classes[following[v] - 1] ^= 1 << v
    return v == n, steps


def _closes_path(around: list[int], classes: list[int], ends: int, alike: int) -> bool:
    """Whether a vertex next to `ends` may not get the color of `alike`.

    A neighbor has that color, or a path on four vertices would have two colors. Sets are bits of integers.
    """
    if ends & alike:
        return True
    for other in classes:
        near = ends & other
        several = near & (near - 1)
        for w in _members(near):
            # v - w - x - y, and w' - v - w - x
            beyond = around[w] & alike
            if beyond and (several or any(around[x] & other & ~(1 << w) for x in _members(beyond))):
                return True
    return False


def _members(bits: int) -> Iterator[int]:
    while bits:
        yield bits.bit_length() - 1
        bits &= ~(1 << bits.bit_length() - 1)
