"""A line on a terminal or in a notebook that shows the progress of work of more than about two seconds."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


_DELAY = 2.0
"""Seconds after which the line appears."""
_INTERVAL = 0.2
"""Seconds after which it is written again."""
_OFF = ("0", "false", "no", "off")

_chosen: bool | None = None


def set_progress(shown: bool) -> None:
    """Set whether detection and coloring may show their progress, for the whole process.

    Work that takes longer than about two seconds shows its progress in one line on standard error, which is
    removed at the end. The line is shown only if standard error is a terminal or a notebook, never in a
    log. The environment variable `ASDEX_PROGRESS=0` also switches it off, until this function is called.

    **Arguments:**

    - `shown`: `False` if progress must never be shown.
    """
    global _chosen
    _chosen = bool(shown)


class Work:
    """Work in progress, which a thread of its own shows; `detail()` says how far the work is."""

    def __init__(self, name: str, stream: Any):
        self.name = name
        self.detail: Callable[[], str] = str
        self._line = Output() if _is_notebook(stream) else Line(stream)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, name="asdex progress", daemon=True)

    def begin(self) -> None:
        """Start the thread, which waits until it is time to show something."""
        try:
            self._thread.start()
        except RuntimeError:  # a platform without threads
            self._over.set()
        except BaseException:
            self._over.set()
            raise

    def end(self) -> None:
        """Remove the line. Of what comes after an interrupt here, nothing depends on this work."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def hide(self) -> None:
        """Take the line away until the next report, for something else to be written."""
        self._line.clear()

    def _show(self) -> None:
        start = time.monotonic()
        wait = _DELAY
        with suppress(OSError, ValueError):  # the stream has been closed, or cannot encode a name
            while not self._over.wait(wait):
                seconds = f"{time.monotonic() - start:.0f} s"
                parts = [part for part in (self.detail(), seconds) if part]
                self._line.write(f"{self.name}: {', '.join(parts)}")
                wait = _INTERVAL
            self._line.clear()


class Line:
    """A line of a terminal that is written again and again."""

    def __init__(self, stream: Any):
        self._stream = stream
        self._width = 0
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        text = text[: shutil.get_terminal_size().columns - 1]
        with self._lock:
            self._stream.write("\r" + text.ljust(self._width))
            self._stream.flush()
            self._width = len(text)

    def clear(self) -> None:
        with self._lock:
            if self._width:
                self._stream.write("\r" + " " * self._width + "\r")
                self._stream.flush()
                self._width = 0


class Output:
    """An output of a notebook's cell that is written again and again, and stays empty at the end."""

    def __init__(self):
        self._handle: Any = None

    def write(self, text: str) -> None:
        content = {"text/plain": text}
        if self._handle is None:
            display = importlib.import_module("IPython.display").display
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)

    def clear(self) -> None:
        if self._handle is not None:
            self.write("")


class _Mine(threading.local):
    work: Work | None = None


_mine = _Mine()
_shown: Work | None = None
_choosing = threading.Lock()


@contextmanager
def working(name: str) -> Iterator[Work | None]:
    """A context for long work, which gives the `Work` to be shown, or `None` if nothing is to be shown.

    Inside other work of the same thread, it gives that work. While another thread shows work, it gives
    `None`, since two lines would overwrite each other.
    """
    outer = current()
    if outer is not None:
        yield outer
        return
    _mine.work = work = _begun(name)
    try:
        yield work
    finally:
        if work is not None:
            work.end()
        _mine.work = None


def current() -> Work | None:
    """The work that this thread shows."""
    work = _mine.work
    return None if work is None or work.is_over else work


def report(text: str, *values: Any) -> None:
    """Report the progress as a format and its values, which are formatted only if they are shown."""
    work = current()
    if work is not None:
        work.detail = lambda: text.format(*values)


def hide() -> None:
    """Take the line away until the next report, for something else to be written."""
    work = current()
    if work is not None:
        work.hide()


def _begun(name: str) -> Work | None:
    global _shown
    stream = sys.stderr
    if not (_is_on() and _shows_lines(stream)):
        return None
    with _choosing:
        if _shown is not None and not _shown.is_over:
            return None
        _shown = work = Work(name, stream)
    work.begin()
    return work


def _is_on() -> bool:
    if _chosen is not None:
        return _chosen
    return os.environ.get("ASDEX_PROGRESS", "1").strip().lower() not in _OFF


def _shows_lines(stream: Any) -> bool:
    """Whether a stream is the stream of a terminal or of a notebook."""
    if stream is None:
        return False
    if _is_notebook(stream):
        return True
    with suppress(AttributeError, ValueError):  # not really a file, or a closed one
        return bool(stream.isatty())
    return False


def _is_notebook(stream: Any) -> bool:
    return type(stream).__module__.startswith("ipykernel.")
