"""Derivatives at the elements of partially separable functions: values beside those of JAX, and passes."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import sparse

import asdex


N = 40
rng = np.random.default_rng(0)
FROM, TO = rng.integers(0, N, (2, 90))  # some edges lead from a node to itself
TRIANGLES = rng.integers(0, N, (60, 3))
X = jnp.asarray(rng.uniform(0.5, 1.5, N))
W = jnp.asarray(rng.uniform(0.5, 1.5, 90))


def fluxes(u, w=1.0):
    flux = w * u[FROM] * jnp.sin(u[TO])
    return jnp.zeros_like(u).at[FROM].add(flux).at[TO].add(-flux)


def triangle(e):
    return jnp.cos(e[0] * e[1]) * e[2] ** 2


def energy(u):
    return jnp.sum(jax.vmap(triangle)(u[TRIANGLES]))


def of_triangles(u):
    e = u[TRIANGLES]
    local = jnp.stack([e[:, 0] * e[:, 1], e[:, 1] * e[:, 2], jnp.exp(e[:, 0] * e[:, 2])], axis=1)
    return jnp.zeros_like(u).at[TRIANGLES].add(local)


def by_stacking(u):
    """Elements of a line whose nodes are put beside one another."""
    e = jnp.stack([u[:-1], u[1:]], axis=1)
    return (
        jnp.zeros(N)
        .at[jnp.stack([jnp.arange(N - 1), jnp.arange(1, N)], 1)]
        .add(e * e.sum(1, keepdims=True))
    )


def by_quadrature(u):
    """Sums over points within an element are no part of the assembly."""
    e = u[TRIANGLES]
    values = jnp.einsum("ea,qa->eq", e, np.linspace(0.1, 1, 12).reshape(4, 3)) ** 3
    return jnp.zeros(N).at[TRIANGLES[:, 0]].add(values.sum(1))


def two_families(u):
    boundary = u[np.arange(0, N, 5)] ** 3
    return fluxes(u).at[np.arange(0, N, 5)].add(boundary) + of_triangles(u)


def beside_others(u):
    """A part that every input is in, and one that is local."""
    return jnp.concatenate([fluxes(u), jnp.cumsum(u)[:3] ** 2, u**2])


def assembled_by_a_matrix(u):
    rows, cols = np.concatenate([FROM, TO]), np.concatenate([np.arange(90)] * 2)
    data = np.concatenate([np.ones(90), -2 * np.ones(90)])
    matrix = sparse.BCOO((jnp.asarray(data), jnp.stack([rows, cols], 1)), shape=(N, 90))
    return matrix @ (u[FROM] * u[TO])


def scanned(u):
    def step(total, pair):
        i, j = pair
        flux = u[i] * u[j]
        return total.at[i].add(flux).at[j].add(-flux), None

    return jax.lax.scan(step, jnp.zeros(N), (FROM.reshape(9, 10), TO.reshape(9, 10)))[0]


def one_by_one(u):
    """A counter, differences, and what is put into zeros; all steps add to what others have added."""

    def step(i, total):
        a, b = jnp.asarray(FROM)[i], jnp.asarray(TO)[i]
        flux = u[a] ** 2 * u[b]
        window = jax.lax.dynamic_slice(u, (i % 7,), (3,))
        put = jax.lax.dynamic_update_slice(jnp.zeros(N), window * window[::-1], (i % 11,))
        return (2.0 + total.at[b].subtract(flux)) - (jnp.zeros(N).at[a].add(flux) - put)

    return jax.lax.fori_loop(0, 90, step, u)


def with_loops_inside(u):
    """Each element adds a sum of its own, over the points of a quadrature, which starts from zero."""

    def step(total, triangle):
        a, b, c = u[triangle]

        def point(q, inner):
            return inner + jnp.sin(a * (q + 1.0) + b) * c

        return total + jax.lax.fori_loop(0, 3, point, 0.0), None

    return jax.lax.scan(step, 0.0, TRIANGLES)[0]


def from_the_end(u):
    """Steps of several edges each, the last first, with results of their own."""

    def step(carry, pair):
        total, count = carry
        i, j = pair
        flux = jax.lax.map(lambda k: u[k[0]] * u[k[1]], (i, j))
        return (total + jnp.sum(flux), count + 1), flux * count

    (total, _), fluxes = jax.lax.scan(
        step, (0.0, 1), (FROM.reshape(9, 10), TO.reshape(9, 10)), reverse=True
    )
    return jnp.zeros(N).at[TO].add(fluxes.ravel()).at[0].add(total)


def recurrence(u):
    """Each step reads the one before it."""
    return jax.lax.scan(lambda c, i: (0.5 * c + u[i], c * u[i]), 0.0, FROM[:12])[1]


def nested(u):
    @jax.jit
    def inner(u):
        return jax.jit(fluxes)(u + 1) * 2

    return inner(u) - 3 * u


def shifted_before(u):
    """Nodes are displaced, and cast, before they are gathered."""
    return fluxes((X + u).astype(jnp.float32) - 0.5)


def scaled_sums(u):
    """Known coefficients, and cancellation in one of them."""
    f = u[FROM] ** 2
    return jnp.zeros(N).at[TO].add(f * np.linspace(-1, 1, 90)) / 3 - jnp.zeros(N).at[TO].add(f)


def of_node_functions(u):
    """What is computed at the nodes before it is copied; some of it is no function of derivatives one."""
    positive = jnp.where(u > 1, u**2, jnp.exp(u) - 1)
    scaled = jnp.linspace(0, 2, N) * jnp.clip(u, 0.6, 1.4)
    return fluxes(positive) + jnp.zeros(N).at[FROM].add(scaled[TO] * u[FROM] ** 3)


def of_scaled_inputs(u):
    """Coefficients of any sign, zeros among them, and inputs that are added to others' places."""
    put = jnp.zeros(N + 2).at[np.arange(N) + 1].add(u * jnp.linspace(-1, 1, N)) / 2
    return fluxes(-3 * u) + fluxes(put[1:-1])


