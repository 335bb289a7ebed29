"""What a greedy coloring algorithm is."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from .._colors import Colors
from ._compilation import host_device
from ._incidence import Incidence


class Algorithm(NamedTuple):
    """A greedy coloring algorithm, in Python, and as a program for large graphs that gives the same colors.

    Both are functions of a graph, an order of its vertices and a limit on the number of colors. They give
    each vertex in turn a color, and 0 to vertices without groups. They return the colors, or `None` if
    there would be more than `limit`.

    **Attributes:**

    - `interpreted`, `compiled`: the two functions; `compiled` may be missing.
    - `seconds`: their estimated times per nonzero, on an ordinary machine.
    - `compile_from`: the number of nonzeros from which on the program is faster, including compilation.
    - `most_colors`: the number of colors up to which it is faster.
    """

    interpreted: Callable[..., Colors | None]
    compiled: Callable[..., Colors | None] | None = None
    seconds: tuple[float, float] = (3e-7, 3e-7)
    compile_from: float = 200_000
    most_colors: float = 128

    def __call__(
        self,
        graph: Incidence,
        order: Int[np.ndarray, " num_vertices"],
        limit: int | None = None,
        least: int = 0,
    ) -> Colors | None:
        """Color a graph, of which it is known that it needs at least `least` colors."""
        run = self.compiled if self.is_compiled_for(graph, least) else self.interpreted
        assert run is not None
        return run(graph, order, limit)

    def cost(self, graph: Incidence, least: int) -> float:
        """The estimated seconds of one call."""
        return len(graph.indices) * self.seconds[self.is_compiled_for(graph, least)]

    def is_compiled_for(self, graph: Incidence, least: int) -> bool:
        """Whether a graph is colored by the program."""
        large = len(graph.indices) >= self.compile_from and least <= self.most_colors
        return large and self.compiled is not None and host_device() is not None
