"""Imported before JAX: programs are traced and compiled fast rather than well, for each of them runs once.

Most of the time of tests goes into compiling, also in the processes that they start. What is set already
stays: with `JAX_DISABLE_MOST_OPTIMIZATIONS=0 XLA_FLAGS= make test` the programs are compiled as they are for
users.
"""

import gc
import importlib
import os
import threading
from importlib.metadata import version
from typing import Any


FLAGS = ["--xla_cpu_parallel_codegen_split_count=1"]
if tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11):
    # XLA ends the process at a flag that it does not know.
    FLAGS.append("--xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault("XLA_FLAGS", " ".join(FLAGS))

# Tracing makes many objects that stay: to look for garbage less often saves a tenth of the time.
gc.set_threshold(50_000, 20, 100)

import jax  # noqa: E402


PROGRAMS = 20
"""How many programs are lowered in one context of MLIR: each keeps what all of them have made."""


class Contexts(threading.local):
    """The contexts in which JAX lowers programs, used again, as jax 0.12 does without being told.

    To make one takes 4 ms, of 6 that the lowering of a small program takes, and a twelfth of all tests.
    """

    left = 0

    def __init__(self, make, kind):
        self.make, self.kind = make, kind

    def __call__(self):
        if self.kind.current is not None:
            # A program that is lowered while another one is would be put into that one.
            return self.make()
        if not self.left:
            self.context, self.left = self.make(), PROGRAMS
        self.left -= 1
        return self.context


# All versions before it have this function; later ones need none of it.
if jax.__version_info__[:2] < (0, 12):
    mlir: Any = importlib.import_module("jax._src.interpreters.mlir")
    ir = importlib.import_module("jaxlib.mlir.ir")
    mlir.make_ir_context = Contexts(mlir.make_ir_context, ir.Context)
