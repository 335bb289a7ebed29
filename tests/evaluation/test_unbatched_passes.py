"""Functions with primitives that JAX cannot batch, whose passes run one at a time."""

import inspect
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.core import ShapedArray
from jax.experimental import sparse
from jax.experimental.sparse.linalg import spsolve
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

import asdex


N = 6
X = jnp.arange(1.0, N + 1)
MATRIX = np.diag(np.full(N, 4.0)) + np.diag(np.ones(N - 1), 1) - np.diag(np.ones(N - 2), -2)
MATRIX = MATRIX.astype(np.float32)
CSR = sparse.CSR.fromdense(jnp.asarray(MATRIX))
COO = sparse.COO.fromdense(jnp.asarray(MATRIX))
CONTENT = CSR.data, CSR.indices, CSR.indptr

JACOBIAN_MODES: list[asdex.JacobianMode] = ["fwd", "rev", "bidirectional"]
HESSIAN_MODES: list[asdex.HessianMode] = ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"]


def linear_primitive(name, function):
    """A primitive of the user's: a linear map that is its own transpose, without a batching rule."""
    primitive = Primitive(name)
    primitive.def_impl(jax.jit(function))
    primitive.def_abstract_eval(lambda x: ShapedArray(x.shape, x.dtype))
    mlir.register_lowering(primitive, mlir.lower_fun(function, multiple_results=False))
    ad.deflinear2(primitive, lambda ct, x: [primitive.bind(ct)])
    return primitive


mirror_p = linear_primitive("mirror", lambda x: x[::-1])


@jax.custom_jvp
def called_back(x):
    return jnp.sin(x)


@called_back.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    outside = jax.pure_callback(np.cos, jax.ShapeDtypeStruct(x.shape, x.dtype), x)
    return called_back(x), outside * t


@jax.custom_jvp
def with_tangent_outside(x):
    return x**2


@with_tangent_outside.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    doubled = jax.pure_callback(lambda t: 2 * t, jax.ShapeDtypeStruct(t.shape, t.dtype), t)
    return with_tangent_outside(x), doubled * x


def csr_matvec(x):
    return jnp.sin(CSR @ x)


def coo_matmat(x):
    return (COO @ (x[:, None] * jnp.ones((1, 2)) ** 2)).sum(1) ** 2


def sparse_solve(x):
    return spsolve(*CONTENT, x**2)


def mirror(x):
    return x * jnp.sin(mirror_p.bind(x))


def scanned(x):
    return jax.lax.scan(lambda c, _: (jnp.sin(CSR @ c), None), x, None, length=2)[0]


FUNCTIONS = {
    "csr_matvec": csr_matvec,
    "coo_matmat": coo_matmat,
    "spsolve": sparse_solve,
    "mirror": mirror,
    "scanned": scanned,
}


def dense_jacobian(f, x):
    columns = [jax.jvp(f, (x,), (unit,))[1] for unit in jnp.eye(x.size, dtype=x.dtype)]
    return np.stack(columns, axis=1)


def scalar(f):
    return lambda x: jnp.sum(f(x) ** 2)


