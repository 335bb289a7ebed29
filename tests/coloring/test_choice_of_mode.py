"""`mode=None` chooses forward or reverse mode, `"auto"` also both; patterns know what functions allow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")


def arrow(x):
    return jnp.concatenate([jnp.sum(x**2, keepdims=True), x[1:] * x[0]])


X = jnp.linspace(0.5, 2.0, 50)


@pytest.mark.parametrize("source", ["function", "pattern"])
def test_none_takes_one_array_of_colors(source):
    """Code that branches on forward and reverse mode would misread a bidirectional coloring."""
    if source == "function":
        coloring = asdex.jacobian_coloring(arrow, X)
    else:
        coloring = asdex.jacobian_coloring_from_sparsity(asdex.jacobian_sparsity(arrow, X))
    assert coloring.mode == "fwd" and coloring.colors.shape == (50,)
    assert coloring.row_colors is None and coloring.colors is coloring.column_colors
    assert coloring.reason == 'forward mode; mode="auto" takes 3, in both modes'
    assert coloring.reason in str(coloring)


def test_auto_weighs_all():
    coloring = asdex.jacobian_coloring(arrow, X, mode="auto")
    assert coloring.mode == "bidirectional" and coloring.num_colors == 3
    for mode in ("auto", None):
        assert asdex.jacobian(arrow, X, mode=mode).coloring.mode == "bidirectional"


def test_the_two_arrays_of_a_bidirectional_coloring():
    coloring = asdex.jacobian_coloring(arrow, X, mode="auto")
    with pytest.raises(ValueError, match=r"`column_colors` of shape .*`row_colors` of shape"):
        _ = coloring.colors
    arrays = coloring.column_colors, coloring.row_colors
    assert [array is not None and array.shape for array in arrays] == [(50,), (50,)]
    with pytest.raises(ValueError, match="Expected `column_colors` and `row_colors`"):
        asdex.ColoredPattern(coloring.sparsity, np.zeros(50, int), 3, False, "bidirectional")


def test_the_colors_of_rows():
    coloring = asdex.jacobian_coloring(lambda x: jnp.sum(x.reshape(5, 10) ** 2, 1), X)
    assert coloring.mode == "rev" and coloring.column_colors is None
    assert coloring.colors is coloring.row_colors and coloring.colors.shape == (5,)


def test_a_coloring_can_be_built_of_either_name():
    sparsity = asdex.jacobian_sparsity(lambda x: x**2, X)
    colors = np.zeros(50, np.int32)
    short = asdex.ColoredPattern(sparsity, colors, 1, False, "fwd")
    long = asdex.ColoredPattern(sparsity, column_colors=colors, num_colors=1)
    assert short.colors is long.colors is colors
    rows = asdex.ColoredPattern(sparsity, colors, 1, False, "rev")
    assert rows.row_colors is colors and rows.column_colors is None


def test_a_pattern_knows_the_modes_of_its_function(tmp_path):
    @jax.custom_vjp
    def only_reverse(x):
        return x**2 * jnp.sum(x[:2])

    only_reverse.defvjp(lambda x: (only_reverse(x), x), lambda x, g: (jax.vjp(_plain, x)[1](g)[0],))

    def _plain(x):
        return x**2 * jnp.sum(x[:2])

    def only_forward(x):
        start = (x[0], x)
        return jax.lax.while_loop(lambda c: c[0] < 9, lambda c: (c[0] * 2, c[1] * c[0]), start)[1]

    for f, modes in ((only_reverse, ("rev",)), (only_forward, ("fwd",)), (arrow, ("fwd", "rev"))):
        pattern = asdex.jacobian_sparsity(f, X)
        assert pattern.modes == modes
        pattern.save(tmp_path / "pattern")
        assert asdex.SparsityPattern.load(tmp_path / "pattern").modes == modes
        if len(modes) == 1:
            assert asdex.jacobian_coloring_from_sparsity(pattern, mode="auto").mode == modes[0]
    assert asdex.SparsityPattern.from_dense(np.eye(2)).modes == ("fwd", "rev")


def test_other_modes_are_named_where_they_would_be_cheaper():
    def last(x):
        doubled = jax.lax.while_loop(lambda c: c[0] < 9, lambda c: (c[0] * 2, c[1] * 2), (x[0], x))
        return jnp.sum(doubled[1], keepdims=True)

    def total(x):
        return jnp.sum(x**2, keepdims=True)

    assert asdex.jacobian_coloring(lambda x: x**2, X).reason == ""
    assert asdex.jacobian_coloring(total, X).reason == "reverse mode; forward at least 50"
    assert "allows no reverse mode" in asdex.jacobian_coloring(last, X).reason
