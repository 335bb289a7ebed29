"""Benchmarks that compare asdex with JAX, and with the asdex of other authors that is on PyPI.

`python -m benchmarks` measures everything and writes `benchmarks/RESULTS.md`.
"""
