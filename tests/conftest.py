"""Settings that every test shares."""

import importlib
import os

import jax
import pytest
from hypothesis import settings


# A traced and compiled example takes as long as the compiler wants: no deadlines.
# Failures in CI must be reproducible, so the examples are fixed there.
settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture
def enable_x64():
    """The context manager `jax.enable_x64`, which jax 0.6 has elsewhere."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64
    return importlib.import_module("jax.experimental").enable_x64
