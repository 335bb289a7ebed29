"""What asdex assumes about jaxprs, in whatever version of jax is installed."""

import inspect
import re
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import jaxpr_as_fun
from jax.sharding import Mesh, PartitionSpec

import asdex
from asdex import _arrays, _jaxprs, _versions


X = jnp.linspace(0.3, 1.7, 5)


def equations(f, *args):
    return _jaxprs.open_jaxpr(jax.make_jaxpr(f)(*args)).eqns


def equation(f, *args):
    """The only equation of a function."""
    (one,) = equations(f, *args)
    return one


def loop(f, name, *args):
    """The only equation of a function that has this primitive."""
    (one,) = (eqn for eqn in equations(f, *args) if eqn.primitive.name == name)
    return one


class Avals:
    """An equation as `scan_arity` sees it."""

    def __init__(self, eqn):
        self.params = eqn.params
        self.in_avals = [atom.aval for atom in eqn.invars]
        self.out_avals = [variable.aval for variable in eqn.outvars]


# --- jaxprs ---------------------------------------------------------------------------------------


def test_a_closed_jaxpr_opens_and_keeps_its_constants():
    table = np.arange(5.0, dtype=np.float32)
    closed = jax.make_jaxpr(lambda x: x * table)(X)
    inner = _jaxprs.open_jaxpr(closed)
    assert _jaxprs.is_jaxpr(closed) and _jaxprs.is_jaxpr(inner)
    assert not _jaxprs.is_jaxpr(table) and not _jaxprs.is_jaxpr(None)
    assert _jaxprs.open_jaxpr(inner) is inner
    assert len(inner.constvars) == len(_jaxprs.jaxpr_consts(closed))
    assert len(inner.invars) == len(inner.outvars) == 1


@pytest.mark.parametrize(
    "wrap", [jax.jit, jax.checkpoint, lambda f: jax.checkpoint(jax.jit(f)), jax.named_call]
)
def test_calls_hold_a_jaxpr_of_the_same_arity(wrap):
    for eqn in equations(wrap(lambda x, y: (x * y, jnp.sin(x))), X, X):
        inner = _jaxprs.call_jaxpr(eqn)
        if inner is None:  # a named call may leave no call behind
            assert eqn.primitive.name in ("mul", "sin")
            continue
        assert len(_jaxprs.open_jaxpr(inner).invars) == len(eqn.invars)
        assert len(_jaxprs.open_jaxpr(inner).outvars) == len(eqn.outvars)


@pytest.mark.parametrize("wrap", [jax.jit, jax.checkpoint])
def test_jit_and_checkpoint_are_calls(wrap):
    eqn = equation(wrap(lambda x: 2 * x), X)
    body = _jaxprs.open_jaxpr(_jaxprs.call_jaxpr(eqn))
    assert [inner.primitive.name for inner in body.eqns] == ["mul"]


def test_what_has_a_jaxpr_but_is_no_call():
    """A scan without slices has the arity of a call, and would lose its steps if taken for one."""

    def without_slices(x):
        return lax.scan(lambda c, _: (2 * c, None), x, None, length=3)[0]

    def mapped(x):
        return lax.map(jnp.sin, x)

    def looping(x):
        return lax.while_loop(lambda c: c[0] < 3, lambda c: c + 1, x)

    def branching(x):
        return lax.switch(0, [jnp.sin, jnp.cos], x)

    def solving(x):
        return lax.custom_linear_solve(lambda y: 2 * y, x, lambda _, b: b / 2, symmetric=True)

    custom = jax.custom_jvp(jnp.sin)
    custom.defjvp(lambda primals, tangents: (custom(*primals), tangents[0]))
    reverse = jax.custom_vjp(jnp.sin)
    reverse.defvjp(lambda x: (jnp.sin(x), None), lambda _, g: (g,))
    for f in (without_slices, mapped, looping, branching, solving, custom, reverse):
        held = [e for e in equations(f, X) if any(map(_jaxprs.is_jaxpr, e.params.values()))]
        for eqn in [*held, *(e for e in equations(f, X) if "custom" in e.primitive.name)]:
            assert _jaxprs.call_jaxpr(eqn) is None, eqn.primitive.name


def test_calls_without_a_rule_of_their_own_are_all_known():
    """The primitives that user code traces to are calls, or have rules."""
    names = {
        eqn.primitive.name
        for f in (jax.jit(jnp.sin), jax.checkpoint(jnp.sin))
        for eqn in equations(f, X)
    }
    assert names <= _versions.CALL_PRIMITIVES


