"""What is traced, how often, and which arrays become constants of a compiled program."""

import enum
import gc
import warnings
import weakref

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
import pytest
from jax.extend import core

import asdex
from asdex.evaluation._compiled import _PLANS
from asdex.evaluation.passes._batch_size import default_chunk, examine, is_unrolled, Makeup
from asdex.evaluation.passes._flat_jaxpr import Program


X = jnp.linspace(0.5, 1.5, 12)


class Counter:
    """A function that counts how often it is traced."""

    def __init__(self, function):
        self.function, self.count = function, 0

    def __call__(self, *args):
        self.count += 1
        return self.function(*args)


class Model(eqx.Module):
    """Differences with trained weights; the counter is static."""

    weights: jax.Array
    counter: Counter = eqx.field(static=True)

    def __call__(self, x):
        return self.counter(self.weights, x)


def weighted_differences(weights, x):
    return weights[1:] * (x[1:] - x[:-1]) ** 2


def energy(x):
    return jnp.sum((x[1:] - x[:-1] ** 2) ** 2)


def colorings(size):
    """Two colorings of `weighted_differences`, with the numbers of the colors exchanged."""
    rows = np.repeat(np.arange(size - 1), 2)
    sparsity = asdex.SparsityPattern.from_coo(
        rows, rows + np.tile([0, 1], size - 1), (size - 1, size)
    )
    colors = (np.arange(size) % 2).astype(np.int32)
    return [asdex.ColoredPattern(sparsity, c, 2, False, "fwd") for c in (colors, 1 - colors)]


@pytest.mark.parametrize("mode", ["fwd", "rev", "bidirectional"])
def test_a_plain_call_traces_once(mode):
    f = Counter(lambda x: weighted_differences(jnp.ones(12), x))
    jac_fn = asdex.jacobian(f, X, mode=mode)
    jac_fn(X)
    traced = f.count
    for shift in range(4):
        got = jac_fn(X + shift).todense()
        np.testing.assert_allclose(got, jax.jit(jax.jacobian(f.function))(X + shift), rtol=1e-6)
    assert f.count == traced


def test_a_plain_hessian_traces_once_in_forward_over_reverse_mode():
    f = Counter(energy)
    hess_fn = asdex.hessian(f, X)
    f.count = 0
    for shift in range(4):
        np.testing.assert_allclose(
            hess_fn(X + shift).todense(), jax.jit(jax.hessian(energy))(X + shift), rtol=1e-5
        )
    assert f.count == 1


def test_the_function_is_traced_once_for_all_colors():
    f = Counter(lambda x: sum(jnp.roll(x, k) ** 2 for k in range(5)))
    jac_fn = asdex.jacobian(f, X)
    assert jac_fn.coloring.num_colors > 4
    f.count = 0
    jac_fn(X)
    assert f.count == 1


@pytest.mark.parametrize("output_format", ["bcoo", "bcsr", "data"])
def test_a_derivative_is_made_without_compilation(output_format, caplog):
    """Its arrays are placed on the device: `jnp.asarray` would compile a program for each shape."""
    x = jnp.linspace(0.5, 1.5, 37)
    caplog.set_level("DEBUG")
    with jax.log_compiles():
        asdex.jacobian(lambda x: (x[1:] - x[:-1]) ** 2, x, output_format=output_format)
        assert "XLA compilation" not in caplog.text
        jax.jit(lambda x: x + 1)(x)
    assert "XLA compilation" in caplog.text


