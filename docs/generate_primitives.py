"""Writes `docs/primitives.md`: every primitive that a program can contain, and what asdex makes of it.

    python docs/generate_primitives.py             write the page
    python docs/generate_primitives.py --record    note the primitives of the installed jax

What a rule achieves is not claimed but tested: the page says "exact" where each case of the tables in
`tests/rules/` finds no entry beyond those of automatic differentiation, and what becomes of a primitive
without a rule is tested by a program in `tests/rules/unruled_programs.py`. Which jax has a primitive, and
whether it can differentiate it, stands in `docs/primitives.json`, by recorded version.
"""

import gc
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "primitives.md"
RECORD = DOCS / "primitives.json"
TABLES = DOCS.parent / "tests" / "rules"
MODULES = (
    *("jax", "jax.scipy.linalg", "jax.extend.random", "jax.custom_batching"),
    *("jax.experimental.shard_map", "jax.experimental.custom_partitioning"),
    *("jax.experimental.sparse.linalg", "jax.experimental.checkify", "jax.experimental.compute_on"),
    *("jax.experimental.xla_metadata", "jax.experimental.scheduling_groups"),
    *("jax.experimental.fused", "jax.experimental.custom_dce", "jax.experimental.buffer_callback"),
)
"""What to import before looking for primitives; some versions lack some of it."""

INTERNAL = frozenset(
    {
        # made while JAX differentiates or lowers a program, after detection has seen it
        *("accum_grad_in_ref", "broadcast_to", "call_hi_primitive_linearized", "custom_lin"),
        *("create_linear", "custom_jvp_call_jaxpr", "custom_transpose_call", "dce_sential"),
        *("eigh_jacobi", "geqp3", "iota_2x32_shape", "program_order", "run_state", "stage", "tie"),
        *("scaled_matmul", "select_and_scatter", "to_edtype", "from_edtype", "unreachable"),
        *("zeros_like", "threefry4x32", "philox2x32", "philox4x32", "empty2"),
        *("coo_spmm", "coo_spmv", "csr_spmm", "csr_spmv", "bias_fwd", "bias_bwd", "cudnn_fusion"),
        *("dot_product_attention_fwd", "dot_product_attention_bwd"),
        *("dot_product_attention_fp8_fwd", "dot_product_attention_fp8_bwd"),
        # between hosts and devices, or of unknown sizes, which only exported programs have
        *("after_all", "create_token", "infeed", "outfeed", "psend", "precv", "pin", "unpin"),
        *("full_to_shard", "shard_to_full", "core_map", "with_memory_space_constraint"),
        *("global_array_to_host_local_array", "host_local_array_to_global_array"),
        *("dim_as_value", "dimension_size", "shape_assertion"),
        # experiments without a public function, among them the two halves of most collectives
        *("mutable_array", "box_get", "box_set", "new_box", "log_extend", "log_read", "new_log"),
        *(
            f"{collective}_{half}"
            for collective in (
                *("ag", "all_gather", "all_gather_reduced", "all_to_all", "pbroadcast", "ppermute"),
                *("psum", "psum_invariant", "unreduced_psum", "unreduced_reduce_scatter"),
            )
            for half in ("start", "done")
        ),
    }
)
"""Primitives of jax that a traced program does not contain."""

IN_SHARD_MAPS = frozenset(
    {
        *("all_gather_reduced", "pbroadcast_dynamic", "pgather", "preduced", "reduced_vary_cast"),
        *("reduced_vary_cast_p", "vary_unreduced_cast", "vary_unreduced_cast_p", "unreduced_psum"),
        *("unreduced_pmax", "unreduced_pmin", "unreduced_reduce_scatter"),
        *("reduce_scatter_start", "reduce_scatter_done"),
    }
)
"""Collectives that are differentiable on a mesh of devices, but not followed there."""

BATCHED_DENSE = frozenset({"dense_factorization", "fft", "tridiagonal_solve"})
"""Rules by which each result reads all of its own entry of a batch."""

HEADER = """\
# Primitives

<!-- Written by docs/generate_primitives.py: do not edit. -->

JAX traces a program to primitives. The column *pattern* says how well asdex knows each of them:

- **exact**: in all tests of the rule (with different shapes, parameters, dtypes and known operands) the
  pattern is equal to that of automatic differentiation, or to one derived by hand if JAX cannot
  differentiate the primitive;
- **batched-dense**: exact, and each result reads all of its own matrix, system or transformed axes, but
  nothing of the other items in the batch;
- **over-full**: in some test the pattern has excess entries, for a reason that is given next to the case;
- **derived**: there is no rule; asdex traces JAX's own derivative of the primitive and follows that;
- **followed**: no rule is needed: asdex follows the jaxprs of calls, replaces mutable references by the
  values that they hold, and follows collectives within their `shard_map`;
- **zero**: the derivative is zero wherever it exists, or all results are integers, or there are no results;
  so the results depend on nothing;
- **dense**: there is neither a rule nor a derivative that can be followed. asdex assumes that each result
  depends on all operands (for a collective, on all operands of the whole `shard_map`), warns, and names the
  line;
- **—**: no public function of JAX uses the primitive, so no test of a whole program contains it.

Primitives of other libraries without a rule are **derived**, or **dense** if they have no derivative. A
[rule](writing-a-rule.md) makes them exact.

The last column says which of the JAX versions {versions} have the primitive. Primitives without a version
come from other libraries.

"""


