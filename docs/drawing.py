"""What the pictures of the documentation have in common."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib


matplotlib.use("Agg")
FOLDER = Path(__file__).resolve().parent / "pictures"


def draw(pictures: Mapping[str, Callable[[Any], Any]], folder: Path) -> None:
    """Write each picture; one that is there already is left alone, so that `mkdocs serve` comes to rest.

    **Arguments:**

    - `pictures`: by name, functions from pyplot to a figure.
    - `folder`: where the files go, as SVG.
    """
    import matplotlib.pyplot as plt

    folder.mkdir(exist_ok=True)
    for name, make in pictures.items():
        style: dict[Any, Any] = {"font.size": 9, "axes.titlesize": 9, "svg.hashsalt": name}
        with plt.rc_context(style):
            figure = make(plt)
            drawn = io.BytesIO()
            figure.savefig(drawn, format="svg", bbox_inches="tight", metadata={"Date": None})
            plt.close(figure)
        path = folder / f"{name}.svg"
        if not path.exists() or path.read_bytes() != drawn.getvalue():
            path.write_bytes(drawn.getvalue())


def open_frame(ax: Any) -> None:
    """Leave the upper and right sides of a plot open."""
    ax.spines[["top", "right"]].set_visible(False)