@pytest.mark.parametrize("wrap", [jax.jit, lambda f: f])
def test_a_jaxpr_as_a_function_is_evaluated_or_a_call(wrap):
    """What `closed_call` was is `eval_jaxpr` in jax 0.12, and in most versions it leaves no trace."""
    closed = jax.make_jaxpr(wrap(lambda x: x[::-1]))(X)
    for eqn in equations(jaxpr_as_fun(closed), X):
        inner = _jaxprs.call_jaxpr(eqn)
        assert eqn.primitive.name == "rev" or _jaxprs.open_jaxpr(inner).eqns
    pattern = asdex.jacobian_sparsity(jaxpr_as_fun(closed), X, unknown="error")
    np.testing.assert_array_equal(pattern.todense(), np.eye(5)[::-1])


def test_a_sharded_body_is_no_call():
    """It has the arity of one, but is written for the shard of a device."""
    if jax.__version_info__ >= (0, 7):
        shard_map = jax.shard_map
    else:
        from jax.experimental.shard_map import shard_map
    mesh = Mesh(np.array(jax.devices()[:1]), ("i",))
    spec = PartitionSpec("i")
    eqn = equation(shard_map(lambda x: 2 * x, mesh=mesh, in_specs=spec, out_specs=spec), X)
    assert eqn.primitive.name == "shard_map"
    assert any(map(_jaxprs.is_jaxpr, eqn.params.values()))
    assert _jaxprs.call_jaxpr(eqn) is None


def test_results_that_nothing_reads_are_written_like_others():
    """jax drops their variables in some versions: `DropVar`."""
    closed = jax.make_jaxpr(lambda x: lax.top_k(x, 2)[0])(X)
    (eqn,) = _jaxprs.open_jaxpr(closed).eqns
    assert len(eqn.outvars) == 2
    pattern = asdex.jacobian_sparsity(lambda x: lax.top_k(x, 2)[0], X).todense()
    np.testing.assert_array_equal(pattern, np.ones((2, 5)))


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (jnp.square, np.eye(5)),
        (jnp.log2, np.eye(5)),
        (lambda x: 1 - x**2, np.eye(5)),
        (lambda x: jnp.tile(x, 2), np.tile(np.eye(5), (2, 1))),
        (lambda x: jnp.stack([x, x[::-1]]), np.vstack([np.eye(5), np.eye(5)[::-1]])),
        (lambda x: jnp.split(x, [2])[1], np.eye(5)[2:]),
        (lambda x: [*x][::-1], np.eye(5)[::-1]),
        (lambda x: jnp.polyval(jnp.arange(3.0), x), np.eye(5)),
        (lambda x: jnp.repeat(x, 2), np.repeat(np.eye(5), 2, axis=0)),
    ],
)
def test_functions_whose_primitives_are_new_in_some_version(f, expected):
    """`square`, `log2`, `one_minus_square`, `tile`, `stack`, `split`, `unstack`, ... or what was before."""
    pattern = asdex.jacobian_sparsity(f, X, unknown="error").todense()
    np.testing.assert_array_equal(pattern, expected > 0)


# --- loops ----------------------------------------------------------------------------------------


def scan_with(*, consts, slices, outputs, carry, length=4, reverse=False):
    """A scan over `X` with the given numbers of constants, carried values, slices and outputs."""

    def f(fixed, start, xs):
        def step(c, v):
            total = sum(map(jnp.sum, (*fixed, *c, *(v or ()))))
            return [one + total for one in c], [jnp.full(2, total) for _ in range(outputs)]

        return lax.scan(step, start, xs or None, length=length, reverse=reverse)

    fixed = [jnp.ones(3) for _ in range(consts)]
    start = [jnp.ones((2,) * k) for k in range(carry)]
    xs = [jnp.ones((length, *(3,) * k)) for k in range(slices)]
    return loop(f, "scan", fixed, start, xs)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [0, 1, 4])
@pytest.mark.parametrize(
    ("consts", "carry", "slices", "outputs"),
    [
        (0, 1, 0, 0),
        (2, 1, 0, 1),
        (0, 0, 1, 2),
        (2, 3, 2, 2),
        (1, 2, 0, 0),
        (3, 0, 2, 1),
        (0, 2, 3, 0),
    ],
)
def test_scan_arity(consts, carry, slices, outputs, length, reverse):
    eqn = scan_with(
        consts=consts, carry=carry, slices=slices, outputs=outputs, length=length, reverse=reverse
    )
    assert _jaxprs.scan_arity(Avals(eqn)) == (consts, carry)
    assert eqn.params["length"] == length and eqn.params["reverse"] is reverse
    assert len(eqn.invars) == consts + carry + slices
    assert len(eqn.outvars) == carry + outputs


