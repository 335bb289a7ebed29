"""What depends on the colors alone is computed once for all calls, and the rest is right with it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex
from asdex.evaluation._compiled import _PLANS


N = 6000
X = jnp.linspace(0.5, 1.5, N)
KERNEL = jnp.asarray([1.0, -2.0, 1.0])
ORDER = np.random.default_rng(0).permutation(N)


def convolution(x):
    return jnp.tanh(jnp.convolve(x, KERNEL, "same"))


def gathers(x):
    return jnp.zeros(N).at[ORDER].add(x * x[(ORDER + 1) % N])


def loops(x):
    total = jax.lax.fori_loop(0, 3, lambda i, y: y + i * jnp.roll(x, 1), jnp.zeros(N))
    return jnp.sin(x) + x * total


@jax.jit
def shifts(x):
    padded = jnp.pad(x, 1)
    return (padded[2:] - 2 * padded[1:-1] + padded[:-2]) * jnp.exp(-x)


def tree(x):
    one = jnp.where(jnp.arange(N) % 2 == 0, jnp.roll(x["a"], 1), x["b"])
    return {"sum": one + x["a"], "product": one * x["b"]}


FUNCTIONS = {"convolution": convolution, "gathers": gathers, "loops": loops, "shifts": shifts}


def seed_terms(derivative):
    """Those of a derivative that was called with arguments of one kind."""
    (plan,) = _PLANS[derivative].values()
    return plan.seed_terms


def compare(derivative, f, x):
    """Values of a plain call, under `jit`, and with limited memory, and random products by jax."""
    values = derivative(x)
    compiled = jax.jit(derivative)(x)
    limited = asdex.jacobian_from_coloring(f, derivative.coloring, chunk_size=2)(x)
    for other in (compiled, limited):
        for one, expected in zip(jax.tree.leaves(other), jax.tree.leaves(values), strict=True):
            np.testing.assert_allclose(one, expected, rtol=1e-5, atol=1e-6)
    asdex.check_jacobian_correctness(f, x, derivative.coloring)


@pytest.mark.parametrize("mode", ["fwd", "rev", "bidirectional"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_jacobians(name, mode):
    f = FUNCTIONS[name]
    derivative = asdex.jacobian(f, X, mode=mode)
    compare(derivative, f, X)
    compare(derivative, f, X + 0.5)
    if (name, mode) == ("convolution", "fwd"):
        assert [term.shape for term in seed_terms(derivative)] == [(3, N)]


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_trees(mode):
    point = {"a": X, "b": X + 1}
    compare(asdex.jacobian(tree, point, mode=mode), tree, point)


@pytest.mark.parametrize("mode", ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_hessians(name, mode):
    def f(x):
        return jnp.sum(FUNCTIONS[name](x) * jnp.roll(x, 2) ** 2)

    derivative = asdex.hessian(f, X, mode=mode)
    np.testing.assert_allclose(
        derivative(X).data, jax.jit(derivative)(X).data, rtol=1e-4, atol=1e-4
    )
    asdex.check_hessian_correctness(f, X, derivative.coloring)


def test_they_are_no_part_of_a_call():
    derivative = asdex.jacobian(convolution, X)
    program = str(jax.make_jaxpr(lambda x: derivative(x).data)(X))
    assert program.count("conv_general_dilated[") == 1  # of x
    limited = asdex.jacobian_from_coloring(convolution, derivative.coloring, chunk_size=3)
    program = str(jax.make_jaxpr(lambda x: limited(x).data)(X))
    assert program.count("conv_general_dilated[") == 2


def test_passes_with_operations_of_their_own(batches_of_a_cpu):
    """Passes that move elements are compiled one by one, where that is not much."""

    def f(x):
        return x * jnp.concatenate([x[1:], x[:1]]) ** 2

    derivative = asdex.jacobian(f, X)
    program = str(jax.make_jaxpr(lambda x: derivative(x).data)(X))
    count = derivative.coloring.num_colors
    assert count > 1 and "scan[" not in program
    assert program.count("concatenate[") >= 1 + count  # one for the value
    compare(derivative, f, X)


def test_the_matrix_is_complete_before_it_is_read(batches_of_a_cpu):
    """Where the passes are elementwise, they are in a branch, which no compiler fuses with the reading."""
    derivative = asdex.jacobian(shifts, X)
    assert "cond[" in str(jax.make_jaxpr(lambda x: derivative(x).data)(X))
    scattered = asdex.jacobian(gathers, X)
    assert "cond[" not in str(jax.make_jaxpr(lambda x: scattered(x).data)(X))
    text = jax.jit(lambda x: derivative(x).data).lower(X).compile().as_text()
    assert "conditional(" in str(text)


def test_they_are_cut_into_batches(batches_of_a_cpu):
    """Another convolution follows: the passes run a few at a time."""

    def f(x):
        return jnp.convolve(jnp.tanh(jnp.convolve(x, jnp.ones(9), "same")) * x, KERNEL, "same")

    derivative = asdex.jacobian(f, X)
    program = str(jax.make_jaxpr(lambda x: derivative(x).data)(X))
    assert "scan[" in program
    assert program.count("conv_general_dilated[") == 3  # two for the value, one in the loop
    compare(derivative, f, X)
    assert {len(term) for term in seed_terms(derivative)} == {derivative.coloring.num_colors}


class Scaled(eqx.Module):
    """A constant convolution, and trained factors."""

    factors: jax.Array

    def __call__(self, x):
        return self.factors * convolution(x)


def test_models_share_them():
    derivative = asdex.jacobian(Scaled(X), X)
    other = eqx.tree_at(lambda one: one.f.factors, derivative, 2 * X)
    np.testing.assert_allclose(2 * derivative(X).data, other(X).data, rtol=1e-6)
    (mine,), (its,) = seed_terms(derivative), seed_terms(other)
    assert mine is its


def test_each_coloring_has_its_own():
    one = asdex.jacobian(Scaled(X), X)
    swapped = asdex.ColoredPattern(
        one.coloring.sparsity, 2 - np.asarray(one.coloring.colors), 3, False, "fwd"
    )
    other = asdex.jacobian_from_coloring(one.f, swapped)
    np.testing.assert_array_equal(one(X).data, other(X).data)
    (mine,), (its,) = seed_terms(one), seed_terms(other)
    np.testing.assert_array_equal(mine, its[::-1])


def test_trained_weights_are_none():
    """Only what cannot change: a kernel that is a leaf of the function can."""

    class Convolution(eqx.Module):
        kernel: jax.Array

        def __call__(self, x):
            return jnp.convolve(x, self.kernel, "same") ** 2

    derivative = asdex.jacobian(Convolution(KERNEL), X)
    other = eqx.tree_at(lambda one: one.f.kernel, derivative, 3 * KERNEL)
    np.testing.assert_allclose(9 * derivative(X).data, other(X).data, rtol=1e-4, atol=1e-4)
    assert not seed_terms(other)


def test_few_elements_are_computed_with_the_rest():
    derivative = asdex.jacobian(convolution, X[:100])
    derivative(X[:100])
    assert not seed_terms(derivative)


def test_other_settings_make_another_program():
    counts = []

    def f(x):
        counts.append(1)
        return jnp.tanh(jnp.convolve(x, KERNEL, "same"))

    derivative = asdex.jacobian(f, X)
    once = derivative(X).data
    counts.clear()
    derivative(X)
    assert not counts
    with jax.numpy_dtype_promotion("strict"):
        again = derivative(X).data
        assert counts == [1]
        derivative(X)
        assert counts == [1]
    np.testing.assert_allclose(once, again, rtol=1e-6)


def test_a_known_point_inside_of_a_program():
    derivative = asdex.jacobian(convolution, X)
    inside = jax.jit(lambda y: y * derivative(X).data[0])(2.0)
    values = derivative(X).data
    assert isinstance(values, jax.Array)
    np.testing.assert_allclose(inside, 2 * values[0], rtol=1e-6)
    np.testing.assert_allclose(derivative(2 * X).data, jax.jit(derivative)(2 * X).data, rtol=1e-5)


def test_effects_take_place_in_each_call():
    seen = []

    def f(x):
        jax.debug.callback(lambda total: seen.append(float(total)), jnp.sum(x))
        return convolution(x)

    derivative = asdex.jacobian(f, X)
    jax.effects_barrier()
    seen.clear()
    for factor in (1.0, 2.0, 3.0):
        jax.block_until_ready(derivative(factor * X))
    jax.effects_barrier()
    np.testing.assert_allclose(seen, [N, 2 * N, 3 * N], rtol=1e-5)


@pytest.mark.skipif(
    jax.__version_info__ < (0, 7), reason="jax.linearize of jax 0.6 drops effects of tangents"
)
def test_effects_of_a_tangent_take_place_in_each_call():
    """A rule of the user's that reports the tangents: one for each color."""
    seen = []

    @jax.custom_jvp
    def shift(x):
        return jnp.roll(x, 1)

    @shift.defjvp
    def _(primals, tangents):
        jax.debug.callback(lambda total: seen.append(float(total)), jnp.sum(tangents[0]))
        return shift(*primals), shift(*tangents)

    derivative = asdex.jacobian(lambda x: jnp.sin(x) * shift(x), X)
    jax.effects_barrier()
    assert derivative.coloring.num_colors == 2
    for call in (derivative, jax.jit(derivative)):
        seen.clear()
        for factor in (1.0, 2.0):
            jax.block_until_ready(call(factor * X))
        jax.effects_barrier()
        assert seen == [N / 2] * 4


def test_under_vmap_and_grad():
    derivative = asdex.jacobian(convolution, X)
    points = jnp.stack([X, 2 * X])
    batch = jax.vmap(lambda x: derivative(x).data)(points)
    for one, x in zip(batch, points, strict=True):
        np.testing.assert_allclose(one, derivative(x).data, rtol=1e-5, atol=1e-6)
    slope = jax.grad(lambda x: jnp.sum(derivative(x).data ** 2))(X)
    compiled = jax.jit(jax.grad(lambda x: jnp.sum(derivative(x).data ** 2)))(X)
    np.testing.assert_allclose(slope, compiled, rtol=1e-4, atol=1e-5)
    step = 1e-2 * jnp.sin(X)
    difference = [jnp.sum(derivative(X + sign * step).data ** 2) for sign in (1, -1)]
    np.testing.assert_allclose(2 * slope @ step, difference[0] - difference[1], rtol=2e-2)
