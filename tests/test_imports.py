"""No import goes in a circle, also none inside of a function, so that each room can be read by itself."""

import ast
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp


REPOSITORY = Path(__file__).resolve().parents[1]


def name_of(path):
    """The name of a module, without `__init__`; rules are imported as `asdex.rules`."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    parts = ("asdex", *parts) if parts[0] == "rules" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {
    name_of(path): path for room in ("asdex", "rules") for path in (REPOSITORY / room).rglob("*.py")
}


def statements(node):
    """The import statements that run, at the top or inside of functions: not those for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        yield from statements(child)


def imports(source, name, is_package):
    """The modules that a module imports, and the packages that Python enters for that."""
    found = set()
    for statement in statements(ast.parse(source)):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
            continue
        parents = name.split(".")[: None if is_package else -1]
        here = parents[: len(parents) - statement.level + 1] if statement.level else []
        base = ".".join([*here, *([statement.module] if statement.module else [])])
        inner = {f"{base}.{alias.name}" for alias in statement.names}
        found |= {one if one in PATHS else base for one in inner}
    entered = found | {package for one in found for package in packages_of(one)}
    return {one for one in entered if one in PATHS} - {name, *packages_of(name)}


def packages_of(name):
    parts = name.split(".")
    return {".".join(parts[:k]) for k in range(1, len(parts))}


def circles(graph):
    """The sets of modules that import each other."""
    names = sorted(graph)
    edges = np.array([[one in graph[name] for one in names] for name in names])
    _, labels = sp.csgraph.connected_components(edges, connection="strong")
    together = [
        {name for name, k in zip(names, labels, strict=True) if k == j} for j in set(labels)
    ]
    return [one for one in together if len(one) > 1]


GRAPH = {
    name: imports(path.read_text(encoding="utf-8"), name, path.name == "__init__.py")
    for name, path in PATHS.items()
}


def test_no_import_goes_in_a_circle():
    assert circles(GRAPH) == []


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == [{"b", "c"}]


def test_display_imports_nothing_that_it_shows():
    rooms = {one.split(".")[1] for name in GRAPH if "display" in name for one in GRAPH[name]}
    assert rooms == {"display"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from ..pattern import SparsityPattern", {"asdex.pattern"}),
        ("from .. import _arrays", {"asdex._arrays"}),
        ("from . import _html", {"asdex.display._html"}),
        ("import asdex.formats._bsr", {"asdex.formats", "asdex.formats._bsr"}),
        ("def f():\n    from ..formats._bsr import BSR", {"asdex.formats", "asdex.formats._bsr"}),
        ("import numpy\nfrom asdex.coloring import color_rows", {"asdex.coloring"}),
        ("if TYPE_CHECKING:\n    from ..pattern import SparsityPattern", set()),
    ],
)
def test_imports_are_read(source, expected):
    assert imports(source, "asdex.display._text", is_package=False) == expected
