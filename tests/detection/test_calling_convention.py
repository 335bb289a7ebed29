"""Arguments, results and errors of `jacobian_sparsity`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


def pattern(f, *args, **options):
    return asdex.jacobian_sparsity(f, *args, **options).todense().astype(int)


X = jnp.arange(1.0, 4.0)
Y = jnp.arange(1.0, 3.0)
EYE2, EYE3 = np.eye(2, dtype=int), np.eye(3, dtype=int)


def outer(x, y):
    return x[:, None] * y


FROM_X = np.repeat(EYE3, 2, axis=0)
FROM_Y = np.tile(EYE2, (3, 1))


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [
        (0, FROM_X),
        (1, FROM_Y),
        (-1, FROM_Y),
        (-2, FROM_X),
        ((0,), FROM_X),
        ((0, 1), np.hstack([FROM_X, FROM_Y])),
        ((1, 0), np.hstack([FROM_Y, FROM_X])),
        ([-1, 0], np.hstack([FROM_Y, FROM_X])),
    ],
)
def test_argnums_order_the_columns(argnums, expected):
    np.testing.assert_array_equal(pattern(outer, X, Y, argnums=argnums), expected)


@pytest.mark.parametrize("argnums", [2, -3, (0, 5), (0, 0), (0, -2), ()])
def test_wrong_argnums(argnums):
    with pytest.raises(ValueError, match="argnums"):
        asdex.jacobian_sparsity(outer, X, Y, argnums=argnums)


@pytest.mark.parametrize("argnums", [True, 0.5, "x", (0, None)])
def test_argnums_of_the_wrong_type(argnums):
    with pytest.raises(TypeError, match="argnums"):
        asdex.jacobian_sparsity(outer, X, Y, argnums=argnums)


def test_pytrees_in_and_out_are_ordered_by_their_leaves():
    def f(tree, other):
        return {"b": tree["a"] * 2, "a": (tree["z"][0] + other, tree["z"][1][::-1])}

    tree = {"z": [X[:1], Y], "a": X}
    sparsity = asdex.jacobian_sparsity(f, tree, 1.5, argnums=(1, 0))
    # Columns: other, a (3), z[0] (1), z[1] (2). Rows: a[0] (1), a[1] (2), b (3).
    expected = np.zeros((6, 7), int)
    expected[0, [0, 4]] = 1
    expected[[1, 2], [6, 5]] = 1
    expected[[3, 4, 5], [1, 2, 3]] = 1
    np.testing.assert_array_equal(sparsity.todense(), expected)
    assert sparsity.argnums == (1, 0)
    assert [aval.shape for aval in sparsity.input_avals] == [(), (3,), (1,), (2,)]
    assert [aval.shape for aval in sparsity.output_avals] == [(1,), (2,), (3,)]


def test_a_differentiated_python_number():
    np.testing.assert_array_equal(pattern(lambda a, x: a * x, 2.0, X), np.ones((3, 1)))


def test_auxiliary_data_is_left_out():
    def f(x):
        return x[::-1], {"total": x.sum(), "note": "any object"}

    np.testing.assert_array_equal(pattern(f, X, has_aux=True), EYE3[::-1])
    with pytest.raises(TypeError, match="pair"):
        pattern(lambda x: x, X, has_aux=True)
    with pytest.raises(TypeError, match="has_aux=True"):
        pattern(f, X)


def test_keyword_arguments_are_passed_on():
    def f(x, *, scale, flip=False):
        return scale * (x[::-1] if flip else x)

    np.testing.assert_array_equal(pattern(f, X, scale=jnp.ones(3)), EYE3)
    np.testing.assert_array_equal(pattern(f, X, scale=0.0, flip=True), EYE3[::-1])


def test_results_and_inputs_without_derivative_have_empty_rows_and_columns():
    def f(x):
        parts = x.astype(int), x, x > 0, jnp.argmax(x), 7
        return [jnp.asarray(part, float) for part in parts]

    expected = np.concatenate([0 * EYE3, EYE3, np.zeros((5, 3))])
    np.testing.assert_array_equal(pattern(f, X), expected)
    integers = jnp.arange(3)
    np.testing.assert_array_equal(
        pattern(lambda t: t["x"] * t["i"], {"i": integers, "x": X}, allow_int=True),
        np.hstack([0 * EYE3, EYE3]),
    )


def test_complex_inputs_count_once():
    z = X + 1j
    np.testing.assert_array_equal(
        pattern(lambda z: jnp.real(z) * jnp.imag(z)[::-1], z), [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    )


@pytest.mark.parametrize(
    ("f", "shape", "expected"),
    [
        (lambda x: x, (0,), (0, 0)),
        (lambda x: x.sum(), (0,), (1, 0)),
        (lambda x: jnp.concatenate([x, jnp.ones(2)]), (0,), (2, 0)),
        (lambda x: x[:0], (3,), (0, 3)),
        (lambda x: x @ jnp.ones((0, 4)), (2, 0), (8, 0)),
        (lambda x: (), (3,), (0, 3)),
        (lambda x: jnp.sort(jnp.cumsum(x, 0), 0), (0, 3), (0, 0)),
    ],
)
def test_nothing_in_or_nothing_out(f, shape, expected):
    sparsity = asdex.jacobian_sparsity(f, jnp.zeros(shape))
    assert sparsity.shape == expected and sparsity.nnz == 0


def test_scalars_in_and_out():
    np.testing.assert_array_equal(pattern(jnp.sin, 1.0), [[1]])
    np.testing.assert_array_equal(
        pattern(lambda x: jnp.stack([x, 2.0, x]), jnp.ones(())), [[1], [0], [1]]
    )


def test_only_shapes_of_the_sample_matter():
    struct = jax.ShapeDtypeStruct((3,), jnp.float32)
    np.testing.assert_array_equal(pattern(lambda x: x[::-1] / x, struct), EYE3 | EYE3[::-1])
    np.testing.assert_array_equal(pattern(lambda x: x[::-1] / x, 0 * X), EYE3 | EYE3[::-1])
    np.testing.assert_array_equal(pattern(lambda x: x[::-1], np.ones(3)), EYE3[::-1])
    np.testing.assert_array_equal(pattern(lambda x: x[::-1], input_shape=3), EYE3[::-1])
    assert pattern(jnp.ravel, input_shape=(2, 3)).shape == (6, 6)


def test_wrong_samples():
    with pytest.raises(TypeError, match="at least one sample input"):
        asdex.jacobian_sparsity(jnp.sin)
    with pytest.raises(TypeError, match="either sample inputs or `input_shape`"):
        asdex.jacobian_sparsity(jnp.sin, X, input_shape=3)
    with pytest.raises(TypeError, match="'text'"):
        asdex.jacobian_sparsity(lambda x: x, "text")


def test_functions_that_jax_cannot_trace_are_explained():
    with pytest.raises(TypeError, match=r"cannot be traced.*float32\[3\].*jax\.lax\.cond"):
        asdex.jacobian_sparsity(lambda x: x if x[0] > 0 else -x, X)
    with pytest.raises(TypeError, match="cannot be traced"):
        asdex.jacobian_sparsity(lambda x: np.sin(x), X)
    with pytest.raises(ZeroDivisionError):
        asdex.jacobian_sparsity(lambda x: x * (1 // 0), X)