def caught(function, *args):
    """The result, and the warnings of passes that are not batched."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        result = function(*args)
    return result, [one for one in seen if one.category is asdex.UnbatchedPassesWarning]


@pytest.fixture(autouse=True)
def dense_patterns_are_fine():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", asdex.DenseColoringWarning)
        warnings.simplefilter("ignore", asdex.UnknownPrimitiveWarning)
        yield


@pytest.mark.parametrize("mode", JACOBIAN_MODES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_jacobians(name, mode):
    f = FUNCTIONS[name]
    jacobian = asdex.jacobian(f, X, mode=mode, output_format="dense")
    assert jacobian.coloring.num_colors > 1
    expected = dense_jacobian(f, X)
    result, seen = caught(jacobian, X)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)
    assert len(seen) == 1
    assert caught(jacobian, X)[1] == []


@pytest.mark.parametrize("mode", HESSIAN_MODES)
@pytest.mark.parametrize("name", ["csr_matvec", "spsolve", "mirror"])
def test_hessians(name, mode):
    f = scalar(FUNCTIONS[name])
    hessian = asdex.value_and_hessian(f, X, mode=mode, output_format="dense")
    (value, result), seen = caught(hessian, X)
    expected = dense_jacobian(jax.grad(f), X)
    np.testing.assert_allclose(value, f(X), rtol=1e-5)
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-3)
    assert len(seen) == 1


@pytest.mark.parametrize("chunk_size", [1, 2, 100])
def test_chunks_of_one_are_single_products(chunk_size):
    widths = []
    primitive = linear_primitive("widened", lambda x: x[::-1])

    def batched(operands, axes):
        widths.append(operands[0].shape[axes[0]])
        return jax.lax.map(primitive.bind, operands[0]), 0

    batching.primitive_batchers[primitive] = batched

    def f(x):
        return x * primitive.bind(x)

    for mode in JACOBIAN_MODES[:2]:
        jacobian = asdex.jacobian(f, X, mode=mode, output_format="dense", chunk_size=chunk_size)
        widths.clear()
        np.testing.assert_allclose(jacobian(X), dense_jacobian(f, X), rtol=1e-6)
        assert bool(widths) == (chunk_size > 1)
    for mode in HESSIAN_MODES:
        hessian = asdex.hessian(
            scalar(f), X, mode=mode, output_format="dense", chunk_size=chunk_size
        )
        widths.clear()
        np.testing.assert_allclose(hessian(X), dense_jacobian(jax.grad(scalar(f)), X), rtol=1e-5)
        assert bool(widths) == (chunk_size > 1)


def test_under_jit():
    jacobian = asdex.jacobian(csr_matvec, X, output_format="dense")
    result, seen = caught(jax.jit(lambda x: jacobian(x)), X)
    np.testing.assert_allclose(result, dense_jacobian(csr_matvec, X), rtol=1e-4, atol=1e-5)
    assert len(seen) == 1


@pytest.mark.parametrize("name", ["csr_matvec", "scanned"])
def test_single_passes_that_were_asked_for_are_no_surprise(name):
    f = FUNCTIONS[name]
    jacobian = asdex.jacobian(f, X, chunk_size=1, output_format="dense")
    hessian = asdex.hessian(scalar(f), X, chunk_size=1, output_format="dense")
    for derivative, expected in (
        (jacobian, dense_jacobian(f, X)),
        (hessian, dense_jacobian(jax.grad(scalar(f)), X)),
    ):
        result, seen = caught(derivative, X)
        np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-3)
        assert seen == []


def test_warning_names_the_primitive_and_the_line():
    def scanned_here(x):
        return jax.lax.scan(lambda c, _: (CSR @ c * c, None), x, None, length=2)[0]

    _, (one,) = caught(asdex.jacobian(scanned_here, X), X)
    line = inspect.getsourcelines(scanned_here)[1] + 1
    message = str(one.message)
    assert "'csr_matvec'" in message
    assert f"test_unbatched_passes.py:{line}" in message
    assert "chunk_size=1" in message
    assert (one.filename, one.lineno) == (__file__, line)


def test_one_pass_is_not_batched():
    primitive = linear_primitive("doubled", lambda x: 2 * x)

    def f(x):
        return primitive.bind(x) ** 2

    jacobian = asdex.jacobian_from_coloring(f, asdex.jacobian_coloring(jnp.sin, X))
    assert jacobian.coloring.num_colors == 1
    result, seen = caught(jacobian, X)
    np.testing.assert_allclose(result.data, 8 * X)
    assert seen == []


def test_callbacks_on_tangents():
    def f(x):
        return with_tangent_outside(x) * jnp.roll(x, 1)

    jacobian = asdex.jacobian(f, X, mode="fwd", output_format="dense", chunk_size=N)
    result, (one,) = caught(jacobian, X)
    assert "'pure_callback'" in str(one.message)
    np.testing.assert_allclose(result, dense_jacobian(f, X), rtol=1e-6)


def test_callbacks_on_values_are_batched_as_before():
    def f(x):
        return called_back(x) * jnp.roll(x, 1)

    result, seen = caught(asdex.jacobian(f, X, mode="fwd", output_format="dense"), X)
    np.testing.assert_allclose(result, dense_jacobian(f, X), rtol=1e-5)
    assert seen == []


@pytest.mark.skipif(
    jax.__version_info__ < (0, 7), reason="jax.linearize of jax 0.6 drops effects of tangents"
)
@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_each_pass_acts_once(transform):
    rows = []

    @jax.custom_jvp
    def noted(x):
        return x

    @noted.defjvp
    def _(primals, tangents):
        jax.debug.callback(lambda t: rows.append(np.array(t)), tangents[0])
        return noted(primals[0]), tangents[0]

    def f(x):
        return CSR @ noted(x) ** 2

    jacobian = asdex.jacobian(f, X, mode="fwd", output_format="dense")
    rows.clear()
    result, seen = caught(transform(lambda x: jacobian(x)), X)
    jax.block_until_ready(result)
    jax.effects_barrier()
    assert len(seen) == 1
    np.testing.assert_allclose(result, dense_jacobian(lambda x: CSR @ x**2, X), rtol=1e-6)
    seeds = np.arange(jacobian.coloring.num_colors)[:, None] == jacobian.coloring.colors
    np.testing.assert_array_equal(sorted(map(tuple, rows)), sorted(map(tuple, seeds)))


def test_seed_terms_that_cannot_be_batched():
    n = 2**14

    def f(x):
        smoothed = jnp.convolve(x, jnp.asarray([1.0, -2.0, 1.0]), "same")
        return jnp.sin(mirror_p.bind(smoothed))

    x = jnp.linspace(0.5, 1.5, n)
    coloring = asdex.jacobian_coloring_from_sparsity(
        asdex.jacobian_sparsity(lambda x: jnp.convolve(x, jnp.ones(3), "same")[::-1], x), mode="fwd"
    )
    jacobian = asdex.jacobian_from_coloring(f, coloring, "data")
    single = asdex.jacobian_from_coloring(f, coloring, "data", chunk_size=1)
    result, seen = caught(jacobian, x)
    assert len(seen) == 1
    np.testing.assert_allclose(result, single(x), rtol=1e-5, atol=1e-6)
    direction = jax.random.normal(jax.random.key(0), x.shape)
    product = np.zeros(n, np.float32)
    np.add.at(product, coloring.sparsity.rows, result * direction[coloring.sparsity.cols])
    np.testing.assert_allclose(product, jax.jvp(f, (x,), (direction,))[1], rtol=1e-3, atol=1e-4)


def test_inside_of_loops_and_gradients():
    jacobian = asdex.jacobian(csr_matvec, X, chunk_size=1, output_format="dense")

    def total(x):
        return jax.lax.fori_loop(0, 2, lambda i, s: s + jnp.sum(jacobian(x) ** 2), 0.0)

    expected = 2 * np.sum(dense_jacobian(csr_matvec, X) ** 2)
    np.testing.assert_allclose(total(X), expected, rtol=1e-5)
    squares = jax.grad(lambda x: jnp.sum(jacobian(x) ** 2))(X)
    reference = jax.grad(lambda x: jnp.sum((jnp.cos(MATRIX @ x)[:, None] * MATRIX) ** 2))(X)
    np.testing.assert_allclose(squares, reference, rtol=1e-4, atol=1e-5)


def test_constant_entries_are_looked_for_in_silence():
    bidiagonal = sparse.CSR.fromdense(jnp.eye(N) + jnp.eye(N, k=1))

    def f(x):
        return jnp.concatenate([CSR @ x, (bidiagonal @ x) ** 2])

    jacobian, seen = caught(
        lambda: asdex.jacobian(
            f, X, constant="reuse", mode="fwd", output_format="dense", chunk_size=N
        )
    )
    assert seen == []
    assert jacobian.num_constant == CSR.nse
    result, seen = caught(jacobian, X)
    assert len(seen) == 1
    np.testing.assert_allclose(result, dense_jacobian(f, X), rtol=1e-6)


def test_mesh():
    mesh = jax.make_mesh((1,), ("colors",))
    jacobian = asdex.jacobian(csr_matvec, X, mesh=mesh, output_format="dense")
    result, seen = caught(jacobian, X)
    assert len(seen) == 1
    np.testing.assert_allclose(result, dense_jacobian(csr_matvec, X), rtol=1e-5, atol=1e-6)


def test_other_failures_are_passed_on():
    primitive = linear_primitive("unlowered", lambda x: x)
    primitive.def_impl(lambda x: x)

    def refuse(ct, x):
        raise NotImplementedError("no transpose here")

    ad.deflinear2(primitive, refuse)
    coloring = asdex.jacobian_coloring(jnp.sin, X, mode="rev")
    jacobian = asdex.jacobian_from_coloring(primitive.bind, coloring)
    with pytest.raises(NotImplementedError, match="no transpose here"):
        jacobian(X)
