"""Benchmarks of asdex beside JAX and beside the asdex of other authors that is on PyPI.

`python -m benchmarks` measures everything and writes `benchmarks/RESULTS.md`.
"""
