"""Every primitive of a program that has no rule: it is followed, or dense with a warning."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from rule_case import detect, installed_primitives, primitives_of
from unruled_programs import Program, PROGRAMS

import asdex
from asdex.detection import registered_rules


X = jnp.linspace(0.3, 0.9, 4)
INSTALLED = installed_primitives()


@pytest.mark.parametrize(("primitive", "program"), list(PROGRAMS.items()))
def test_pattern(primitive: str, program: Program):
    if not program.is_possible():
        pytest.skip(f"this jax has no {program.needs}")
    if primitive not in primitives_of(program.fn, X):
        assert primitive not in INSTALLED, f"The program does not make '{primitive}'."
        pytest.skip(f"this jax has no '{primitive}'")
    if program.kind != "dense":
        np.testing.assert_array_equal(detect(program.fn, X, unknown="error"), program.pattern > 0)
        return
    with pytest.warns(asdex.UnknownPrimitiveWarning, match=r"unruled_programs\.py"):
        np.testing.assert_array_equal(detect(program.fn, X), program.pattern > 0)
    with pytest.raises(asdex.UnknownPrimitiveError), warnings.catch_warnings():
        detect(program.fn, X, unknown="error")


def test_none_of_them_has_a_rule():
    assert set(PROGRAMS) & set(registered_rules()) == set()