JACOBIANS = {
    function.__name__: function
    for function in (
        *(fluxes, of_triangles, by_stacking, by_quadrature, two_families, beside_others),
        *(assembled_by_a_matrix, scanned, nested, shifted_before, scaled_sums),
        *(one_by_one, from_the_end, recurrence, of_node_functions, of_scaled_inputs),
    )
}


def pairs(u):
    """All pairs, and a parameter that all share."""
    d = u[:-1, None] - u[None, :-1]
    return jnp.sum(jnp.cos(d) * u[-1]) + jnp.sum(u) ** 2


def linear_elements(u):
    e = u[TRIANGLES]
    return jnp.sum(e[:, 0] * 2 + e[:, 1]) + jnp.sum(e[:, 2] ** 2)


HESSIANS = {
    "triangles": energy,
    "pairs": pairs,
    "linear": linear_elements,
    "edges": lambda u: jnp.sum(fluxes(u) ** 2),
    "two_families": lambda u: energy(u) + jnp.sum(jnp.sin(u[FROM] - u[TO])) + jnp.prod(u[:3]),
    "residual": lambda u: jnp.sum(u * of_triangles(u)),
    "scaled": lambda u: energy(u * jnp.linspace(-1, 2, N)) + jnp.sum(u**3),
    "of_node_functions": lambda u: energy(jnp.sinh(u)),
}


def close(got, want, tolerance: Any = 2e-5):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, tolerance, tolerance), got, want)


def elements_of(derivative) -> Any:
    assert derivative.elements is not None
    return derivative.elements


@functools.cache
def dense_jacobian(name):
    return jax.jit(jax.jacobian(JACOBIANS[name]))


@functools.cache
def dense_hessian(name):
    f = HESSIANS[name]
    return jax.jit(lambda u: (*jax.value_and_grad(f)(u), jax.hessian(f)(u)))


