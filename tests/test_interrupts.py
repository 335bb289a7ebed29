"""What an interrupt (Ctrl-C) leaves behind: nothing."""

import importlib.metadata
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex
from asdex import _progress
from asdex._interrupts import Uninterrupted
from asdex.coloring._greedy import Partition
from asdex.coloring._star import Star
from asdex.detection import _registry
from asdex.detection._interpreter import Interpreter


X = jnp.ones(6)


def two_passes(x):
    """A loop, whose body is evaluated by a rule, after a few other equations."""
    y = jnp.sin(x) * x
    return lax.scan(lambda c, _: (c + jnp.roll(c, 1), None), y, None, length=4)[0]


HALF = np.random.default_rng(0).random((30, 30)) < 0.1
PATTERN = asdex.SparsityPattern.from_dense(HALF | HALF.T | np.eye(30, dtype=bool))


def interrupt_at(monkeypatch, owner, name, number):
    """The call of this `number` of a method is interrupted, as by Ctrl-C."""
    method, calls = getattr(owner, name), iter(range(number))

    def interrupted(*args):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return method(*args)

    monkeypatch.setattr(owner, name, interrupted)


@pytest.mark.parametrize("number", range(7))
def test_an_interrupted_detection_leaves_nothing(number):
    expected = asdex.jacobian_sparsity(two_passes, X).todense()
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, Interpreter, "propagate", number)
        with pytest.raises(KeyboardInterrupt):
            asdex.jacobian_sparsity(two_passes, X)
    assert _progress.current() is None
    np.testing.assert_array_equal(asdex.jacobian_sparsity(two_passes, X).todense(), expected)


@pytest.mark.parametrize("problem", [Partition, Star])
@pytest.mark.parametrize("number", range(3))
def test_an_interrupted_coloring_leaves_nothing(problem, number):
    color = asdex.color_cols if problem is Partition else asdex.color_symmetric
    expected = color(PATTERN)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, problem, "greedy", number)
        with pytest.raises(KeyboardInterrupt):
            color(PATTERN)
    assert _progress.current() is None
    np.testing.assert_array_equal(color(PATTERN)[0], expected[0])


PLUGIN = """
import interrupting.more
from asdex import register

@register("interrupted")
def interrupted(eqn, operand):
    return operand

if not interrupting.allowed:
    raise KeyboardInterrupt
"""


def test_an_interrupted_import_of_a_plugin_is_done_anew(monkeypatch, tmp_path):
    package = tmp_path / "interrupting"
    package.mkdir()
    (package / "__init__.py").write_text("allowed = False\n")
    (package / "more.py").write_text("import asdex; asdex.elementwise('interrupted_too')\n")
    (package / "rules.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ("interrupting.rules", "json", "an_absent_module")
    plugins = [importlib.metadata.EntryPoint(name, name, "asdex.rules") for name in names]
    monkeypatch.setattr(_registry, "_RULES", dict(_registry._RULES))
    monkeypatch.setattr(_registry, "_pending", plugins)
    before = asdex.registered_rules()

    with pytest.raises(KeyboardInterrupt):
        asdex.jacobian_sparsity(jnp.sin, X)
    assert asdex.registered_rules() == before and "interrupting.more" not in sys.modules

    (package / "__init__.py").write_text("allowed = True\n")
    importlib.invalidate_caches()
    with pytest.warns(RuntimeWarning, match="'an_absent_module' .* could not be loaded"):
        asdex.jacobian_sparsity(jnp.sin, X)
    assert set(asdex.registered_rules()) - set(before) == {"interrupted", "interrupted_too"}
    asdex.jacobian_sparsity(jnp.sin, X)  # warns no more


@pytest.fixture
def interruptible():
    """Python's handler of Ctrl-C, also where the shell that started the tests lets them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_until_a_computation_is_complete(interruptible):
    done = []
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        with Uninterrupted(), Uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append("inside")
        done.append("after")
    assert done == ["inside"] and signal.getsignal(signal.SIGINT) is handler
    with pytest.raises(KeyboardInterrupt) as caught, Uninterrupted():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("which an interrupt follows")
    assert isinstance(caught.value.__context__, ValueError)
    with ThreadPoolExecutor(1) as pool, Uninterrupted():
        assert pool.submit(lambda: Uninterrupted().__enter__()).result() is None
    assert signal.getsignal(signal.SIGINT) is handler


PROGRAM = """
import signal, sys, warnings
import jax, jax.numpy as jnp, numpy as np
import asdex

warnings.simplefilter("ignore", asdex.DenseColoringWarning)
x = jnp.ones(60)

def f(x):
    y = jnp.roll(x, 1) * x
    return jax.lax.fori_loop(1, 60, lambda i, c: c.at[i].add(c[i - 1] * y[i]), x)

def answer():
    coloring = asdex.jacobian_coloring(f, x)
    return coloring.sparsity.rows, coloring.sparsity.cols, coloring.colors

def alarm(*_):
    if armed:
        signal.raise_signal(signal.SIGINT)

armed = False
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell may have switched off
signal.signal(signal.SIGALRM, alarm)
for k in range(12):
    signal.setitimer(signal.ITIMER_REAL, 0.01 * 1.4**k, 0.2)
    try:
        armed = True
        while True:
            answer()
    except KeyboardInterrupt:
        armed = False
signal.setitimer(signal.ITIMER_REAL, 0)

compilations = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: compilations.append(event) if "backend_compile" in event else None
)
np.savez(sys.argv[1], *answer())
print(len(compilations))
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers")
def test_signals_leave_the_results_of_a_fresh_process(tmp_path):
    """Nor do they make it slower: what was interrupted is compiled once more, not at every step."""
    results, compilations = [], []
    for number in (12, 0):
        path = tmp_path / f"{number}.npz"
        program = PROGRAM.replace("range(12)", f"range({number})")
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
        )
        compilations.append(int(done.stdout))
        with np.load(path) as arrays:
            results.append([arrays[name] for name in sorted(arrays)])
    for after, alone in zip(*results, strict=True):
        np.testing.assert_array_equal(after, alone)
    assert compilations[0] <= compilations[1] < 30
