"""Primitives without a rule, and the registry of rules."""

import inspect
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.core import ShapedArray
from jax.experimental import io_callback
from jax.extend.core import Primitive
from jax.interpreters import ad

import asdex
from asdex import Dependence


X = jnp.linspace(0.3, 1.7, 4)
DIAGONAL = np.eye(4, dtype=int)


def pattern(f, *args, **options):
    return asdex.jacobian_sparsity(f, *args, **options).todense().astype(int)


def primitive(name, *, abstract=lambda *avals: avals[0], multiple_results=False):
    result = Primitive(name)
    result.multiple_results = multiple_results
    result.def_abstract_eval(abstract)
    return result


pytestmark = pytest.mark.usefixtures("registry")


# --- without a rule -------------------------------------------------------------------------------

opaque = primitive("opaque")
opaque_pair = primitive(
    "opaque_pair",
    abstract=lambda x, y: (ShapedArray((3,), x.dtype), ShapedArray((), jnp.int32.dtype)),
    multiple_results=True,
)
opaque_integers = primitive("opaque_integers", abstract=lambda x: x.update(dtype=np.dtype("int32")))


def test_an_opaque_primitive_is_dense_and_warns_once():
    def f(x):
        head = opaque.bind(x[:2])  # the first use
        return jnp.concatenate([head, opaque.bind(x[2:]), x])

    with pytest.warns(asdex.UnknownPrimitiveWarning) as caught:
        detected = pattern(f, X)
    assert len(caught) == 1
    message = str(caught[0].message)
    line = inspect.getsourcelines(f)[1] + 1
    assert "'opaque'" in message and f"test_unknown_primitives.py:{line}" in message
    block = np.kron(np.eye(2, dtype=int), np.ones((2, 2), int))
    np.testing.assert_array_equal(detected, np.concatenate([block, DIAGONAL]))


def test_each_unknown_primitive_warns_in_each_detection():
    def f(x):
        return opaque.bind(x) + opaque_pair.bind(x, x)[0].sum()

    for _ in range(2):
        with pytest.warns(asdex.UnknownPrimitiveWarning) as caught:
            pattern(f, X)
        assert sorted("'opaque'" in str(one.message) for one in caught) == [False, True]


def test_the_warning_names_the_users_line_behind_a_library_function():
    def f(x):
        return jax.vmap(jax.jit(lambda y: jax.nn.relu(y)))(jax.jit(opaque.bind)(x))

    line = inspect.getsourcelines(f)[1] + 1
    with pytest.warns(asdex.UnknownPrimitiveWarning, match=f"test_unknown_primitives.py:{line}"):
        pattern(f, X)


def as_floats(results):
    """Results with a type that has derivatives: those of integers are zero."""
    return [jnp.asarray(result, float) for result in jax.tree.leaves(results)]


def test_dense_joins_all_operands_and_skips_results_without_derivative():
    with pytest.warns(asdex.UnknownPrimitiveWarning):
        detected = pattern(lambda x: as_floats(opaque_pair.bind(x[:1], x[2:3])), X)
    np.testing.assert_array_equal(detected, [[1, 0, 1, 0]] * 3 + [[0] * 4])


def test_an_unknown_primitive_with_integer_results_alone_has_no_derivative():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detected = pattern(lambda x: as_floats(opaque_integers.bind(x)), X, unknown="error")
    assert not detected.any()


def test_unknown_error():
    with pytest.raises(asdex.UnknownPrimitiveError, match=r"'opaque'.*test_unknown_primitives\.py"):
        pattern(lambda x: opaque.bind(x), X, unknown="error")
    with pytest.raises(ValueError, match=r"`unknown`.*'maybe'"):
        pattern(lambda x: x, X, unknown="maybe")
    with pytest.raises(ValueError, match=r"`captured`.*'maybe'"):
        pattern(lambda x: x, X, captured="maybe")


def test_unknown_error_says_what_it_refuses():
    message = r"Refused the primitive 'opaque' .*as unknown=\"dense\" allows.*register\('opaque'\)"
    with pytest.raises(asdex.UnknownPrimitiveError, match=message) as caught:
        pattern(lambda x: opaque.bind(x), X, unknown="error")
    assert "is taken to depend" not in str(caught.value)