@pytest.mark.parametrize("mode", ["auto", "fwd", "rev"])
@pytest.mark.parametrize("name", JACOBIANS)
def test_jacobians(name, mode):
    f = JACOBIANS[name]
    derivative = asdex.jacobian(f, X, mode=mode, elements=True, output_format="dense")
    assert derivative.elements is not None
    call = derivative if mode == "auto" else jax.jit(derivative)
    for point in (X, 2 * X):
        close(call(point), dense_jacobian(name)(point))


@pytest.mark.parametrize("mode", [None, "rev_over_fwd", "rev_over_rev"])
@pytest.mark.parametrize("name", HESSIANS)
def test_hessians(name, mode):
    make = asdex.value_gradient_and_hessian
    derivative = make(HESSIANS[name], X, mode=mode, elements=True, output_format="dense")
    assert derivative.elements is not None
    close(derivative(X), dense_hessian(name)(X), 1e-3)


def test_passes_are_those_of_an_element():
    fewer = {
        name: elements_of(asdex.jacobian(f, X, mode="fwd", elements=True)).coloring.num_colors
        for name, f in JACOBIANS.items()
    }
    assert fewer["fluxes"] == fewer["nested"] == fewer["shifted_before"] == 2
    assert fewer["assembled_by_a_matrix"] == 2
    assert fewer["of_triangles"] == fewer["by_quadrature"] == 3
    assert fewer["by_stacking"] == 2
    assert elements_of(asdex.hessian(energy, X, elements=True)).coloring.num_colors == 3


@pytest.mark.parametrize(("f", "passes"), [(scanned, 2), (one_by_one, 3)])
def test_loops_over_elements(f, passes):
    derivative = asdex.jacobian(f, X, elements=True)
    assert elements_of(derivative).coloring.num_colors <= passes < derivative.coloring.num_colors
    inside = asdex.hessian(with_loops_inside, X, elements=True)
    assert elements_of(inside).coloring.num_colors == 3
    close(inside(X).todense(), jax.hessian(with_loops_inside)(X), 1e-3)
    energy = asdex.hessian(lambda u: jax.lax.map(lambda i: triangle(u[i]), TRIANGLES).sum(), X)
    assert elements_of(energy).coloring.num_colors == 3


def test_scaling_before_the_copies():
    """The scale may be an argument, and be zero."""

    def f(u, scale):
        return energy(scale * u)

    scale = jnp.linspace(0, 1, N)
    derivative = asdex.value_gradient_and_hessian(f, X, scale, elements=True, output_format="dense")
    assert elements_of(derivative).coloring.num_colors == 3
    for factor in (scale, 1 - scale):
        expected = jax.jit(lambda *at: (f(*at), jax.grad(f)(*at), jax.hessian(f)(*at)))(X, factor)
        close(derivative(X, factor), expected, 1e-3)
    of_nodes = asdex.jacobian(of_node_functions, X, elements=True, mode="rev")
    assert elements_of(of_nodes).coloring.num_colors == 1


@pytest.mark.parametrize("mode", [None, "rev_over_fwd", "rev_over_rev"])
def test_functions_of_nodes_before_the_copies_of_a_hessian(mode):
    """Their second derivatives count on the diagonal, of `sin` and of what the elements add up alone."""

    def f(u):
        e = jnp.sin(u)[TRIANGLES]
        by_edges = jnp.sum(u[FROM] * jnp.exp(u[TO])) + jnp.sum((3 * u)[FROM] ** 2)
        return jnp.sum(jnp.prod(e, axis=1)) + by_edges + jnp.sum((u**3)[TRIANGLES])

    make = asdex.value_gradient_and_hessian
    derivative = make(f, X, mode=mode, elements=True, output_format="dense")
    assert elements_of(derivative).coloring.num_colors == 3 < derivative.coloring.num_colors
    expected = jax.jit(lambda u: (*jax.value_and_grad(f)(u), jax.hessian(f)(u)))(2 * X)
    close(derivative(2 * X), expected, 1e-4)


def test_third_derivatives_through_functions_of_nodes():
    def f(u):
        return jnp.sum(jnp.prod(jnp.exp(u)[TRIANGLES], axis=1))

    derivative = asdex.hessian(f, X, elements=True, output_format="dense")

    def norm(hessian):
        return jax.grad(lambda u: jnp.sum(hessian(u) ** 2))(X)

    got, want = norm(derivative), norm(jax.jit(jax.hessian(f)))
    close(got / abs(want).max(), want / abs(want).max(), 1e-5)


