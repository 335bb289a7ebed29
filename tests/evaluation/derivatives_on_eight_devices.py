"""Run by `test_devices.py` with eight devices: derivatives whose colors are spread, against jax's own.

Prints a JSON object: for each program the largest relative difference from what jax computes on one device.
"""

import contextlib
import functools
import json
import sys
import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P

import asdex


jax.config.update("jax_enable_x64", True)
warnings.simplefilter("ignore", asdex.DenseColoringWarning)

DEVICES = np.array(jax.devices())
LINE = Mesh(DEVICES, ("c",))
GRID = Mesh(DEVICES.reshape(4, 2), ("c", "d"))
MADE = jax.make_mesh((8,), ("c",))  # with types that the user handles, since jax 0.9
MESHES = {
    "line": {"mesh": LINE},
    "made": {"mesh": MADE, "axis": "c"},
    "one axis of two": {"mesh": GRID, "axis": "d"},
    "both axes": {"mesh": GRID, "axis": ("d", "c")},
}
X = jnp.linspace(0.5, 1.5, 24)
BATCH = jnp.stack([X, X + 1, 2 * X])

if jax.__version_info__ >= (0, 7):
    shard_map = jax.shard_map
    ONLY_D = {"axis_names": {"d"}, "check_vma": False}
    set_mesh = jax.set_mesh
else:
    from jax.experimental.shard_map import shard_map

    ONLY_D = {"auto": frozenset({"c"}), "check_rep": False}
    set_mesh = contextlib.nullcontext


def window(x):
    """Seven colors by columns."""
    return jnp.convolve(x, jnp.arange(1.0, 8.0), "valid") * x[:18] ** 2


def arrow(x):
    return jnp.concatenate([jnp.sum(x**2)[None], x[1:] ** 3 * x[:1]])


def partly_linear(x):
    return jnp.concatenate([arrow(x), x[::-1] - 2 * x])


def energy(x):
    return jnp.sum(jnp.sin(x[2:]) * x[:-2] ** 2 + x[1:-1] ** 3 * x[2:])


def edges(x):
    """Partially separable."""
    one, other = np.random.default_rng(0).integers(0, 24, (2, 60))
    flux = jnp.sin(x[one]) * x[other]
    return jnp.zeros_like(x).at[one].add(flux).at[other].add(-flux)


def edge_energy(x):
    return jnp.sum(edges(x) ** 2 * x)


def iterated(x):
    """A loop whose carry is the same for all colors at the start."""
    start = jnp.ones_like(x)
    return jax.lax.fori_loop(0, 3, lambda i, y: jnp.cos(y) * x + jnp.roll(y, 1), start)


def spectrum(x):
    blocks = jnp.fft.fft(x.reshape(4, 6), axis=1)
    return (jnp.abs(blocks) ** 2).ravel()


def solved(x):
    matrices = x.reshape(6, 2, 2) + 4 * jnp.eye(2)
    return jnp.linalg.solve(matrices, jnp.ones((6, 2, 1))).ravel()


def over(axis):
    return shard_map(lambda z: jnp.sin(z) * z[::-1], mesh=GRID, in_specs=P(axis), out_specs=P(axis))


def constrained(x):
    return jax.lax.with_sharding_constraint(x**2 * jnp.roll(x, 1), NamedSharding(GRID, P("d")))


class Model(eqx.Module):
    weight: jax.Array

    def __call__(self, x):
        return window(self.weight * x)


@functools.cache
def by_jax(transform, f):
    """The dense derivative of `f`, compiled once."""
    return jax.jit(transform(f))


def difference(actual, expected):
    if hasattr(actual, "todense"):
        actual = actual.todense()
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    scale = np.max(np.abs(expected), initial=1.0)
    return float(np.max(np.abs(actual - expected), initial=0.0) / scale)


