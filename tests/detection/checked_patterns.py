"""Patterns that are compared with automatic differentiation, and the sample that they are detected at."""

import jax.numpy as jnp
import numpy as np

import asdex
from asdex.testing import check_rule


N = 6
X = jnp.linspace(0.3, 1.7, N)
DIAGONAL = np.eye(N, dtype=int)


def pattern(f, *args, **options):
    return asdex.jacobian_sparsity(f, *args, **options).todense().astype(int)


def checked(f, *args):
    """The detected pattern, which misses no nonzero of automatic differentiation."""
    return check_rule(f, *args).detected.astype(int)


def exact(f, *args):
    """As `checked`, and every entry is nonzero at some point."""
    report = check_rule(f, *args)
    assert report.exact, f"{report.excess} entries too many"
    return report.detected.astype(int)