@pytest.mark.parametrize("as_jax", [True, False])
def test_backward_rules_that_read_constants(as_jax):
    """A constant is an array of JAX's for a rule, which may read it at an index that is traced."""

    @jax.custom_vjp
    def weighted(x, weights):
        return x * jnp.sum(weights)

    def backward(weights, cotangent):
        total, _ = jax.lax.scan(lambda sum_, i: (sum_ + weights[i], None), 0.0, jnp.arange(3))
        return total * cotangent, jnp.zeros_like(weights)

    weighted.defvjp(lambda x, weights: (x * jnp.sum(weights), weights), backward)
    given = np.arange(3.0, dtype=np.float32)

    @jax.jit
    def f(x):
        weights = jnp.asarray(given) if as_jax else given
        return jnp.sum(weighted(x[1:] * jnp.sin(x[:-1]), weights) ** 2)

    x = jnp.linspace(0.3, 1.2, 12)
    hess_fn = asdex.hessian(f, x, elements=True, output_format="dense")
    assert hess_fn.elements is not None
    np.testing.assert_allclose(hess_fn(x), jax.jit(jax.hessian(f))(x), rtol=1e-4, atol=1e-4)


def test_linear_elements_take_no_pass():
    def linear(u):
        return jnp.zeros(N).at[FROM].add(u[TO]).at[TO].add(2 * u[FROM])

    derivative = asdex.jacobian(linear, X, mode="fwd", elements=True, output_format="dense")
    assert elements_of(derivative).coloring.num_colors == 1
    close(derivative(X), jax.jacobian(linear)(X))


def test_chosen_where_it_costs_less():
    assert asdex.jacobian(fluxes, X).elements is not None
    assert asdex.hessian(energy, X).elements is not None
    assert asdex.jacobian(fluxes, X, elements=False).elements is None
    stencil = asdex.jacobian(lambda u: u[1:-1] * (u[2:] - u[:-2]), X)
    assert stencil.elements is None

    def brusselator(w):
        u, v = w

        def laplacian(u):
            p = jnp.pad(u, 1, mode="wrap")
            return p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * u

        reaction = u**2 * v - 4.4 * u
        return jnp.stack([0.1 * laplacian(u) + reaction, 0.2 * laplacian(v) - reaction])

    assert asdex.jacobian(brusselator, jnp.ones((2, 50, 50))).elements is None
    assert asdex.jacobian(fluxes, X, constant="reuse").elements is None
    assert asdex.compressed_jacobian(fluxes, X).elements is None


def test_print_out():
    derivative = asdex.hessian(energy, X)
    plain = asdex.hessian(energy, X, elements=False)
    count = elements_of(derivative).count
    assert count <= 60
    passes = f"3 HVPs of {count} elements (instead of {plain.coloring.num_colors} HVPs)"
    assert repr(derivative) == repr(plain)[:-1] + f", {passes})"
    many = np.arange(6000).reshape(2000, 3) % 17
    derivative = asdex.hessian(lambda u: jnp.sum(jnp.prod(u[many], 1)), X[:17], elements=True)
    assert "3 HVPs of 2,000 elements" in repr(derivative)


def test_coefficients_that_differ_from_call_to_call():
    def residual(u, before, step):
        return u - before - step * fluxes(u) / jnp.linspace(1, 2, N)

    derivative = asdex.value_and_jacobian(residual, X, X, 0.1, elements=True, output_format="dense")
    assert elements_of(derivative).rest is not None
    assert elements_of(derivative).coloring.num_colors <= 2
    for step in (0.3, 2.0):
        want = residual(X, 2 * X, step), jax.jacobian(residual)(X, 2 * X, step)
        close(derivative(X, 2 * X, step), want)