def values():
    cases: list[tuple[asdex.JacobianMode, Any]]
    cases = [("fwd", window), ("rev", window), ("bidirectional", arrow)]
    for name, options in MESHES.items():
        for mode, f in cases:
            jacobian = asdex.jacobian(f, X, mode=mode, **options)(X)
            yield f"{mode}, {name}", jacobian, by_jax(jax.jacobian, f)(X)
        for mode in ("fwd_over_rev", "rev_over_fwd", "rev_over_rev"):
            hessian = asdex.hessian(energy, X, mode=mode, **options)(X)
            yield f"{mode}, {name}", hessian, by_jax(jax.hessian, energy)(X)
        at_elements = {"elements": True, "chunk_size": 1, **options}
        for make, dense, f in (
            (asdex.jacobian, jax.jacobian, edges),
            (asdex.hessian, jax.hessian, edge_energy),
        ):
            derivative = make(f, X, **at_elements)
            assert derivative.elements is not None
            yield f"{f.__name__}, {name}", derivative(X), by_jax(dense, f)(X)
    for chunk_size in (1, 2, 3):
        for mesh in (LINE, GRID):
            jac_fn = asdex.jacobian(
                arrow, X, mode="fwd", chunk_size=chunk_size, mesh=mesh, axis="c"
            )
            assert jac_fn.coloring.num_colors == 24
            yield (
                f"chunks of {chunk_size}, {mesh.shape['c']}",
                jac_fn(X),
                by_jax(jax.jacobian, arrow)(X),
            )
    hess_fn = asdex.hessian(energy, X, recovery="substitution", mesh=LINE)
    yield "substitution", hess_fn(X), by_jax(jax.hessian, energy)(X)
    hess_fn = asdex.hessian(energy, X, symmetric=False, mesh=LINE)
    yield "unsymmetric", hess_fn(X), by_jax(jax.hessian, energy)(X)


def functions():
    sharded = {f"shard_map over {axis}": over(axis) for axis in ("c", "d", ("c", "d"))}
    for f in (iterated, spectrum, solved, constrained):
        sharded[f.__name__] = f
    for name, f in sharded.items():
        yield name, asdex.jacobian(f, X, mesh=GRID, axis="c")(X), by_jax(jax.jacobian, f)(X)
    yield "no colors", asdex.jacobian(jnp.sign, X, mesh=LINE)(X), np.zeros((24, 24))
    yield "one color", asdex.jacobian(jnp.sin, X, mesh=LINE)(X), jax.jacobian(jnp.sin)(X)
    jac_fn = asdex.jacobian(partly_linear, X, constant="reuse", mesh=LINE)
    assert jac_fn.num_constant > 0
    yield "constant entries", jac_fn(X), by_jax(jax.jacobian, partly_linear)(X)
    z = X + 1j
    jac_fn = asdex.jacobian(window, z, holomorphic=True, mesh=LINE)
    yield "complex", jac_fn(z), jax.jacobian(window, holomorphic=True)(z)

    def ranked(x, k):
        return {"sum": jnp.sum(x), "value": k * x[::-1] ** 2}, {"x": x, "name": "ranked"}

    k = jnp.arange(24)
    jac_fn = asdex.value_and_jacobian(
        ranked, X, k, argnums=(0, 1), has_aux=True, allow_int=True, output_format="dense", mesh=LINE
    )
    (value, aux), jacobian = jac_fn(X, k)
    assert aux["name"] == "ranked"
    yield "value", value["value"], k * X[::-1] ** 2
    yield "auxiliary data", aux["x"], X
    expected = jax.jacobian(lambda x: k * x[::-1] ** 2)(X)
    yield "trees", jacobian["value"][0], expected
    yield "integers", jacobian["value"][1], np.zeros((24, 24))
    jac_fn = asdex.compressed_jacobian(window, X, mode="fwd", mesh=LINE)
    B = jac_fn(X)
    yield "compressed", asdex.decompress(B, jac_fn.coloring), by_jax(jax.jacobian, window)(X)


