"""What is computed to its end before anything reads it: all passes, or values in a step of a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import jax.tree_util as jtu

from ..._arrays import has_derivative, is_key
from ..._jaxprs import is_staged, scan_arity, settings_of
from ._flat_jaxpr import depends, Program, rebound, Step


def can_be_apart(program: Program, outputs: Any) -> bool:
    """Whether a branch may hold the operations: on a CPU, in a program, without effects or keys in it.

    Nor may its results vary over a mesh: those of the other branch would not.
    """
    return is_staged() and may_be_apart(program, outputs)


def may_be_apart(program: Program, outputs: Any) -> bool:
    """As `can_be_apart`, for what will be a part of a program."""
    if jax.default_backend() != "cpu" or program.effects or program.varies_over_mesh:
        return False
    return not any(map(is_key, jtu.tree_leaves(outputs)))


def apart(function: Callable[[Any], Any], outputs: Any) -> Callable[[Any], Any]:
    """The function with its results complete before anything reads them; they have the types of `outputs`.

    XLA's CPU compiler fuses elementwise operations into the gather that reads the matrix, and computes them
    once for each nonzero: with 1e4 to 2e5 inputs, calls take 1.5 (Rosenbrock) to 3 times as long
    (Brusselator). A barrier is gone by then, but a branch is not. What ends in operations that are not fused
    is complete anyway: there, a branch would make finite elements slower by a fifth.
    """

    def zeros(_: Any) -> Any:
        return jax.tree.map(lambda one: jnp.zeros(one.shape, one.dtype), outputs)

    always = jax.lax.optimization_barrier(True)
    return lambda operands: jax.lax.cond(always, function, zeros, operands)


def stores_steps(program: Program) -> bool:
    """Whether a loop over tangents reads what a loop over values has stored at each of its steps."""
    loops = [step for step in program.steps if step.eqn.primitive.name == "scan"]
    over_values = [step for step in loops if not step.active]
    stored = {made for step in over_values for made in step.makes[scan_arity(step.eqn)[1] :]}
    return any(step.active and not stored.isdisjoint(step.reads) for step in loops)


def in_steps(step: Step, operands: Sequence[Any]) -> Sequence[Any]:
    """The results of a step of a program; if it is a loop over values and tangents, with each apart.

    A step of the loop first computes what depends on no seed, for all passes that are batched, and then the
    tangents. So nothing is stored for all steps, and nothing computed once for each color. With 1e4 inputs,
    two loops take three times as long for 20 Runge-Kutta steps of reactions, and as long as this for 10 of
    pendulums; one loop that XLA fuses takes two thirds as long for the former, twice for the latter.
    """
    if step.eqn.primitive.name != "scan" or not step.active:
        return rebound(step, operands)
    num_consts, num_carry = scan_arity(step.eqn)
    end = num_consts + num_carry
    program = _body(step, num_consts, end)
    fixed = [
        one
        for one in program.unseeded()
        if one not in program.inputs and has_derivative(program.avals[one])
    ]
    types = [
        jax.ShapeDtypeStruct(program.avals[one].shape, program.avals[one].dtype) for one in fixed
    ]
    if not fixed or not may_be_apart(program, types):
        return rebound(step, operands)

    def body(carry: Sequence[Any], slices: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        inputs = (*operands[:num_consts], *carry, *slices)
        given = dict(zip(program.inputs, inputs, strict=True))
        known = {number: value for number, value in given.items() if not depends(number)}
        values = apart(lambda known: program.evaluate(known, fixed), types)(known)
        given |= dict(zip(fixed, values, strict=True))
        results = program.evaluate(given, program.outputs, bind=in_steps)
        return results[:num_carry], results[num_carry:]

    how = {name: step.eqn.params[name] for name in ("length", "reverse", "unroll")}
    with settings_of(step.eqn):
        carry, stacked = jax.lax.scan(body, list(operands[num_consts:end]), operands[end:], **how)
    return [*carry, *stacked]


def _body(step: Step, num_consts: int, end: int) -> Program:
    """A step of a loop, differentiated with respect to all that differs between seeds at some step."""
    active = {place for place, one in enumerate(step.reads) if depends(one)}
    while True:
        program = Program(step.eqn.params["jaxpr"], sorted(active))
        carried = enumerate(program.outputs[: end - num_consts], num_consts)
        more = {place for place, one in carried if depends(one)} - active
        if not more:
            return program
        active |= more
