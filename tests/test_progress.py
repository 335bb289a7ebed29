"""The line that shows how far long work is, and what an interrupt leaves behind."""

import io
import sys
import threading
import types

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import asdex
from asdex import _progress
from asdex.detection._counter import Counter
from asdex.detection._interpreter import Interpreter


X = jnp.ones(6)


class Terminal(io.StringIO):
    """Keeps all that was written; `written` is set when it is something visible."""

    def __init__(self):
        super().__init__()
        self.written = threading.Event()

    def isatty(self):
        super().isatty()  # fails if it is closed
        return True

    def write(self, text):
        count = super().write(text)
        if text.strip():
            self.written.set()
        return count

    def shown(self):
        """The lines that were written over each other."""
        return [line.rstrip() for line in self.getvalue().split("\r") if line.strip()]

    def left(self):
        """What is still to be seen on the last line."""
        screen: list[str] = []
        for piece in self.getvalue().split("\n")[-1].split("\r"):
            screen[: len(piece)] = piece
        return "".join(screen).rstrip()


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(_progress, "_chosen", None)
    monkeypatch.delenv("ASDEX_PROGRESS", raising=False)
    monkeypatch.setattr(_progress, "_INTERVAL", 0.001)


def use(monkeypatch, stream):
    """Let `stream` be the standard error; the real one is exchanged by pytest."""
    monkeypatch.setattr(_progress, "sys", types.SimpleNamespace(stderr=stream))


@pytest.fixture
def terminal(monkeypatch):
    """A terminal, on which the line appears at once."""
    stream = Terminal()
    use(monkeypatch, stream)
    monkeypatch.setattr(_progress, "_DELAY", 0.0)
    return stream


def watched(terminal):
    """A function that differentiates as the identity, and waits until something is shown."""

    @jax.custom_jvp
    def identity(x):
        return x

    @identity.defjvp
    def _(primals, tangents):
        # JAX traces it within the detection, when its rule is asked for.
        terminal.written.clear()
        assert terminal.written.wait(20)
        return primals[0], tangents[0]

    return identity


def two_passes(x):
    """A loop, whose body is evaluated by a rule, after a few other equations."""
    y = jnp.sin(x) * x
    return lax.scan(lambda c, _: (c + jnp.roll(c, 1), None), y, None, length=4)[0]


def test_a_detection_counts_its_equations(terminal):
    identity = watched(terminal)
    asdex.jacobian_sparsity(lambda x: jax.jit(lambda y: identity(jnp.sin(y)) * 2)(x) + 1, X)
    # sin, custom_jvp_call, mul, the call itself, add: one is over when the rule is asked for.
    assert any(
        line.startswith("detecting: 1/5 equations, now custom_jvp") for line in terminal.shown()
    )
    assert any("test_progress.py:" in line for line in terminal.shown())
    assert terminal.left() == ""


def test_what_a_rule_evaluates_is_counted_apart():
    class Noted(Counter):
        texts: tuple[str, ...] = ()

        def count(self):
            super().count()
            self.texts += (str(self),)

    counter = Noted(lambda: 4)
    interpreter = Interpreter()
    interpreter.counter = counter
    jaxpr = jax.make_jaxpr(two_passes)(X)
    seed = asdex.Value(asdex.Dependence.identity((6,)), None)
    interpreter.run(jaxpr, [seed])
    assert counter.texts[0] == "1/4 equations" and counter.texts[-1].startswith("3/4 equations")
    inside = [
        text for text in counter.texts if "now scan at " in text and "test_progress.py:" in text
    ]
    assert inside[0].startswith("2/4") and inside[0].endswith(" (two_passes), 1 inside")


def test_a_warning_stands_on_a_line_of_its_own(terminal):
    identity = watched(terminal)

    def called(x):
        return jax.pure_callback(lambda y: y, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    with pytest.warns(asdex.UnknownPrimitiveWarning):
        at_warning = []
        show = _progress.hide
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "asdex.detection._interpreter.hide",
                lambda: (show(), at_warning.append(terminal.left())),
            )
            asdex.jacobian_sparsity(lambda x: called(identity(x)), X)
    assert terminal.shown() and at_warning == [""]


def test_short_work_shows_nothing(terminal, monkeypatch):
    monkeypatch.setattr(_progress, "_DELAY", 600.0)
    asdex.jacobian_sparsity(two_passes, X)
    assert terminal.getvalue() == ""


def test_the_delay_is_about_two_seconds():
    assert 1.5 <= _progress._DELAY <= 2.5


def begun(name="working"):
    with _progress.working(name) as work:
        return work is not None


def test_only_terminals_show_it(terminal, monkeypatch):
    assert begun()
    del terminal
    for stream in (io.StringIO(), None, object()):
        use(monkeypatch, stream)
        assert not begun()
    closed = Terminal()
    closed.close()
    use(monkeypatch, closed)
    assert not begun()


def test_a_notebook_shows_one_output(monkeypatch):
    shown, written = [], threading.Event()

    class Handle:
        def update(self, content, raw):
            shown.append((content, raw))

    def display(content, raw, display_id):
        assert display_id
        shown.append((content, raw))
        written.set()
        return Handle()

    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=display))
    use(monkeypatch, type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})())
    monkeypatch.setattr(_progress, "_DELAY", 0.0)
    with _progress.working("work"):
        _progress.report("half")
        assert written.wait(20)
    assert shown[0][0]["text/plain"].startswith("work: ") and shown[0][1]
    assert shown[-1] == ({"text/plain": ""}, True)


def test_the_switch(terminal, monkeypatch):
    monkeypatch.setenv("ASDEX_PROGRESS", "0")
    assert not begun()
    asdex.set_progress(True)
    assert begun()
    asdex.set_progress(False)
    terminal.truncate(0)
    assert not begun()
    monkeypatch.delenv("ASDEX_PROGRESS")
    assert not begun()
    assert terminal.getvalue() == ""


def test_work_within_work_is_one_line(terminal):
    with _progress.working("outer") as outer, _progress.working("inner") as inner:
        assert outer is not None and inner is outer
        _progress.report("{} of {}", 2, 3)
        assert outer.detail() == "2 of 3"
    _progress.report("nothing is shown: {}")
    assert not begun.__closure__ and _progress.current() is None


def test_work_of_two_threads_is_one_line(terminal):
    inside = []
    with _progress.working("mine") as work:
        other = threading.Thread(target=lambda: inside.append(begun()))
        other.start()
        other.join()
    assert work is not None and inside == [False]
    assert begun()


def test_a_line_is_no_wider_than_the_terminal(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    with _progress.working("work") as work:
        assert work is not None
        work.detail = lambda: "x" * 100
        terminal.written.clear()
        assert terminal.written.wait(20)
    assert max(map(len, terminal.shown())) == 19
    assert terminal.left() == ""


def test_a_closed_terminal_ends_the_line_alone(terminal):
    with _progress.working("work") as work:
        assert work is not None and terminal.written.wait(20)
        terminal.close()
        work._thread.join(20)
    assert work.is_over and not work._thread.is_alive()


def test_an_interrupt_removes_the_line(terminal):
    with pytest.raises(KeyboardInterrupt), _progress.working("work"):
        assert terminal.written.wait(20)
        raise KeyboardInterrupt
    assert terminal.shown() and terminal.left() == ""
    assert _progress.current() is None and begun()
