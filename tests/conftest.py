"""Settings that every test shares."""

import quick_compiler  # noqa: F401


# isort: split
import gc
import importlib
import os
import shutil
from pathlib import Path

import jax
import pytest
from hypothesis import settings


# A traced and compiled example takes as long as the compiler wants: no deadlines.
# Failures in CI must be reproducible, so the examples are fixed there.
settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

# Accelerators round the factors of products to fewer digits, unless they are told not to.
if jax.default_backend() != "cpu":
    jax.config.update("jax_default_matmul_precision", "highest")


def pytest_configure(config):
    config.addinivalue_line("markers", "quick: the tests of `make test-quick`")
    # Some programs that jax 0.6 loads from its cache compute other values.
    if hasattr(config, "cache") and jax.__version_info__ >= (0, 7):
        keep_compiled_programs(config.cache.mkdir("compiled"), hasattr(config, "workerinput"))


def keep_compiled_programs(folder, is_worker):
    """Let all workers, and the next run, load from a folder what one of them has compiled.

    A file that another worker is writing just then cannot be read, of which JAX warns before it compiles:
    pyproject.toml ignores that warning. A folder with very many files is emptied.
    """
    if not is_worker and sum(1 for _ in folder.iterdir()) > 100_000:
        shutil.rmtree(folder)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


_GIGABYTE = 2**30
_STATM = Path("/proc/self/statm")


def resident_memory():
    pages = int(_STATM.read_text().split()[1]) if _STATM.exists() else 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="session")
def memory_limit():
    """The number of bytes above which compiled programs are dropped."""
    return [2 * _GIGABYTE]


@pytest.fixture(autouse=True, scope="module")
def bounded_memory(memory_limit):
    """Drop compiled programs once they fill gigabytes: JAX would keep all of them.

    The process keeps part of that memory, so the limit rises, to twice the first at most.
    """
    yield
    (limit,) = memory_limit
    if resident_memory() > limit:
        jax.clear_caches()
        gc.collect()
        memory_limit[0] = min(max(limit, resident_memory() + _GIGABYTE), 4 * _GIGABYTE)


@pytest.fixture
def optimized():
    """Programs that run longer than they compile are optimized."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def batches_of_a_cpu(monkeypatch):
    """The passes are batched as on a CPU, whatever they run on."""
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")


@pytest.fixture
def registry(monkeypatch):
    """A copy of the registry of rules, which takes what a test registers."""
    registry = importlib.import_module("asdex.detection._registry")
    monkeypatch.setattr(registry, "_RULES", dict(registry._RULES))
    return registry._RULES


@pytest.fixture
def enable_x64():
    """The context manager `jax.enable_x64`, which jax 0.6 has elsewhere."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64
    return importlib.import_module("jax.experimental").enable_x64
