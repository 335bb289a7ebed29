"""What a rule's author forgets or mistakes is said in his own words: registrations and results."""

import re
import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive

import asdex
from asdex import Dependence
from asdex.detection import _registry


X = jnp.ones(4)


def primitive(name, *shapes):
    """A primitive with results of `shapes`; one result as long as the operand by default."""
    result = Primitive(name)
    result.multiple_results = bool(shapes)
    avals = [ShapedArray(shape, jnp.float32.dtype) for shape in shapes]
    result.def_abstract_eval(lambda x: avals or x)
    return result


pytestmark = pytest.mark.usefixtures("registry")


# --- registrations --------------------------------------------------------------------------------


def test_a_decorator_without_parentheses_is_refused():
    with pytest.raises(TypeError, match=r'@asdex\.register\("name"\)'):

        @asdex.register
        def rule(eqn, x):
            return x

    for family in (asdex.elementwise, asdex.zero_derivative):
        with pytest.raises(TypeError, match=rf'asdex\.{family.__name__}\("name"\).* needs no rule'):

            @family
            def further(x):
                return x


@pytest.mark.parametrize("wrong", [3, None, ["mine"], ("mine",), np.sin, Primitive, len, object()])
@pytest.mark.parametrize("family", ["register", "elementwise", "zero_derivative"])
def test_what_is_no_primitive_is_refused_at_once(family, wrong, registry):
    before = dict(registry)
    with pytest.raises(TypeError, match=f"primitive's name or .*asdex.{family}"):
        getattr(asdex, family)("mine", wrong)
    assert registry == before


@pytest.mark.parametrize("family", ["register", "elementwise", "zero_derivative"])
def test_no_primitive_at_all_is_refused(family):
    with pytest.raises(TypeError, match=f"at least one primitive.*asdex.{family}"):
        getattr(asdex, family)()


@pytest.mark.parametrize("rule", [None, "rule", 3])
def test_a_rule_is_callable(rule):
    with pytest.raises(TypeError, match=f"Expected a rule, .*{rule!r}"):
        asdex.register("mine")(rule)


def test_a_refused_registration_registers_nothing(registry):
    with pytest.raises(ValueError, match="'sin' already has a rule"):
        asdex.elementwise("mine", "sin")
    assert "mine" not in registry


# --- results --------------------------------------------------------------------------------------


def without_return(eqn, x):
    x.mix([0])


@pytest.mark.parametrize(
    ("rule", "error", "returned"),
    [
        (without_return, TypeError, "returned nothing .*`return`"),
        (lambda eqn, x: 3, TypeError, "returned a value of type int"),
        (lambda eqn, x: "x", TypeError, "returned a value of type str"),
        (lambda eqn, x: np.eye(4), TypeError, "returned a value of type ndarray"),
        (lambda eqn, x: iter([x]), TypeError, "returned a value of type list_iterator"),
        (lambda eqn, x: [None], TypeError, "returned nothing .*`return`.* for result 0"),
        (lambda eqn, x: [np.arange(4)], TypeError, "returned a value of type ndarray for result 0"),
        (lambda eqn, x: [x, x], ValueError, "returned 2 results where the primitive has 1"),
        (lambda eqn, x: x.reduce([0]), ValueError, r"returned a Dependence of shape \(\) for"),
        (
            lambda eqn, x: Dependence.none((3,)),
            ValueError,
            r"returned a Dependence of shape \(3,\)",
        ),
    ],
)
def test_a_rule_is_told_what_to_return(rule, error, returned):
    wrong = primitive("wrong")
    asdex.register(wrong)(rule)
    who = f"The rule of 'wrong', {re.escape(_registry.describe_rule(rule))},"
    what = r"It must return one Dependence of shape \(4,\)"
    with pytest.raises(error, match=f"{who} {returned}.*{what}"):
        asdex.jacobian_sparsity(lambda x: wrong.bind(x), X)


@pytest.mark.parametrize("results", [lambda x: x, lambda x: (x,), lambda x: None])
def test_a_rule_of_several_results_is_told_how_many(results):
    pair = primitive("pair", (4,), ())
    asdex.register(pair)(lambda eqn, x: results(x))
    with pytest.raises(
        (TypeError, ValueError), match=r"a list of 2 Dependences of shape \(4,\), \(\)"
    ):
        asdex.jacobian_sparsity(lambda x: pair.bind(x), X)


def test_a_rule_may_return_a_tuple_or_leave_the_equation_to_asdex():
    pair = primitive("pair", (4,), ())
    asdex.register(pair)(lambda eqn, x: (x, x.reduce([0])))
    detected = asdex.jacobian_sparsity(lambda x: pair.bind(x), X)
    np.testing.assert_array_equal(detected.todense(), np.vstack([np.eye(4), np.ones(4)]))
    asdex.register(pair, override=True)(lambda eqn, x: NotImplemented)
    with pytest.warns(asdex.UnknownPrimitiveWarning):
        assert asdex.jacobian_sparsity(lambda x: pair.bind(x), X).nnz == 20


@pytest.mark.parametrize("trait", ["linear", "moves"])
def test_a_rule_with_traits_may_leave_the_equation_alone(trait):
    """Also where it is asked for facts, and for parts of complex numbers."""
    twice = primitive("twice")
    asdex.register("twice", **{trait: True})(lambda eqn, operand: NotImplemented)

    def of_facts(x, w):
        return twice.bind(jnp.where(np.arange(4) < 2, w, 0.0)) * x

    def of_parts(x, w):
        return twice.bind(lax.complex(x, w)).real

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", asdex.UnknownPrimitiveWarning)
        for f in (of_facts, of_parts):
            assert (asdex.jacobian_sparsity(f, X, X).todense().diagonal() == 1).all()
