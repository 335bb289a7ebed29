"""Every built-in rule against automatic differentiation, by the tables in the files `*_cases.py`."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from rule_case import Case, check, installed_primitives

from asdex import Dependence
from asdex.detection import registered_rules


def tables() -> dict[str, list[Case]]:
    merged: dict[str, list[Case]] = {}
    for path in sorted(Path(__file__).parent.glob("*_cases.py")):
        for primitive, cases in importlib.import_module(path.stem).CASES.items():
            merged.setdefault(primitive, []).extend(cases)
    return merged


TABLES = tables()
INSTALLED = installed_primitives()
CALLED_DIRECTLY = {
    # No public function makes them.
    **dict.fromkeys(["mesh_cast", "relayout"], "same"),
}


def named(primitive: str, number: int, one: Case):
    label = one.label.replace(" ", "_") or number
    marks = [pytest.mark.quick] if number == 0 else []
    return pytest.param(primitive, one, id=f"{primitive}-{label}", marks=marks)


def each_case(tables: dict[str, list[Case]]):
    """Run a test of a primitive and a case for all cases of primitives that this jax has."""
    named_cases = [
        named(name, k, one) for name, cases in tables.items() for k, one in enumerate(cases)
    ]
    return pytest.mark.parametrize(("primitive", "one"), named_cases)


def skip_without(primitive: str) -> None:
    renamed = primitive == "custom_vjp_call" and "custom_vjp_call_jaxpr" in INSTALLED
    if primitive not in INSTALLED or renamed:
        pytest.skip(f"this jax has no '{primitive}'")


@each_case(TABLES)
def test_pattern(primitive: str, one: Case):
    skip_without(primitive)
    check(one, primitive)


@pytest.mark.quick
def test_every_built_in_rule_has_a_case():
    """The first case of each is one of the quick tests."""
    built_in = {
        name for name, rule in registered_rules().items() if rule.__module__.startswith("asdex.")
    }
    with_cases = {name for name, cases in TABLES.items() if cases}
    assert (built_in & INSTALLED) - with_cases - set(CALLED_DIRECTLY) == set()


def test_every_case_has_a_rule():
    assert set(TABLES) - set(registered_rules()) == set()


@pytest.mark.quick
@pytest.mark.parametrize(("primitive", "result"), list(CALLED_DIRECTLY.items()))
def test_rule_called_directly(primitive: str, result: str):
    operand = Dependence.identity((2, 3))
    aval = jax.ShapeDtypeStruct((2, 3), np.float32)
    equation = SimpleNamespace(out_avals=[aval], of_tangents=False)
    results = registered_rules()[primitive](equation, operand)
    (got,) = [results] if isinstance(results, Dependence) else results
    expected = operand if result == "same" else Dependence.none((2, 3))
    assert got.same_sets(expected)
    assert got.nnz == expected.nnz
