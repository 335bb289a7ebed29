"""Claimed ranges beside values: of every primitive with a range, over types, special numbers and chains."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from quick_compiler import FLAGS

from asdex.detection import claimed_facts, index_cases, registered_rules
from asdex.detection.interpreter._interpreter import Interpreter
from asdex.detection.interpreter._value import Value


SIZE = 64
FLOATS = ("float32", "float16", "float64")
INTEGERS = ("int32", "int8", "uint8", "int64")
NUMBERS = FLOATS + INTEGERS
TABLE = np.random.default_rng(0).permutation(SIZE).astype(np.int32)
LARGE = np.float32(1e8)


def grid(x):
    return x.reshape(8, 8)


def place(x):
    """An index from a number."""
    return x.astype(jnp.int32) % 7


PROGRAMS = {
    # name: operands, types, function
    **{name: (2, NUMBERS, getattr(lax, name)) for name in ("add", "sub", "mul", "div", "rem")},
    **{name: (2, NUMBERS, getattr(lax, name)) for name in ("max", "min")},
    **{name: (1, NUMBERS, getattr(lax, name)) for name in ("sign", "square")},
    **{name: (1, FLOATS + INTEGERS[:2], getattr(lax, name)) for name in ("neg", "abs")},
    **{name: (1, FLOATS, getattr(lax, name)) for name in ("floor", "ceil", "is_finite")},
    **{
        name: (1, FLOATS, getattr(lax, name))
        for name in ("exp", "tanh", "logistic", "sin", "cos", "erf", "erfc", "asin", "atan", "acos")
    },
    "atan2": (2, FLOATS, lax.atan2),
    "round away": (1, FLOATS, lambda x: lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO)),
    "round to even": (1, FLOATS, lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)),
    **{
        f"power {n}": (1, NUMBERS, lambda x, n=n: lax.integer_pow(x, n))
        for n in (0, 1, 2, 3, 6, 20)
    },
    "negative power": (1, FLOATS, lambda x: lax.integer_pow(x, -2)),
    **{
        f"to {new}": (1, NUMBERS, lambda x, new=new: x.astype(new))
        for new in ("bool", "int8", "uint8", "int32", "float16", "bfloat16", "float32")
    },
    "fraction": (1, NUMBERS, lambda x: x / 41),
    "quotient": (1, NUMBERS, lambda x: x // 3),
    "negative quotient": (1, FLOATS + INTEGERS[:2], lambda x: x // -3),
    "remainder": (1, NUMBERS, lambda x: x % 40),
    "negative remainder": (1, FLOATS + INTEGERS[:2], lambda x: x % -7),
    "remainder by a range": (2, NUMBERS, lambda x, y: x % y),
    "divmod": (1, NUMBERS, lambda x: jnp.divmod(x, 12)[1]),
    "truncation": (1, FLOATS, jnp.trunc),
    **{
        name: (2, NUMBERS, lambda x, y, name=name: getattr(lax, name)(x, y))
        for name in ("lt", "le", "gt", "ge", "eq", "ne")
    },
    **{
        f"`{name}` of truths": (
            2,
            NUMBERS[:1],
            lambda x, y, name=name: getattr(lax, name)(x < 0, y < x),
        )
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
    },
    **{
        f"`{name}` of integers": (2, INTEGERS, getattr(lax, name))
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
    },
    "not": (1, ("float32",), lambda x: ~(x < 0)),
    "not of integers": (1, INTEGERS, lambda x: ~x),
    "where": (2, NUMBERS, lambda x, y: jnp.where(x < y, x, y + 1)),
    "choice of three": (
        2,
        INTEGERS[:1],
        lambda x, y: lax.select_n(jnp.clip(x, -3, 5), x, y, x + y),
    ),
    "clamp": (3, NUMBERS, lax.clamp),
    **{
        name: (1, NUMBERS, lambda x, name=name: getattr(jnp, name)(grid(x), axis=1))
        for name in ("max", "min", "argmax", "argmin", "sort")
    },
    **{
        f"reduction by {name}": (
            1,
            ("float32",),
            lambda x, name=name: getattr(jnp, name)(grid(x) < 0, axis=1),
        )
        for name in ("all", "any")
    },
    "reduction by xor": (
        1,
        ("float32",),
        lambda x: lax.reduce(x < 0, False, lax.bitwise_xor, (0,)),
    ),
    # data movement
    "transposition": (1, NUMBERS[:1], lambda x: grid(x).T[::-1, 1:-1]),
    "padding": (2, NUMBERS[:1], lambda x, y: lax.pad(x, y[0], [(2, -3, 1)])),
    "concatenation": (2, NUMBERS[:1], lambda x, y: jnp.concatenate([x, y])[:, None]),
    "splitting": (1, NUMBERS[:1], lambda x: jnp.split(x, 4)[2]),
    "stacking": (2, NUMBERS[:1], lambda x, y: jnp.stack(jnp.unstack(jnp.stack([x, y]), axis=1))),
    "tiling": (1, NUMBERS[:1], lambda x: jnp.tile(x, 2)),
    "copying": (1, NUMBERS[:1], lambda x: jnp.copy(lax.optimization_barrier(jax.device_put(x)))),
    "table": (1, INTEGERS, lambda x: jnp.asarray(TABLE)[place(x)]),
    "filled table": (
        1,
        INTEGERS,
        lambda x: jnp.asarray(TABLE).at[place(x) + SIZE - 3].get(mode="fill"),
    ),
    "window": (1, INTEGERS, lambda x: lax.dynamic_slice(jnp.asarray(TABLE), (place(x)[0],), (3,))),
}
# What XLA evaluates in another order, or another precision.
CHAINS = {
    "sum in any order": (1, ("float32", "float64"), lambda x: (x + LARGE) - LARGE),
    "sum in any order, of small numbers": (
        1,
        ("float32", "float64"),
        lambda x: (x * 1e-9 + LARGE) - LARGE,
    ),
    "sum with fractions": (1, ("float32", "float64"), lambda x: ((x + 0.1) + 0.7) + 0.2),
    "product in any order": (1, ("float32", "float64"), lambda x: (x * 1.1) * 0.9),
    "quotients": (1, ("float32", "float64"), lambda x: jnp.floor((x / 41) * 41)),
    "fused": (2, ("float32", "float64"), lambda x, y: jnp.floor(x * y + 0.3 * x)),
    "half precision": (1, FLOATS, lambda x: (x.astype("float16") * 3 + 1).astype("float32")),
    "polynomial": (1, ("float32", "float64"), lambda x: jnp.ceil(x**3 / 7 - x**2 + 1e-3)),
    "denormal numbers": (1, ("float32", "float64"), lambda x: jnp.ceil(jnp.maximum(x, 1e-40))),
}
PROGRAMS |= CHAINS
# The compiler as users have it, for the chains.
OPTIMIZED = {"xla_backend_optimization_level": 3, "xla_llvm_disable_expensive_passes": False}
if any("fusion_emitters" in flag for flag in FLAGS):
    OPTIMIZED["xla_cpu_use_fusion_emitters"] = True


def narrow_bounds(dtype: np.dtype, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Low and high ends that are close together everywhere."""
    low = rng.choice([-40, -1, 0, 7, 39, 40, 79], SIZE) + rng.choice([-1, 0, 1], SIZE)
    if dtype.kind in "iu":
        return low.astype(dtype), (low + rng.integers(0, 3, SIZE)).astype(dtype)
    low = low + rng.choice([0.0, 0.5, 0.3], SIZE)
    return low.astype(dtype), (low + 1.5 * rng.random(SIZE)).astype(dtype)