def test_scan_orders_constants_then_carry_then_slices():
    def f(fixed, start, xs):
        return lax.scan(lambda c, v: (c + fixed.sum() * v, fixed), start, xs)

    eqn = loop(f, "scan", jnp.ones(7), jnp.ones((2, 2)), jnp.ones(4))
    assert [atom.aval.shape for atom in eqn.invars] == [(7,), (2, 2), (4,)]
    assert [variable.aval.shape for variable in eqn.outvars] == [(2, 2), (4, 7)]
    body = _jaxprs.open_jaxpr(eqn.params["jaxpr"])
    assert [variable.aval.shape for variable in body.invars] == [(7,), (2, 2), ()]


def test_while_orders_condition_constants_body_constants_carry():
    def f(limit, shift, start):
        return lax.while_loop(lambda c: c[0] < limit.sum(), lambda c: c + shift.sum(), start)

    eqn = loop(f, "while", jnp.ones(2), jnp.ones(3), jnp.ones(4))
    assert [atom.aval.shape for atom in eqn.invars] == [(2,), (3,), (4,)]
    assert (eqn.params["cond_nconsts"], eqn.params["body_nconsts"]) == (1, 1)
    condition = _jaxprs.open_jaxpr(eqn.params["cond_jaxpr"])
    body = _jaxprs.open_jaxpr(eqn.params["body_jaxpr"])
    assert [variable.aval.shape for variable in condition.invars] == [(2,), (4,)]
    assert [variable.aval.shape for variable in body.invars] == [(3,), (4,)]
    assert [variable.aval.shape for variable in body.outvars] == [(4,)]


def test_fori_loop_is_a_scan_if_its_length_is_known_and_a_while_otherwise():
    def f(n, x):
        return lax.fori_loop(0, n, lambda i, c: c + i, x)

    assert loop(lambda x: f(3, x), "scan", X).params["length"] == 3
    assert loop(f, "while", 3, X)


def test_cond_holds_its_index_first_and_one_jaxpr_per_branch():
    eqn = loop(lambda i, x: lax.switch(i, [jnp.sin, jnp.cos, jnp.tan], x), "cond", 1, X)
    assert eqn.invars[0].aval.shape == () and eqn.invars[0].aval.dtype == np.int32
    names = [_jaxprs.open_jaxpr(b).eqns[0].primitive.name for b in eqn.params["branches"]]
    assert names == ["sin", "cos", "tan"]


# --- literals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [2, 0.5, True, np.float32(0.5), np.int8(3)])
def test_literals_have_a_typed_value(value):
    def f(x):
        return jnp.where(x > 1, value, x), lax.mul(x, np.float32(0.25))

    atoms = [atom for eqn in equations(f, X) for atom in eqn.invars if _jaxprs.is_literal(atom)]
    assert atoms
    for atom in atoms:
        number = _jaxprs.literal_value(atom)
        assert isinstance(number, np.ndarray) and number.shape == ()
        assert number.dtype == atom.aval.dtype
    assert 0.25 in [float(_jaxprs.literal_value(atom)) for atom in atoms]


def test_variables_are_not_literals():
    eqn = equation(lambda x: x * 2.0, X)
    assert [_jaxprs.is_literal(atom) for atom in eqn.invars].count(False) == 1
    assert not any(map(_jaxprs.is_literal, eqn.outvars))


def test_literals_are_told_apart_before_they_are_looked_up():
    """In most versions a literal has no hash, and it may be an operand and a result."""

    def branches(x):
        return lax.cond(x[0] > 1, lambda x: (x, 2.0), lambda x: (3.0 * x, x[1]), x)

    pattern = asdex.jacobian_sparsity(branches, X).todense()
    np.testing.assert_array_equal(pattern, np.vstack([np.eye(5), np.eye(5)[1]]))


# --- dtypes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (jnp.float32, True),
        (jnp.float16, True),
        (jnp.bfloat16, True),
        (jnp.float8_e4m3fn, True),
        (jnp.complex64, True),
        (jnp.int32, False),
        (jnp.uint8, False),
        (jnp.bool_, False),
        (jax.dtypes.float0, False),
    ],
)
def test_has_derivative(dtype, expected):
    assert _arrays.has_derivative(jax.ShapeDtypeStruct((2,), dtype)) is expected


def test_keys_and_values_without_a_dtype_have_no_derivative():
    key = jax.random.key(0)
    assert _arrays.is_key(key)
    assert not _arrays.has_derivative(jax.typeof(key) if hasattr(jax, "typeof") else key.aval)
    assert not _arrays.is_key(np.zeros(2, np.float32))
    assert not _arrays.has_derivative(object())


# --- binding and source lines ---------------------------------------------------------------------


@jax.custom_jvp
def straight(x):
    return jnp.round(x)


straight.defjvp(lambda primals, tangents: (straight(*primals), 3 * tangents[0]))


