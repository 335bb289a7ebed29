"""Facts about values: each rule that claims some has cases, and NumPy computes what JAX computes.

`check_rule`, through which all cases go, compares claimed zeros and bounds with values.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from rule_case import Case, installed_primitives
from test_every_rule import each_case, skip_without, TABLES

from asdex.detection import Facts, open_jaxpr, registered_rules, support_of, Value
from asdex.detection.interpreter._interpreter import Interpreter
from asdex.detection.known._known import Known


def _claims_facts(rule):
    kinds = {"zeros", "range", "value", "alternatives"}
    return rule.moves or rule.exact or bool(kinds & set(rule.functions))


CLAIMING = {name for name, rule in registered_rules().items() if _claims_facts(rule)}
NOT_COMPILED = {"fused_call", "custom_vjp_call_jaxpr"}
COVERED = {name: TABLES[name] for name in sorted(CLAIMING - NOT_COMPILED) if TABLES.get(name)}
COMPUTED = {
    name: cases[::3]
    for name, cases in COVERED.items()
    if (rule := registered_rules()[name]).moves or "value" in rule.functions
}


def test_every_rule_that_claims_facts_has_a_case():
    direct = {"mesh_cast", "relayout"}
    assert (CLAIMING & installed_primitives()) - set(TABLES) - direct == set()


def flattened(one: Case):
    """A case as a function of arrays to a list of arrays, and its arguments."""
    leaves, tree = jax.tree.flatten(one.args)
    arrays = [jnp.asarray(leaf) for leaf in leaves]
    return lambda *args: jax.tree.leaves(one.fn(*jax.tree.unflatten(tree, args))), arrays


def is_numerical(array):
    dtype = getattr(array, "dtype", None)
    return isinstance(dtype, np.dtype) and dtype.kind in "biufc"


@each_case(COMPUTED)
def test_numpy_computes_the_same(primitive: str, one: Case):
    skip_without(primitive)
    function, args = flattened(one)
    jaxpr, compiled = jax.make_jaxpr(function)(*args), jax.jit(function)
    known = Interpreter().run(jaxpr, [Value(None, Known.of(arg)) for arg in args])
    for result, array in zip(known, compiled(*args), strict=True):
        # A result that JAX leaves open is not available.
        value = result.known and is_numerical(array) and result.known.get_if_available()
        if isinstance(value, np.ndarray):
            # Compiled together, operations round less often than one by one.
            np.testing.assert_allclose(value, np.asarray(array), rtol=1e-5)


@pytest.mark.parametrize(
    "dtype", [jnp.int8, jnp.uint8, jnp.int16, jnp.uint16, jnp.int32, jnp.uint32]
)
def test_numpy_shifts_the_same_bits(dtype):
    """Also by as many as there are, or more, or by a negative number, which means very many."""
    limits = jnp.iinfo(dtype)
    some = np.random.default_rng(0).integers(limits.min, limits.max, 8, dtype, endpoint=True)
    array = np.append(some, np.array([limits.min, limits.max, 0], dtype))
    amounts = [*range(2 * limits.bits + 2), *([-1, -limits.bits] if limits.min else [])]
    arrays, places = np.broadcast_arrays(array, np.array(amounts, dtype)[:, None])
    for shift in (lax.shift_left, lax.shift_right_logical, lax.shift_right_arithmetic):
        compute = registered_rules()[shift.__name__].functions["value"]
        found = compute(None, arrays.copy(), places.copy())
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, shift(jnp.asarray(arrays), jnp.asarray(places)))


def test_masks_reach_the_results():
    """The claims above are not empty: most families keep some of the zeros of their operands."""
    keeping = 0
    for cases in COVERED.values():
        function, args = flattened(cases[0])
        masks = [np.arange(arg.size).reshape(arg.shape) % 2 == 0 for arg in args]
        values = [
            Value(None, None, Facts.of_support(mask, arg))
            for mask, arg in zip(masks, args, strict=True)
        ]
        try:
            jaxpr = jax.make_jaxpr(function)(*args)
        except Exception:  # this jax cannot make it
            continue
        results = Interpreter().run(jaxpr, values)
        keeping += any(
            not support_of(one, v.aval).all()
            for one, v in zip(results, open_jaxpr(jaxpr).outvars, strict=True)
            if is_numerical(v.aval)
        )
    assert keeping > 45
