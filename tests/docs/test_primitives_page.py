"""The page about primitives is what the registry and the tests of the rules say."""

import importlib.util
import json
from pathlib import Path

import pytest

from asdex.detection import registered_rules


DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location(
        "generate_primitives", DOCS / "generate_primitives.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_current(generator):
    written = (DOCS / "primitives.md").read_text(encoding="utf-8")
    assert written == generator.page(), "Run `make primitives` and commit docs/primitives.md."


def test_page_tells_exact_rules_from_others(generator):
    page = generator.page()
    assert "| `rev` | `rules/structural.py` | exact | 0.6.0 – " in page
    assert "| `floor` | `asdex.zero_derivative` | zero | 0.6.0 – " in page
    assert "| `scatter` | `rules/indexing.py` | over-full | 0.6.0 – " in page
    assert "| `log2` | `asdex.elementwise` | exact | 0.12" in page


def test_record_has_the_primitives_of_all_old_rules(generator):
    recorded = json.loads((DOCS / "primitives.json").read_text(encoding="utf-8"))
    assert {"sin", "scan", "while", "gather"} <= set.intersection(*map(set, recorded.values()))
    assert len(set(registered_rules()) & set(recorded["0.6.0"])) > 150
