"""What the rules for variations call constant does not change, by the tables in the files `*_cases.py`."""

import jax
import jax.numpy as jnp
import numpy as np
from rule_case import Case, installed_primitives
from test_every_rule import CALLED_DIRECTLY, each_case, skip_without, TABLES

from asdex.detection import changing_elements, registered_rules


# All cases take minutes; every fourth includes the first of each primitive.
SAYS = {
    name for name, rule in registered_rules().items() if rule.exact or "changes" in rule.functions
}
COVERED = {name: cases[::4] for name, cases in TABLES.items() if name in SAYS - {"fused_call"}}
ONLY_REVERSE = ("custom_vjp_call", "custom_vjp_call_jaxpr")


def moved(args, mask_of, points):
    """The arguments, with what a mask marks of the floating-point ones scaled by `points`."""
    return [
        arg if mask is None else jnp.where(mask, arg * point.astype(arg.dtype), arg)
        for arg, mask, point in zip(args, mask_of, points, strict=True)
    ]


def masks(args, rng):
    floating = [jnp.issubdtype(jnp.result_type(arg), jnp.inexact) for arg in args]
    return [
        rng.random(np.shape(arg)) < 0.4 if is_floating else None
        for arg, is_floating in zip(args, floating, strict=True)
    ]


def outputs(function):
    """Its results that are numbers, as arrays: neither keys nor the tangents of integers."""

    def is_numerical(leaf):
        dtype = jnp.asarray(leaf).dtype if np.isscalar(leaf) else leaf.dtype
        return dtype != jax.dtypes.float0 and jnp.issubdtype(dtype, np.number)

    return lambda *args: [
        jnp.asarray(leaf) for leaf in jax.tree.leaves(function(*args)) if is_numerical(leaf)
    ]


def directional(function, mask_of, args, rng):
    """The derivative along a known direction with many zeros, at arguments that change."""
    seeds = [
        np.zeros(np.shape(arg), jax.dtypes.float0)
        if mask is None
        else jnp.asarray(rng.random(np.shape(arg)) < 0.3, jnp.result_type(arg))
        for arg, mask in zip(args, mask_of, strict=True)
    ]
    return lambda *at: jax.jvp(function, at, tuple(seeds))[1]


def assert_constant(function, args, mask_of):
    args = [
        arg if mask is None else jnp.asarray(arg) for arg, mask in zip(args, mask_of, strict=True)
    ]
    factors = [np.ones(np.shape(arg), np.float32) for arg in args]

    def of_factors(*points):
        return outputs(function)(*moved(args, mask_of, points))

    found = changing_elements(jax.make_jaxpr(of_factors)(*factors))
    compiled = jax.jit(of_factors)
    first = compiled(*factors)
    rng = np.random.default_rng(1)
    for _ in range(3):
        other = compiled(*(rng.uniform(-1.5, 2.0, one.shape).astype(np.float32) for one in factors))
        for a, b, varies in zip(first, other, found, strict=True):
            a, b = np.asarray(a), np.asarray(b)
            # An infinite factor beside a zero makes NaN.
            compared = ~np.broadcast_to(varies, a.shape) & np.isfinite(a) & np.isfinite(b)
            np.testing.assert_array_equal(a[compared], b[compared])


@each_case(COVERED)
def test_what_is_called_constant_does_not_change(primitive: str, one: Case):
    skip_without(primitive)
    rng = np.random.default_rng(0)
    mask_of = masks(one.args, rng)
    assert_constant(one.fn, one.args, mask_of)
    if one.expected is None and primitive not in ONLY_REVERSE:
        assert_constant(directional(one.fn, mask_of, one.args, rng), one.args, mask_of)


def test_every_rule_has_a_case():
    assert (SAYS & installed_primitives()) - set(TABLES) - set(CALLED_DIRECTLY) == set()
