"""Derivatives whose rows are spread over devices."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec as P
from workers import results, start, together

import asdex


X = jnp.linspace(0.5, 2.0, 6)
MESH = Mesh(np.array(jax.devices()[:1]), ("x",))


def f(x):
    return x[1:] ** 2 * x[:-1]


@pytest.fixture(scope="module")
def eight_devices():
    return results(start("row_blocks_on_eight_devices.py", 8))


def test_derivatives_are_those_of_one_device(eight_devices):
    differences = eight_devices["differences"]
    assert len(differences) > 90
    assert {name: one for name, one in differences.items() if not one < 1e-12} == {}


def test_nothing_is_gathered(eight_devices):
    for name, program in eight_devices["programs"].items():
        gathered = program["all-gather"], program["all-reduce"], program["all-to-all"]
        assert gathered == (0, 0, 0), name


def test_columns_are_read_without_any_collective(eight_devices):
    programs = eight_devices["programs"]
    compressing, reading = programs["B on 8"], programs["fwd on 8"]
    assert compressing["collective-permute"] > 0  # rows of the grid at the edges of the tiles
    assert reading["collective-permute"] <= compressing["collective-permute"]
    # Of rows and stars, entries of the two neighbors are needed.
    assert programs["product on 8"]["collective-permute"] == 2


@pytest.mark.parametrize("program", ["fwd", "rev", "star", "product", "transposed"])
def test_a_device_holds_its_share(eight_devices, program):
    programs = eight_devices["programs"]
    share = programs[f"{program} on 8"]["bytes"] / programs[f"{program} on 1"]["bytes"]
    # Slices that are pulled back, as in "rev", are copied by XLA's CPU compiler where they cross devices.
    assert share <= (1 / 8 + 0.1 if program == "rev" else 1.1 / 8)


@pytest.mark.parametrize("num_processes", [2, 4])
def test_each_process_holds_its_rows(num_processes, tmp_path):
    path = str(tmp_path / "coloring.npz")
    found = together(
        "row_blocks_in_processes.py", num_processes, 4 // num_processes, str(num_processes), path
    )
    assert len({one["digest"] for one in found}) == 1  # each has found the same coloring by itself
    for one in found:
        assert one["share"] == 1 / num_processes
        assert len(one["differences"]) == 7
        assert {name: d for name, d in one["differences"].items() if not d < 1e-11} == {}


def test_options_that_do_not_fit():
    for row_axis in ("y", ("x", "y"), (), P("y"), P()):
        with pytest.raises(ValueError, match=r"`row_axis` together with `mesh`.*\('x',\)"):
            asdex.jacobian(f, X, mesh=MESH, row_axis=row_axis)
    with pytest.raises(ValueError, match="no mesh"):
        asdex.jacobian(f, X, row_axis="x")
    with pytest.raises(ValueError, match=r"which axis|out of \(\)"):
        asdex.jacobian(f, X, mesh=MESH, axis="x", row_axis="x")
    with pytest.raises(ValueError, match="samples that are sharded"):
        asdex.jacobian(f, X, output_format="row_blocks")
    others: list[dict[str, Any]] = [
        {"output_format": "dense"},
        {"constant": "reuse"},
        {"elements": True},
    ]
    for options in others:
        with pytest.raises(ValueError, match="'bcoo', 'bcsr', 'data', 'row_blocks'"):
            asdex.jacobian(f, X, mesh=MESH, row_axis="x", **options)
    with pytest.raises(ValueError, match="direct recovery"):
        asdex.hessian(
            lambda x: jnp.sum(x[1:] ** 2 * x[:-1]),
            X,
            recovery="substitution",
            mesh=MESH,
            row_axis="x",
        )
    with pytest.raises(TypeError, match="floating point"):
        asdex.jacobian(
            lambda x, k: x * k,
            X,
            jnp.arange(6),
            argnums=(0, 1),
            allow_int=True,
            mesh=MESH,
            row_axis="x",
        )


def test_vectors_that_do_not_fit():
    matrix = asdex.jacobian(f, X, mesh=MESH, row_axis="x", output_format="row_blocks")(X)
    np.testing.assert_allclose(matrix @ X, jax.jvp(f, (X,), (X,))[1], rtol=1e-6)
    for x in (X[1:], jnp.ones((6, 1))):
        with pytest.raises(ValueError, match=r"vector of shape \(6,\)"):
            _ = matrix @ x
    with pytest.raises(ValueError, match=r"shapes \(\(6,\),\), got \(5,\)"):
        matrix.mv(X[1:])
    with pytest.raises(ValueError, match="Expected a tree"):
        matrix.T.mv({"y": X[1:]})


def test_dtypes():
    def mixed(x, y):
        return {"x": jnp.sin(x), "y": (y[1:] * y[:-1]).astype(jnp.bfloat16)}

    y = (1 + X).astype(jnp.float16)
    options: dict[str, Any] = {"mesh": MESH, "row_axis": "x", "output_format": "row_blocks"}
    jac_fn = asdex.value_and_jacobian(mixed, X, y, argnums=(0, 1), **options)
    value, matrix = jac_fn(X, y)
    assert (value["x"].dtype, value["y"].dtype) == (jnp.float32, jnp.bfloat16)
    np.testing.assert_array_equal(value["y"], mixed(X, y)["y"])
    expected = asdex.jacobian(mixed, X, y, argnums=(0, 1), flatten=True, output_format="dense")(
        X, y
    )
    np.testing.assert_allclose(matrix.todense(), expected, rtol=1e-6)
    with pytest.raises(TypeError, match=r"complex ones.*complex64"):
        asdex.jacobian(lambda x, z: x * z, X, X + 0j, argnums=(0, 1), mode="rev", **options)


def test_another_function():
    coloring = asdex.jacobian_coloring(f, X)
    jac_fn = asdex.jacobian_from_coloring(lambda x: x, coloring, "data", mesh=MESH, row_axis="x")
    with pytest.raises(ValueError, match=r"shapes \[\(5,\)\], but got \[\(6,\)\]"):
        jac_fn(X)


def test_a_pattern_without_shapes_is_for_arrays_of_any():
    grid = X.reshape(2, 3)
    pattern = asdex.SparsityPattern(np.arange(6), np.arange(6), (6, 6))
    coloring = asdex.jacobian_coloring_from_sparsity(pattern)
    options: dict[str, Any] = {"mesh": MESH, "row_axis": "x", "output_format": "data"}
    data = asdex.jacobian_from_coloring(jnp.sin, coloring, **options)(grid)
    np.testing.assert_allclose(data, jnp.cos(X), rtol=1e-6)


def test_an_operator_of_lineax():
    lx = pytest.importorskip("lineax")

    def shifted(x):
        return 40 * x - jnp.roll(x, 1) ** 2 - x[::-1] ** 3

    jac_fn = asdex.jacobian(shifted, X, mesh=MESH, row_axis="x", output_format="row_blocks")
    matrix = jac_fn(X)
    operator = lx.FunctionLinearOperator(matrix.mv, jax.eval_shape(lambda: X))
    expected = jax.jit(jax.jacobian(shifted))(X)
    solution = lx.linear_solve(operator, X, lx.GMRES(rtol=1e-5, atol=1e-5)).value
    np.testing.assert_allclose(solution, np.linalg.solve(expected, X), rtol=1e-4)
    np.testing.assert_allclose(operator.T.mv(X), expected.T @ X, rtol=1e-5)
