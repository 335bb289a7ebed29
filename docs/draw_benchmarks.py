"""Draws the tables of `benchmarks/RESULTS.md`, and puts the plots beside them on the page of benchmarks.

`mkdocs build` calls it; `python docs/draw_benchmarks.py` draws by hand.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from drawing import draw, FOLDER, open_frame


RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "RESULTS.md"
PLACE = "<!-- results -->"
OURS, PEER, JAX = "#3f51b5", "#ef6c00", "#757575"


class Table(NamedTuple):
    """A table, with the section (`##`) and the title (`###`, else "") that it stands under."""

    section: str
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def column(self, name: str) -> list[float]:
        """The numbers of a column, NaN where there is none."""
        return [number(row[list(self.header).index(name)]) for row in self.rows]


def tables(markdown: str) -> list[Table]:
    section = title = ""
    found, lines = [], []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            lines.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if lines:
            found.append(Table(section, title, lines[0], lines[2:]))
            lines = []
        if line.startswith("## "):
            section, title = line[3:], ""
        elif line.startswith("### "):
            title = line[4:]
    return found


def number(cell: str) -> float:
    """`1.5 ms` in seconds, `20 MB` in megabytes, `3.9x` and `1,000` as they are."""
    match = re.fullmatch(r"([\d.,]+)\s*(ms|s|MB|x|\*)?", cell)
    if match is None:
        return float("nan")
    return float(match[1].replace(",", "")) * (1e-3 if match[2] == "ms" else 1)


def on_pre_build(config: Any = None) -> None:
    """Draw a plot for each section that has one."""
    del config
    draw(plots(RESULTS.read_text(encoding="utf-8")), FOLDER)


def on_page_markdown(markdown: str, page: Any, **kwargs: Any) -> str:
    """Fill in the results, each section with its plot."""
    del kwargs
    return fill(markdown, RESULTS.read_text(encoding="utf-8"), page.file.src_uri)


def fill(markdown: str, results: str, page: str = "benchmarks.md") -> str:
    if PLACE not in markdown:
        return markdown
    folder = "../" * page.count("/") + "pictures"
    _, _, text = results.partition("\n")  # the title is the page's
    for name in plots(results):
        section, _, description = SECTIONS[name]
        picture = f"![{description}]({folder}/{name}.svg)"
        text = text.replace(f"\n## {section}\n", f"\n## {section}\n\n{picture}\n")
    return markdown.replace(PLACE, text)


def plots(results: str) -> Mapping[str, Callable[[Any], Any]]:
    """Which plots the results allow, by name."""
    found = tables(results)
    chosen = {
        name: [table for table in found if table.section == section and column in table.header]
        for name, (section, column, _) in SECTIONS.items()
    }
    return {name: partial(PLOTS[name], ours) for name, ours in chosen.items() if ours}


def _detection(of_section: Sequence[Table], plt: Any) -> Any:
    """Times in the first row of plots, memory in the second."""
    figure, axes = plt.subplots(2, len(of_section), figsize=(7, 5), sharex="col", sharey="row")
    kinds = (("wall", "seconds"), ("memory", "megabytes"))
    for (kind, unit), row in zip(kinds, axes.reshape(2, -1), strict=True):
        for ax, table in zip(row, of_section, strict=True):
            inputs = table.column("inputs")
            for name, color in (("peer", PEER), ("asdex", OURS)):
                values = table.column(f"{name} {kind}")
                if kind == "memory":  # as the table does
                    values = [max(value, 1.0) for value in values]
                ax.loglog(inputs, values, "o-", color=color, label=name)
            ax.grid(alpha=0.3)
            open_frame(ax)
        row[0].set_ylabel(f"{kind.replace('wall', 'time')}, {unit}")
    for ax, table in zip(axes[0], of_section, strict=True):
        ax.set_title(table.title)
    for ax in axes[-1]:
        ax.set_xlabel("inputs")
    axes[0, 0].legend(frameon=False)
    return figure


def _coloring(of_section: Sequence[Table], plt: Any) -> Any:
    """Each pattern a point: asdex against the peer, in time and in colors."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.3), layout="constrained")
    _against_peer(left, of_section, "cold", PEER)
    _against_peer(left, of_section, "warm", OURS)
    _against_peer(right, of_section, "colors", OURS)
    left.legend(frameon=False)
    for ax, what, better in ((left, "seconds", "is faster"), (right, "colors", "has fewer")):
        low, high = ax.get_xlim()
        ax.plot((low, high), (low, high), color=JAX, linewidth=1, linestyle="--")
        ax.set(xlabel=f"peer, {what}", ylabel=f"asdex, {what}")
        ax.set_title(f"below the line asdex {better}")
        ax.xaxis.set_minor_formatter("")
        ax.yaxis.set_minor_formatter("")
        ax.grid(alpha=0.3)
        open_frame(ax)
    return figure


def _against_peer(ax: Any, of_section: Sequence[Table], kind: str, color: str) -> None:
    theirs = [value for table in of_section for value in table.column(f"peer {kind}")]
    mine = [value for table in of_section for value in table.column(kind)]
    ax.loglog(theirs, mine, "o", color=color, alpha=0.7, label=kind)