def aligned(values):
    """A writable array of NumPy at an address from which JAX takes memory as it is."""
    values = np.asarray(values, np.int32)
    buffer = np.zeros(values.nbytes + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    array = buffer[start : start + values.nbytes].view(np.int32)
    array[:] = values
    return array


def test_arrays_that_their_owner_changes_are_copied():
    coloring, _ = colorings(12)
    colors = aligned(coloring.colors)
    coloring = asdex.ColoredPattern(coloring.sparsity, colors, 2, False, "fwd")
    derivative = asdex.jacobian_from_coloring(lambda x: (x[1:] - x[:-1]) ** 2, coloring, "dense")
    colors[:] = 0
    expected = jax.jacobian(lambda x: (x[1:] - x[:-1]) ** 2)(X)
    for call in (derivative, jax.jit(derivative)):
        np.testing.assert_allclose(call(X), expected, rtol=1e-5)


def test_jit_traces_once():
    f = Counter(lambda x: weighted_differences(jnp.ones(12), x))
    jac_fn = jax.jit(asdex.jacobian(f, X))
    f.count = 0
    for shift in range(4):
        jac_fn(X + shift)
    assert f.count == 1


def test_filter_jit_traces_once_for_values_models_and_colorings():
    counter = Counter(weighted_differences)
    call = eqx.filter_jit(lambda jac_fn, x: jac_fn(x))
    got = {}
    for scale in (1.0, 2.0):
        for number, coloring in enumerate(colorings(12)):
            jac_fn = asdex.jacobian_from_coloring(Model(scale * X, counter), coloring)
            got[scale, number] = call(jac_fn, X + scale).todense()
    assert counter.count == 1
    for (scale, _), matrix in got.items():
        slopes = 2 * scale * X[1:] * (X[1:] - X[:-1])
        np.testing.assert_allclose(jnp.diagonal(matrix, 1), slopes, rtol=1e-4)
        np.testing.assert_allclose(jnp.diagonal(matrix), -slopes, rtol=1e-4)


def test_plain_calls_share_a_program_among_models_and_colorings():
    counter = Counter(weighted_differences)
    got = []
    for scale in (1.0, 2.0):
        for coloring in colorings(12):
            got.append(asdex.jacobian_from_coloring(Model(scale * X, counter), coloring)(X).data)
    assert counter.count == 1
    np.testing.assert_array_equal(got[0], got[1])
    np.testing.assert_allclose(2 * got[0], got[2], rtol=1e-6)


def test_a_replaced_model_is_seen_without_a_new_trace():
    counter = Counter(weighted_differences)
    coloring, _ = colorings(12)
    jac_fn = asdex.jacobian_from_coloring(Model(X, counter), coloring)
    once = jac_fn(X).data
    twice = eqx.tree_at(lambda fn: fn.f.weights, jac_fn, 2 * X)(X).data
    np.testing.assert_allclose(2 * once, twice, rtol=1e-6)
    assert counter.count == 1


def test_arguments_are_checked_again_when_their_kind_changes():
    jac_fn = asdex.jacobian(lambda x, power: x**power, X, 2)
    np.testing.assert_allclose(jac_fn(X, 2).data, 2 * X, rtol=1e-6)
    with pytest.raises(ValueError, match=r"Expected args\[1\] to be 2"):
        jac_fn(X, 3)
    with pytest.raises(ValueError, match=r"Expected args\[1\] to be 2"):
        jac_fn(X, True)
    with pytest.raises(ValueError, match="shape"):
        jac_fn(X[:5], 2)
    with pytest.raises(TypeError, match="dtype"):
        jac_fn(X.astype(jnp.bfloat16), 2)
    np.testing.assert_allclose(jac_fn(3 * X, 2).data, 6 * X, rtol=1e-6)


def constants(jaxpr):
    """The sizes of all arrays that stand in a jaxpr rather than being its inputs."""
    sizes = [np.size(const) for const in getattr(jaxpr, "consts", ())]
    for eqn in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        sizes += [np.size(atom.val) for atom in eqn.invars if isinstance(atom, core.Literal)]
        for inner in jtu.tree_leaves(
            list(eqn.params.values()), is_leaf=lambda leaf: hasattr(leaf, "eqns")
        ):
            if hasattr(inner, "eqns"):
                sizes += constants(inner)
    return sizes


class Edges(eqx.Module):
    """Flux along edges, whose index arrays are leaves."""

    source: jax.Array
    target: jax.Array

    def __call__(self, x):
        flux = jnp.tanh(x[self.target] - x[self.source])
        return jnp.zeros_like(x).at[self.source].add(flux)


def derivative_of_kind(name, x):
    n = x.size
    if name == "hessian":
        return asdex.hessian(energy, x)
    if name == "edges":
        return asdex.jacobian(Edges(jnp.arange(n), (jnp.arange(n) * 7 + 1) % n), x)
    return asdex.jacobian(lambda x: (x[1:] - x[:-1]) ** 2, x, mode=name)


@pytest.mark.parametrize("name", ["fwd", "rev", "bidirectional", "edges", "hessian"])
def test_large_arrays_are_inputs_of_programs(name):
    x = jnp.linspace(0.5, 1.5, 100_000)
    derivative = derivative_of_kind(name, x)
    arrays, static = eqx.partition(derivative, eqx.is_array)
    through_filter_jit = jax.make_jaxpr(lambda arrays, x: eqx.combine(arrays, static)(x))
    assert max(constants(through_filter_jit(arrays, x)), default=0) < 300

    derivative(x)
    (plan,) = _PLANS[derivative].values()
    plan.trace._is_taken = False
    plain = jax.make_jaxpr(lambda kernel, terms, x: plan.trace.program((kernel, [x]), terms))
    assert max(constants(plain(plan.kernel, plan.seed_terms, x)), default=0) < 300


def test_what_jit_takes_from_a_closure():
    """Colors, positions of the nonzeros, their indices in the result, and what depends on colors alone."""
    x = jnp.linspace(0.5, 1.5, 200_000)
    n, nnz = x.size, 2 * (x.size - 1)
    jac_fn = derivative_of_kind("fwd", x)
    closed_over = jax.make_jaxpr(lambda x: jac_fn(x))(x)
    differences = nnz  # of the two seeds
    assert large(closed_over) == sorted([n, nnz, 2 * nnz, differences])
    values_fn = asdex.jacobian_from_coloring(jac_fn.f, jac_fn.coloring, output_format="data")
    assert large(jax.make_jaxpr(lambda x: values_fn(x))(x)) == sorted([n, nnz, differences])


def large(jaxpr):
    return sorted(size for size in constants(jaxpr) if size > 300)


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_default_chunk(backend, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    on_cpu = backend == "cpu"
    fused, products, separate = map(Makeup, ("fused", "products", "separate"))
    for program in (fused, products, separate):
        assert default_chunk(7, 100, program) == 7
        assert default_chunk(0, 0, program) == 0
        assert default_chunk(1, 10**9, program) == 1
        assert default_chunk(2, 10**6, program) == 2
        assert default_chunk(9, 10**4, program) == (3 if on_cpu and program is separate else 9)
    assert default_chunk(20, 10**9, fused) == (20 if on_cpu else 2)
    assert default_chunk(20, 10**9, products) == 2
    assert default_chunk(1000, 10**4, products) == (100 if on_cpu else 1000)
    assert default_chunk(1000, 10, products._replace(largest=10**4)) == (100 if on_cpu else 1000)
    assert default_chunk(1000, 10**4, separate) == (3 if on_cpu else 1000)
    assert default_chunk(20, 10**6, separate) == (2 if on_cpu else 20)


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_when_passes_are_unrolled(backend, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    on_cpu = backend == "cpu"
    fused = Makeup("fused", moves=True, length=64)
    assert is_unrolled(8, fused) == on_cpu
    assert not is_unrolled(0, fused)
    assert not is_unrolled(9, fused)  # many operations
    assert not is_unrolled(8, fused._replace(moves=False))
    assert not is_unrolled(8, fused._replace(kind="separate"))


def kind_of(function):
    """How its linear part is computed, at six numbers."""
    linear = jax.linearize(function, jnp.linspace(0.5, 1.5, 6))[1]
    jaxpr = jax.make_jaxpr(lambda seed: linear(seed))(jnp.ones(6))
    return examine(Program(jaxpr, [0]).steps)


def test_what_passes_are_made_of():
    weights = jnp.ones((8, 6))
    assert kind_of(lambda x: jnp.sin(x) * jnp.sum(x))[:3] == ("fused", False, 0)
    assert kind_of(lambda x: jnp.sin(jnp.roll(x, 1)))[:3] == ("fused", True, 0)
    assert kind_of(lambda x: jnp.tanh(weights @ jnp.roll(x, 1)))[:3] == ("products", True, 8)
    scatter = jax.jit(lambda x: jnp.zeros(9).at[jnp.arange(6)].add(x))
    assert kind_of(scatter)[:3] == ("separate", False, 9)
    loop = kind_of(lambda x: jax.lax.fori_loop(0, 4, lambda i, y: y.at[i].add(y[i + 1]), x))
    assert loop[:3] == ("separate", False, 6)
    assert kind_of(lambda x: jnp.cumsum(x))[:3] == ("separate", False, 6)
    assert kind_of(lambda x: 2 * jnp.sin(x)).length == 2  # cos(x) and 2 are known by then


def test_long_constant_folding_is_avoided():
    """XLA takes minutes to scatter or multiply constants: seeds are not constants where that would happen."""
    rng = np.random.default_rng(0)
    n = 300
    where, factors = jnp.asarray(rng.integers(0, n, (2, 10**5))), jnp.ones(10**5)
    weights = jnp.asarray(rng.normal(size=(n + 10, n)), jnp.float32)
    x = jnp.linspace(0.5, 1.5, n)
    for energy in (
        lambda x: jnp.sum(factors * x[where[0]] * x[where[1]]),
        lambda x: jnp.sum(jnp.sin(weights @ x)),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", asdex.DenseColoringWarning)
            hes_fn = asdex.compressed_hessian(energy, x)
        assert n * n not in constants(jax.make_jaxpr(lambda x, fn=hes_fn: fn(x))(x))


def test_the_default_bounds_the_memory_of_a_batch(batches_of_a_cpu):
    n, m = 128, 2**16
    inner, outer = (
        jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)
        for shape in ((64, n), (m, 64))
    )
    coloring = asdex.ColoredPattern(
        asdex.SparsityPattern.from_dense(np.ones((m, n))),
        np.arange(n, dtype=np.int32),
        n,
        False,
        "fwd",
    )

    def f(x):
        return jnp.sort(outer @ jnp.tanh(inner @ x))

    def temporary(chunk_size):
        call = asdex.compressed_jacobian_from_coloring(f, coloring, chunk_size=chunk_size)
        compiled = jax.jit(lambda x: call(x)).lower(jnp.ones(n)).compile()
        memory = compiled.memory_analysis()
        assert memory is not None
        return memory.temp_size_in_bytes

    everything, default, one = map(temporary, (n, None, 1))
    assert one < default < everything - 4 * n * m / 2


class Level(enum.IntEnum):
    LOW = 1


def scaled(level, x):
    return {int: 2.0, bool: 3.0}.get(type(level), 5.0) * x, level


def unlike_ints(x, level):
    return scaled(level, x)


@pytest.mark.parametrize("other", [True, Level.LOW])
def test_static_leaves_that_are_equal_may_be_of_different_types(other):
    x = jnp.ones(3)
    for level, factor in ((1, 2), (other, 3 if other is True else 5)):
        jacobian, aux = asdex.jacobian(unlike_ints, x, level, has_aux=True)(x, level)
        assert aux is level
        np.testing.assert_array_equal(jacobian.data, np.full(3, factor))
        part = jax.tree_util.Partial(scaled, level)
        jacobian, aux = asdex.jacobian(part, x, has_aux=True)(x)
        assert aux is level
        np.testing.assert_array_equal(jacobian.data, np.full(3, factor))


def test_without_compilation():
    """What asdex computes once for a derivative is compiled all the same."""
    x = jnp.arange(1.0, 7.0)

    def f(x):
        return jnp.concatenate([jnp.cumsum(x), x**2])

    with jax.disable_jit():
        derivative = asdex.jacobian(f, x, constant="reuse", output_format="dense")
        np.testing.assert_allclose(derivative(x), jax.jacfwd(f)(x), rtol=1e-6)


def test_calls_move_nothing_between_host_and_device():
    derivative = asdex.jacobian(lambda x: jnp.roll(x, 1) * x, X, verify=True)
    expected = derivative(X).data
    with jax.transfer_guard("disallow"):
        found = derivative(X).data
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("make", [asdex.jacobian, asdex.hessian])
def test_what_a_function_captures_is_freed_with_it(make):
    """As by `jax.jit`: a step that defines its residual anew keeps nothing of the one before."""
    x = jnp.ones(4)

    def call(number):
        captured = jnp.full(1_000, float(number))
        kept.append(weakref.ref(captured))

        def f(x):
            y = x**3 * captured[:4]
            return y if make is asdex.jacobian else jnp.sum(y)

        return make(f, x, output_format="dense")(x)

    kept = []
    for number in range(3):
        factor = 3.0 if make is asdex.jacobian else 6.0
        np.testing.assert_allclose(call(number), factor * number * np.eye(4))
    gc.collect()
    assert [one() for one in kept] == [None] * 3
