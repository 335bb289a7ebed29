"""The page about primitives is what the registry and the tests of the rules say."""

import importlib.util
import json
from pathlib import Path

import pytest

from asdex._versions import CALL_PRIMITIVES
from asdex.detection import registered_rules


# Attention by cuDNN, which runs on GPUs alone.
GPU = {f"dot_product_attention_{kind}_wrapper" for kind in ("fwd", "bwd", "fp8_fwd", "fp8_bwd")}
DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location(
        "generate_primitives", DOCS / "generate_primitives.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_current(generator):
    written = (DOCS / "primitives.md").read_text(encoding="utf-8")
    assert written == generator.page(), "Run `make primitives` and commit docs/primitives.md."


def test_page_tells_exact_rules_from_others(generator):
    page = generator.page()
    assert "| `rev` | `rules/structural.py` | exact | 0.6.0 – " in page
    assert "| `clz` | `asdex.zero_derivative` | zero | 0.6.0 – " in page
    assert "| `scatter` | `rules/indexing.py` | over-full | 0.6.0 – " in page
    assert "| `log2` | `asdex.elementwise` | exact | 0." in page
    assert "| `eigh` | `rules/linear_algebra.py` | batched-dense | 0.6.0 – " in page
    assert "| `pure_callback` | none | dense | 0.6.0 – " in page
    assert "| `custom_vmap_call` | none | followed | 0.6.0 – " in page


@pytest.mark.parametrize(
    "name",
    [
        *("igamma", "igammac", "zeta", "polygamma", "regularized_incomplete_beta", "erf_inv"),
        *("bessel_i0e", "bessel_i1e", "lgamma", "log2", "one_minus_square", "reduce_precision"),
        *("cumsum", "cumlogsumexp", "reduce_window", "reduce_window_max", "reduce", "fft", "sort"),
        *("select_and_scatter_add", "select_and_gather_add", "top_k", "approx_top_k", "argmax"),
        *("scatter", "scatter-add", "scatter-mul", "cholesky", "lu", "qr", "svd", "eigh", "eig"),
        *("lu_pivots_to_permutation", "householder_product", "schur", "triangular_solve"),
        *("tridiagonal_solve", "tridiagonal", "custom_linear_solve", "ragged_dot_general"),
        *("random_bits", "threefry2x32", "rng_bit_generator", "optimization_barrier", "device_put"),
        *("sharding_constraint", "reshard", "pvary", "debug_callback", "io_callback", "ffi_call"),
        *("pure_callback", "name", "custom_vmap_call", "custom_jvp_call", "custom_vjp_call"),
        *("remat2", "cond", "scan", "while", "platform_index", "get", "swap", "shard_map", "psum"),
        *("all_gather", "ppermute", "all_to_all", "axis_index", "bcoo_dot_general", "bcoo_todense"),
        *("maybe_set", "select_if_vmap", "unvmap_any", "noinline", "linear_solve"),
    ],
)
def test_page_has_what_programs_contain(generator, name):
    assert generator.kinds()[name] in (
        *("exact", "batched-dense", "over-full", "followed", "zero", "dense"),
    )


def test_every_recorded_primitive_is_accounted_for(generator):
    """A primitive of a new jax is derived or dense by default: look at it before it is listed as such."""
    programs = generator._of_tests("unruled_programs").PROGRAMS
    rules = set(registered_rules())
    recorded = set().union(*json.loads((DOCS / "primitives.json").read_text("utf-8")).values())
    known = {*programs, *CALL_PRIMITIVES, *generator.INTERNAL, *generator.IN_SHARD_MAPS}
    assert recorded - rules - known - GPU == set()
    assert known & rules == set()
    assert set(programs) & generator.INTERNAL == set()


def test_record_has_the_primitives_of_all_old_rules(generator):
    recorded = json.loads((DOCS / "primitives.json").read_text(encoding="utf-8"))
    assert {"sin", "scan", "while", "gather"} <= set.intersection(*map(set, recorded.values()))
    assert len(set(registered_rules()) & set(recorded["0.6.0"])) > 150