def test_weights_and_index_arrays_of_a_model():
    class Model(eqx.Module):
        weight: jax.Array
        i: jax.Array
        j: jax.Array

        def __call__(self, u):
            return jnp.zeros_like(u).at[self.i].add(self.weight * u[self.i] * u[self.j])

    model = Model(W, jnp.asarray(FROM), jnp.asarray(TO))
    derivative = asdex.jacobian(model, X, elements=True, output_format="dense")
    assert derivative.elements is not None
    close(derivative(X), jax.jacobian(model)(X))
    trained = eqx.tree_at(lambda one: one.f.weight, derivative, W**2)
    close(trained(X), jax.jacobian(trained.f)(X))

    @eqx.filter_jit
    def loss(model, derivative, u):
        moved = eqx.tree_at(lambda one: one.f, derivative, model)
        return jnp.sum(moved(u) ** 2)

    gradient = eqx.filter_grad(loss)(model, derivative, X)
    want = jax.grad(
        lambda w: jnp.sum(jax.jacobian(eqx.tree_at(lambda m: m.weight, model, w))(X) ** 2)
    )
    close(gradient.weight, want(W), 1e-4)


def test_made_inside_a_compiled_function():
    @jax.jit
    def inside(u, w):
        return asdex.jacobian(lambda u: fluxes(u, w), u, elements=True, output_format="dense")(u)

    close(inside(X, W), jax.jacobian(fluxes)(X, W))


def test_trees_arguments_and_auxiliary_data():
    def f(scale, tree):
        a, b = tree["a"], tree["b"]
        out = {"x": jnp.zeros(N).at[FROM].add(scale * a[FROM] * b[TO % 20]), "y": b**2}
        return out, {"sum": a.sum(), "name": "f"}

    tree = {"a": X, "b": X[:20]}
    derivative = asdex.value_and_jacobian(
        f, 2.0, tree, argnums=1, has_aux=True, elements=True, output_format="dense"
    )
    assert derivative.elements is not None
    (value, aux), jacobian = derivative(3.0, tree)
    close(jacobian, jax.jacobian(f, argnums=1, has_aux=True)(3.0, tree)[0])
    close(value, f(3.0, tree)[0])
    assert aux["name"] == "f"
    close(aux["sum"], X.sum())


def test_integer_leaves():
    def f(tree):
        return jnp.zeros(N).at[FROM].add(tree["u"][FROM] * tree["u"][TO] * tree["k"])

    tree = {"k": jnp.arange(90), "u": X}
    derivative = asdex.jacobian(f, tree, allow_int=True, elements=True, output_format="dense")
    assert derivative.elements is not None
    close(derivative(tree)["u"], jax.jacobian(lambda u: f({"k": tree["k"], "u": u}))(X))


def of_parts(z):
    """Holomorphic, but made of parts that are not, with complex coefficients before and after."""
    shifted = z[TRIANGLES[:, [0, 0, 1]]] + 1j
    parts = jnp.real(shifted[:, 0]) + 1j * jnp.imag(shifted[:, 1])
    conjugate = jnp.conj(jnp.conj(shifted[:, 1]) * jnp.conj(shifted[:, 2]))
    return jnp.zeros_like(z).at[TRIANGLES[:, 0]].add((2 - 3j) * parts * conjugate)


@pytest.mark.parametrize("mode", ["auto", "fwd", "rev"])
@pytest.mark.parametrize("f", [fluxes, of_triangles, two_families, beside_others, of_parts])
def test_complex_inputs(f, mode):
    z = (X + 1j * X[::-1]).astype(jnp.complex64)
    options = {"holomorphic": True, "allow_int": True, "output_format": "dense"}
    derivative = asdex.jacobian(f, z, mode=mode, elements=True, **options)
    assert elements_of(derivative).coloring.num_colors < derivative.coloring.num_colors
    for point in (z, 1j * z):
        close(derivative(point), jax.jit(jax.jacobian(f, holomorphic=True))(point), 1e-4)


