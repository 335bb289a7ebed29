"""Jacobians of time steps in a loop: warm calls, compilation and memory, beside the peer."""

from .evaluation import both
from .runner import Library


PROBLEMS = ("reactions", "double pendulums", "Burgers", "10-step scan")
SIZES = (10_000, 200_000)


def run(ours: Library, peer: Library) -> str:
    intro = (
        "Twenty Runge-Kutta steps of three species that react in each of many cells, ten of double "
        "pendulums, three of Burgers' equation, and ten explicit steps of diffusion and reaction, with the "
        "columns as above."
    )
    tables = "\n\n".join(both(ours, peer, n, PROBLEMS) for n in SIZES)
    return f"## Time steps\n\n{intro}\n\n{tables}"