def transformations():
    expected = by_jax(jax.jacobian, window)(X)
    for name in ("line", "made", "one axis of two"):
        options = MESHES[name]
        jac_fn = asdex.jacobian(window, X, **options)

        def penalty(x, jac_fn=jac_fn):
            return jnp.sum(jac_fn(x).data ** 2)

        slopes = jax.grad(lambda x: jnp.sum(by_jax(jax.jacobian, window)(x) ** 2))(X)
        yield f"jit, {name}", jax.jit(jac_fn)(X), expected
        yield f"filter_jit, {name}", eqx.filter_jit(lambda g, x: g(x))(jac_fn, X), expected
        yield (
            f"vmap, {name}",
            jax.vmap(jac_fn)(BATCH),
            jax.vmap(by_jax(jax.jacobian, window))(BATCH),
        )
        batched = jax.jit(jax.vmap(jac_fn))(BATCH)
        yield f"jit of vmap, {name}", batched, jax.vmap(by_jax(jax.jacobian, window))(BATCH)
        yield f"grad, {name}", jax.grad(penalty)(X), slopes
        yield f"jit of grad, {name}", jax.jit(jax.grad(penalty))(X), slopes
        yield f"grad of checkpoint, {name}", jax.grad(jax.checkpoint(penalty))(X), slopes
        tangent = jax.jvp(penalty, (X,), (X,))[1]
        yield f"jvp, {name}", tangent, slopes @ X
        _, stacked = jax.lax.scan(lambda c, x: (c, jac_fn(x).data), 0, BATCH)  # noqa: B023
        yield f"scan, {name}", stacked, jax.vmap(lambda x: jac_fn(x).data)(BATCH)  # noqa: B023

        @jax.jit
        def detected_inside(x, scale, options=options):
            return asdex.jacobian(lambda y: scale * window(y), x, **options)(x).todense()

        yield f"detection inside, {name}", detected_inside(X, 2.0), 2 * expected
        with set_mesh(options["mesh"]):
            placed = jax.device_put(X, NamedSharding(options["mesh"], P()))
            split = jax.device_put(X, NamedSharding(options["mesh"], P("c")))
            for kind, x in {"numpy": np.asarray(X), "whole": placed, "split": split}.items():
                yield f"mesh in context, {kind}, {name}", jac_fn(x).data, jac_fn(X).data
            yield f"grad, mesh in context, {name}", jax.grad(penalty)(placed), slopes
        yield f"input on the mesh, {name}", jax.jit(jac_fn)(placed).data, jac_fn(X).data
    model = Model(X)
    jac_fn = asdex.jacobian(model, X, mesh=LINE)
    gradient = eqx.filter_jit(eqx.filter_grad(lambda g: jnp.sum(g(X).data ** 2)))(jac_fn)
    slopes = jax.grad(lambda w: jnp.sum(jax.jacobian(Model(w))(X) ** 2))(X)
    yield "a model inside", gradient.f.weight, slopes
    jac_fn = asdex.jacobian(window, X, output_format="dense", mesh=GRID, axis="c")
    inside = jax.jit(shard_map(jac_fn, mesh=GRID, in_specs=P(), out_specs=P(), **ONLY_D))
    yield "inside shard_map", inside(X), expected
    spread = jax.vmap(jac_fn, spmd_axis_name="d")
    yield (
        "vmap over an axis",
        jax.jit(spread)(BATCH[:2]),
        jax.vmap(by_jax(jax.jacobian, window))(BATCH[:2]),
    )


def placements():
    """Where the results lie, and how much work each device does."""
    for name, options in MESHES.items():
        result = asdex.value_and_jacobian(window, X, **options)(X)
        arrays = [result[0], result[1].data]
        whole = all(one.sharding.is_fully_replicated for one in arrays)
        devices = {len(one.sharding.device_set) for one in arrays}
        yield f"placement, {name}", np.array([whole, *devices]), np.array([True, 8])


def flops(**options):
    """The floating-point operations that one device does for 24 passes."""

    def expensive(x):
        return arrow(jax.lax.fori_loop(0, 1, lambda _, y: jnp.sin(y) + y**5, x))

    jac_fn = asdex.compressed_jacobian(expensive, X, mode="fwd", **options)
    assert jac_fn.coloring.num_colors == 24
    cost: Any = jax.jit(jac_fn).lower(X).compile().cost_analysis()
    return (cost[0] if isinstance(cost, list) else cost)["flops"]


if __name__ == "__main__":
    differences = {
        name: difference(actual, expected)
        for programs in (values, functions, transformations, placements)
        for name, actual, expected in programs()
    }
    work = {"one": flops(), "four": flops(mesh=GRID, axis="c"), "eight": flops(mesh=LINE)}
    json.dump({"differences": differences, "work": work}, sys.stdout)