def test_integer_leaves_beside_complex_ones():
    def f(tree):
        return jnp.zeros_like(tree["u"]).at[FROM].add(tree["u"][FROM] * tree["u"][TO] * tree["k"])

    tree = {"k": jnp.arange(90), "u": (X + 1j * X[::-1]).astype(jnp.complex64)}
    options = {"holomorphic": True, "allow_int": True, "output_format": "dense"}
    derivative = asdex.jacobian(f, tree, argnums=0, elements=True, **options)
    only = jax.jacobian(lambda u: f({"k": tree["k"], "u": u}), holomorphic=True)
    close(derivative(tree)["u"], only(tree["u"]))


def test_complex_inputs_of_a_hessian_are_colored():
    z = X + 1j * X
    derivative = asdex.hessian(energy, z, holomorphic=True, elements=True, output_format="dense")
    assert derivative.elements is None
    close(derivative(z), jax.jit(jax.hessian(energy, holomorphic=True))(z), 1e-3)


@pytest.mark.parametrize("output_format", ["bcoo", "bcsr", "bsr", "data", "scipy_csr", "dense"])
def test_formats(output_format):
    got = [
        asdex.jacobian(fluxes, X, elements=elements, output_format=output_format)(X)
        for elements in (True, False)
    ]
    dense = [
        one.toarray() if hasattr(one, "toarray") else jnp.asarray(getattr(one, "data", one))
        for one in got
    ]
    close(*dense)


@pytest.mark.parametrize("triangle", ["lower", "upper"])
def test_triangles_and_lagrangians(triangle):
    derivative = asdex.hessian(
        energy, X, elements=True, triangle=triangle, output_format="scipy_csr"
    )
    part = np.tril if triangle == "lower" else np.triu
    close(derivative(X).toarray(), part(jax.hessian(energy)(X)), 1e-4)
    lagrangian = asdex.nlp.lagrangian_hessian(energy, fluxes, X, output_format="dense")
    assert lagrangian.derivative.elements is not None
    want = jax.jit(jax.hessian(lambda u: 2 * energy(u) + W[:N] @ fluxes(u)))(X)
    close(lagrangian(X, W[:N], 2.0), want, 1e-4)


def test_transformations():
    derivative = asdex.hessian(energy, X, elements=True, output_format="dense", chunk_size=2)
    points = jnp.stack([X, 2 * X])
    close(jax.vmap(derivative)(points), jax.vmap(jax.hessian(energy))(points), 1e-3)
    got = jax.grad(lambda u: jnp.sum(derivative(u) ** 2))(X)
    close(got, jax.grad(lambda u: jnp.sum(jax.hessian(energy)(u) ** 2))(X), 1e-3)
    _, scanned = jax.lax.scan(lambda c, u: (c, derivative(u)), 0, points)
    close(scanned, jax.vmap(jax.hessian(energy))(points), 1e-3)


def test_large_constants_of_a_compiled_function(optimized):
    """Products with large constants are wrong in the XLA of jax 0.10, unless it does not see them."""
    nodes = np.random.default_rng(0)
    triangles = nodes.integers(0, 3000, (6000, 3))
    inverse = np.asarray(100 * nodes.normal(size=(6000, 2, 2)), np.float32)

    def area(u):
        e = u[triangles]
        slopes = jnp.stack([e[:, 1] - e[:, 0], e[:, 2] - e[:, 0]], 1)
        return jnp.sum(jnp.sqrt(1 + jnp.sum(jnp.einsum("eij,ej->ei", inverse, slopes) ** 2, 1)))

    u = jnp.asarray(nodes.normal(size=3000), jnp.float32)
    derivative = asdex.hessian(area, u, elements=True, output_format="data")
    want = np.asarray(derivative(u))
    scale = np.abs(want).max()
    np.testing.assert_allclose(jax.jit(derivative)(u) / scale, want / scale, atol=1e-4)


def test_mesh():
    mesh = jax.make_mesh((1,), ("colors",))
    derivative = asdex.hessian(energy, X, elements=True, output_format="dense", mesh=mesh)
    close(derivative(X), jax.hessian(energy)(X), 1e-3)


