"""The exceptions and warnings that asdex raises."""


class VerificationError(AssertionError):
    """A sparse derivative disagrees with the reference that it was checked against."""


class InvalidColoringError(ValueError):
    """A coloring does not allow every nonzero to be read from the compressed matrix."""


class DenseColoringWarning(UserWarning):
    """A coloring needs as many derivative passes as the dense matrix would."""


class UnknownPrimitiveWarning(UserWarning):
    """A primitive has neither a sparsity rule nor a derivative, so the pattern is dense there."""


class UnknownPrimitiveError(NotImplementedError):
    """As `UnknownPrimitiveWarning`, where the caller asked for an error."""


class UnbatchedPassesWarning(UserWarning):
    """JAX cannot batch the passes of a derivative, so they run one at a time."""


class PatternTooLargeError(MemoryError):
    """A sparsity pattern has more entries than `max_nnz`, or than memory can hold."""
