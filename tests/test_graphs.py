"""Graphs that are given as sparse matrices, whatever SciPy makes of their indices."""

import numpy as np
import pytest
import scipy.sparse as sp

from asdex.pattern._graphs import connected_components


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_components_of_edges_in_one_direction(dtype):
    # 0 → 1 → 2 → 0, 3 → 1, and 4 alone.
    indptr = np.array([0, 1, 2, 3, 4, 4], dtype)
    graph = sp.csr_array(
        (np.ones(4, np.bool_), np.array([1, 2, 0, 1], dtype), indptr), shape=(5, 5)
    )
    count, label = connected_components(graph)
    assert count == 2
    np.testing.assert_array_equal(label == label[0], [True, True, True, True, False])
    count, label = connected_components(graph, "strong")
    assert count == 3
    np.testing.assert_array_equal(label == label[0], [True, True, True, False, False])
    assert len(set(label.tolist())) == 3


def test_no_vertices():
    count, label = connected_components(sp.csr_array((0, 0), dtype=np.bool_))
    assert count == 0 and label.shape == (0,)