def called_back(x):
    return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


def called_back_in_order(x):
    return io_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


def foreign(x):
    return jax.ffi.ffi_call("nowhere", jax.ShapeDtypeStruct(x.shape, x.dtype))(x)


@pytest.mark.parametrize("call", [called_back, called_back_in_order, foreign])
def test_the_advice_for_calls_out_of_jax_is_a_derivative(call):
    """A rule for the primitive would apply to all of them, and none could be evaluated."""
    with pytest.warns(asdex.UnknownPrimitiveWarning, match=r"jax\.custom_jvp") as caught:
        detected = pattern(call, X)
    assert "asdex.register" not in str(caught[0].message)
    np.testing.assert_array_equal(detected, np.ones((4, 4)))
    with pytest.raises(asdex.UnknownPrimitiveError, match=r"jax\.custom_jvp"):
        pattern(call, X, unknown="error")
    wrapped = jax.custom_jvp(call)
    wrapped.defjvps(lambda tangent, result, x: jnp.cos(x) * tangent)
    np.testing.assert_array_equal(pattern(wrapped, X, unknown="error"), DIAGONAL)


def test_an_unknown_primitive_on_constants_has_an_unknown_value():
    """It has no implementation here, as a kernel for another device has none."""
    np.testing.assert_array_equal(
        pattern(lambda x: x * opaque.bind(jnp.ones(4)), X, unknown="error"), DIAGONAL
    )


# --- a derivative instead of a rule ---------------------------------------------------------------

smooth = primitive("smooth_without_a_rule")
ad.defjvp(smooth, lambda g, x: g * jnp.cos(x) + jnp.flip(g))

linear = primitive("linear_without_a_rule")
ad.deflinear2(linear, lambda ct, x: [linear.bind(ct)])

pair = primitive("pair_without_a_rule", abstract=lambda x, n: (x, n), multiple_results=True)


def _pair_jvp(primals, tangents):
    out = pair.bind(*primals)
    return out, [jnp.cumsum(tangents[0]), ad.Zero(out[1].aval.to_tangent_aval())]


ad.primitive_jvps[pair] = _pair_jvp


def test_a_rule_is_derived_from_the_jvp():
    detected = pattern(lambda x: smooth.bind(x), X, unknown="error")
    np.testing.assert_array_equal(detected, DIAGONAL | DIAGONAL[::-1])


def test_a_rule_is_derived_from_the_jvp_with_several_results():
    detected = pattern(lambda x: as_floats(pair.bind(x, jnp.arange(4))), X, unknown="error")
    np.testing.assert_array_equal(detected, np.concatenate([np.tri(4), np.zeros((4, 4))]))


def test_a_linear_primitive_whose_jvp_is_itself_is_dense():
    """Its own derivative does not tell the structure of the primitive: no endless recursion."""
    with pytest.warns(asdex.UnknownPrimitiveWarning) as caught:
        detected = pattern(lambda x: linear.bind(x), X)
    assert len(caught) == 1
    assert "test_unknown_primitives.py" in str(caught[0].message)
    np.testing.assert_array_equal(detected, np.ones((4, 4)))


def test_derived_rules_work_within_each_other():
    outer = primitive("outer_without_a_rule")
    ad.defjvp(outer, lambda g, x: smooth.bind(jnp.roll(g, 1)))
    detected = pattern(lambda x: outer.bind(x), X, unknown="error")
    rolled = np.roll(DIAGONAL, 1, axis=0)
    np.testing.assert_array_equal(detected, rolled | rolled[::-1])


# --- the registry ---------------------------------------------------------------------------------


def test_a_registered_rule_is_used():
    flip = primitive("flip_with_a_rule", abstract=lambda x, *, axis: x)

    @asdex.register(flip)
    def rule(eqn, x):
        assert eqn.name == "flip_with_a_rule" and eqn.needed == (True,)
        assert eqn.params == {"axis": 0} and "test_unknown_primitives.py" in eqn.source
        return x.rearrange(np.flip)

    np.testing.assert_array_equal(pattern(lambda x: flip.bind(x, axis=0), X), DIAGONAL[::-1])
    assert asdex.registered_rules()["flip_with_a_rule"] is rule


