"""The registry of sparsity-propagation rules, one per primitive."""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from ._dependence import Dependence


class Rule(Protocol):
    """Maps an equation and its operands' dependences to its results' dependences."""

    def __call__(self, eqn: Any, *operands: Dependence) -> Any: ...


_R = TypeVar("_R", bound=Callable[..., Any])

_RULES: dict[str, Callable[..., Any]] = {}
_PLUGIN_GROUP = "asdex.rules"
_pending: list[Any] | None = None


def register(*primitives: Any, override: bool = False) -> Callable[[_R], _R]:
    """Register a rule for one or several primitives.

    ```python
    @register("rev")
    def rev(eqn, operand):
        return operand.rearrange(lambda p: np.flip(p, eqn.params["dimensions"]))
    ```

    The rule gets the equation (`asdex.Equation`) and one `asdex.Dependence` per operand, and returns one
    `Dependence` per result: a single one, or a sequence for a primitive with several results. It is called
    only when some operand depends on an input.

    **Arguments:**

    - `primitives`: names or `jax.extend.core.Primitive` objects.
    - `override`: replace an existing rule.

    **Returns:**

    A decorator that returns the rule unchanged.

    **Raises:**

    `ValueError` if a primitive has a rule already and `override` is false; `TypeError` if one of `primitives`
    is neither a name nor a primitive, or the rule is not callable.
    """
    names = _primitive_names(primitives, '`@asdex.register("name")` above its rule')

    def decorate(rule: _R) -> _R:
        if not callable(rule):
            raise TypeError(
                f"Expected a rule, a function of an equation and operands, got {rule!r}."
            )
        for name in names:
            if name in _RULES and not override:
                raise ValueError(
                    f"Primitive '{name}' already has a rule, {describe_rule(_RULES[name])}. "
                    "Pass override=True to replace it."
                )
        _RULES.update(dict.fromkeys(names, rule))
        return rule

    return decorate


def elementwise(*primitives: Any, override: bool = False) -> None:
    """Register primitives whose result element depends on the operands' elements at the same place.

    **Arguments:**

    - `primitives`: names or `jax.extend.core.Primitive` objects.
    - `override`: replace existing rules.
    """
    names = _primitive_names(primitives, '`asdex.elementwise("name")`, which needs no rule')
    register(*names, override=override)(_elementwise)


def zero_derivative(*primitives: Any, override: bool = False) -> None:
    """Register primitives whose derivative is zero wherever it exists: no result depends on anything.

    **Arguments:**

    - `primitives`: names or `jax.extend.core.Primitive` objects.
    - `override`: replace existing rules.
    """
    names = _primitive_names(primitives, '`asdex.zero_derivative("name")`, which needs no rule')
    register(*names, override=override)(_zero_derivative)


def find_rule(primitive: Any) -> Callable[..., Any] | None:
    """The rule of a primitive, or `None`."""
    return _RULES.get(primitive.name)


def registered_rules() -> dict[str, Callable[..., Any]]:
    """A copy of the registry: primitive name to rule."""
    return dict(_RULES)


def load_plugins() -> None:
    """Import the modules of the entry-point group `asdex.rules` in the order of their names, once."""
    global _pending
    if _pending is None:
        found = importlib.metadata.entry_points(group=_PLUGIN_GROUP)
        _pending = sorted(found, key=lambda entry_point: (entry_point.name, entry_point.value))
    while _pending:
        entry_point = _pending.pop(0)
        try:
            entry_point.load()
        except Exception as error:
            warnings.warn(
                f"The rule plugin '{entry_point.name}' ({entry_point.value}) could not be loaded: "
                f"{type(error).__name__}: {error}. Its primitives are treated as unknown.",
                RuntimeWarning,
                stacklevel=2,
            )


def _elementwise(eqn: Any, *operands: Dependence) -> list[Dependence]:
    result = Dependence.none(eqn.out_avals[0].shape)
    for operand in operands:
        if not operand.is_none:
            result = operand.broadcast_to(result.shape) if result.is_none else result | operand
    return [result] * len(eqn.out_avals)


def _zero_derivative(eqn: Any, *operands: Dependence) -> list[Dependence]:
    del operands
    return [Dependence.none(aval.shape) for aval in eqn.out_avals]


def _primitive_names(primitives: Sequence[Any], usage: str) -> list[str]:
    """The names of primitives; `usage` says how to write the call that they were passed to."""
    if not primitives:
        raise TypeError(f"Expected at least one primitive name or object, got none. Write {usage}.")
    return [_primitive_name(primitive, usage) for primitive in primitives]


def _primitive_name(primitive: Any, usage: str) -> str:
    name = primitive if isinstance(primitive, str) else getattr(primitive, "name", None)
    if not isinstance(name, str) or isinstance(primitive, type):
        raise TypeError(
            "Expected a primitive's name or a jax.extend.core.Primitive, "
            f"got {primitive!r} of type {type(primitive).__name__}. Write {usage}."
        )
    return name


def describe_rule(rule: Callable[..., Any]) -> str:
    """Where a rule is defined: `module.function`."""
    name = getattr(rule, "__qualname__", type(rule).__qualname__)
    return f"{getattr(rule, '__module__', type(rule).__module__)}.{name}"
