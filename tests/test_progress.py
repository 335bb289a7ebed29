"""The bar of long work: on terminals, where tqdm is installed."""

import io
import sys

import jax.numpy as jnp
import pytest

import asdex
from asdex import _progress
from asdex._progress import track


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def begin(monkeypatch):
    """Standard error becomes a terminal, in the test itself: pytest replaces it before."""

    def begin(delay=0.0):
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.setattr(_progress, "_DELAY", delay)
        return sys.stderr

    return begin


def test_a_bar_counts_what_is_done(begin):
    terminal = begin()
    assert list(track(range(3), "detecting", 3)) == [0, 1, 2]
    written = terminal.getvalue()
    assert "asdex: detecting" in written and "3" in written
    assert written.rsplit("\r", 1)[-1] == ""  # the bar is gone


def test_detection_and_coloring_have_one(begin):
    terminal = begin()

    def f(x):
        return jnp.sin(x) * x[::-1]

    asdex.jacobian_coloring(f, input_shape=8)
    assert terminal.getvalue().count("asdex: detecting") == 1


def test_nothing_is_shown_without_tqdm_or_off_a_terminal(begin, monkeypatch):
    begin()
    items = [1, 2]
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert track(items, "detecting") is items
    monkeypatch.undo()
    assert track(items, "detecting") is items
    monkeypatch.setattr(sys, "stderr", None)
    assert track(items, "detecting") is items


def test_short_work_shows_nothing(begin):
    stream = begin(delay=2.0)
    asdex.jacobian_coloring(lambda x: x**2, input_shape=8)
    assert stream.getvalue() == ""
