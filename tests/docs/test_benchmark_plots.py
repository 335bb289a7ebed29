"""The plots on the page of benchmarks show what the tables say."""

import importlib
from pathlib import Path

import numpy as np
import pytest


pytest.importorskip("matplotlib")

DOCS = Path(__file__).resolve().parents[2] / "docs"
RESULTS = """\
# Results

## Detection

Text.

### squared differences

| inputs | nonzeros | asdex wall | peer wall | asdex memory | peer memory |
| --- | ---: | ---: | ---: | ---: | ---: |
| 1,000 | 1,998 | 1.5 ms | 2.25 s | 0 MB | 4 MB |
| 10,000 | 19,998 | 12 ms |  | 8 MB |  |

### Brusselator

| inputs | nonzeros | asdex wall | peer wall | asdex memory | peer memory |
| --- | ---: | ---: | ---: | ---: | ---: |
| 968 | 5,808 | 5.21 ms | 9.58 ms | 0 MB | 7 MB |

## Coloring

### Columns

| case | bound | colors | peer colors | cold | warm | peer cold | peer warm |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| tridiagonal | 3 | 3* | 3 | 5 ms | 1 ms | 500 ms | 3 ms |
| hubs | 8 | 13 |  | 150 ms | 100 ms |  |  |

## Evaluation

### About 10 inputs

|  | copy | peer's / own, jit | peer's / own, plain |
| --- | ---: | ---: | ---: |
| Brusselator | 1 ms | 1.5x | 12x |
| Rosenbrock | 1 ms | 0.9x | 3.0x |

Another table:

|  | copy |
| --- | ---: |
| Brusselator | 1 ms |

## Solvers

|  | dense | sparse | ratio |
| --- | ---: | ---: | ---: |
| Newton | 3 s | 50 ms | 60x |
| Kvaerno5 | 2 s | 20 ms | 100x |
"""


@pytest.fixture
def plots(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module("draw_benchmarks")


def test_tables_are_read(plots):
    tables = plots.tables(RESULTS)
    assert [(table.section, table.title, len(table.rows)) for table in tables] == [
        ("Detection", "squared differences", 2),
        ("Detection", "Brusselator", 1),
        ("Coloring", "Columns", 2),
        ("Evaluation", "About 10 inputs", 2),
        ("Evaluation", "About 10 inputs", 1),
        ("Solvers", "", 2),
    ]
    assert tables[0].column("inputs") == [1000, 10_000]
    assert tables[0].column("asdex wall") == pytest.approx([0.0015, 0.012])
    np.testing.assert_equal(tables[0].column("peer wall"), [2.25, np.nan])
    assert tables[0].column("asdex memory") == [0, 8]
    assert tables[2].column("colors") == [3, 13]


def test_each_section_gets_its_plot(plots):
    page = plots.fill("Before.\n\n<!-- results -->\n", RESULTS)
    assert page.startswith("Before.\n\n\n## Detection\n\n![Time and memory")
    assert page.count("](pictures/") == 4
    assert "](../pictures/benchmark-coloring.svg)" in plots.fill(plots.PLACE, RESULTS, "a/b.md")
    assert plots.fill("Another page.", RESULTS) == "Another page."


def test_curves_are_the_columns(plots):
    plt = importlib.import_module("matplotlib.pyplot")
    figures = {name: draw(plt) for name, draw in plots.plots(RESULTS).items()}
    try:
        time, _, memory, _ = figures["benchmark-detection"].axes
        curves = {line.get_label(): line.get_xydata() for line in time.lines}
        np.testing.assert_allclose(curves["asdex"], [(1000, 0.0015), (10_000, 0.012)])
        np.testing.assert_allclose(curves["peer"], [(1000, 2.25), (10_000, np.nan)])
        curves = {line.get_label(): line.get_ydata() for line in memory.lines}
        np.testing.assert_allclose(curves["asdex"], [1, 8])
        clock, colors = figures["benchmark-coloring"].axes
        points = {line.get_label(): line.get_xydata() for line in [*clock.lines, *colors.lines]}
        np.testing.assert_allclose(points["warm"], [(0.003, 0.001), (np.nan, 0.1)])
        np.testing.assert_allclose(points["cold"], [(0.5, 0.005), (np.nan, 0.15)])
        np.testing.assert_allclose(points["colors"], [(3, 3), (np.nan, 13)])
        (ratios,) = figures["benchmark-evaluation"].axes
        points = {line.get_label(): line.get_xydata() for line in ratios.lines}
        np.testing.assert_allclose(points["jit"], [(1.5, 0), (0.9, -1)])
        np.testing.assert_allclose(points["plain"], [(12, 0), (3, -1)])
        assert [text.get_text() for text in ratios.get_yticklabels()] == [
            "Brusselator",
            "Rosenbrock",
        ]
        (solvers,) = figures["benchmark-solvers"].axes
        points = {line.get_label(): line.get_xydata() for line in solvers.lines}
        np.testing.assert_allclose(points["sparse"], [(0.05, 0), (0.02, -1)])
        np.testing.assert_allclose(points["dense"], [(3, 0), (2, -1)])
        assert [text.get_text() for text in solvers.texts] == ["60x", "100x"]
    finally:
        for figure in figures.values():
            plt.close(figure)
