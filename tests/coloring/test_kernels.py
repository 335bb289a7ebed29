"""The compiled greedy algorithms against those in Python: the same colors, wherever they run."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from graph_families import complete, complete_bipartite, cross, random_graph, random_rows, with_hubs

import asdex
from asdex.coloring.greedy import _algorithm, _compilation, adjacency, columns, DISTANCE_2, STAR
from asdex.coloring.greedy._distance_2 import (
    compiled_partition,
    greedy_partition,
    recolor_partition,
)
from asdex.coloring.greedy._orders import largest_first, natural, random, smallest_last
from asdex.coloring.greedy._star import compiled_star, greedy_star
from asdex.coloring.problems import Columns, Star


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")
ORDERS = [natural, largest_first, smallest_last, random]


def empty(m, n):
    return asdex.SparsityPattern.from_coo([], [], (m, n))


def with_isolated_vertices(pattern):
    """Empty rows and columns between the others, and in the end."""
    shape = (2 * pattern.m + 3, 3 * pattern.n + 2)
    return asdex.SparsityPattern.from_coo(2 * pattern.rows, 3 * pattern.cols, shape)


def rng(seed):
    return np.random.default_rng(seed)


PARTITIONS = {
    "sparse": (random_rows(150, 200, 6, rng(0)), 12),
    "wide": (random_rows(40, 250, 20, rng(1)), 30),
    "over 32 colors": (random_rows(200, 200, 9, rng(2)), 36),
    "over 96 colors": (random_rows(20, 200, 60, rng(3)), 200),
    "32 colors": (complete(32), 32),
    "33 colors": (complete(33), 33),
    "64 colors": (complete(64), 64),
    "one column": (complete(200).T, 200),
    "isolated": (with_isolated_vertices(random_rows(60, 60, 4, rng(4))), 12),
    "empty": (empty(5, 7), 1),
    "no columns": (empty(3, 0), 0),
    "no rows": (empty(0, 3), 1),
}


@pytest.mark.parametrize("name", PARTITIONS)
def test_partitions_agree(name):
    pattern, most = PARTITIONS[name]
    graph = columns(pattern)
    for order in ORDERS:
        expected = greedy_partition(graph, order(graph))
        colors = compiled_partition(graph, order(graph))
        assert expected is not None and colors is not None
        assert expected.dtype == colors.dtype == np.int32
        np.testing.assert_array_equal(colors, expected)
        asdex.check_coloring_cols(pattern, colors)
        number = int(colors.max(initial=-1)) + 1
        assert number <= most + 8
        for limit in {1, number - 1, number, number + 1, 2 * number} - {-1, 0}:
            for run in (greedy_partition, compiled_partition):
                limited = run(graph, order(graph), limit)
                assert (limited is None) == (number > limit)
                if limited is not None:
                    np.testing.assert_array_equal(limited, expected)


@pytest.mark.parametrize("name", PARTITIONS)
def test_recoloring_visits_one_class_after_the_other(name):
    """All vertices of a class at once give the same colors as one after the other."""
    pattern, _ = PARTITIONS[name]
    graph = columns(pattern)
    for order in ORDERS:
        colors = greedy_partition(graph, order(graph))
        assert colors is not None
        expected = greedy_partition(graph, np.argsort(-colors, kind="stable"))
        assert expected is not None
        found = recolor_partition(graph, colors)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.int32 and found.max(initial=0) <= colors.max(initial=0)


STARS = {
    "grid": cross(15, 15),
    "sparse": random_graph(220, 500, rng(0)),
    "over 16 colors": random_graph(150, 1500, rng(1)),
    "over 32 colors": random_graph(120, 3000, rng(2)),
    "16 colors": complete(16),
    "17 colors": complete(17),
    "biclique": complete_bipartite(12, 24),
    "hubs": with_hubs(random_graph(150, 150, rng(3)), 10, 0.7, rng(3)),
    "isolated": with_hubs(empty(90, 90), 4, 0.4, rng(4)),
    "edgeless": empty(9, 9),
    "nothing": empty(0, 0),
}


@pytest.mark.parametrize("name", STARS)
def test_stars_agree(name):
    pattern = STARS[name]
    graph = adjacency(pattern)
    for order in ORDERS:
        expected = greedy_star(graph, order(graph))
        colors = compiled_star(graph, order(graph))
        assert expected is not None and colors is not None
        assert expected.dtype == colors.dtype == np.int32
        np.testing.assert_array_equal(colors, expected)
        asdex.check_coloring_symmetric(pattern, colors)
        number = int(colors.max(initial=-1)) + 1
        for limit in {1, number - 1, number, number + 1} - {-1, 0}:
            for run in (greedy_star, compiled_star):
                limited = run(graph, order(graph), limit)
                assert (limited is None) == (number > limit)
                if limited is not None:
                    np.testing.assert_array_equal(limited, expected)


@pytest.mark.parametrize("run", [greedy_star, compiled_star])
def test_first_fit_depends_on_the_order(run):
    """Three vertices of a biclique share color 0 if they come first, so that all others differ."""
    graph = adjacency(complete_bipartite(3, 12))
    np.testing.assert_array_equal(run(graph, np.arange(15)), [0, 0, 0, *range(1, 13)])
    np.testing.assert_array_equal(run(graph, np.arange(15)[::-1]), [3, 2, 1] + [0] * 12)


@pytest.fixture
def compile_everything(monkeypatch):
    """Compile also for small patterns; counts the calls."""
    calls = []

    def count(run):
        def counted(*args):
            calls.append(run.__name__)
            return run(*args)

        return counted

    for problem, algorithm in ((Columns, DISTANCE_2), (Star, STAR)):
        always = algorithm._replace(compiled=count(algorithm.compiled), compile_from=0)
        monkeypatch.setattr(problem, "default_algorithm", always)
    return calls


GRAPH = STARS["sparse"]


def greedy_colors():
    problems = Columns(GRAPH), Star(GRAPH)
    return [problem.greedy(natural(problem.incidence)) for problem in problems]


EXPECTED: list[Any] = [
    greedy_partition(columns(GRAPH), np.arange(GRAPH.n)),
    greedy_star(adjacency(GRAPH), np.arange(GRAPH.n)),
]


def test_large_problems_are_compiled(compile_everything):
    np.testing.assert_equal(greedy_colors(), EXPECTED)
    assert compile_everything == ["compiled_partition", "compiled_star"]


def test_small_problems_and_many_colors_are_not(compile_everything, monkeypatch):
    full = Columns(complete(200))
    np.testing.assert_array_equal(full.greedy(np.arange(200)), np.arange(200))
    monkeypatch.undo()
    for problem, algorithm in ((Columns, DISTANCE_2), (Star, STAR)):
        monkeypatch.setattr(problem, "default_algorithm", algorithm._replace(compiled=None))
    np.testing.assert_equal(greedy_colors(), EXPECTED)
    assert compile_everything == []


def test_without_a_host_device_python_colors(compile_everything, monkeypatch):
    monkeypatch.setattr(_algorithm, "host_device", lambda: None)
    np.testing.assert_equal(greedy_colors(), EXPECTED)
    assert compile_everything == []


def test_a_missing_host_device_is_noticed(monkeypatch):
    def refuse(**_):
        raise RuntimeError("Unknown backend cpu")

    device = _compilation.host_device()
    assert device is not None and device.platform == "cpu"
    monkeypatch.setattr(jax, "local_devices", refuse)
    assert _compilation.host_device.__wrapped__() is None


def test_inside_a_trace(compile_everything):
    found = []

    @jax.jit
    def traced(x):
        found.append(greedy_colors())
        return x + 1

    assert traced(1.0) == 2.0
    np.testing.assert_equal(found, [EXPECTED])
    jax.vmap(traced)(jnp.ones(3))
    jax.grad(lambda x: traced(x) * x)(2.0)
    assert all(len(colors) == 2 for colors in found)
    np.testing.assert_equal(found[-1], EXPECTED)


def test_without_jit(compile_everything):
    with jax.disable_jit():
        np.testing.assert_equal(greedy_colors(), EXPECTED)
    assert len(compile_everything) == 2


@pytest.mark.parametrize("fresh", [False, True])
def test_with_x64(compile_everything, enable_x64, fresh):
    if fresh:
        _compilation._compile.cache_clear()
    with enable_x64(True):
        np.testing.assert_equal(greedy_colors(), EXPECTED)
    np.testing.assert_equal(greedy_colors(), EXPECTED)
    assert len(compile_everything) == 4


def test_similar_sizes_share_a_compilation(compile_everything):
    _compilation._compile.cache_clear()
    for n in (150, 160, 200):
        problem = Columns(random_rows(n, n, 5, rng(n)))
        problem.greedy(natural(problem.incidence))
    assert _compilation._compile.cache_info().misses == 1


def test_the_public_functions_end_to_end(compile_everything):
    for budget in (0.0, 0.01):
        colors, number = asdex.color_cols(GRAPH, budget=budget)
        asdex.check_coloring_cols(GRAPH, colors)
        assert number <= np.max(EXPECTED[0]) + 1
        colors, number, _ = asdex.color_symmetric(GRAPH, budget=budget)
        asdex.check_coloring_symmetric(GRAPH, colors)
        assert number <= np.max(EXPECTED[1]) + 1
    assert {"compiled_partition", "compiled_star"} <= set(compile_everything)
