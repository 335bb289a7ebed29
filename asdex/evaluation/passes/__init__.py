"""The passes of a call: what all share, what depends on the seeds alone, and the rest, in batches."""

from ._batched_passes import Passes as Passes
from ._compression import (
    gradient_along as gradient_along,
    pull_back as pull_back,
    push_and_pull as push_and_pull,
    push_forward as push_forward,
    zeros as zeros,
)
from ._devices import Batches as Batches, batches as batches
from ._flat_jaxpr import depends as depends, Program as Program, Step as Step
from ._traced_call import TracedCall as TracedCall
