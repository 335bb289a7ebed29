"""Run by `test_row_blocks.py` with eight devices: derivatives whose rows are spread, against those of one.

Prints a JSON object: the largest relative differences, the collectives of compiled programs, and the bytes
that one device needs.
"""

import contextlib
import json
import re
import sys
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P

import asdex
from asdex.evaluation._compiled import _PLANS


jax.config.update("jax_enable_x64", True)

DEVICES = np.array(jax.devices())
LINE = Mesh(DEVICES, ("x",))
GRID = Mesh(DEVICES.reshape(4, 2), ("x", "y"))
MESHES = {"line": (LINE, P("x")), "tiles": (GRID, P("x", "y")), "both axes": (GRID, P(("y", "x")))}
MESHES["one of two axes"] = GRID, P(None, "y")
if hasattr(jax.sharding, "AxisType"):
    MESHES["made"] = jax.make_mesh((8,), ("x",)), P("x")
    MESHES["made tiles"] = jax.make_mesh((4, 2), ("x", "y")), P("x", "y")
U = np.random.default_rng(0).normal(size=(16, 8))
V = np.random.default_rng(1).normal(size=128)
set_mesh = getattr(jax, "set_mesh", contextlib.nullcontext)


def diffusion(u):
    p = jnp.pad(u, 1)
    neighbors = p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2]
    return u**3 * neighbors - 4 * u


def differences_of(u):
    """Fifteen rows out of sixteen, which cannot be cut evenly."""
    return (u[1:] - u[:-1]) ** 2


def energy(u):
    return jnp.sum((u[1:] - u[:-1]) ** 4) + jnp.sum((u[:, 1:] * u[:, :-1]) ** 2)


def two_fields(fields):
    """A tree of fields, a number among the outputs, and a field of another shape."""
    u, v = fields["u"], fields["v"]
    return {"u": diffusion(u) * v, "mean": jnp.sum(u), "v": (v[:, 1:] * u[:, :-1]) ** 2}


def arrow(x):
    return jnp.concatenate([jnp.sum(x**2)[None], x[1:] ** 3 * x[:1]])


def by_jax(f):
    """The dense derivative of an array by an array, as a matrix."""
    return np.asarray(jax.jit(jax.jacobian(f))(U)).reshape(-1, U.size)


