"""How explanations look on terminals and in notebooks."""

import os
import sys
import types
import warnings
from xml.etree import ElementTree

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import asdex
from asdex.display._source import short_source


X = jnp.linspace(0.5, 1.5, 6)


def table_of(shown):
    """The cells of the table of an HTML representation, header included, and what stands around it."""
    root = ElementTree.fromstring(shown._repr_html_())
    table = root.find("table")
    assert table is not None
    rows = [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]
    return rows, [text for child in root if child is not table for text in child.itertext()]


def total(x):
    return (x[1:] - x[:-1]) * jnp.sum(x)


def test_explanations_as_tables():
    (header, *rows), around = table_of(asdex.explain(total, X))
    assert header == ["primitive", "entries in", "out", "fill", "", "where"]
    assert [row[:5] for row in rows] == [
        ["slice", "6", "5", "16.7%", ""],
        ["slice", "6", "5", "16.7%", ""],
        ["sub", "10", "10", "33.3%", ""],
        ["reduce_sum", "6", "6", "100.0%", "dense"],
        ["mul", "16", "30", "100.0%", ""],
    ]
    assert all("test_explanation.py:" in row[5] and row[5].endswith(" (total)") for row in rows)
    assert around[0] == "5×6 pattern with 30 entries (100.0% full)"
    cause = "each result combines 6 elements"
    assert around[1] == f"It became dense in reduce_sum at {rows[3][5]}: {cause}."


def test_text_of_programs_is_escaped():
    """The angle brackets of `<lambda>` would end the table."""
    (_, row), _ = table_of(asdex.explain(lambda x: jnp.sin(x), X))
    assert row[5].endswith("(<lambda>)")
    (_, link), _ = table_of(asdex.explain(lambda x: jnp.sin(x), X, entry=(2, 2)))
    assert link[:3] == ["[2]", "[2]", "sin"] and link[3].endswith("(<lambda>)")


def test_explanations_and_chains_without_equations():
    assert "no equation reads an input" in asdex.explain(lambda x: x, X)._repr_html_()
    assert "is input 3" in asdex.explain(lambda x: x, X, entry=(3, 3))._repr_html_()


def test_little_and_much_are_written_shortly():
    explanation = asdex.explain(lambda x: x[:1] * 2, jnp.ones(8000))
    assert str(explanation).splitlines()[0] == "1×8,000 pattern with 1 entry (0.01% full)."
    (_, first, _), _ = table_of(explanation)
    assert first[1:4] == ["8,000", "1", "0.01%"]


def many(x):
    for i in range(30):
        x = jnp.sin(x) * x
        x = x + x[i % 2] if i == 20 else x
    return x * jnp.sum(x)


def test_of_many_steps_the_telling_ones_are_shown():
    explanation = asdex.explain(many, X)
    shown = [line.split()[0] for line in str(explanation).splitlines() if line.startswith("  ")]
    assert shown[:3] == ["primitive", "sin", "…"] and shown[-2:] == ["reduce_sum", "mul"]
    assert len(shown) < 12 < len(explanation.steps)
    left_out = [line.split()[1] for line in str(explanation).splitlines() if "  … " in line]
    kept = sum(name != "…" for name in shown[1:])
    assert sum(map(int, left_out)) + kept == len(explanation.steps)
    rows, around = table_of(explanation)
    assert [row[0].split()[0] for row in rows] == shown
    assert "More: that fill little; all are in the attribute `steps`." in around


def test_of_many_links_the_ends_are_shown():
    chain = asdex.explain(many, X, entry=(2, 2))
    lines = str(chain).splitlines()
    assert len(chain.links) > 40 and len(lines) == 22
    assert lines[11].split()[:3] == ["…", str(len(chain.links) - 20), "more;"]
    rows, _ = table_of(chain)
    assert len(rows) == 22 and rows[11][0].startswith("… ")


def test_of_many_culprits_the_first_are_named():
    def f(x):
        sums = [
            jnp.sum(x),
            jnp.sum(x),
            jnp.sum(x),
            jnp.sum(x),
            jnp.sum(x),
            jnp.sum(x),
            jnp.sum(x),
        ]
        return jnp.stack(sums)

    lines = str(asdex.explain(f, X)).splitlines()
    named = [line for line in lines if line.startswith("It became dense in reduce_sum at ")]
    assert len(set(named)) == 5 and lines[6] == "And in 2 other places."


def test_primitives_without_a_rule_are_marked():
    def f(x):
        return jax.pure_callback(lambda y: y, jax.ShapeDtypeStruct(x.shape, x.dtype), x) + x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", asdex.UnknownPrimitiveWarning)
        explanation = asdex.explain(f, X)
    rows, _ = table_of(explanation)
    assert rows[1][4] == "dense (no rule)"
    html = explanation._repr_html_()
    marked = [row for row in html.split("<tr") if "rgba(255,150,0" in row]
    assert len(marked) == 1 and "pure_callback" in marked[0]


def test_bodies_are_indented():
    explanation = asdex.explain(lambda x: lax.map(jnp.sin, x), X)
    html = explanation._repr_html_()
    assert html.index("padding-left:8px") < html.index("padding-left:24px")
    assert "\n    sin " in str(explanation)


@pytest.mark.parametrize(
    "source, expected",
    [
        ("{cwd}/models/heat.py:12:8 (step)", "models/heat.py:12 (step)"),
        ("{cwd}/heat.py:12 (Model.__call__)", "heat.py:12 (Model.__call__)"),
        ("/elsewhere/a.py:3:1 (f.<locals>.body)", "/elsewhere/a.py:3 (body)"),
        ("/elsewhere/a.py:3:1 (f.<locals>.<lambda>)", "/elsewhere/a.py:3 (<lambda>)"),
        (
            "/usr/lib/python3/site-packages/equinox/nn/_linear.py:7:0 (f)",
            "…/equinox/nn/_linear.py:7 (f)",
        ),
        ("/elsewhere/a.py:3", "/elsewhere/a.py:3"),
        ("unknown source", "unknown source"),
    ],
)
def test_lines_of_code_are_named_shortly(source, expected):
    full = source.replace("{cwd}", os.getcwd())
    assert short_source(full) == expected.replace("/", os.sep) if "{cwd}" in source else expected


def test_cells_of_notebooks_have_numbers(monkeypatch):
    names = {"/tmp/ipykernel_1/23.py": 5}
    shell = types.SimpleNamespace(compile=types.SimpleNamespace(_filename_map=names))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert short_source("/tmp/ipykernel_1/23.py:4:8 (f)") == "In[5]:4 (f)"
    assert short_source("/tmp/ipykernel_1/24.py:4:8 (f)") == "/tmp/ipykernel_1/24.py:4 (f)"