def _first_jacobian(of_section: Sequence[Table], plt: Any) -> Any:
    table = of_section[0]
    kinds = ("CPU", "wall")
    figure, ax = plt.subplots(figsize=(6, 2))
    for k, (name, color) in enumerate((("asdex", OURS), ("peer", PEER))):
        values = [table.column(kind)[k] for kind in kinds]
        places = [place + 0.2 - 0.4 * k for place in range(len(kinds))]
        bars = ax.barh(places, values, height=0.38, color=color, label=name)
        ax.bar_label(bars, [f" {name}: {value:.2f} s" for value in values])
    ax.set_yticks(range(len(kinds)), [f"{kind} time" for kind in kinds])
    ax.set_xlabel("seconds")
    ax.margins(x=0.25)
    open_frame(ax)
    return figure


def _tutorial(of_section: Sequence[Table], plt: Any) -> Any:
    table = of_section[0]
    sparse, dense = (table.column(f"wall, {kind}") for kind in ("sparse", "`jax.jacobian`"))
    times = {"asdex.jacobian": sparse[0], "peer": sparse[1], "jax.jacobian": dense[0]}
    figure, ax = plt.subplots(figsize=(6, 1.6))
    for place, (value, color) in enumerate(zip(times.values(), (OURS, PEER, JAX), strict=True)):
        ax.plot(value, -place, "o", color=color)
        ax.annotate(f"{1e3 * value:.3g} ms", (value, -place), (8, -3), textcoords="offset points")
    ax.set_yticks([0, -1, -2], list(times))
    ax.set(xscale="log", xlabel="seconds, on a logarithmic scale", ylim=(-2.6, 0.6))
    ax.margins(x=0.25)
    ax.grid(alpha=0.3)
    open_frame(ax)
    return figure


def _evaluation(of_section: Sequence[Table], plt: Any) -> Any:
    """How many times as long the peer takes, for each problem and both ways to call."""
    figure, axes = plt.subplots(
        1, len(of_section), figsize=(7, 3.5), sharey=True, squeeze=False, layout="constrained"
    )
    for ax, table in zip(axes[0], of_section, strict=True):
        places = range(0, -len(table.rows), -1)
        for kind, color in (("jit", OURS), ("plain", PEER)):
            ax.semilogx(table.column(f"peer's / own, {kind}"), places, "o", color=color, label=kind)
        ax.axvline(1, color=JAX, linewidth=1, linestyle="--")
        ax.set_yticks(places, [row[0] for row in table.rows])
        ax.set(title=table.title, xlabel="time of the peer / time of asdex")
        ax.grid(alpha=0.3)
        open_frame(ax)
    axes[0, 0].legend(frameon=False)
    return figure


def _solvers(of_section: Sequence[Table], plt: Any) -> Any:
    """A line from the time with sparse to that with dense matrices, for each problem."""
    table = of_section[0]
    dense, sparse = table.column("dense"), table.column("sparse")
    figure, ax = plt.subplots(figsize=(7, 1.9), layout="constrained")
    places = range(0, -len(table.rows), -1)
    ax.hlines(places, sparse, dense, color=JAX, linewidth=1)
    for times, color, label in ((sparse, OURS, "sparse"), (dense, JAX, "dense")):
        ax.semilogx(times, places, "o", color=color, label=label)
    for place, one, other, row in zip(places, sparse, dense, table.rows, strict=True):
        ax.annotate(row[-1], ((one * other) ** 0.5, place), (0, 4), textcoords="offset points")
    ax.set_yticks(places, [row[0] for row in table.rows])
    ax.set(xlabel="seconds, on a logarithmic scale", ylim=(0.6 - len(table.rows), 0.6))
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    open_frame(ax)
    return figure


SECTIONS = {
    "benchmark-detection": (
        "Detection",
        "asdex wall",
        "Time and memory of detection against the number of inputs",
    ),
    "benchmark-coloring": (
        "Coloring",
        "peer colors",
        "Times and numbers of colors of asdex against those of the peer",
    ),
    "benchmark-evaluation": (
        "Evaluation",
        "peer's / own, plain",
        "How many times as long as asdex the peer takes for a matrix",
    ),
    "benchmark-first-jacobian": (
        "First Jacobian",
        "CPU",
        "Time from the start to the first Jacobian",
    ),
    "benchmark-tutorial": (
        "Tutorial",
        "wall, sparse",
        "Time of a sparse and of a dense Jacobian",
    ),
    "benchmark-solvers": (
        "Solvers",
        "sparse",
        "Time of solvers with sparse and with dense matrices",
    ),
}
"""The section of each plot, a column of the tables that it shows, and a description."""

PLOTS = {
    "benchmark-detection": _detection,
    "benchmark-coloring": _coloring,
    "benchmark-evaluation": _evaluation,
    "benchmark-first-jacobian": _first_jacobian,
    "benchmark-tutorial": _tutorial,
    "benchmark-solvers": _solvers,
}


if __name__ == "__main__":
    on_pre_build()