def difference(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    return float(np.max(np.abs(actual - expected)) / max(np.max(np.abs(expected)), 1.0))


def placed(x, mesh, spec):
    def put(leaf):
        cut = P(*tuple(spec)[: np.ndim(leaf)])
        return jax.device_put(leaf, NamedSharding(mesh, cut))

    return jax.tree.map(put, x)


def products(name, matrix, expected):
    """A matrix of row blocks, and its products with vectors."""
    m, n = expected.shape
    yield f"product, {name}", matrix @ V[:n], expected @ V[:n]
    yield f"transposed, {name}", matrix.T @ np.resize(V, m), expected.T @ np.resize(V, m)


def matrices():
    """All modes on all meshes."""
    for mesh_name, (mesh, spec) in MESHES.items():
        u = placed(U, mesh, spec)
        cases: list[tuple[Any, asdex.JacobianMode]] = [(diffusion, "rev"), (differences_of, "fwd")]
        for f, mode in cases:
            name = f"{f.__name__}, {mode}, {mesh_name}"
            matrix = asdex.jacobian(f, u, mode=mode, output_format="row_blocks")(u)
            assert not matrix.data.sharding.is_fully_replicated
            yield from products(name, matrix, by_jax(f))
        hess_fn = asdex.value_gradient_and_hessian(energy, u, output_format="row_blocks")
        value, gradient, matrix = hess_fn(u)
        yield from products(f"Hessian, {mesh_name}", matrix, by_jax(jax.grad(energy)))
        yield f"gradient, {mesh_name}", gradient, jax.grad(energy)(U)
        yield f"value, {mesh_name}", value, energy(U)
        fields = {"u": U, "v": U[::-1] + 2}
        split = placed(fields, mesh, spec)
        jac_fn = asdex.value_and_jacobian(two_fields, split, output_format="row_blocks")
        value, matrix = jac_fn(split)
        expected = jax.jvp(two_fields, (fields,), (fields,))[1]
        for key, one in matrix.mv(split).items():
            yield f"product of trees, {key}, {mesh_name}", one, expected[key]
        for key, one in two_fields(fields).items():
            yield f"value of trees, {key}, {mesh_name}", value[key], one
        back = matrix.T.mv(value)
        (expected,) = jax.vjp(two_fields, fields)[1](two_fields(fields))
        for key in fields:
            yield f"transposed product of trees, {key}, {mesh_name}", back[key], expected[key]


def on_host(bcoo):
    """The dense array; `todense` has no rule for meshes of explicit axes."""
    indices, data = np.asarray(bcoo.indices), np.asarray(bcoo.data)
    inside = (indices < bcoo.shape).all(axis=1)
    result = np.zeros(bcoo.shape)
    np.add.at(result, tuple(indices[inside].T), data[inside])
    return result


def formats():
    """Formats of jax, options, and transformations."""
    x = np.linspace(0.5, 1.5, 24)
    expected = np.asarray(jax.jacobian(arrow)(x))
    options: dict[str, Any] = {"mesh": LINE, "row_axis": "x"}
    jac_fn = asdex.jacobian(arrow, x, mode="bidirectional", **options)
    assert jac_fn.coloring.mode == "bidirectional"
    yield "bidirectional", jac_fn(x).todense(), expected
    yield (
        "from a coloring",
        asdex.jacobian_from_coloring(arrow, jac_fn.coloring, **options)(x).todense(),
        expected,
    )
    u = placed(U, LINE, P("x"))
    expected = np.asarray(jax.jacobian(diffusion)(U))
    bcoo = asdex.jacobian(diffusion, u)(u)
    assert bcoo.data.sharding.spec == bcoo.indices.sharding.spec == P("x")
    yield "BCOO", bcoo.todense(), expected
    flat = asdex.jacobian(diffusion, u, flatten=True)(u)
    yield "BCOO, product", flat @ V, expected.reshape(128, 128) @ V
    yield "BCOO, transposed", flat.T @ V, expected.reshape(128, 128).T @ V
    bcsr = asdex.jacobian(diffusion, u, output_format="bcsr")(u)
    assert {len(one.addressable_shards[0].data) for one in (bcsr.data, bcsr.indptr)} == {1}
    yield "BCSR", bcsr.todense().reshape(expected.shape), expected
    both: list[dict[str, Any]] = [{"axis": "y", "row_axis": "x"}, {"axis": "x", "row_axis": ("y",)}]
    for colors_and_rows in both:
        jac_fn = asdex.jacobian(diffusion, U, mesh=GRID, **colors_and_rows)
        yield f"colors and rows, {colors_and_rows}", jac_fn(U).todense(), expected
    jac_fn = asdex.jacobian(diffusion, u, chunk_size=2, output_format="row_blocks")
    matrix = jac_fn(u)
    yield "chunks", matrix.todense(), expected.reshape(128, 128)
    compiled = eqx.filter_jit(lambda jac_fn, u: jac_fn(u))(jac_fn, u)
    yield "compiled", compiled.data, matrix.data

    def penalty(jacobian, x):
        return jnp.sum(jacobian(x).data ** 2)

    whole = asdex.value_and_jacobian(diffusion, U)
    tiles = placed(U, GRID, P("x", "y"))
    for one, spec in ((u, P("x")), (tiles, P(("x", "y"))), (U, None)):
        value, bcoo = whole(one)  # spread as what it is called with
        if spec is None:
            assert bcoo.nse == whole.sparsity.nnz
        else:
            assert bcoo.data.sharding.spec == bcoo.indices.sharding.spec == spec
        yield f"spread by {spec}", bcoo.todense(), expected
        yield f"value, spread by {spec}", value, diffusion(U)
    whole_hessian = asdex.value_gradient_and_hessian(energy, U)
    hessian = np.asarray(jax.hessian(energy)(U))
    for name, (mesh, spec) in MESHES.items():  # also meshes whose axes are of type `Explicit`
        one = placed(U, mesh, spec)
        value, bcoo = whole(one)
        _, gradient, of_energy = whole_hessian(one)
        assert not bcoo.data.sharding.is_fully_replicated, name
        assert not of_energy.data.sharding.is_fully_replicated, name
        yield f"followed, {name}", on_host(bcoo), expected
        yield f"value, followed, {name}", value, diffusion(U)
        yield f"gradient, followed, {name}", gradient, jax.grad(energy)(U)
        yield f"Hessian, followed, {name}", on_host(of_energy), hessian
    traced = eqx.filter_jit(lambda derivative: derivative(u)[1].todense())
    yield "arguments of a traced derivative", traced(whole), expected
    both_kinds = {"u": U, "v": U + 1j}
    mixed = asdex.jacobian(lambda t: t["u"] * t["v"].real, both_kinds, output_format="data")
    yield "real and complex", mixed(placed(both_kinds, LINE, P("x"))), mixed(both_kinds)
    whole = asdex.jacobian(diffusion, U)
    yield (
        "gradient",
        jax.grad(lambda x: penalty(jac_fn, x))(u),
        jax.grad(lambda x: penalty(whole, x))(U),
    )
    batch = jnp.stack([U, 2 * U])
    of_batch = jax.vmap(lambda x: jac_fn(x) @ V)(batch)
    yield "batch", of_batch[1], whole(2 * U).reshape((128, 128)).todense() @ V
    nothing = asdex.jacobian(jnp.sign, u, output_format="row_blocks")(u)
    yield "no nonzeros", nothing @ V, np.zeros(128)
    inside = jax.jit(lambda x: asdex.jacobian(diffusion, x, **options)(x).todense())(U)
    yield "detection inside", inside, expected
    with set_mesh(LINE):
        yield "mesh in context", jac_fn(u) @ V, matrix @ V
    import jax.scipy.sparse.linalg as solvers

    shifted = lambda v: 50 * v + matrix.mv(v)  # noqa: E731
    solution, _ = solvers.bicgstab(shifted, placed(V.reshape(16, 8), LINE, P("x")), tol=1e-13)
    solved = np.linalg.solve(50 * np.eye(128) + expected.reshape(128, 128), V)
    yield "Krylov solver", np.ravel(solution), solved


def collectives(compiled):
    """How many of each kind a compiled program has, and the bytes of one device that it needs."""
    program = compiled.as_text()
    memory = compiled.memory_analysis()
    kinds = ("all-gather", "all-reduce", "all-to-all", "collective-permute")
    found = {kind: len(re.findall(rf"\b{kind}(?:-start)?\(", program)) for kind in kinds}
    sizes = memory.temp_size_in_bytes + memory.output_size_in_bytes + memory.argument_size_in_bytes
    return {**found, "bytes": sizes}


def program_of_call(derivative, u):
    """What a plain call runs."""
    derivative(u)
    (plan,) = _PLANS[derivative].values()
    return collectives(plan.program.lower((plan.kernel, [u]), plan.seed_terms).compile())


def programs():
    large = np.random.default_rng(0).normal(size=(1024, 16))
    for count in (1, 8):
        mesh = Mesh(DEVICES[:count], ("x",))
        u = placed(large, mesh, P("x"))
        options: dict[str, Any] = {"mesh": mesh, "row_axis": "x", "output_format": "row_blocks"}
        pushed = asdex.compressed_jacobian(diffusion, u, mode="fwd")
        yield f"B on {count}", program_of_call(pushed, u)
        jac_fn = asdex.jacobian(diffusion, u, mode="fwd", **options)
        yield f"fwd on {count}", program_of_call(jac_fn, u)
        yield (
            f"rev on {count}",
            program_of_call(asdex.jacobian(diffusion, u, mode="rev", **options), u),
        )
        yield f"star on {count}", program_of_call(asdex.hessian(energy, u, **options), u)
        for name, matrix in {"product": jac_fn(u), "transposed": jac_fn(u).T}.items():
            multiply = jax.jit(lambda matrix, u: matrix.mv(u))
            yield f"{name} on {count}", collectives(multiply.lower(matrix, u).compile())


if __name__ == "__main__":
    found = {
        name: difference(actual, expected)
        for cases in (matrices, formats)
        for name, actual, expected in cases()
    }
    json.dump({"differences": found, "programs": dict(programs())}, sys.stdout)
