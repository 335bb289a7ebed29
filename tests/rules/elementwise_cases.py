"""Cases for `rules/elementwise.py` and `rules/cases.py`."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from rule_case import Case, case, points


FLOATS = (jnp.float32, jnp.bfloat16, jnp.float16)
SHAPES = ((), (3,), (2, 3), (0,), (2, 0))


def unary(name: str, *, low=0.2, high=0.8, complex_too=True) -> list[Case]:
    """Shapes in single precision, then dtypes."""

    def fn(x):
        return getattr(lax, name)(x)

    dtypes = (*FLOATS[1:], jnp.complex64) if complex_too else FLOATS[1:]
    return [
        *(case(fn, points(s, low=low, high=high), label=f"shape{s}") for s in SHAPES),
        *(case(fn, points((3,), d, low, high), label=np.dtype(d).name) for d in dtypes),
    ]


def binary(name: str, *, low=0.2, high=0.8, complex_too=True) -> list[Case]:
    """Both operands move; then each alone, with a scalar for the other where jax takes one."""

    def fn(x, y):
        return getattr(lax, name)(x, y)

    dtypes = (*FLOATS[1:], jnp.complex64) if complex_too else FLOATS[1:]

    def pair(shape, dtype=jnp.float32):
        # The operands differ, so that neither `max` nor `atan2` meets a tie.
        return points(shape, dtype, low, high), points(shape, dtype, low, high) * 1.07

    x = points((2, 3), low=low, high=high)
    return [
        *(case(fn, *pair(s), label=f"shape{s}") for s in SHAPES),
        *(case(fn, *pair((3,), d), label=np.dtype(d).name) for d in dtypes),
        case(lambda a: fn(a, x * 1.07), x, label="known right"),
        case(lambda a: fn(x * 1.07, a), x, label="known left"),
        case(lambda a: fn(a, a[::-1] * 1.07), x, label="operands share inputs"),
        case(lambda a, s: fn(a, jnp.broadcast_to(s, a.shape)), x, x[0, 0] * 1.07, label="scalar"),
    ]


def no_derivative(name: str, *args) -> list[Case]:
    """JAX cannot differentiate it, but the rule holds for functions that wrap it in a derivative."""
    eye = np.eye(args[0].size)
    expected = np.hstack([eye] * len(args))
    return [case(lambda *a: getattr(lax, name)(*a), *args, expected=expected)]


def polynomial(*args):
    """Since jax 0.12."""
    return vars(lax)["polynomial"](*args)


X = points((2, 3))
HALF_KNOWN = np.array([[0.0, 1.0, 0.0], [2.0, 0.0, -1.0]], np.float32)
WHICH = np.array([[True, False, True], [False, False, True]])

CASES: dict[str, list[Case]] = {
    name: unary(name)
    for name in (
        *("neg", "square", "sqrt", "rsqrt", "exp", "exp2", "expm1", "log", "log1p", "log2"),
        *("logistic", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
        *("asinh", "atanh", "abs", "conj", "one_minus_square"),
    )
}
CASES |= {
    name: unary(name, complex_too=False)
    for name in ("cbrt", "erf", "erfc", "erf_inv", "lgamma", "digamma", "bessel_i0e", "bessel_i1e")
}
CASES["conj"] = [case(lax.conj, points(s, jnp.complex64), label=f"shape{s}") for s in SHAPES]
CASES["real"] = [case(lax.real, points(s, jnp.complex64), label=f"shape{s}") for s in SHAPES]
CASES["imag"] = [case(lax.imag, points(s, jnp.complex64), label=f"shape{s}") for s in SHAPES]
CASES["acosh"] = unary("acosh", low=1.3, high=2.0)
CASES["integer_pow"] = [
    *(case(lambda x, y=y: lax.integer_pow(x, y), X, label=f"power {y}") for y in (-2, -1, 0, 3, 4)),
    case(lambda x: lax.integer_pow(x, 3), points((2,), jnp.complex64), label="complex"),
    case(lambda x: lax.integer_pow(x, 3), points(()), label="scalar"),
    case(lambda x: lax.integer_pow(x, 3), points((0, 2)), label="empty"),
]
CASES["convert_element_type"] = [
    case(lambda x: x.astype(jnp.bfloat16), X, label="to half"),
    case(lambda x: x.astype(jnp.float32), points((3,), jnp.float16), label="from half"),
    case(lambda x: x.astype(jnp.complex64), X, label="to complex"),
    case(lambda x: x.astype(jnp.int32), X * 9, label="to integers"),
    case(lambda x: (x * 9).astype(jnp.int32) * x, X, label="to integers and back"),
    case(lambda x: x.astype(jnp.float16), points((0,)), label="empty"),
]
CASES["reduce_precision"] = [
    case(lambda x, s=s: lax.reduce_precision(x, 5, 7), points(s), label=f"shape{s}") for s in SHAPES
]
CASES["copy"] = [case(lambda x: jnp.array(x, copy=True), points(s)) for s in SHAPES]

CASES |= {name: binary(name) for name in ("add", "sub", "mul", "div")}
CASES |= {
    name: binary(name, complex_too=False) for name in ("max", "min", "atan2", "igamma", "igammac")
}
CASES["pow"] = [
    *binary("pow"),
    case(lambda x: lax.pow(x, 3), X, label="integer exponent"),
    case(lambda x: lax.pow(x, HALF_KNOWN), X, label="zero exponents"),
]
CASES["rem"] = [
    # d(x rem y)/dy is -floor(x/y), which is zero where x < y: both occur below.
    case(lax.rem, points((6,), low=2.0, high=3.0), points((6,), low=0.3, high=0.9)),
    case(lax.rem, points((), low=2.0, high=3.0), points((), low=0.3, high=0.9), label="scalar"),
    case(lambda x: lax.rem(x, jnp.full_like(x, 0.7)), X, label="known divisor"),
    case(lax.rem, points((0,)), points((0,)), label="empty"),
]
CASES["add_any"] = [
    case(
        lambda x: jax.grad(lambda z: jnp.sum(z * jnp.sin(z)))(x), X, label="cotangents of two uses"
    ),
    case(lambda x: jax.vjp(lambda z: (z[::-1], 2 * z), x)[1]((x, jnp.cos(x)))[0], X, label="pair"),
]
CASES["mul"] += [
    case(lambda x: x * HALF_KNOWN, X, label="known zeros right"),
    case(lambda x: HALF_KNOWN * x, X, label="known zeros left"),
    case(lambda x: x * np.float32(0), X, label="known zero scalar"),
    case(lambda x: x * HALF_KNOWN, X.astype(jnp.complex64), label="complex known zeros"),
    case(lambda x, y: x * y, X, jnp.zeros((2, 3)), label="unknown zeros"),
]
CASES["div"] += [
    case(lambda x: HALF_KNOWN / x, X, label="known zero numerator"),
    case(lambda x: x / (1 + HALF_KNOWN**2), X, label="known denominator"),
]
CASES["complex"] = [
    *(case(lax.complex, points(s), points(s), label=f"shape{s}") for s in SHAPES),
    case(lambda x: lax.complex(x, jnp.zeros_like(x)), X, label="known imaginary part"),
]
CASES["polygamma"] = [
    # JAX does not differentiate with respect to the order.
    case(lambda x: lax.polygamma(jnp.ones_like(x), x), X),
    case(lambda x: lax.polygamma(jnp.ones_like(x), x), points(()), label="scalar"),
    case(lax.polygamma, jnp.ones(2), points((2,)), label="order", expected=np.tile(np.eye(2), 2)),
]
CASES["regularized_incomplete_beta"] = [
    # JAX differentiates with respect to the last operand alone.
    case(lambda x: lax.betainc(jnp.full_like(x, 2.0), jnp.full_like(x, 3.0), x), X),
    case(lax.betainc, *[points((2,))] * 3, label="all", expected=np.tile(np.eye(2), 3)),
]
CASES["igamma_grad_a"] = no_derivative("igamma_grad_a", X, X)
CASES["zeta"] = no_derivative("zeta", X + 2, X)
CASES["nextafter"] = no_derivative("nextafter", X, 2 * X)

CASES["polynomial"] = [
    case(lambda x: polynomial(x, [1.0, 5.0, 2.0]), X, label="known coefficients"),
    case(lambda x, c: polynomial(x, [c, 2 * c, x]), X, points((2, 1)), label="coefficients"),
]

CASES["select_n"] = [
    case(lambda x, y: jnp.where(WHICH, x, y), X, X, label="known predicate"),
    case(lambda x, y: jnp.where(x > y, x, y), X, X + 0.01, label="unknown predicate"),
    case(lambda x, y: jnp.where(x[0, 0] > y[0, 0], x, y), X, X + 0.01, label="scalar predicate"),
    case(lambda x, y: lax.select_n(True, x, y), X, X, label="known scalar predicate"),
    case(
        lambda x, y, z: lax.select_n(np.array([2, 0, 1]), x, y, z),
        *(points((3,)),) * 3,
        label="known choice of three",
    ),
    case(
        lambda x, y, z: lax.select_n((jnp.abs(x * 9) % 3).astype(jnp.int32), x, y, z),
        *(points((6,), low=0.1, high=0.9),) * 3,
        label="unknown choice of three",
    ),
    case(
        lambda x, y, z: lax.select_n(np.array([-2, 5, 1]), x, y, z),
        *(points((3,)),) * 3,
        label="choice out of range",
    ),
    case(lambda x: jnp.where(WHICH, x, 0.0), X, label="constant branch"),
    case(lambda x, y: lax.select(x > y, x, y), points((0,)), points((0,)), label="empty"),
    case(lambda x, y: jnp.where(x > y, x, y), *(points((2,), jnp.float16),) * 2, label="float16"),
]
CASES["clamp"] = [
    case(lax.clamp, X - 0.05, X, X + 0.05, label="all unknown"),
    # JAX cannot differentiate with respect to scalar bounds of an array.
    case(
        lax.clamp,
        *(points(()), points((2,)), points(())),
        label="scalar bounds",
        expected=[[1, 1, 0, 1], [1, 0, 1, 1]],
    ),
    case(lambda x: lax.clamp(jnp.float32(0.4), x, jnp.float32(0.6)), X, label="known bounds"),
    case(lambda lo, hi: lax.clamp(lo, X, hi), X, X + 0.3, label="known operand"),
    case(lax.clamp, *(points((0,)),) * 3, label="empty"),
]
