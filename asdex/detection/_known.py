"""Values that detection knows, computed only when a rule asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from .._arrays import is_key
from .._versions import evaluate


class Unavailable(Exception):
    """A known value cannot be computed.

    It was asked for outside of the steps of the loop in which it is known, or its primitive does not run on
    the host. Treating it as unknown is always sound.
    """


@contextmanager
def on_host() -> Iterator[None]:
    """Compute with JAX at once and on the host, be a trace under way or not."""
    host = jax.local_devices(backend="cpu")[0]
    with jax.ensure_compile_time_eval(), jax.default_device(host):
        yield


class Known:
    """The value of an array that depends on constants alone, computed at most once."""

    __slots__ = ("_make", "_value")

    def __init__(self, make: Deferred | None, value: Any = None):
        self._make = make
        self._value = value

    @staticmethod
    def of(value: Any) -> Known:
        return Known(None, value)

    def get(self) -> np.ndarray:
        """The value as a NumPy array, which must not be changed."""
        return np.asarray(self.raw())

    def get_if_available(self) -> np.ndarray | None:
        """The value, or `None` if it cannot be computed here."""
        try:
            return self.get()
        except Unavailable:
            return None

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
        """Whether it rests on a `Probe`: a value that is known only at each step of an enclosing loop.

        Other than `is_available`, this asks for no value.
        """
        stack: list[Known] = [self]
        seen: set[int] = set()
        while stack:
            known = stack.pop()
            if isinstance(known, Probe):
                return True
            if known._make is not None and id(known._make.equation) not in seen:
                seen.add(id(known._make.equation))
                stack.extend(known._make.equation.operands)
        return False

    def item(self, number: int) -> Known:
        """Slice `number` along the leading axis, which is computed only when asked for."""
        return Evaluation(lambda array: _slice(array, number), [self], False).outputs(1)[0]

    def raw(self) -> Any:
        if self._make is not None:
            self._value = force(self._make.equation)[self._make.index]
            self._make = None
        return self._value


def _slice(array: Any, number: int) -> Any:
    # On the host where possible: indexing a jax array dispatches a computation for each step of a loop.
    host = array if is_key(array) else np.asarray(array)
    return host[number, ...]


class Probe(Known):
    """Stands for a value that will be known later, and notices that it was asked for."""

    __slots__ = ("asked",)

    def __init__(self):
        super().__init__(None)
        self.asked = False

    def raw(self) -> Any:
        self.asked = True
        raise Unavailable


class Deferred:
    """One result of an equation that has not been evaluated."""

    __slots__ = ("equation", "index")

    def __init__(self, equation: Evaluation, index: int):
        self.equation = equation
        self.index = index


class Evaluation:
    """An equation on known operands. Its results are computed together, when one is asked for."""

    __slots__ = ("bind", "multiple_results", "operands", "results")

    def __init__(self, bind: Callable[..., Any], operands: Sequence[Known], multiple_results: bool):
        self.bind = bind
        self.operands = tuple(operands)
        self.multiple_results = multiple_results
        self.results: list[Any] | None = None

    def outputs(self, count: int) -> list[Known]:
        return [Known(Deferred(self, index)) for index in range(count)]

    def run(self) -> None:
        operands = [operand.raw() for operand in self.operands]
        try:
            results = evaluate(self.bind, operands)
        except Exception as error:  # a kernel for another backend, a collective, too little memory
            raise Unavailable from error
        self.results = list(results) if self.multiple_results else [results]
        self.operands = ()

    def pending(self) -> list[Evaluation]:
        return [
            operand._make.equation
            for operand in self.operands
            if operand._make is not None and operand._make.equation.results is None
        ]


def force(target: Evaluation) -> list[Any]:
    """Evaluate `target` and what it needs: on the host, outside any trace, without recursion."""
    stack = [target]
    with on_host():
        while stack:
            if stack[-1].results is not None:
                stack.pop()
            elif waiting := stack[-1].pending():
                stack.extend(waiting)
            else:
                stack.pop().run()
    assert target.results is not None
    return target.results
