"""Passes are kept apart from what reads their results, by a branch, under every transformation of jax."""

import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import asdex


pytestmark = pytest.mark.usefixtures("batches_of_a_cpu")
N = 12
X = jnp.linspace(0.5, 1.5, N)


def f(x):
    return jnp.sin(x[1:] - x[:-1]) * x[1:]


def energy(x):
    return jnp.sum(f(x) ** 2)


JACOBIANS = {mode: asdex.jacobian(f, X, mode=mode) for mode in ("fwd", "rev", "bidirectional")}
HESSIAN = asdex.hessian(energy, X)


def values_of(dense, sparse):
    """The values of the nonzeros, by a dense derivative."""
    pattern = sparse.sparsity
    return lambda x: dense(x)[pattern.rows, pattern.cols]


CASES = {
    **{mode: (one, values_of(jax.jacfwd(f), one)) for mode, one in JACOBIANS.items()},
    "hessian": (HESSIAN, values_of(jax.hessian(energy), HESSIAN)),
}


def scanned(values):
    def step(x, _):
        return x + 0.01 * jnp.sum(values(x)) * jnp.cos(x), jnp.sum(values(x) ** 2)

    return lambda x: jax.lax.scan(step, x, None, length=3)


TRANSFORMATIONS = {
    "vmap": lambda values: lambda x: jax.vmap(values)(jnp.stack([x, 2 * x])),
    "grad": lambda values: jax.grad(lambda x: jnp.sum(values(x) ** 2)),
    "hessian": lambda values: jax.hessian(lambda x: jnp.sum(values(x) ** 2)),
    "jacrev": jax.jacrev,
    "jacfwd": jax.jacfwd,
    "grad of vmap": lambda values: jax.grad(
        lambda x: jnp.sum(jax.vmap(values)(jnp.stack([x, x**2])) ** 2)
    ),
    "scan": scanned,
    "grad of scan": lambda values: jax.grad(lambda x: jnp.sum(scanned(values)(x)[1])),
    "checkpoint": lambda values: jax.grad(lambda x: jnp.sum(jax.checkpoint(values)(x) ** 2)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_transformations(name, case):
    derivative, dense = CASES[case]

    def sparse(x):
        return derivative(x).data

    assert "cond[" in str(jax.make_jaxpr(sparse)(X))
    got = jax.jit(TRANSFORMATIONS[name](sparse))(X)
    expected = jax.jit(TRANSFORMATIONS[name](dense))(X)
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_under_vmap_there_is_still_a_branch():
    """A batch of predicates would make a selection of it, which computes and reads both."""
    derivative, _ = CASES["fwd"]
    batch = jax.vmap(lambda x: derivative(x).data)
    program = str(jax.make_jaxpr(batch)(jnp.stack([X, X])))
    assert "cond[" in program and "select_n[" not in program


@pytest.mark.parametrize("explicit", [False, True])
def test_in_a_mesh(explicit):
    if explicit and not hasattr(jax.sharding, "AxisType"):
        pytest.skip("this jax has no explicit axes")
    types = {"axis_types": (jax.sharding.AxisType.Explicit,)} if explicit else {}
    mesh = Mesh(np.array(jax.devices()[:1]), ("x",), **types)
    derivative, dense = CASES["fwd"]
    x = jax.device_put(X, NamedSharding(mesh, PartitionSpec("x")))
    got = jax.jit(lambda x: derivative(x).data)(x)
    np.testing.assert_allclose(got, dense(X), rtol=1e-5)


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_in_a_shard_map(name, checked):
    if hasattr(jax, "shard_map"):
        shard_map, check = jax.shard_map, {"check_vma": checked}
    elif checked:
        pytest.skip("jax 0.6 knows of no types that vary over a mesh")
    else:
        module = importlib.import_module("jax.experimental.shard_map")
        shard_map, check = module.shard_map, {"check_rep": False}
    mesh = Mesh(np.array(jax.devices()[:1]), ("x",))
    derivative, dense = CASES[name]
    batch = PartitionSpec("x")
    mapped: Any = shard_map(  # pyright: ignore
        lambda x: jax.vmap(lambda one: derivative(one).data)(x),
        mesh=mesh,
        in_specs=batch,
        out_specs=batch,
        **check,  # pyright: ignore
    )
    points = jnp.stack([X, 2 * X])
    np.testing.assert_allclose(jax.jit(mapped)(points), jax.vmap(dense)(points), rtol=1e-5)


def test_values_and_auxiliary_data_come_out_of_the_branch():
    def with_aux(x):
        return f(x), {"square": x**2, "name": "aux", "key": jax.random.key(0)}

    derivative = asdex.value_and_jacobian(with_aux, X, has_aux=True)
    for call in (derivative, lambda x: jax.jit(lambda x: derivative(x)[0][1]["square"])(x)):
        result = call(X)
        square = result if isinstance(result, jax.Array) else result[0][1]["square"]
        np.testing.assert_allclose(square, X**2)
    (value, _), matrix = derivative(X)
    np.testing.assert_allclose(value, f(X), rtol=1e-6)
    np.testing.assert_allclose(matrix.todense(), jax.jacobian(f)(X), rtol=1e-5)


def test_constant_entries_are_found_through_a_branch():
    """Detection knows which branch is taken."""
    derivative, _ = CASES["fwd"]
    pattern = asdex.jacobian_sparsity(lambda x: derivative(x).data, X)
    dense = np.asarray(jax.jacfwd(lambda x: derivative(x).data)(X))
    assert np.all(pattern.todense()[dense != 0])
    assert pattern.nnz <= 2 * derivative.sparsity.nnz