def test_empty_families():
    none = np.zeros((0, 3), np.int32)

    def f(u):
        return jnp.sum(jnp.prod(u[none], axis=1)) + jnp.sum(jnp.prod(u[TRIANGLES], axis=1))

    close(asdex.hessian(f, X, elements=True, output_format="dense")(X), jax.hessian(f)(X), 1e-4)
    derivative = asdex.jacobian(lambda u: jnp.zeros(4), X, elements=True, output_format="dense")
    close(derivative(X), jnp.zeros((4, N)))


def test_what_selects_is_not_linear():
    """A pooled gradient is linear in the gradient, not in the values that are compared."""

    def f(u):
        pooled, pull = jax.vjp(
            lambda v: jax.lax.reduce_window(v, -jnp.inf, jax.lax.max, (3,), (3,), "VALID"), u
        )
        return pull(pooled**2)[0]

    derivative = asdex.jacobian(f, X, elements=True, output_format="dense")
    close(derivative(X), jax.jacobian(f)(X))
    close(derivative(X[::-1]), jax.jacobian(f)(X[::-1]))


def test_unknown_indices_are_no_elements():
    def f(u, i):
        return jnp.zeros(N).at[i].add(u[i] ** 2)

    derivative = asdex.jacobian(f, X, FROM, elements=True, output_format="dense")
    close(derivative(X, TO), jax.jacobian(f)(X, TO))


@pytest.mark.parametrize("moved", ["gather", "update", "where", "slice", "scatter"])
def test_what_an_unknown_index_may_move_is_no_copy(moved):
    """Each element depends on one input at most, but its derivative is one or zero."""

    def f(u, i):
        base = jnp.arange(3.0) * i
        around = jnp.pad(u, (1, 1))
        e = {
            "gather": lambda: around[jnp.stack([i, 0 * i, i - 1])],
            "update": lambda: jax.lax.dynamic_update_slice(base, u, (i,)),
            "where": lambda: jnp.where(jnp.arange(3) == i, u[0], base),
            "slice": lambda: jax.lax.dynamic_slice(around, (i - 1,), (2,)),
            "scatter": lambda: base.at[i].set(u[0]),
        }[moved]()
        return jnp.stack([jnp.sum(e**2 * e[::-1] + e), jnp.sum(jnp.sin(e))])

    u = jnp.array([0.7])
    derivative = asdex.jacobian(f, u, jnp.array(1), elements=True, output_format="dense")
    dense = jax.jit(jax.jacobian(f))
    for i in jnp.arange(3):
        np.testing.assert_allclose(derivative(u, i), dense(u, i), rtol=1e-5)


