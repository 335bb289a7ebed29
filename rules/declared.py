"""Calls of functions whose sparsity is declared."""

import math

from asdex import Dependence, Equation, register


@register("declared_sparsity")
def declared(eqn: Equation, *operands: Dependence) -> list[Dependence]:
    """A call of what `asdex.with_sparsity` decorates, or of a derivative of it: reads what is declared.

    The pattern is that of one entry of a batch: the leading `batch_ndim` axes stay apart.
    """
    for mode in getattr(eqn.params["function"], "unsupported_modes", ()):
        eqn.forbid(mode)
    pattern, batch_ndim = eqn.params["pattern"], eqn.params["batch_ndim"]
    avals = eqn.out_avals
    batch = avals[0].shape[:batch_ndim] if avals else ()
    count = math.prod(batch)
    rows = [one.reshape((count, one.size // max(count, 1))) for one in operands]
    structure = Dependence.from_csr(pattern.to_scipy(), (pattern.m,))
    results = structure.substitute_each(Dependence.concatenate(rows, 1))
    parts = results.split([aval.shape[batch_ndim:] for aval in avals])
    return [part.reshape(aval.shape) for part, aval in zip(parts, avals, strict=True)]