@jax.custom_vjp
def reversed_sign(x):
    return jnp.sign(x)


reversed_sign.defvjp(lambda x: (jnp.sign(x), None), lambda _, g: (5 * g,))


def bound(f, *args):
    """The function that evaluates the only equation of `f` once more, and its primitive's name."""
    eqn = equation(f, *args)
    bind = _versions.binder(eqn.primitive, eqn.params)
    first = (lambda *x: bind(*x)[0]) if eqn.primitive.multiple_results else bind
    return first, eqn.primitive.name


def test_binder_evaluates_plain_and_nested_equations():
    for f in (jnp.sin, jax.jit(jnp.sin), jax.checkpoint(jnp.sin), straight, reversed_sign):
        again, _ = bound(f, X)
        np.testing.assert_allclose(again(X), f(X), rtol=1e-6)

    def scanned(x):
        return lax.scan(lambda c, v: (c * v, c), x[0], x)[1]

    eqn = loop(scanned, "scan", X)
    _, stacked = _versions.binder(eqn.primitive, eqn.params)(X[0], X)
    np.testing.assert_allclose(stacked, scanned(X), rtol=1e-6)


def test_parameters_for_binding_are_a_tuple_or_a_dictionary():
    """The tuple before jax 0.9.2 holds functions apart; `binder` takes both."""
    for f in (jnp.sin, straight, jax.jit(jnp.sin)):
        eqn = equation(f, X)
        params = eqn.primitive.get_bind_params(eqn.params)
        assert isinstance(params, tuple) == (jax.__version_info__ < (0, 9, 2))
        assert isinstance(params, tuple | dict)


def test_binder_keeps_a_custom_jvp_rule():
    again, name = bound(straight, X)
    assert name == "custom_jvp_call"
    out, tangent = jax.jvp(again, (X,), (X,))
    np.testing.assert_array_equal(out, np.round(X))
    np.testing.assert_allclose(tangent, 3 * X)
    np.testing.assert_allclose(jax.grad(lambda x: again(x).sum())(X), np.full(5, 3.0))


def test_binder_keeps_a_custom_vjp_rule():
    again, name = bound(reversed_sign, X)
    assert name in ("custom_vjp_call", "custom_vjp_call_jaxpr")
    out, pullback = jax.vjp(again, X)
    np.testing.assert_array_equal(out, np.sign(X))
    np.testing.assert_allclose(pullback(X)[0], 5 * X)


def test_binder_works_while_tracing():
    again, _ = bound(straight, X)
    rows = jnp.stack([X, 2 * X])
    np.testing.assert_array_equal(jax.jit(jax.vmap(again))(rows), np.round(rows))


def test_source_line_names_this_file_line_and_function():
    def f(x):
        return lax.sin(x)

    line = inspect.getsourcelines(f)[1] + 1
    source = _jaxprs.source_line(equation(f, X))
    assert f"test_versions.py:{line}" in source and "f)" in source


def test_the_position_of_a_source_line():
    def f(x):
        return lax.sin(x)

    source = _jaxprs.source_line(equation(f, X))
    assert _jaxprs.source_position(source) == (__file__, inspect.getsourcelines(f)[1] + 1)
    assert _jaxprs.source_position("unknown source") == ("unknown source", 0)


def test_the_sign_of_a_complex_number_has_a_derivative_in_new_versions():
    z = X + 1j * X[::-1]
    pattern = asdex.jacobian_sparsity(jnp.sign, z).todense()
    differentiated = jax.jvp(jnp.sign, (z,), (1j * z,))[1]
    np.testing.assert_array_equal(pattern, np.diag(np.abs(differentiated) > 0))


def test_callbacks_are_called_as_expected():
    struct = jax.ShapeDtypeStruct(X.shape, X.dtype)
    eqn = loop(lambda x: jax.pure_callback(np.sin, struct, x), "pure_callback", X)
    assert not _jaxprs.is_predictable(eqn)


# --- the oldest packages --------------------------------------------------------------------------


def test_the_oldest_packages_are_the_lower_bounds():
    """What `make test-jax-oldest` installs is what `pyproject.toml` promises to work with."""
    repository = Path(__file__).resolve().parents[1]
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = dict(dependency.split(">=") for dependency in project["dependencies"])
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    pins = re.search(r"^OLDEST_PACKAGES := (.*)$", makefile, re.MULTILINE)
    assert pins is not None
    installed = dict(pin.split("==") for pin in pins[1].split())
    assert {name: padded(version) for name, version in installed.items()} == {
        name: padded(version) for name, version in bounds.items()
    }


def padded(version):
    """`1.26` and `1.26.0` are the same."""
    numbers = [int(part) for part in version.split(".")]
    return (*numbers, 0, 0)[:3]
