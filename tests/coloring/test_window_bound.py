"""Lower bounds on star colorings that are proven on a window."""

import numpy as np
import pytest
from graph_families import box, complete_bipartite, cross, cycle, path, random_graph
from hypothesis import given, settings, strategies as st
from test_oracle import matrices, optimum_of_stars

import asdex
from asdex.coloring.greedy import adjacency
from asdex.coloring.problems import _window_bound
from asdex.coloring.problems._window_bound import window_star_bound


def bound(pattern, least=1):
    return window_star_bound(adjacency(pattern), least)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (cross(4, 4), 5),
        (cross(40, 41), 5),
        (cross(3, 30), 4),
        (cross(8, 9, 10), 5),
        (box(20, 21), 6),
        (cycle(5), 4),
        (cycle(6), 3),
        (path(30), 3),
        (complete_bipartite(3, 8), 4),
    ],
)
def test_known_graphs(pattern, expected):
    assert bound(pattern) == expected


@given(matrices(st.integers(1, 7), square=True))
@settings(max_examples=60)
def test_a_window_of_the_whole_graph_gives_the_optimum(matrix):
    matrix = matrix | matrix.T | np.eye(len(matrix), dtype=bool)
    graph = adjacency(asdex.SparsityPattern.from_dense(matrix))
    # The window is the component around a vertex of the largest degree; others may need more.
    assert window_star_bound(graph, 1) <= optimum_of_stars(matrix)
    if _is_connected(matrix):
        assert window_star_bound(graph, 1) == optimum_of_stars(matrix)


def test_a_known_bound_is_kept():
    assert bound(path(30), least=6) == 6


def test_it_gives_up(monkeypatch):
    pattern = random_graph(60, 400, np.random.default_rng(0))
    few = bound(pattern)
    monkeypatch.setattr(_window_bound, "_STEPS", 10)
    assert 1 <= bound(pattern) <= few


def _is_connected(matrix):
    return (np.linalg.matrix_power(matrix.astype(float), len(matrix)) > 0).all()
