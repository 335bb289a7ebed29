"""The registry: for each primitive one rule, and beside it all that detection knows of the primitive."""

from __future__ import annotations

import functools
import importlib.metadata
import warnings
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from .dependence import Dependence, Range


_F = TypeVar("_F", bound=Callable[..., Any])


class Rule:
    """A sparsity rule, with what else is known of the primitives that it is registered for.

    It is called with an equation and the dependences of its operands, and returns those of its results.
    Facts about values follow from the traits that `asdex.register` documents. What does not is a function
    beside the rule, registered by one of the decorators below, which return it unchanged. Such a function
    gets the equation first; for several results it returns a list.
    """

    __name__: str
    __qualname__: str

    def __init__(
        self,
        dependence: Callable[..., Any],
        *,
        moves: bool = False,
        linear: bool | Callable[[Any], bool] = False,
        linear_in: Collection[int] = (),
        zero_at_zero: bool | Callable[[Any], bool] = False,
        in_place: bool = False,
        exact: bool = False,
        picks: bool = False,
        steered_by: Callable[[Any], Collection[int]] = lambda eqn: (),
        numpy: Callable[..., Any] | None = None,
    ):
        functools.update_wrapper(self, dependence)
        self.dependence = dependence
        self.moves, self.in_place, self.picks = moves, in_place, picks
        self.exact = exact or moves or bool(linear) or bool(zero_at_zero)
        self.steered_by = steered_by
        self._linear = linear or moves
        self.linear_in = linear_in
        self._zero_at_zero = zero_at_zero
        self.functions: dict[str, Callable[..., Any]] = {}
        if numpy is not None:
            self.value(lambda eqn, *arrays: numpy(*arrays))

    def __call__(self, eqn: Any, *operands: Dependence) -> Any:
        return self.dependence(eqn, *operands)

    @property
    def says_of_changes(self) -> bool:
        """Whether it is known which elements of the results change with the operands."""
        return self.exact or "changes" in self.functions

    def is_linear(self, eqn: Any) -> bool:
        """Whether the results are linear, with real coefficients, in all that they read."""
        return self._linear(eqn) if callable(self._linear) else self._linear

    def is_zero_at_zero(self, eqn: Any) -> bool:
        """Whether every result is zero where all that it reads is."""
        trait = self._zero_at_zero
        return self.is_linear(eqn) or (trait(eqn) if callable(trait) else trait)

    def zeros(self, function: _F) -> _F:
        """Gets for each operand the mask of its elements that may be nonzero; returns such masks."""
        return self._add("zeros", function)

    def range(self, function: _F) -> _F:
        """Gets the `Range` of each operand; returns a `Range` for each result."""
        return self._add("range", function)

    def alternatives(self, function: _F) -> _F:
        """As `range`, which follows: returns narrower ranges of one result, of which one or another holds."""
        self.range(lambda eqn, *bounds: functools.reduce(Range.hull, function(eqn, *bounds)))
        return self._add("alternatives", function)

    def value(self, function: _F) -> _F:
        """Gets the operands as NumPy arrays; returns the results as such, the same as JAX computes."""
        return self._add("value", function)

    def partly_known(self, function: _F) -> _F:
        """Gets for each operand whether its value is known; returns the same for the results, and a function.

        That function, of the known operands, computes the known results with JAX.
        """
        return self._add("partly_known", function)

    def at_once(self, function: _F) -> _F:
        """Gets an equation of a jaxpr and, for each operand, whether it depends on no differentiated input.

        Returns a function of the operands that computes the same by operations whose elements can be told
        apart, as those of a loop cannot; or `None`.
        """
        return self._add("at_once", function)

    def changes(self, function: _F) -> _F:
        """Called as the rule where the question is which elements change with the operands' elements.

        Unlike a derivative, a change passes through `floor` and through an index.
        """
        return self._add("changes", function)

    def at_point(self, function: _F) -> _F:
        """Called as the rule where the pattern at a point is wanted: at ties it keeps all sides.

        It reads the operands' values with `eqn.known`, and may return `NotImplemented`: then the rule is.
        """
        return self._add("at_point", function)

    def undecided(self, function: _F) -> _F:
        """Gets for each operand the mask of its elements that are undecided at a point; returns the same.

        Called where an operand is undecided, or varies and something decides by its value.
        """
        return self._add("undecided", function)

    def parts(self, function: _F) -> _F:
        """Gets the `Parts` of each operand, if one is complex; returns `Parts`, or `NotImplemented`."""
        return self._add("parts", function)

    def cause(self, function: _F) -> _F:
        """Says in half a sentence why the results depend on so much, for `asdex.explain`; or ""."""
        return self._add("cause", function)

    def _add(self, kind: str, function: _F) -> _F:
        if kind in self.functions:
            raise ValueError(f"The rule {describe_rule(self)} has a function for '{kind}' already.")
        self.functions[kind] = function
        return function