def test_families_of_rules():
    several = [primitive(f"several_{k}") for k in range(3)]
    asdex.elementwise(*several[:2])
    asdex.zero_derivative(several[2])

    def f(x):
        return several[0].bind(several[1].bind(x), jnp.flip(x)), several[2].bind(x)

    detected = pattern(f, X)
    np.testing.assert_array_equal(detected[:4], DIAGONAL | DIAGONAL[::-1])
    assert not detected[4:].any()


def test_a_second_registration_is_refused(registry):
    @asdex.register("taken")
    def first(eqn, x):
        return x

    with pytest.raises(ValueError, match=r"'taken' already has a rule, .*first\. Pass override="):
        asdex.register("taken")(lambda eqn, x: x)
    assert registry["taken"] is first
    with pytest.raises(ValueError, match="'sin' already has a rule"):
        asdex.elementwise("sin")


def test_override_replaces_a_rule():
    @asdex.register("sin", override=True)
    def nothing(eqn, x):
        return Dependence.none(x.shape)

    assert not pattern(jnp.sin, X).any()
    assert asdex.registered_rules()["sin"] is nothing


def test_the_copy_of_the_registry_is_a_copy():
    asdex.registered_rules().clear()
    assert "sin" in asdex.registered_rules()


def test_what_cannot_be_registered():
    with pytest.raises(TypeError, match="at least one primitive"):
        asdex.register()
    with pytest.raises(TypeError, match="primitive's name"):
        asdex.register(3)(lambda eqn, x: x)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda x: [x, x], r"'broken', .* returned 2 results where the primitive has 1"),
        (lambda x: [], r"'broken', .* returned 0 results where the primitive has 1"),
        (
            lambda x: x.reduce([0]),
            r"'broken', .* returned a Dependence of shape \(\) .* shape \(4,\)",
        ),
    ],
)
def test_a_rule_with_wrong_results_is_told_so(result, message):
    broken = primitive("broken")
    asdex.register(broken)(lambda eqn, x: result(x))
    with pytest.raises(ValueError, match=message):
        pattern(lambda x: broken.bind(x), X)


def test_an_error_in_a_rule_carries_the_users_line():
    broken = primitive("broken")

    @asdex.register(broken)
    def rule(eqn, x):
        raise ZeroDivisionError

    def f(x):
        return broken.bind(x)

    with pytest.raises(ZeroDivisionError) as caught:
        pattern(f, X)
    line = inspect.getsourcelines(f)[1] + 1
    assert any(f"test_unknown_primitives.py:{line}" in note for note in caught.value.__notes__)


def test_rules_read_nested_jaxprs_values_and_structure():
    """What `asdex.Equation` offers to rules, on a primitive that holds a jaxpr."""
    holder = primitive("holder", abstract=lambda x, i, *, jaxpr: x)

    @asdex.register(holder)
    def rule(eqn, x, index):
        assert eqn.known(0) is None
        np.testing.assert_array_equal(eqn.known(1), [3, 2, 1, 0])
        assert [aval.shape for aval in eqn.in_avals] == [(4,), (4,)]
        (interpreted,) = eqn.interpret(eqn.params["jaxpr"], [x, eqn.operands[1]])
        (structure,) = eqn.structure(eqn.params["jaxpr"], [None, eqn.operands[1]])
        through = structure.as_dependence(eqn.out_avals[0]).substitute(Dependence.join([x]))
        assert interpreted.as_dependence(eqn.out_avals[0]).same_sets(through)
        return interpreted

    def f(x):
        jaxpr = jax.make_jaxpr(lambda x, i: lax.rev(x[i] * x, (0,)))(x, jnp.arange(4))
        return holder.bind(2 * x, jnp.arange(4)[::-1], jaxpr=jaxpr)

    np.testing.assert_array_equal(pattern(f, X), DIAGONAL | DIAGONAL[::-1])
