"""Detected patterns beside true ones: nothing is missing, and the number of entries is as stated."""

import importlib

import numpy as np
import pytest
from precision_case import Case, nonzeros, sample

import asdex


TABLES = [
    importlib.import_module(name).CASES
    for name in ("precision_cases", "index_arithmetic_cases", "bounded_index_cases")
]


@pytest.mark.parametrize(
    "one", [pytest.param(one, id=name) for table in TABLES for name, one in table.items()]
)
def test_pattern(one: Case, request: pytest.FixtureRequest):
    if max(one.shape, default=1) > 100:
        request.getfixturevalue("optimized")
    if one.needs:
        pytest.importorskip(one.needs)
    detected = asdex.jacobian_sparsity(one.fn, sample(one)).todense() != 0
    anything, beyond_rounding = nonzeros(one)
    assert not (anything & ~detected).any()
    assert np.count_nonzero(beyond_rounding) == one.true
    assert np.count_nonzero(detected) == one.detected
    assert bool(one.reason) == (one.detected > one.true)
