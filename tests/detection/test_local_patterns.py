"""Patterns at a point, against derivatives there, and what says that they are local."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex


X = jnp.array([3.0, 1.0, 0.5, -2.0, 5.0])
EYE = np.eye(5, dtype=int)


def at(f, *args, **options):
    return asdex.jacobian_sparsity(f, *args, local=True, **options).todense().astype(int)


def counted(x):
    """As many steps as the first element says."""
    return lax.while_loop(lambda c: c[0] < x[0], lambda c: (c[0] + 1, jnp.roll(c[1], 1)), (0.0, x))[
        1
    ]


FUNCTIONS = {
    "sort": lambda x: jnp.sort(x) ** 2,
    "median": jnp.median,
    "max": jnp.max,
    "cummax": lambda x: lax.cummax(x),
    "top_k": lambda x: lax.top_k(x, 2)[0],
    "relu": jax.nn.relu,
    "clip": lambda x: jnp.clip(x, 0.75, 4.0),
    "where": lambda x: jnp.where(x > x[1] + 0.25, x, x[::-1]),
    "cond": lambda x: lax.cond(x[0] > 2, lambda x: x, lambda x: x[::-1], x),
    "index": lambda x: x[jnp.argmax(x)] * x,
    "floor": lambda x: x[jnp.clip(jnp.floor(x).astype(int), 0, 4)],
    "product": lambda x: jnp.maximum(x - 1, 0) * x[::-1],
    "pooling": lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2,), (1,), "VALID"),
    "scan": lambda x: lax.scan(lambda c, y: (jnp.where(y > 1.5, y, c), c * y), x[0], x)[1],
    "network": lambda x: jnp.tanh(x) @ jax.nn.relu(jnp.outer(x, x)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_is_exact_at_a_point_without_ties(name):
    f = FUNCTIONS[name]
    true = np.asarray(jax.jit(jax.jacfwd(f))(X)).reshape(-1, 5) != 0
    np.testing.assert_array_equal(at(f, X), true)


def test_steps_of_a_while_loop():
    np.testing.assert_array_equal(at(counted, X - 0.5), np.roll(EYE, 3, axis=0))
    three_or_four = np.roll(EYE, 3, axis=0) + np.roll(EYE, 4, axis=0)
    np.testing.assert_array_equal(at(counted, X), three_or_four)


TIED = jnp.array([1.0, 2.0, 1.0, 2.0])


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (jnp.max, [[0, 1, 0, 1]]),
        (lambda x: jnp.maximum(x[0], x[2]), [[1, 0, 1, 0]]),
        (lambda x: jnp.maximum(x[0], jnp.nan), [[1, 0, 0, 0]]),
        (lambda x: jnp.sort(x)[:2], [[1, 0, 1, 0]] * 2),
        (lambda x: lax.top_k(x, 1)[0], [[0, 1, 0, 1]]),
        (lambda x: jnp.clip(x[0], 1.0, 3.0), [[1, 0, 0, 0]]),
        (lambda x: abs(x[0] - 1.0), [[1, 0, 0, 0]]),
    ],
)
def test_ties_keep_all_sides(f, expected):
    np.testing.assert_array_equal(at(f, TIED).reshape(-1, 4), expected)


KINK = jnp.array([0.0, 1.0, -1.0, 0.5, 1.0])


KINKS = {
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "relu6": lambda x: jax.nn.relu6(6 * x),
    "elu": jax.nn.elu,
    "hard_tanh": jax.nn.hard_tanh,
    "hard_sigmoid": lambda x: jax.nn.hard_sigmoid(3 * x),
    "where": lambda x: jnp.where(x > 0, x, x[::-1]),
    "where of two comparisons": lambda x: jnp.where((x >= 0) & (x < 1), x[3], jnp.sin(x)),
    "where of neither": lambda x: jnp.where(~((x < 0) | (x == 1)), x[::-1], x),
    "where of any": lambda x: jnp.where(jnp.any(x > 1), x, x[::-1]),
    "where of equal elements": lambda x: jnp.where(x != x[1], x, x[::-1]),
    "a factor": lambda x: (x > 0) * x[::-1],
    "a jump": lambda x: jnp.where(jnp.where(x > 0, 1.0, 0.0) > 0.5, x, x[::-1]),
    "select": lambda x: lax.select_n((x > 0).astype(int), x, x[::-1]),
    "piecewise": lambda x: jnp.piecewise(x, [x <= -1, x > 1], [0.0, 2.0, jnp.sin]),
    "abs": lambda x: jnp.abs(x - 1),
    "maximum": lambda x: jnp.maximum(x, x[::-1]),
    "clip": lambda x: jnp.clip(x, 0, x[1]),
    "sort": jnp.sort,
    "max": lambda x: jnp.sin(x) + jnp.max(x),
    "pooling": lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (3,), (1,), "SAME"),
    "index": lambda x: x[(x[0] >= 0).astype(int)] * x[2],
    "argmax": lambda x: x[::2][jnp.argmax(x[:2] - x[1:3] - x[0])],
    "cond": lambda x: lax.cond(x[1] > x[4], lambda x: x, lambda x: x[::-1], x),
    "cond of a jump": lambda x: lax.cond(x[0] > 0, lambda: 1.0, lambda: 0.0) * x,
    "switch": lambda x: lax.switch((x[0] > 0).astype(int), [jnp.sin, lambda x: x[::-1]], x),
    "while": lambda x: lax.while_loop(
        lambda c: c[0] <= x[1], lambda c: (c[0] + 0.5, jnp.roll(c[1], 1)), (0.0, x)
    )[1],
    "scan": lambda x: lax.scan(lambda c, y: (jnp.where(y > c, y, c), y > c), x[1] + 0, x)[0],
    "stacked": lambda x: jnp.where(lax.scan(lambda c, y: (c, y > 0), 0, x)[1], x, x[::-1]),
    "scan over undecided values": lambda x: lax.scan(
        lambda c, y: (jnp.where(y > 0.5, c, c[::-1]), x[0]),
        x,
        jnp.concatenate([jnp.where(x > 0, 1.0, 0.0), jnp.ones(20_000)]),
    )[0],
    "vmap": jax.vmap(lambda x: lax.cond(x > 0, lambda x: x, lambda x: 0.0, x)),
    "gradient": jax.grad(lambda x: jnp.sum(jax.nn.relu(x) ** 2 + jnp.abs(x) * x[1])),
    "custom rule": jax.custom_jvp(lambda x: x),
}
KINKS["custom rule"].defjvp(lambda x, t: (x[0], jnp.where(x[0] > 0, 2 * t[0], -t[0][::-1])))


@pytest.mark.parametrize("name", KINKS)
def test_kinks_keep_both_sides(name):
    f = KINKS[name]
    noise = np.random.default_rng(0).standard_normal((64, 5)) * 1e-3
    around = jnp.concatenate([KINK[None], KINK + noise])
    derivatives = jax.jit(jax.vmap(jax.jacfwd(f)))(around).reshape(len(around), -1, 5)
    missing = (np.asarray(derivatives) != 0).any(axis=0) & (at(f, KINK) == 0)
    assert not missing.any()


def test_what_is_decided_stays_so():
    """Comparisons of integers, constants and arguments, of a value with itself, and beyond all rounding."""

    def f(x, p):
        looped = lax.fori_loop(0, 3, lambda i, y: jnp.where(i == 2, y[::-1], y), x)
        chosen = jnp.where(p > 0, x, looped)
        return jnp.where(jnp.isnan(x) | jnp.isinf(x) | (jnp.array(1.0) != 1.0), x[0], chosen)

    p = jnp.array([0.0, 0.0, 1.0, 0.0, 0.0])
    np.testing.assert_array_equal(at(f, KINK, p), EYE[::-1] != 0)
    np.testing.assert_array_equal(at(lambda x: jnp.where(x > 1e-20, x, 0), 0 * KINK + 1e-19), EYE)
    assert at(lambda x: jnp.maximum(x, -jnp.inf * x[::-1]), KINK + 2).tolist() == EYE.tolist()


def test_a_kink_leaves_the_rest_of_a_network_as_it_is():
    W = jnp.array(np.random.default_rng(0).standard_normal((5, 5)))

    def network(x):
        return W @ jax.nn.relu(W @ jax.nn.relu(x))

    active = np.asarray(W @ jax.nn.relu(KINK)) > 0
    expected = np.ones((5, 1)) * (np.asarray(KINK) >= 0)
    assert 0 < active.sum() < 5
    np.testing.assert_array_equal(at(network, KINK), expected)
    assert asdex.hessian_sparsity(lambda x: jnp.sum(network(x)[0]), KINK, local=True).nnz == 0


def test_zeros_that_rounding_may_leave_remove_nothing():
    """Fused, `x * y - y * x` is a rounding error; `-x` and `x - 3` are zero wherever they are computed."""

    def f(z):
        x, y, w = z
        return jnp.stack([w * (x * y - y * x), w * (x - 3.0) ** 2, w * jnp.maximum(-x, 0)])

    np.testing.assert_array_equal(at(f, jnp.array([3.0, 0.7, 1.0]))[:, 2], [1, 0, 0])
    assert at(lambda z: z[0] * z[1], jnp.array([0.0, 2.0])).tolist() == [[1, 0]]


POSITIVE = jnp.array([3.0, 0.7, 1.3, 2.1, 0.9])


def canceled(x):
    """Zeros, or rounding errors."""
    return x * x[::-1] - x[::-1] * x


def tied(x):
    """Two numbers that are equal, or differ by a rounding error."""
    return jnp.stack([jnp.exp(jnp.log(x[0])), x[0]])


ROUNDED = {
    "max": lambda y: jnp.maximum(y, -1),
    "relu": jax.nn.relu,
    "clip": lambda y: jnp.clip(y, -1, 1),
    "sort": jnp.sort,
    "top_k": lambda y: lax.top_k(y, 5)[0],
    "floor": jnp.floor,
    "sign": jnp.sign,
    "sine in jit": jax.jit(jnp.sin),
    "log": lambda y: jnp.log(1 + y),
    "cumsum": jnp.cumsum,
    "pooling": lambda y: lax.reduce_window(y, -jnp.inf, lax.max, (1,), (1,), "VALID"),
    "fft": lambda y: jnp.fft.ifft(jnp.fft.fft(y)).real,
    "without facts": lambda y: lax.linalg.tridiagonal_solve(
        jnp.zeros(5), jnp.ones(5), jnp.zeros(5), y[:, None]
    )[:, 0],
    "scanned": lambda y: lax.scan(lambda c, s: (c, s * jnp.ones(1)), 0, y)[1][:, 0],
    "carried": lambda y: lax.fori_loop(0, 3, lambda i, c: jnp.tanh(c), y),
    "while": lambda y: lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, 2 * c[1]), (0, y))[
        1
    ],
    "cond": lambda y: lax.cond(y[0] > 1, jnp.cos, jnp.sin, y),
    "case": lambda y: jnp.where(y > 0, 1.0, 0.0),
    "doubtful case": lambda y: jnp.where(y > 0, y, 0.0),
    "integers": lambda y: jnp.floor(y).astype(int),
    "index": lambda y: jnp.array([0.0, 1.0])[jnp.ceil(y).astype(int)],
}


@pytest.mark.parametrize("argnums", [0, (0, 1)])
@pytest.mark.parametrize("name", ROUNDED)
def test_what_follows_from_a_rounding_error_is_not_certainly_zero(name, argnums):
    pattern = at(lambda x, y: x * ROUNDED[name](canceled(y)), POSITIVE, POSITIVE, argnums=argnums)
    assert pattern.diagonal().all()


def test_sorted_keys_that_no_input_varies_may_be_rounding_errors():
    def f(x, y):
        return x * lax.sort((lax.stop_gradient(canceled(y)), x), num_keys=1)[0]

    assert at(f, POSITIVE, POSITIVE, argnums=(0, 1)).diagonal().all()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(
    "step",
    [
        lambda y: jnp.array([0.0, 1.0, 0.0, 1.0])[jnp.floor(y).astype(int)],
        lambda y: jnp.where(lax.rem(y, jnp.ones_like(y)) > 0.5, 1.0, 0.0),
        lambda y: jnp.where(y.astype(int) == 1, 1.0, 0.0),
    ],
)
def test_a_value_near_a_step_is_undecided(step, dtype):
    def f(x, y):
        return x * step(jnp.exp(jnp.log(y))).astype(dtype)

    x, y = POSITIVE[:2].astype(dtype), jnp.array([2.0, 2.0], dtype)
    assert at(f, x, y, argnums=(0, 1))[:, :2].diagonal().all()


def test_rounding_errors_stay_so_after_many_equations():
    """Facts forget their operands now and then."""

    def f(x, y):
        y, results = canceled(y), []
        for _ in range(64):
            y = y * 1.1
            error = y[::-1] + y
            results += [x * error, 2 * x * error]
        return jnp.stack(results)

    patterns = at(f, POSITIVE, POSITIVE, argnums=(0, 1)).reshape(128, 5, 10)
    assert (patterns[:, :, :5] == EYE).all()


@pytest.mark.parametrize("argnums", [0, (0, 1)])
@pytest.mark.parametrize(
    "follower",
    [
        lambda k, v: lax.sort((k, v), num_keys=1)[1],
        lambda k, v: v[jnp.argsort(k)],
        lambda k, v: v[lax.top_k(k, 2)[1]],
        lambda k, v: v[jnp.argmax(k) + jnp.zeros(2, int)],
        lambda k, v: jnp.where(k[0] > k[1], v, v[::-1]),
    ],
)
def test_an_order_by_rounded_keys_is_undecided(follower, argnums):
    def f(x, y):
        return x * follower(tied(y), jnp.array([0.0, 1.0]))

    pattern = at(f, POSITIVE[:2], POSITIVE, argnums=argnums)
    assert pattern[:, :2].tolist() == [[1, 0], [0, 1]]


def test_certain_zeros_stay_so():
    """Of inputs, what moves and picks them, and sums of two of these."""

    def f(x, p):
        moved = jnp.concatenate([p[1:], p[:1]])
        return (
            x * jax.nn.relu(p),
            x * jnp.where(moved > 0, p, 0.0),
            x * jnp.maximum(p - POSITIVE[0], 0),
            x * jnp.floor(p),
            lax.scan(lambda c, s: (c, s[0] * s[1]), 0.0, (x, jnp.minimum(p, 0)))[1],
        )

    p = jnp.array([3.0, -1.0, 0.5, -0.5, 2.0])
    expected = [p > 0, jnp.roll(p, -1) > 0, p > POSITIVE[0], jnp.floor(p) != 0, p < 0]
    for pattern, mask in zip(at(f, POSITIVE, p).reshape(5, 5, 5), expected, strict=True):
        np.testing.assert_array_equal(pattern, np.diag(np.asarray(mask)))


def test_hessian_at_a_point():
    def energy(x):
        return jnp.sum(jax.nn.relu(x) ** 2) + x[0] * x[1] * jnp.minimum(x[3], 0) + jnp.max(x) ** 3

    pattern = asdex.hessian_sparsity(energy, X, local=True).todense() != 0
    np.testing.assert_array_equal(pattern, jax.jit(jax.hessian(energy))(X) != 0)


def test_all_arguments_are_known():
    def f(x, mask, i):
        return jnp.where(mask > 0, x, 0) * x[i]

    got = at(f, X, jnp.array([1.0, 0, 0, 0, 0]), jnp.array(1))
    np.testing.assert_array_equal(got, np.eye(5)[0][:, None] * [1, 1, 0, 0, 0])


def test_the_union_over_points():
    points = [(X, 0.0), (X, 2.0)]
    struct = jax.ShapeDtypeStruct(X.shape, X.dtype)

    def f(x, p):
        return jnp.where(x > p, x[0] * x, x)

    union = asdex.jacobian_sparsity(f, struct, 0.0, local=points)
    assert union == asdex.jacobian_sparsity(f, X, 0.0, local=True) | asdex.jacobian_sparsity(
        f, X, 2.0, local=True
    )
    assert asdex.jacobian_sparsity(jax.nn.relu, struct, local=jnp.stack([X, -X])).nnz == 5


@pytest.mark.parametrize("transform", ["jacobian", "hessian"])
def test_one_derivative_for_a_batch_of_parameters(transform):
    """Of thresholds and of models, whose pattern is the union over the batch."""
    thresholds = jnp.array([-1.0, 2.0, 4.0])
    weights = jnp.stack([EYE, jnp.zeros((5, 5)).at[0, 1].set(1), EYE[::-1]]).astype(float)

    def f(x, p, W):
        return jnp.where(x > p, x**2, 0) * (1 + W @ jax.nn.relu(x))

    def total(x, p, W):
        return jnp.sum(f(x, p, W))

    function = f if transform == "jacobian" else total
    points = [(X, p, W) for p, W in zip(thresholds, weights, strict=True)]
    sample = (X, thresholds[0], weights[0])
    derivative = getattr(asdex, transform)(
        function, *sample, local=points, output_format="dense", verify=True
    )
    batched = jax.jit(jax.vmap(derivative, (None, 0, 0)))(X, thresholds, weights)
    dense = jax.vmap(getattr(jax, transform)(function), (None, 0, 0))
    np.testing.assert_allclose(batched, jax.jit(dense)(X, thresholds, weights), rtol=1e-6)
    assert derivative.sparsity.nnz < 25


def test_it_says_that_it_is_local(tmp_path):
    coloring = asdex.jacobian_coloring(jnp.sort, X, local=True)
    coloring.save(tmp_path / "coloring")
    loaded = asdex.ColoredPattern.load(tmp_path / "coloring").sparsity
    whole = asdex.jacobian_sparsity(jnp.sort, X)
    assert loaded.local
    assert not whole.local
    assert (whole | loaded).local
    assert (whole @ loaded.T).local
    assert loaded[:2, :].local
    assert "local" in repr(coloring)
    assert "local" not in repr(whole)


def test_without_values_it_is_refused():
    struct = jax.ShapeDtypeStruct(X.shape, X.dtype)
    with pytest.raises(TypeError, match="arrays with values"):
        asdex.jacobian_sparsity(jnp.sort, struct, local=True)
    with pytest.raises(TypeError, match="arrays with values"):
        jax.jit(lambda x: asdex.jacobian_sparsity(jnp.sort, x, local=True).nnz)(X)
    with pytest.raises(ValueError, match="like the samples"):
        asdex.jacobian_sparsity(jnp.sort, X, local=[X[:2]])
    with pytest.raises(TypeError, match="at least one point"):
        asdex.jacobian_sparsity(jnp.sort, X, local=[])
    with pytest.raises(ValueError, match="elements"):
        asdex.jacobian(jnp.sort, X, local=True, elements=True)


def test_explain_compares():
    explanation = asdex.explain(lambda x: jnp.sort(x) * x[0], X, local=True)
    assert (explanation.nnz, explanation.local_nnz) == (25, 9)
    (fuller,) = (step for step in explanation.steps if step.fuller)
    assert (fuller.primitive, fuller.leaving, fuller.local) == ("sort", 25, 5)
    assert "It became fuller than at the point in sort" in str(explanation)
    assert len(asdex.explain(jnp.sort, X, local=True, entry=(0, 3)).links) == 1
    with pytest.raises(ValueError, match="of the pattern"):
        asdex.explain(jnp.sort, X, local=True, entry=(0, 0))


def test_a_sought_value_that_is_in_the_table():
    """`searchsorted` compares in another way than `<` does."""
    x = jnp.array([1.0, 2.0, 3.0, 4.0, 2.0])
    for method in ("scan", "sort", "compare_all"):
        pattern = at(lambda x, m=method: x[:4][jnp.searchsorted(x[:4], x[4], method=m)], x)
        assert set(np.flatnonzero(pattern)) >= {1, 2}, method
