"""Writes `docs/primitives.md`: every primitive that has a rule, and what its rule achieves.

    python docs/generate_primitives.py             write the page
    python docs/generate_primitives.py --record    note the primitives of the installed jax

What a rule achieves is not claimed but tested: the page says "exact" where each case of the table in
`tests/rules/` finds no entry beyond those of automatic differentiation. Which jax has a primitive stands in
`docs/primitives.json`, one list per recorded version.
"""

import gc
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "primitives.md"
RECORD = DOCS / "primitives.json"
TABLES = DOCS.parent / "tests" / "rules"
MODULES = (
    *("jax", "jax.scipy.linalg", "jax.extend.random", "jax.custom_batching"),
    *("jax.experimental.shard_map", "jax.experimental.custom_partitioning"),
    "jax.experimental.sparse.linalg",
)
"""What to import before looking for primitives."""

HEADER = """\
# Primitives

<!-- Written by docs/generate_primitives.py: do not edit. -->

JAX traces a program to primitives. These have rules:

- **exact**: in all tests of the rule (over shapes, parameters, dtypes and known operands) the pattern is that
  of automatic differentiation, or one derived by hand where JAX cannot differentiate the primitive;
- **over-full**: in some test the pattern has further entries, for the reason that stands beside the case;
- **zero**: the derivative is zero wherever it exists, so that the results depend on nothing;
- **—**: no case in the tables of tests: the primitive needs several devices, or an older or newer JAX.

A primitive without a rule is differentiated by its own derivative rule, of which the pattern is taken. If it
has none, its results are taken to depend on all its operands, and asdex warns, naming the line. Calls (`jit`,
`checkpoint`, ...) are followed. Integer results depend on nothing.

The last column says which of the JAX versions {versions} have the primitive; other libraries bring those
without a version.

"""


def record() -> None:
    """Add the primitives of the installed jax to the record."""
    import jax
    from jax.extend.core import Primitive

    for module in MODULES:
        importlib.import_module(module)
    names = {one.name for one in gc.get_objects() if issubclass(type(one), Primitive)}
    recorded = _recorded()
    recorded[jax.__version__] = sorted(names)
    ordered = sorted(recorded.items(), key=lambda item: [*map(int, item[0].split("."))])
    RECORD.write_text(json.dumps(dict(ordered), indent=1) + "\n", encoding="utf-8")


def page() -> str:
    """The page, from the registry, the tables of test cases and the record of versions."""
    from asdex.detection import registered_rules

    registry = registered_rules()
    built_in = [name for name in registry if registry[name].__module__.startswith("asdex.")]
    cases, recorded = _cases(), _recorded()
    lines = ["| primitive | rule | pattern | JAX |", "| --- | --- | --- | --- |"]
    for name in sorted(built_in, key=str.lower):
        rule = registry[name]
        found = [version for version, names in recorded.items() if name in names]
        row = (f"`{name}`", _place(rule), _achieved(rule, cases.get(name, [])), _span(found))
        lines.append(f"| {' | '.join(row)} |")
    return HEADER.format(versions=", ".join(recorded)) + "\n".join(lines) + "\n"


def _place(rule: Callable[..., Any]) -> str:
    if rule.__module__.startswith("asdex.rules."):
        return f"`rules/{rule.__module__.rpartition('.')[2]}.py`"
    return f"`asdex.{rule.__name__.lstrip('_')}`"


def _achieved(rule: Callable[..., Any], cases: Sequence[Any]) -> str:
    if rule.__name__ == "_zero_derivative":
        return "zero"
    if not cases:
        return "—"
    return "over-full" if any(one.excess for one in cases) else "exact"


def _span(versions: Sequence[str]) -> str:
    return " – ".join(dict.fromkeys([*versions[:1], *versions[-1:]]))


def _cases() -> dict[str, list[Any]]:
    """The tables of `tests/rules/`, merged."""
    sys.path.insert(0, str(TABLES))
    try:
        modules = [importlib.import_module(path.stem) for path in sorted(TABLES.glob("*_cases.py"))]
    finally:
        sys.path.remove(str(TABLES))
    merged: dict[str, list[Any]] = {}
    for module in modules:
        for primitive, cases in module.CASES.items():
            merged.setdefault(primitive, []).extend(cases)
    return merged


def _recorded() -> dict[str, list[str]]:
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}


if __name__ == "__main__":
    if sys.argv[1:] == ["--record"]:
        record()
    else:
        PAGE.write_text(page(), encoding="utf-8")
