"""Fourier transforms."""

import math

from asdex import Dependence, Equation, register

from .reductions import combines


@register("fft", zero_at_zero=True)
def fft(eqn: Equation, operand: Dependence) -> Dependence:
    """The discrete Fourier transform over the last `len(fft_lengths)` axes, which it mixes.

    The last axis of a real transform changes its length: real numbers give about half as many complex ones.
    """
    axes = range(operand.ndim - len(eqn.params["fft_lengths"]), operand.ndim)
    shape = eqn.out_avals[0].shape
    mixed = operand.reduce(axes)
    return mixed.reshape((*mixed.shape, *[1] * len(axes))).broadcast_to(shape)


@fft.cause
def transform(eqn: Equation) -> str:
    """Each result reads all along the transformed axes."""
    return combines(math.prod(eqn.params["fft_lengths"]))
