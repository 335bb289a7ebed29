"""The search for few colors: budgets, orders, determinism, and knowing when to stop."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import jax.numpy as jnp
import numpy as np
import pytest
from graph_families import (
    arrowhead,
    band,
    bordered,
    complete,
    cross,
    diagonal,
    random_graph,
    random_rows,
    random_tree,
    with_hubs,
)
from stencils import brusselator

import asdex
from asdex.coloring import _cheapest_mode, _search
from asdex.coloring._search import Budget, color, start
from asdex.coloring.greedy import adjacency, Algorithm, columns, DISTANCE_2
from asdex.coloring.greedy._orders import breadth_first, ORDERS, saturation
from asdex.coloring.problems import Columns


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")


def rng(seed):
    return np.random.default_rng(seed)


SYMMETRIC = {
    "grid": cross(9, 9),
    "tree": random_tree(80, rng(0)),
    "sparse": random_graph(80, 160, rng(2)),
    "denser": random_graph(70, 400, rng(2)),
    "hubs": with_hubs(random_graph(60, 60, rng(3)), 5, 0.5, rng(3)),
}
PATTERNS = {
    **SYMMETRIC,
    "rows": random_rows(60, 50, 5, rng(4)),
    "wide": random_rows(30, 150, 12, rng(5)),
    "bordered": bordered(random_rows(50, 50, 4, rng(6)), 2, 2),
}
CASES = [
    *[(color, name) for color in ("cols", "rows", "bidirectional") for name in PATTERNS],
    *[("symmetric", name) for name in SYMMETRIC],
]


def run(color, name, **options) -> tuple[Any, ...]:
    """The colors, those of the rows too if there are any, and their number."""
    result = getattr(asdex, f"color_{color}")(PATTERNS[name], **options)
    return (*result[:1], result[1]) if color == "symmetric" else result


def num_colors(color, name, **options):
    return run(color, name, **options)[-1]


@pytest.mark.parametrize(("color", "name"), CASES)
def test_a_larger_budget_never_costs_colors(color, name):
    numbers = [num_colors(color, name, budget=budget) for budget in (0, 1e-3, 4e-3, 1e-2, 2e-2)]
    assert numbers == sorted(numbers, reverse=True)
    assert num_colors(color, name) <= num_colors(color, name, order="largest_first")


def test_more_time_finds_fewer_colors():
    for case in (("cols", "rows"), ("symmetric", "sparse"), ("bidirectional", "bordered")):
        assert num_colors(*case, budget=0.05) < num_colors(*case, budget=0)


@pytest.mark.parametrize(("color", "name"), CASES)
def test_the_same_colors_in_every_call(color, name):
    np.testing.assert_equal(run(color, name, budget=0.01), run(color, name, budget=0.01))


CHILD = """
import json, sys
sys.path.insert(0, sys.argv[1])
import test_search
names = [("cols", "rows"), ("symmetric", "denser"), ("bidirectional", "bordered")]
results = [test_search.run(*name, budget=0.02)[:-1] for name in names]
print(json.dumps([[colors.tolist() for colors in result] for result in results]))
"""


def test_the_same_colors_in_every_process():
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(here)],
        cwd=here.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cases = [("cols", "rows"), ("symmetric", "denser"), ("bidirectional", "bordered")]
    expected = [run(*case, budget=0.02)[:-1] for case in cases]
    assert json.loads(done.stdout) == [
        [colors.tolist() for colors in result] for result in expected
    ]


@pytest.mark.parametrize("order", get_args(asdex.OrderName))
@pytest.mark.parametrize("name", PATTERNS)
def test_every_order_colors(name, order):
    pattern = PATTERNS[name]
    colors, number = asdex.color_cols(pattern, order=order)
    asdex.check_coloring_cols(pattern, colors)
    visits = ORDERS[order](columns(pattern))
    np.testing.assert_array_equal(np.sort(visits), np.arange(pattern.n))
    # First-fit: the vertex that comes first has color 0, and no color is skipped.
    assert colors[visits[0]] == 0
    np.testing.assert_array_equal(np.unique(colors), np.arange(number))
    np.testing.assert_array_equal(colors, asdex.color_cols(pattern, order=order, budget=0)[0])
    np.testing.assert_array_equal(asdex.color_rows(pattern.T, order=order)[0], colors)
    both = asdex.color_bidirectional(pattern, order=order)
    asdex.check_coloring_bidirectional(pattern, *both[:2])
    if name in SYMMETRIC:
        colors, number, _ = asdex.color_symmetric(pattern, order=order)
        asdex.check_coloring_symmetric(pattern, colors)
        coloring = asdex.hessian_coloring_from_sparsity(pattern, order=order)
        assert coloring.num_colors == number


def test_an_order_may_be_a_function():
    pattern = PATTERNS["rows"]

    def reversed_order(graph):
        return np.arange(graph.num_vertices)[::-1]

    turned = asdex.SparsityPattern.from_dense(pattern.todense()[:, ::-1])
    colors, number = asdex.color_cols(pattern, order=reversed_order)
    expected, same_number = asdex.color_cols(turned, order="natural")
    np.testing.assert_array_equal(colors[::-1], expected)
    assert number == same_number
    coloring = asdex.jacobian_coloring_from_sparsity(pattern, mode="fwd", order=reversed_order)
    np.testing.assert_array_equal(coloring.colors, colors)


@pytest.mark.parametrize("wrong", [[0, 1], [0, 0, 2], [1, 2, 3], [[0, 1, 2]]])
def test_an_order_visits_each_vertex_once(wrong):
    with pytest.raises(ValueError, match="each once"):
        asdex.color_cols(np.eye(3), order=lambda graph: wrong)


def test_another_algorithm_may_be_passed():
    limits = []

    def recorded(graph, order, limit):
        limits.append(limit)
        return DISTANCE_2(graph, order, limit)

    problem = Columns(PATTERNS["rows"], algorithm=Algorithm(recorded))
    np.testing.assert_array_equal(
        color(problem, Budget(0.1)), color(Columns(PATTERNS["rows"]), Budget(0.1))
    )
    assert len(limits) > 10
    color(problem, Budget(0.0), ORDERS["natural"])
    assert limits[-1] is None


def test_what_the_orders_are():
    pattern = arrowhead(6)
    graph = columns(pattern)
    np.testing.assert_array_equal(ORDERS["natural"](graph), range(6))
    assert ORDERS["largest_first"](graph)[0] == 5
    # The last to be left are a clique: all columns here, of which the full one has most conflicts.
    chain = columns(band(9, 1, 1))
    assert set(ORDERS["smallest_last"](chain)[-2:]) == {0, 8}
    assert set(ORDERS["saturation"](chain)[:1]) <= set(range(2, 7))
    np.testing.assert_array_equal(ORDERS["random"](chain), ORDERS["random"](chain))
    assert ORDERS["random"](columns(band(50, 1, 1))).tolist() != list(range(50))


def test_breadth_first_visits_each_tree_outwards():
    tree = random_tree(200, rng(0))
    graph = adjacency(tree)
    rank = np.empty(200, int)
    rank[breadth_first(graph)] = np.arange(200)
    earlier = rank[graph.indices] < np.repeat(rank, np.diff(graph.indptr))
    counts = np.add.reduceat(earlier, graph.indptr[:-1])
    assert np.sort(counts).tolist() == [0] + [1] * 199


def test_saturation_is_optimal_on_even_cycles():
    """DSATUR colors bipartite graphs with two colors (Brélaz 1979): here rows hold one edge each."""
    edges = np.arange(40)
    pattern = asdex.SparsityPattern.from_coo(
        np.repeat(edges, 2), np.stack([edges, (edges + 1) % 40], 1).ravel(), (40, 40)
    )
    order = rng(0).permutation(40)
    shuffled = asdex.SparsityPattern.from_coo(pattern.rows, order[pattern.cols], (40, 40))
    assert asdex.color_cols(shuffled, order="saturation")[1] == 2
    assert asdex.color_cols(shuffled, order="natural")[1] == 3
    assert asdex.color_cols(shuffled)[1] == 2


FUNCTIONS = (
    asdex.color_cols,
    asdex.color_rows,
    asdex.color_symmetric,
    asdex.color_bidirectional,
    asdex.jacobian_coloring_from_sparsity,
    asdex.hessian_coloring_from_sparsity,
)


@pytest.mark.parametrize("order", ["Natural", "", 3, ["natural"], "breadth_first"])
def test_unknown_orders_are_refused(order):
    for function in FUNCTIONS:
        with pytest.raises(ValueError, match=r"`order` to be one of 'natural', .*'random', got"):
            function(band(5, 1, 1), order=order)


@pytest.mark.parametrize("budget", [-1, -1e-9, float("nan"), -float("inf"), "5s"])
def test_impossible_budgets_are_refused(budget):
    for function in FUNCTIONS:
        with pytest.raises(ValueError, match="a number of seconds, 0 or more, got"):
            function(band(5, 1, 1), budget=budget)


def test_an_unlimited_budget_ends():
    assert num_colors("cols", "rows", budget=float("inf")) <= num_colors("cols", "rows", budget=0.1)


def test_default_budgets_grow_with_the_pattern():
    seconds = [Budget.default(10**k).left for k in range(9)]
    assert seconds == sorted(seconds)
    assert seconds[0] == seconds[3] and seconds[5] < 0.05  # no longer than anybody notices
    assert seconds[8] > 10 * seconds[6]


class Counting(Columns):
    """Counts how often it is colored greedily."""

    def __init__(self, sparsity):
        super().__init__(sparsity)
        self.times = 0

    def greedy(self, order, limit=None):
        self.times += 1
        return super().greedy(order, limit)


def times(pattern, seconds):
    problem = Counting(pattern)
    colors = color(problem, Budget(seconds))
    asdex.check_coloring_cols(pattern, colors)
    return problem.times, int(colors.max()) + 1


def nearly_dense(n, missing, seed=0):
    return asdex.SparsityPattern.from_dense(rng(seed).random((n, n)) >= missing)


def test_the_search_stops_at_the_lower_bound():
    assert times(band(200, 2, 2), 10.0) == (1, 5)  # one, which bounds the colors of a lattice
    assert times(complete(300), 10.0) == (0, 300)
    found, number = times(PATTERNS["rows"], 10.0)
    assert found > 50 and number > 5


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_symmetric_pattern_is_colored_in_one_mode(symmetric, monkeypatch):
    """The other mode would take as many colors; without the symmetry it might take fewer."""
    started = []

    def counted(problem):
        started.append(problem)
        return start(problem)

    monkeypatch.setattr(_cheapest_mode, "start", counted)
    graph = random_graph(200, 800, rng(0)).todense()
    matrix = graph if symmetric else np.roll(graph, 1, axis=1)

    def linear(_, x):
        return jnp.asarray(matrix, float) @ x

    pattern = asdex.jacobian_sparsity(linear, None, jnp.ones(200), argnums=1)
    coloring = asdex.jacobian_coloring_from_sparsity(pattern)
    assert pattern.argnums == 1 and coloring.num_colors > 1.1 * coloring.lower_bound
    assert len(started) == (1 if symmetric else 2)


@pytest.mark.parametrize(
    ("recovery", "lattice", "least"), [("direct", 7, 6), ("substitution", 8, 5)]
)
def test_a_lattice_is_recolored_before_other_orders_are_tried(recovery, lattice, least):
    pattern = brusselator(32)
    for budget, expected in ((0.0, lattice), (0.01, least)):
        coloring = asdex.hessian_coloring_from_sparsity(pattern, recovery=recovery, budget=budget)
        assert coloring.num_colors == expected


@pytest.mark.parametrize(("budget", "starts_again"), [(None, False), (0.1, True)])
def test_a_lattice_is_given_up_only_for_a_large_budget(monkeypatch, budget, starts_again):
    started = []

    def counted(*args):
        started.append(args)
        return saturation(*args)

    monkeypatch.setattr(_search, "saturation", counted)
    coloring = asdex.jacobian_coloring_from_sparsity(brusselator(32), mode="fwd", budget=budget)
    assert coloring.num_colors == 7
    assert bool(started) == starts_again


def test_dense_columns_that_share_no_rows_share_colors():
    matrix = np.zeros((8, 6), int)
    matrix[:4, 0] = matrix[4:, 1] = 1
    matrix[range(4), range(2, 6)] = 1
    coloring = asdex.jacobian_coloring_from_sparsity(matrix, mode="fwd")
    assert coloring.num_colors == coloring.lower_bound == 2


def test_the_search_keeps_to_its_budget():
    pattern = PATTERNS["rows"]
    problem = Columns(pattern)
    sweep = problem.sweep_cost(10)
    assert times(pattern, 0.0)[0] == 3
    assert times(pattern, 50 * sweep)[0] <= 53
    assert 3 < times(pattern, 1000 * sweep)[0] <= 1003


@pytest.mark.parametrize("missing", [0.0, 0.01, 0.03])
def test_nearly_dense_patterns_are_given_up_at_once(missing):
    """Any two columns share a row, which is known from their lengths alone."""
    pattern = nearly_dense(300, missing)
    assert times(pattern, 10.0) == (0, 300)
    for mode in ("fwd", "rev", "auto", "bidirectional"):
        coloring = asdex.jacobian_coloring_from_sparsity(pattern, mode=mode)
        assert coloring.num_colors == 300
        if mode != "bidirectional":
            assert coloring.optimal


def test_nearly_dense_hessians():
    dense = nearly_dense(300, 0.03).todense()
    pattern = asdex.SparsityPattern.from_dense(dense | dense.T)
    found = asdex.hessian_coloring_from_sparsity(pattern, budget=0.05)
    assert found.lower_bound <= found.num_colors <= 300
    assert asdex.hessian_coloring_from_sparsity(complete(300)).num_colors == 300
    assert asdex.hessian_coloring_from_sparsity(complete(300)).optimal


REMEDIES = [
    (arrowhead(30), {"mode": "fwd"}, 30, 'A few full rows or columns.*"bidirectional", or "auto"'),
    (arrowhead(30), {"mode": "rev"}, 30, 'A few full rows or columns.*"bidirectional", or "auto"'),
    (complete(6), {}, 6, r"`asdex\.explain\(f, \.\.\.\)` shows where they come from"),
    (complete(6), {"mode": "fwd"}, 6, r"`asdex\.explain\(f, \.\.\.\)`"),
    (complete(6), {"mode": "bidirectional"}, 6, r"`asdex\.explain\(f, \.\.\.\)`"),
    (nearly_dense(40, 0.02), {}, 40, r"`asdex\.explain\(f, \.\.\.\)`"),
    (bordered(diagonal(40), 1, 0), {"mode": "fwd"}, 40, 'Pass mode="rev"'),
    (bordered(diagonal(40), 0, 1), {"mode": "rev"}, 40, 'Pass mode="fwd"'),
]


@pytest.mark.parametrize(("pattern", "options", "number", "remedy"), REMEDIES)
@pytest.mark.filterwarnings("error::asdex.DenseColoringWarning")
def test_warnings_name_a_remedy_that_helps(pattern, options, number, remedy):
    with pytest.warns(asdex.DenseColoringWarning, match=f"needs {number} colors.*{remedy}"):
        asdex.jacobian_coloring_from_sparsity(pattern, **options)
    if "mode=" in remedy:
        assert asdex.jacobian_coloring_from_sparsity(pattern).num_colors == 2


@pytest.mark.filterwarnings("error::asdex.DenseColoringWarning")
def test_warnings_about_hessians():
    with pytest.warns(asdex.DenseColoringWarning, match="Pass `symmetric=True`"):
        asdex.hessian_coloring_from_sparsity(arrowhead(20), symmetric=False)
    assert asdex.hessian_coloring_from_sparsity(arrowhead(20)).num_colors == 2
    with pytest.warns(
        asdex.DenseColoringWarning, match=r"`asdex\.explain\(f, \.\.\., hessian=True\)`"
    ):
        asdex.hessian_coloring_from_sparsity(complete(5))
