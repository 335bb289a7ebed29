"""Imported before JAX: programs are traced and compiled fast rather than well, for each of them runs once.

Most of the time of tests goes into compiling, also in the processes that they start. What is set already
stays: with `JAX_DISABLE_MOST_OPTIMIZATIONS=0 XLA_FLAGS= make test` the programs are compiled as they are for
users.
"""

import gc
import os
from importlib.metadata import version


FLAGS = ["--xla_cpu_parallel_codegen_split_count=1"]
if tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11):
    # XLA ends the process at a flag that it does not know.
    FLAGS.append("--xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault("XLA_FLAGS", " ".join(FLAGS))

# Tracing makes many objects that stay: to look for garbage less often saves a tenth of the time.
gc.set_threshold(50_000, 20, 100)
