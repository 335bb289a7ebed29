"""How far an accelerator is from the CPU in the results of single functions, where the machine has one."""

from pathlib import Path

from .accelerator import device
from .runner import Library, table


WORKER = Path(__file__).with_name("device_rounding_worker.py")


def section(name: str, versions: str, found: dict[str, list[float]]) -> str:
    rows = [[function, f"{one:,.1f}", f"{other:,.1f}"] for function, (one, other) in found.items()]
    text = (
        f"Largest differences between results on {name} and on a CPU, under `jax.jit` with {versions}, in "
        "roundings of single precision (2^-23): beside the element that differs, and beside the largest "
        "element. Detection allows for them where known values decide something."
    )
    header = ["", "beside the element", "beside the largest"]
    return "\n\n".join(["## Rounding on an accelerator", text, table(header, rows)])


def run(ours: Library, peer: Library) -> str:
    del peer
    on_device = Library(ours.name, ours.python, ours.path, platform=None)
    platform, name = device(on_device)
    if platform == "cpu":
        raise SystemExit("Expected a machine with an accelerator that JAX can use, got only a CPU.")
    found = on_device.measure("", WORKER)
    del found["started"]
    return section(name, ours.versions(), found)
