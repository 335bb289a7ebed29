"""`asdex.explain(f, *args, entry=(i, j))`: through which equations an input reaches an output."""

import importlib
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import asdex


sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

program_of_seed = importlib.import_module("run").program_of_seed


X = jnp.linspace(0.5, 1.5, 6)


def links_of(f, entry, *args, **options):
    """Primitive, the place that was read and the place that was written of each link."""
    chain = asdex.explain(f, *args, entry=entry, **options)
    return [(link.primitive, link.read, link.place) for link in chain.links]


def total(x):
    differences = x[1:] - x[:-1]
    return differences * jnp.sum(x)


@jax.custom_vjp
def reversed_derivative(x):
    return jnp.sin(x)


reversed_derivative.defvjp(
    lambda x: (reversed_derivative(x), x), lambda x, ct: (ct[::-1] * jnp.cos(x),)
)


def test_chain_of_equations():
    assert links_of(total, (0, 5), X) == [("reduce_sum", (5,), ()), ("mul", (), (0,))]
    assert links_of(total, (3, 4), X) == [
        ("slice", (4,), (3,)),
        ("sub", (3,), (3,)),
        ("mul", (3,), (3,)),
    ]


def test_chain_through_calls_and_loops():
    def f(x):
        y = jax.jit(lambda z: jnp.roll(z, 1))(x.reshape(2, 3))
        return lax.fori_loop(0, 3, lambda i, c: c.at[:, i].multiply(2.0), y)

    assert links_of(f, (0, 5), X) == [
        ("reshape", (5,), (1, 2)),
        ("reshape", (1, 2), (5,)),
        ("slice", (5,), (0,)),
        ("concatenate", (0,), (0,)),
        ("reshape", (0,), (0, 0)),
        ("scan", (0, 0), (0, 0)),
    ]


def test_chain_through_custom_derivatives():
    rule, addition = links_of(lambda x: reversed_derivative(x) + 1, (0, 5), X)
    assert rule[0].startswith("custom_vjp_call") and rule[1:] == ((5,), (0,))
    assert addition == ("add", (0,), (0,))


def test_places_in_pytrees():
    def f(tree):
        return {"a": tree["u"] * 2, "b": jnp.sum(tree["v"]) * tree["u"]}

    chain = asdex.explain(f, {"u": jnp.ones((2, 2)), "v": jnp.ones(3)}, entry=(6, 5))
    assert (chain.output_place, chain.input_place) == ("output['b'][1, 0]", "args[0]['v'][1]")
    title, first, second = str(chain).splitlines()
    assert title == "Output 6 (output['b'][1, 0]) depends on input 5 (args[0]['v'][1]):"
    assert first.startswith("  [1] → []      reduce_sum  ")
    assert second.startswith("   [] → [1, 0]  mul         ")


def test_an_output_that_is_an_input():
    chain = asdex.explain(lambda x, y: (y, x), X, X[0], argnums=(0, 1), entry=(0, 6))
    assert chain.links == ()
    assert str(chain) == "Output 0 (output[0]) is input 6 (args[1])."


def test_an_entry_that_is_not_in_the_pattern():
    expected = (
        r"got \(0, 1\): output 0 \(output\[0\]\) does not depend on input 1 \(args\[0\]\[1\]\)"
    )
    with pytest.raises(ValueError, match=expected):
        asdex.explain(jnp.sin, X, entry=(0, 1))


@pytest.mark.parametrize("entry", [(6, 0), (-1, 0), (0, 6), (0, -1)])
def test_an_entry_outside_of_the_jacobian(entry):
    word = "column" if entry[0] == 0 else "row"
    with pytest.raises(IndexError, match=f"whose {word} is at least 0 and less than 6, got"):
        asdex.explain(jnp.sin, X, entry=entry)


@pytest.mark.parametrize("seed", [3, 7, 14, 30])
def test_every_entry_of_a_random_program_has_a_chain(seed):
    """Neighboring links meet, from the input to the output."""
    f = program_of_seed(seed)
    pattern = asdex.jacobian_sparsity(f, X)
    for row, col in zip(pattern.rows, pattern.cols, strict=True):
        chain = asdex.explain(f, X, entry=(int(row), int(col)))
        places = [(int(col),), *(link.place for link in chain.links)]
        reads = [*(link.read for link in chain.links), (int(row),)]
        assert places == reads
