"""Values that detection knows, computed only when a rule asks for them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TYPE_CHECKING

import jax
import numpy as np

from ..._arrays import has_derivative
from ..._jaxprs import nested_jaxprs, open_jaxpr
from ..._versions import binder
from ...pattern import in_order
from ._reassociation import Chain
from ._rounding import Alternates, around_zero, Factors


if TYPE_CHECKING:
    from ._evaluations import Evaluation


APART: Final[dict[str, Any]] = {"xla_disable_hlo_passes": "call-inliner"}
"""Compiler options: an equation that is a call of its own, a function under `jax.jit`, rounds as when called
alone, and chains compile in linear time.

Inlined and fused, every result would compute all before it once more (256 sines: 0.05 s, inlined 8 s).
Without fusion, `erf_inv`, `lgamma` and `bessel_i0e` take 0.5 to 0.9 s rather than 0.1 s, and round otherwise
than in any program. Options that compile faster round `tanh` in another way, by which a comparison came out
otherwise than in the program.
"""
_QUICK: Final[dict[str, Any]] = {"xla_backend_optimization_level": 0}
"""Compiler options for whole numbers, which come out alike in all programs: PRNG keys and bits compile in a
fifth of the time."""


class Unavailable(Exception):
    """A known value cannot be computed.

    It was asked for outside of the steps of the loop in which it is known, or its primitive does not run on
    the host, or may give another result elsewhere. Treating it as unknown is always sound.
    """


def not_computable(*operands: Any) -> Any:
    """Computes a value that cannot be computed.

    **Raises:** `Unavailable`.
    """
    del operands
    raise Unavailable


@contextmanager
def on_host() -> Iterator[None]:
    """Compute on the host what JAX computes at once."""
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        yield


def compiled(
    function: Callable[..., Any], *operands: Any, options: dict[str, Any] = APART
) -> Callable[..., Any]:
    """A function of such operands as one program, which may be called be a trace under way or not.

    Within `jax.ensure_compile_time_eval`, each operation on constants in it would be a program of its own.

    **Arguments:** `options`: of the compiler, for floating-point numbers.
    """
    with jax.disable_jit(False):
        traced = jax.jit(function).trace(*operands)
        how = options if _has_floats(traced.jaxpr) else _QUICK
        program = traced.lower().compile(how)

    def call(*operands: Any) -> Any:
        with jax.disable_jit(False):
            return program(*operands)

    return call


def drawing(eqn: Any, operands: Sequence[Any]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What makes PRNG keys, or draws bits from keys, of operands such as these, as an equation does.

    It is compiled once for all detections of a process: the second one of a function that draws a mask takes
    0.01 s, rather than 0.2 s.
    """
    types = tuple(jax.ShapeDtypeStruct(np.shape(one), one.dtype) for one in operands)
    settings = tuple(getattr(jax.config, name, None) for name in _SETTINGS)
    return _drawing(eqn.primitive, tuple(eqn.params.items()), types, settings)


_SETTINGS: Final = ("jax_threefry_partitionable", "jax_enable_x64")
"""Which bits are drawn depends on them, and what they are computed with."""


@functools.lru_cache(maxsize=256)
def _drawing(primitive: Any, params: Any, types: Sequence[Any], settings: Any) -> Any:
    del settings
    bind = binder(primitive, dict(params))
    draw = compiled(lambda *operands: bind(*operands), *types)
    several = primitive.multiple_results
    return lambda operands: draw(*operands) if several else [draw(*operands)]


def _has_floats(jaxpr: Any) -> bool:
    """Whether floating-point numbers occur in a jaxpr or in those nested in it."""
    eqns = open_jaxpr(jaxpr).eqns
    atoms = [atom for eqn in eqns for atom in (*eqn.invars, *eqn.outvars)]
    nested = (one for eqn in eqns for one in nested_jaxprs(eqn))
    return any(has_derivative(atom.aval) for atom in atoms) or any(map(_has_floats, nested))


class Known:
    """The value of an array that depends on constants alone, or at a point, computed at most once.

    **Attributes:** the last three are set when it is computed.

    - `of_point`: whether it depends on inputs that are differentiated, at a point. Then ties and zeros are
        dealt with apart, and it has no alternates.
    - `alternates`: what it may be in another program.
    - `factors`: of which two arrays it is the product, if it is one.
    - `chain`: of what it is a sum or a product, if it is one.
    """

    __slots__ = ("_alternates", "_make", "_value", "chain", "factors", "of_point")

    def __init__(self, make: tuple[Evaluation, int] | None, value: Any = None):
        """**Arguments:** `make`: what computes it, as which of its results. `value`: it, if it is there."""
        self._make = make
        self._value = value
        self.of_point = make is not None and make[0].of_point
        self._alternates: Alternates | bool = make is None
        self.factors: Factors = None
        self.chain: Chain | None = None

    @property
    def alternates(self) -> Alternates:
        if isinstance(self._alternates, bool):
            self._alternates = around_zero(self._value) if self._alternates else None
        return self._alternates

    @staticmethod
    def of(value: Any, *alternates: np.ndarray) -> Known:
        """A value that is there, and its two alternates, if it has any."""
        known = Known(None, value)
        if alternates:
            known._alternates = alternates  # pyright: ignore[reportAttributeAccessIssue]
        return known

    def get(self) -> np.ndarray:
        """The value as a NumPy array, which must not be changed."""
        return np.asarray(self.raw())

    def get_if_available(self) -> np.ndarray | None:
        """The value, or `None` if it cannot be computed here."""
        try:
            return self.get()
        except Unavailable:
            return None

    def all_values(self) -> list[np.ndarray]:
        """The value, if it can be computed here, and its alternates."""
        value = self.get_if_available()
        return [] if value is None else [value, *(self.alternates or ())]

    @property
    def is_available(self) -> bool:
        """Whether the value, which may be a PRNG key, can be computed here. Asks for it."""
        try:
            self.raw()
        except Unavailable:
            return False
        return True

    @property
    def is_pending(self) -> bool:
        """Whether it rests on a `Deferred`: a value that is known only at each step of an enclosing loop.

        Unlike `is_available`, this asks for no value.
        """
        return bool(self.deferred)

    @property
    def deferred(self) -> list[Deferred]:
        """What it rests on."""
        reads = in_order(self, lambda known: known.maker.operands if known.maker else ())
        return [known for known in reads if isinstance(known, Deferred)]

    @property
    def maker(self) -> Evaluation | None:
        """What is still to compute it."""
        return None if self._make is None else self._make[0]

    def raw(self) -> Any:
        """The value, which may be a PRNG key.

        **Raises:** `Unavailable`.
        """
        if self._make is not None:
            evaluation, index = self._make
            self._value = evaluation.forced()[index]
            self._alternates = evaluation.alternates[index]
            self.factors, self.chain = evaluation.factors[index], evaluation.chain
            self._make = None
        return self._value


class Deferred(Known):
    """Stands for a value that will be known later, and notices that it was asked for.

    **Attributes:** `decides`: whether its loop is then analysed anew, where the value is known.
    """

    __slots__ = ("asked", "decides")

    def __init__(self, decides: bool = False):
        super().__init__(None)
        self.asked, self.decides = False, decides

    def raw(self) -> Any:
        self.asked = True
        raise Unavailable