def record() -> None:
    """Add the primitives of the installed jax to the record, and whether jax has a derivative for each."""
    import jax
    from jax.extend.core import Primitive
    from jax.interpreters import ad

    for module in MODULES:
        if importlib.util.find_spec(module) is not None:
            importlib.import_module(module)
    found = [one for one in gc.get_objects() if issubclass(type(one), Primitive)]
    names = sorted({one.name for one in found})
    differentiable = {one.name for one in found if one in ad.primitive_jvps}
    recorded = _recorded()
    recorded[jax.__version__] = {name: name in differentiable for name in names}
    ordered = sorted(recorded.items(), key=lambda item: [*map(int, item[0].split("."))])
    RECORD.write_text(json.dumps(dict(ordered), indent=1) + "\n", encoding="utf-8")


def page() -> str:
    """The page, from the registry, the tables of tests and the record of versions."""
    registry, recorded = _built_in(), _recorded()
    lines = ["| primitive | rule | pattern | JAX |", "| --- | --- | --- | --- |"]
    for name, kind in kinds().items():
        found = [version for version, names in recorded.items() if name in names]
        place = _place(registry[name]) if name in registry else "none"
        lines.append(f"| {' | '.join((f'`{name}`', place, kind, _span(found)))} |")
    return HEADER.format(versions=", ".join(recorded)) + "\n".join(lines) + "\n"


def kinds() -> dict[str, str]:
    """Every primitive that a program can contain, in alphabetical order, and the kind of its pattern."""
    cases, registry = _cases(), _built_in()
    found = {name: _achieved(rule, cases.get(name, [])) for name, rule in registry.items()}
    for name in set().union(*_recorded().values()) - set(registry) - INTERNAL:
        found[name] = _without_a_rule(name)
    return {name: found[name] for name in sorted(found, key=str.lower)}


def _built_in() -> dict[str, Callable[..., Any]]:
    from asdex.detection import registered_rules

    registry = registered_rules()
    return {name: registry[name] for name in registry if registry[name].__module__[:6] == "asdex."}


def _place(rule: Callable[..., Any]) -> str:
    if rule.__module__.startswith("asdex.rules."):
        return f"`rules/{rule.__module__.rpartition('.')[2]}.py`"
    name = "elementwise" if rule.__name__ == "same_places" else rule.__name__.lstrip("_")
    return f"`asdex.{name}`"


def _achieved(rule: Callable[..., Any], cases: Sequence[Any]) -> str:
    if rule.__name__ == "_zero_derivative":
        return "zero"
    if not cases:
        return "—"
    if any(one.excess for one in cases):
        return "over-full"
    return "batched-dense" if rule.__name__ in BATCHED_DENSE else "exact"


def _without_a_rule(name: str) -> str:
    from asdex._versions import CALL_PRIMITIVES

    programs = _of_tests("unruled_programs").PROGRAMS
    if name in programs:
        return programs[name].kind
    if name in CALL_PRIMITIVES:
        return "followed"
    differentiable = any(names.get(name) for names in _recorded().values())
    return "derived" if differentiable and name not in IN_SHARD_MAPS else "dense"


def _span(versions: Sequence[str]) -> str:
    return " – ".join(dict.fromkeys([*versions[:1], *versions[-1:]]))


def _cases() -> dict[str, list[Any]]:
    """The tables of `tests/rules/`, merged."""
    merged: dict[str, list[Any]] = {}
    for path in sorted(TABLES.glob("*_cases.py")):
        for primitive, cases in _of_tests(path.stem).CASES.items():
            merged.setdefault(primitive, []).extend(cases)
    return merged


def _of_tests(module: str) -> Any:
    """A module in `tests/rules/`."""
    sys.path.insert(0, str(TABLES))
    try:
        return importlib.import_module(module)
    finally:
        sys.path.remove(str(TABLES))


def _recorded() -> dict[str, dict[str, bool]]:
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}


if __name__ == "__main__":
    if sys.argv[1:] == ["--record"]:
        record()
    else:
        PAGE.write_text(page(), encoding="utf-8")
