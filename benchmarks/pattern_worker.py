"""Detects the patterns of many cases in one process, and prints them as one line of JSON.

Like `worker.py` this runs in the interpreter of either library. Patterns are lists of flat positions.

    python -P pattern_worker.py TASK '{"keyword": value, ...}'
"""

import importlib.util
import json
import sys
import time
import types
import warnings
from pathlib import Path


PRECISION_TABLES = ("precision_cases", "index_arithmetic_cases")


def positions(matrix):
    """The flat positions of the nonzeros of a dense matrix."""
    import numpy as np

    return np.flatnonzero(np.asarray(matrix)).tolist()


def detect(fn, args, argnums):
    """The pattern and the time it took, or the name of the exception that was raised instead."""
    import asdex

    start = time.perf_counter()
    try:
        pattern = asdex.jacobian_sparsity(fn, *args, argnums=argnums).todense()
    except Exception as error:
        return {"raises": type(error).__name__}
    return {"detected": positions(pattern), "seconds": time.perf_counter() - start}


# --- tests/precision ------------------------------------------------------------------------------


def precision_cases(folder):
    sys.path.insert(0, folder)
    for table in PRECISION_TABLES:
        yield from importlib.import_module(table).CASES.items()


def is_missing(library):
    return bool(library) and importlib.util.find_spec(library) is None


def precision(folder):
    """The detected patterns; `None` where the case needs a library that is not installed."""
    found = {}
    for name, one in precision_cases(folder):
        x = importlib.import_module("precision_case").sample(one)
        found[name] = None if is_missing(one.needs) else detect(one.fn, (x,), 0)
    return found


def truth(folder):
    """The true patterns, all nonzeros and those beyond rounding errors; and why asdex detects more."""
    found = {}
    for name, one in precision_cases(folder):
        if not is_missing(one.needs):
            anything, more = importlib.import_module("precision_case").nonzeros(one)
            patterns = {"anything": positions(anything), "more": positions(more)}
            found[name] = {**patterns, "reason": one.reason}
    return found


# --- tests/rules ----------------------------------------------------------------------------------


def rule_cases(folder):
    """Primitive, number and case, of all cases that the installed jax can trace."""
    import jax

    sys.path.insert(0, folder)
    # The tables import a check that only one of the libraries has, and do not use it.
    if importlib.util.find_spec("asdex.testing") is None:
        stub = types.ModuleType("asdex.testing")
        vars(stub)["check_rule"] = None
        sys.modules["asdex.testing"] = stub
    for path in sorted(Path(folder).glob("*_cases.py")):
        jax.clear_caches()
        for primitive, cases in importlib.import_module(path.stem).CASES.items():
            for number, one in enumerate(cases):
                try:
                    jax.eval_shape(one.fn, *one.args)
                except Exception:
                    continue
                yield primitive, f"{path.stem} {primitive} {number}", one


def active(args):
    """The positions of the arguments that are differentiated."""
    import jax
    import jax.numpy as jnp

    return tuple(
        number
        for number, arg in enumerate(args)
        if all(
            jnp.issubdtype(leaf.dtype, jnp.inexact)
            for leaf in map(jnp.asarray, jax.tree.leaves(arg))
        )
    )


def rules(folder, with_truth):
    """The detected patterns and, if wanted, the true ones, which asdex's own check finds."""
    found = {}
    for primitive, name, one in rule_cases(folder):
        result = {"primitive": primitive, **detect(one.fn, one.args, active(one.args))}
        if with_truth:
            result["by_hand"] = one.expected is not None
            result["true"] = positions(one.expected if result["by_hand"] else true_of(one))
        found[name] = result
    return found


def true_of(one):
    from asdex.testing import check_rule

    report = check_rule(one.fn, *one.args, points=4)
    # Which operand of a `max` is taken depends on the point.
    return (report if report.exact else check_rule(one.fn, *one.args, points=64)).true


def registry():
    """What is registered: for each primitive whether its rule says that the derivative is zero."""
    from asdex._versions import CALL_PRIMITIVES
    from asdex.detection import registered_rules

    kinds = {
        name: "zero" if rule.__name__ == "_zero_derivative" else "rule"
        for name, rule in registered_rules().items()
    }
    return {**kinds, **dict.fromkeys(CALL_PRIMITIVES, "call")}


TASKS = {task.__name__: task for task in (precision, truth, rules, registry)}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    name, parameters = sys.argv[1:]
    print(json.dumps(TASKS[name](**json.loads(parameters))))