def bounds(dtype: np.dtype, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Low and high ends: narrow and wide, integers, fractions, special numbers."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        scale = rng.choice([2, 50, info.max], size=(2, SIZE))
        ends = rng.integers(-scale, scale, endpoint=True)
        ends[1] = np.where(rng.random(SIZE) < 0.5, ends[0] + rng.integers(0, 3, SIZE), ends[1])
        ends[0, :2], ends[1, :2] = info.min, (-1, info.max)
        low, high = np.sort(np.clip(ends, info.min, info.max), axis=0)
        return low.astype(dtype), high.astype(dtype)
    scale = rng.choice([1e-42, 1.0, 40.0, 1e4, 1e8], size=SIZE, p=[0.1, 0.3, 0.4, 0.1, 0.1])
    ends = rng.normal(size=(2, SIZE)) * scale
    ends[1] = np.where(rng.random(SIZE) < 0.5, ends[0] + rng.random(SIZE), ends[1])
    whole = rng.random(SIZE) < 0.4
    ends[:, whole] = np.rint(2 * ends[:, whole]) / 2
    low, high = np.sort(np.clip(ends, *limits(dtype)), axis=0)
    return low.astype(dtype), high.astype(dtype)


def limits(dtype: np.dtype) -> tuple[float, float]:
    info = jnp.finfo(dtype)
    return float(info.min), float(info.max)


def samples(low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Numbers at both ends, between, and anywhere."""
    dtype = low.dtype
    with np.errstate(all="ignore"):
        share = rng.random((3, SIZE))
        wide = [(low.astype(float) * (1 - t) + high.astype(float) * t) for t in share]
        between = [np.clip(one.astype(dtype), low, high).astype(dtype) for one in wide]
    if dtype.kind in "iu":
        anything = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, SIZE).astype(dtype)
        return [low, high, *between, anything]
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e4]).astype(dtype)
    return [low, high, *between, *(rng.choice(special, SIZE) for _ in range(2))]


def claimed(jaxpr) -> list[Value]:
    """What detection claims of the results of a function of unknown arrays."""
    return Interpreter().run(jaxpr, [Value.unknown()] * len(jaxpr.jaxpr.invars))


def traced(fn: Callable, count: int, dtype: str):
    return jax.make_jaxpr(fn)(*[jax.ShapeDtypeStruct((SIZE,), dtype)] * count)


def holds(case, value: np.ndarray) -> np.ndarray:
    return np.isnan(value) | ((case.low <= value) & (value <= case.high))


def compare(draw: Callable, name: str, dtype: str, *, seed: int) -> None:
    """Values at many points with the range that holds for all, and with those that hold case by case."""
    count, _, fn = PROGRAMS[name]
    options = OPTIMIZED if name in CHAINS else None
    rng = np.random.default_rng(seed)
    ends = [draw(jnp.dtype(dtype), rng) for _ in range(count)]

    def indices(*operands):
        clipped = [lax.clamp(a, x, b) for (a, b), x in zip(ends, operands, strict=True)]
        result = fn(*clipped)[..., None]
        return result, result.astype(jnp.int32)

    compiled: Any = jax.jit(indices, compiler_options=options)
    points = zip(*(samples(low, high, rng) for low, high in ends), strict=True)
    results = [compiled(*point) for point in points]
    values = claimed(traced(indices, count, dtype))
    for value, actual in zip(values, zip(*results, strict=True), strict=True):
        if value.facts is None:
            continue
        whole = value.facts.range()
        reader = SimpleNamespace(operands=[value], bounds=lambda _, whole=whole: whole)
        cases = index_cases(reader, 0, 32)
        for one in (np.asarray(array).astype(np.float64) for array in actual):
            assert holds(whole, one).all()
            assert np.any([holds(case, one) for case in cases], axis=0).all()


@pytest.mark.parametrize(
    ("name", "dtype"), [(name, dtype) for name, one in PROGRAMS.items() for dtype in one[1]]
)
def test_values_are_within_the_claimed_range(name: str, dtype: str, enable_x64):
    with enable_x64(dtype.endswith("64")):
        compare(bounds, name, dtype, seed=sum(map(ord, name + dtype)))


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_of_narrow_operands_are_in_one_of_the_cases(name: str):
    for dtype in {"float32", "int32"} & set(PROGRAMS[name][1]):
        compare(narrow_bounds, name, dtype, seed=len(name))


def test_every_range_is_tested():
    tested: set[str] = set()
    for count, dtypes, fn in PROGRAMS.values():
        pending = [traced(fn, count, dtypes[0]).jaxpr]
        while pending:
            for eqn in pending.pop().eqns:
                tested.add(eqn.primitive.name)
                inner = [getattr(param, "jaxpr", param) for param in eqn.params.values()]
                pending += [one for one in inner if hasattr(one, "eqns")]
    untested = {
        name for name, rule in registered_rules().items() if "range" in rule.functions
    } - tested
    assert not [name for name in untested if hasattr(lax, f"{name}_p")]


def test_overflow_of_bounds_is_no_infinity(enable_x64):
    """XLA adds constants first, so that a sum of huge numbers need not be infinite."""

    def f(x):
        huge = jnp.where(x > 0, 1e308, 1.2e308)
        return jnp.exp(-(huge + huge + huge - huge - huge)) * x

    with enable_x64(True):
        (nonzero, bounds), *_ = claimed_facts(jax.make_jaxpr(f)(jnp.ones(3)), [np.ones(3, bool)])
        assert nonzero.all()
        assert (bounds.low == -np.inf).all()