@pytest.mark.parametrize("held", ["set", "where", "slice"])
def test_boundary_values_beside_the_inputs(held):
    """Inputs that are put between other values are copies as well."""
    inner = np.arange(1, N)

    def f(free, boundary):
        if held == "set":
            u = boundary.at[inner].set(free)
        elif held == "slice":
            u = jax.lax.dynamic_update_slice(boundary, free, (1,))
        else:
            u = jnp.where(np.arange(N) > 0, jnp.pad(free, (1, 0)), boundary)
        return energy(u)

    derivative = asdex.hessian(f, X[1:], X, elements=True, output_format="dense")
    assert elements_of(derivative).coloring.num_colors == 3
    for boundary in (X, 2 * X):
        expected = jax.jit(jax.hessian(f))(X[1:], boundary)
        np.testing.assert_allclose(derivative(X[1:], boundary), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("constant", ["recompute", "reuse"])
def test_saved_and_loaded(tmp_path, constant):
    """Elements and coefficients are those of the function at hand: nothing of them is in the file."""

    def residual(scale):
        return lambda u, before: u - before - scale * fluxes(u)

    asdex.jacobian_coloring(residual(1.0), X, X).save(tmp_path / "coloring.npz")
    loaded = asdex.ColoredPattern.load(tmp_path / "coloring.npz")
    for scale in (2.0, 0.5):
        f = residual(scale)
        options = {"output_format": "dense", "constant": constant, "coloring": loaded}
        derivative = asdex.jacobian(f, X, X, elements=True, **options)
        assert derivative.coloring is loaded
        assert (derivative.elements is None) == (constant == "reuse")
        close(derivative(2 * X, X), jax.jacobian(f)(2 * X, X))
    with pytest.raises(ValueError, match="outputs"):
        asdex.jacobian(lambda u, v: jnp.dot(u, v), X, X, elements=True, coloring=loaded)(X, X)
    with pytest.raises(ValueError, match="shape"):
        asdex.jacobian(residual(1.0), X[1:], X[1:], coloring=loaded)
    with pytest.raises(ValueError, match="argnums=0"):
        asdex.jacobian(residual(1.0), X, X, argnums=1, coloring=loaded)


def test_hessian_saved_and_loaded(tmp_path):
    asdex.hessian_coloring(energy, X).save(tmp_path / "coloring.npz")
    loaded = asdex.ColoredPattern.load(tmp_path / "coloring.npz")
    make = asdex.value_gradient_and_hessian
    derivative = make(energy, X, coloring=loaded, elements=True, output_format="dense")
    assert elements_of(derivative).coloring.num_colors == 3
    close(derivative(X), dense_hessian("triangles")(X), 1e-3)
    with pytest.raises(ValueError, match="for a Jacobian"):
        asdex.jacobian(energy, X, coloring=loaded)
    with pytest.raises(TypeError, match="ColoredPattern"):
        asdex.hessian(energy, X, coloring=loaded.sparsity)  # pyright: ignore


def test_local_colorings_have_no_elements():
    loaded = asdex.jacobian_coloring(fluxes, X, local=True)
    assert asdex.jacobian(fluxes, X, coloring=loaded).elements is None
    with pytest.raises(ValueError, match="local"):
        asdex.jacobian(fluxes, X, coloring=loaded, elements=True)


def test_another_program_raises():
    flag = [True]

    def f(u):
        return fluxes(u) if flag[0] else fluxes(u) ** 2

    derivative = asdex.jacobian(f, X, elements=True)
    flag[0] = False
    with pytest.raises(ValueError, match="its trace differs"):
        derivative(X)


def test_the_same_operations_on_other_places_raise():
    first = [0]

    def f(u):
        e = jnp.stack([u[first[0] : first[0] + 20], u[20:]], axis=1)
        return jnp.zeros(N).at[TRIANGLES[:20, :2]].add(e * e.sum(1, keepdims=True))

    derivative = asdex.jacobian(f, X, elements=True)
    first[0] = 5
    with pytest.raises(ValueError, match="its trace differs"):
        derivative(X)


def test_other_shapes_raise():
    count = [90]

    def f(u, w):
        i, j = FROM[: count[0]], TO[: count[0]]
        return jnp.zeros(N).at[i].add(w.sum() * u[i] * u[j])

    derivative = asdex.jacobian(f, X, W, elements=True)
    with pytest.raises(ValueError, match="shape"):
        derivative(X, W[1:])
    with pytest.raises(ValueError, match="shape"):
        derivative(X[1:], W)
    count[0] = 89
    with pytest.raises(ValueError, match="its trace differs"):
        derivative(X, W)


def test_functions_that_print_are_colored(capfd):
    def f(u):
        jax.debug.print("evaluated")
        return fluxes(u)

    derivative = asdex.jacobian(f, X, elements=True, output_format="dense")
    assert derivative.elements is None
    close(derivative(X), jax.jacobian(fluxes)(X))
    jax.effects_barrier()
    assert "evaluated" in capfd.readouterr().out


def test_a_dense_function_is_not_searched_without_end():
    """All pairs, then sums over all of them: each result would have an entry for each copy."""

    def f(u):
        return jax.nn.softmax(jnp.sin(u[:, None] - u[None, :]), axis=1) @ u

    u = jnp.linspace(0.0, 1.0, 150)
    with pytest.warns(asdex.DenseColoringWarning):
        assert asdex.jacobian(f, u).elements is None


def test_options_are_checked():
    with pytest.raises(ValueError, match="`elements`"):
        asdex.jacobian(fluxes, X, elements="yes")  # pyright: ignore