_RULES: dict[str, Rule] = {}
_PLUGIN_GROUP = "asdex.rules"
_pending: list[Any] | None = None


def register(
    *primitives: Any, override: bool = False, **traits: Any
) -> Callable[[Callable[..., Any]], Rule]:
    """Register a rule for one or several primitives.

    ```python
    @register("rev", moves=True)
    def rev(eqn, operand):
        return operand.rearrange(lambda p: np.flip(p, eqn.params["dimensions"]))
    ```

    The rule gets the equation (`asdex.Equation`) and one `asdex.Dependence` per operand, and returns one
    `Dependence` per result: a single one, or a sequence for a primitive with several results. It is called
    only when some operand depends on an input.

    **Arguments:**

    - `primitives`: names or `jax.extend.core.Primitive` objects.
    - `override`: replace an existing rule.
    - `moves`: whether each element of a result is an element of an operand. Then all that is known of the
        values moves along.
    - `linear`: whether the results are linear, with real coefficients, in all that they read; a function of
        the equation where that depends on its parameters.
    - `linear_in`: the operands in each of which the results are linear while all others are fixed, as in both
        factors of a product.
    - `zero_at_zero`: whether an element of a result is zero where all that it reads is, as `linear` implies.
    - `in_place`: whether element `k` of a result follows from element `k` alone, in flat order, of all
        operands that have as many elements.
    - `exact`: whether the rule says which elements a value reads, and not only a derivative. The
        traits above imply it, but for `in_place`.
    - `picks`: whether values decide which element of an operand, or which whole number, a result is. A
        zero at a point is then a rounding error only if it is picked from such.
    - `steered_by`: a function of the equation: the operands that decide where elements go, such as indices.
    - `numpy`: a function of the operands as NumPy arrays that computes the same as JAX, to the last bit.

    **Returns:**

    A decorator that returns an `asdex.detection.Rule`, which is called as the function is. What does not
    follow from these traits is registered with its methods: `zeros`, `range`, `value`, ...

    **Raises:**

    `ValueError` if a primitive has a rule already and `override` is false; `TypeError` if one of `primitives`
    is neither a name nor a primitive, or the rule is not callable.
    """
    names = _primitive_names(primitives, '`@asdex.register("name")` above its rule')

    def decorate(function: Callable[..., Any]) -> Rule:
        if not callable(function):
            raise TypeError(
                f"Expected a rule, a function of an equation and operands, got {function!r}."
            )
        rule = function if isinstance(function, Rule) else Rule(function, **traits)
        for name in names:
            if name in _RULES and not override:
                raise ValueError(
                    f"Primitive '{name}' already has a rule, {describe_rule(_RULES[name])}. "
                    "Pass override=True to replace it."
                )
        _RULES.update(dict.fromkeys(names, rule))
        return rule

    return decorate


def elementwise(*primitives: Any, override: bool = False, **traits: Any) -> Rule:
    """Register primitives whose result element depends on the operands' elements at the same place.

    **Arguments:**

    - `primitives`: names or `jax.extend.core.Primitive` objects.
    - `override`: replace existing rules.
    - `traits`: `linear`, `zero_at_zero` and `numpy`, as for `asdex.register`.
    """
    names = _primitive_names(primitives, '`asdex.elementwise("name")`, which needs no rule')
    rule = Rule(same_places, in_place=True, exact=True, **traits)
    return register(*names, override=override)(rule)


def zero_derivative(*primitives: Any, override: bool = False, **traits: Any) -> Rule:
    """Register primitives whose derivative is zero wherever it exists: no result depends on anything.

    **Arguments:**

    - `primitives`: names or `jax.extend.core.Primitive` objects.
    - `override`: replace existing rules.
    - `traits`: as for `asdex.register`.
    """
    names = _primitive_names(primitives, '`asdex.zero_derivative("name")`, which needs no rule')
    return register(*names, override=override)(Rule(_zero_derivative, **traits))


def find_rule(primitive: Any) -> Rule | None:
    """The rule of a primitive, or `None`."""
    return _RULES.get(primitive.name)


def registered_rules() -> dict[str, Rule]:
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


def same_places(eqn: Any, *operands: Dependence) -> list[Dependence]:
    """Each element of the results reads the operands' elements at its place."""
    result = Dependence.none(eqn.out_avals[0].shape)
    for operand in operands:
        if not operand.is_none:
            result = operand.broadcast_to(result.shape) if result.is_none else result | operand
    return [result] * len(eqn.out_avals)


def _zero_derivative(eqn: Any, *operands: Dependence) -> Any:
    """Of tangents the values count: bits that are moved, say."""
    if eqn.of_tangents:
        rule = find_rule(eqn.primitive)
        function = None if rule is None else rule.functions.get("changes")
        return eqn.dense() if function is None else function(eqn, *operands)
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
