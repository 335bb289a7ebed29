"""Contexts for work that Ctrl-C must not interrupt halfway."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import jax


class Uninterrupted:
    """A context within which an interrupt waits, and takes effect at the end.

    It is used where JAX compiles. If the lowering of a function was interrupted, JAX does not cache the
    function any more, and compiles it again in each call.
    """

    def __init__(self):
        self._handler: Any = None
        self._waiting: tuple[int, FrameType | None] | None = None

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread is interrupted
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            self._handler = handler
            try:
                signal.signal(signal.SIGINT, self._wait)
            except ValueError:  # not the main interpreter
                self._handler = None

    def __exit__(self, *exception: object) -> None:
        if self._handler is None:
            return
        signal.signal(signal.SIGINT, self._handler)
        if self._waiting is not None:
            self._handler(*self._waiting)

    def _wait(self, number: int, frame: FrameType | None) -> None:
        self._waiting = number, frame


@contextmanager
def on_host() -> Iterator[None]:
    """A context in which JAX computes at once and on the host, also inside a trace; interrupts wait."""
    host = jax.local_devices(backend="cpu")[0]
    with Uninterrupted(), jax.ensure_compile_time_eval(), jax.default_device(host):
        yield
