"""What an equation of a jaxpr says of itself."""

from __future__ import annotations

from typing import Any


class EquationView:
    """An equation of a jaxpr, without what is known of its operands."""

    def __init__(self, eqn: Any):
        self._eqn = eqn

    @property
    def primitive(self) -> Any:
        return self._eqn.primitive

    @property
    def name(self) -> str:
        return self._eqn.primitive.name

    @property
    def params(self) -> dict[str, Any]:
        """The equation's parameters."""
        return self._eqn.params

    @property
    def in_avals(self) -> list[Any]:
        """Shapes and dtypes of the operands."""
        return [atom.aval for atom in self._eqn.invars]

    @property
    def out_avals(self) -> list[Any]:
        """Shapes and dtypes of the results."""
        return [variable.aval for variable in self._eqn.outvars]
