"""`asdex.testing.check_rule`, against rules that are wrong on purpose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

import asdex
from asdex.detection import Range
from asdex.testing import check_rule


X = jnp.array([0.3, 1.2, -0.7])


def neighbor_sum(x):
    return x + jnp.roll(x, 1)


def make_primitive(name: str, fn):
    """A linear primitive that evaluates `fn`, with all that `jax.jvp` and `jax.vmap` need."""
    primitive = Primitive(name)
    primitive.def_impl(fn)
    primitive.def_abstract_eval(lambda x: x)
    mlir.register_lowering(primitive, mlir.lower_fun(fn, multiple_results=False))
    ad.deflinear2(primitive, lambda g, x: jax.linear_transpose(fn, x.aval)(g))
    batching.primitive_batchers[primitive] = lambda args, dims: (
        jax.vmap(fn, dims[0])(args[0]),
        0,
    )
    return primitive


@pytest.fixture
def shifted(registry):
    """A primitive without a rule, and a registry that forgets what a test adds."""
    del registry
    return make_primitive("neighbor_sum", neighbor_sum)


def true_pattern():
    return (np.eye(3) + np.roll(np.eye(3), 1, axis=0)).astype(bool)


def test_right_rule_is_exact(shifted):
    asdex.register(shifted)(lambda eqn, x: x | x.rearrange(lambda p: np.roll(p, 1)))
    report = check_rule(shifted.bind, X)
    np.testing.assert_array_equal(report.detected, true_pattern())
    np.testing.assert_array_equal(report.true, true_pattern())
    assert report.exact
    assert report.excess == 0


def test_rule_that_drops_entries_is_caught(shifted):
    asdex.elementwise(shifted)
    message = (
        r"misses 3 entries: output 0 depends on input 2 \(args\[0\], element \[2\]\).*"
        r"3 entries were detected, 6 are nonzero"
    )
    with pytest.raises(asdex.VerificationError, match=message):
        check_rule(shifted.bind, X)


def test_rule_that_drops_one_entry_of_a_second_argument_is_named(shifted):
    asdex.register(shifted)(
        lambda eqn, x: (x | x.rearrange(lambda p: np.roll(p, 1))).keep(np.arange(3) != 1)
    )

    def fn(a, b):
        return a, shifted.bind(b["weights"])

    message = r"output 3 depends on input 2 \(args\[1\]\['weights'\]"
    with pytest.raises(asdex.VerificationError, match=message):
        check_rule(fn, X[:2], {"weights": X})


def test_excess_is_counted(shifted):
    asdex.register(shifted)(lambda eqn, x: x.mix([0]))
    report = check_rule(shifted.bind, X)
    assert report.excess == 3
    assert not report.exact
    np.testing.assert_array_equal(report.true, true_pattern())


def test_dropped_entry_of_a_scalar_is_named(shifted):
    asdex.zero_derivative(shifted)
    with pytest.raises(asdex.VerificationError, match=r"depends on input 0 \(args\[0\]\)"):
        check_rule(lambda x: shifted.bind(x[None])[0], jnp.float32(0.5))


def test_complex_arguments_in_all_directions():
    x = jnp.array([1 + 2j, 3 - 1j], jnp.complex64)
    assert check_rule(lambda z: z * z[::-1], x).exact
    # Each of these is zero in one of the two directions.
    np.testing.assert_array_equal(check_rule(jnp.real, x).true, np.eye(2))
    np.testing.assert_array_equal(check_rule(jnp.imag, x).true, np.eye(2))


def test_real_and_complex_arguments_together():
    report = check_rule(lambda a, z: a * z.imag, X, jnp.array([1j, 2j, 3j], jnp.complex64))
    np.testing.assert_array_equal(report.true, np.hstack([np.eye(3)] * 2))
    assert report.exact


def test_reverse_mode_where_there_is_no_forward_mode():
    @jax.custom_vjp
    def fn(x):
        return jnp.sin(x)

    fn.defvjp(lambda x: (fn(x), x), lambda x, g: ((g * jnp.cos(x))[::-1],))
    report = check_rule(fn, X)
    np.testing.assert_array_equal(report.true, np.eye(3)[::-1])
    assert report.exact


def test_one_direction_after_another_where_there_is_no_rule_for_batches(shifted):
    del batching.primitive_batchers[shifted]
    asdex.register(shifted)(lambda eqn, x: x | x.rearrange(lambda p: np.roll(p, 1)))
    assert check_rule(shifted.bind, X).exact
    asdex.elementwise(shifted, override=True)
    with pytest.raises(asdex.VerificationError, match="misses 3 entries"):
        check_rule(shifted.bind, X)


def test_without_any_derivative_the_first_error_is_raised(registry):
    del registry
    primitive = Primitive("without_derivative")
    primitive.def_abstract_eval(lambda x: x)
    asdex.elementwise(primitive)
    with pytest.raises(NotImplementedError, match="without_derivative"):
        check_rule(primitive.bind, X)


def test_reverse_mode_of_complex_arguments():
    @jax.custom_vjp
    def fn(z):
        return z.imag

    fn.defvjp(lambda z: (z.imag, None), lambda _, g: (-1j * g,))
    report = check_rule(fn, jnp.array([1 + 1j, 2 - 1j], jnp.complex64))
    np.testing.assert_array_equal(report.true, np.eye(2))
    assert report.exact


def test_several_arguments_and_pytrees():
    def fn(a, n, b):
        return {"sum": a["x"] + b[n], "scaled": 2 * b}

    report = check_rule(fn, {"x": X[0]}, jnp.array(1), X)
    scaled, total = np.eye(3, 4, k=1), np.array([[1, 1, 1, 1]])
    np.testing.assert_array_equal(report.detected, np.vstack([scaled, total]))
    # The index 1 is a value like any other: another one would read another element.
    np.testing.assert_array_equal(report.true, np.vstack([scaled, [[1, 0, 1, 0]]]))
    assert report.excess == 2


def test_integer_results_have_no_derivative():
    report = check_rule(lambda x: (x, jnp.argmax(x)), X)
    np.testing.assert_array_equal(report.true, np.eye(4, 3))
    assert report.exact


def test_points_where_the_derivative_is_not_finite_say_nothing():
    report = check_rule(jnp.log, jnp.array([0.0, 2.0, jnp.nan]))
    np.testing.assert_array_equal(report.detected, np.eye(3))
    np.testing.assert_array_equal(report.true, np.eye(3))
    nowhere = check_rule(lambda x: jnp.sqrt(-1 - jnp.abs(x)), X)
    assert nowhere.excess == 3
    assert not nowhere.true.any()


def test_points_reach_both_sides_of_a_branch():
    assert check_rule(jax.nn.relu, jnp.array([-5.0, 5.0])).exact
    first = check_rule(jax.nn.relu, jnp.array([-5.0, 5.0]), points=1)
    np.testing.assert_array_equal(first.true, np.diag([0, 1]))


def test_seed_repeats_the_points():
    seen = []

    def fn(x):
        jax.debug.callback(lambda value: seen.append(np.array(value)), x)
        return jnp.sin(x)

    for seed in (3, 3, 4):
        check_rule(fn, X, points=3, seed=seed)
        jax.effects_barrier()
    first, second, third = np.split(np.stack(seen), 3)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)
    np.testing.assert_array_equal(first[0], X)


def test_half_precision_and_empty_arrays():
    assert check_rule(jnp.sin, X.astype(jnp.bfloat16)).exact
    report = check_rule(lambda x: x.sum(1), jnp.zeros((2, 0)))
    assert report.detected.shape == report.true.shape == (2, 0)
    assert report.exact


def test_options_go_to_the_detection(shifted):
    opaque = Primitive("opaque")
    opaque.def_abstract_eval(lambda x: x)
    with pytest.raises(asdex.UnknownPrimitiveError, match="'opaque'"):
        check_rule(opaque.bind, X, unknown="error")


def test_a_wrong_claim_about_zeros_is_caught(shifted):
    rule = asdex.register(shifted)(lambda eqn, x: x | x.rearrange(lambda p: np.roll(p, 1)))
    check_rule(shifted.bind, X)
    rule.zeros(lambda eqn, mask: mask)  # forgets the neighbor
    with pytest.raises(asdex.VerificationError, match="output 0 is zero in every call"):
        check_rule(shifted.bind, jnp.linspace(0.5, 1.0, 40), seed=1)


def test_a_wrong_claim_about_a_range_is_caught(shifted):
    rule = asdex.register(shifted, linear=True)(
        lambda eqn, x: x | x.rearrange(lambda p: np.roll(p, 1))
    )
    check_rule(shifted.bind, X)
    rule.range(lambda eqn, x: Range(np.zeros(3), np.full(3, 0.1)))
    with pytest.raises(asdex.VerificationError, match=r"output 0 is in 0.0 to 0.1 in every call"):
        check_rule(shifted.bind, X)
