"""Functions that take the parameters of another one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any, cast, ParamSpec, TypeVar


P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")


def refusing(names: Collection[str], because: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator for a function that does not have some parameters of its kin, and says why not."""
    return lambda function: signature_of(function, names, because)(function)


def signature_of(
    function: Callable[P, R], without: Collection[str] = (), because: str = ""
) -> Callable[[Callable[..., S]], Callable[P, S]]:
    """A decorator for a variant of `function`, which passes on what it is called with.

    **Arguments:**

    - `without`: parameters that the variant does not have; to pass one is a `TypeError` that says the reason.
        Those that `function` does not have are refused for its reason.
    """
    refused = {**getattr(function, "refused", {}), **dict.fromkeys(without, because)}

    def decorate(variant: Callable[..., S]) -> Callable[P, S]:
        @functools.wraps(variant)
        def call(*args: Any, **options: Any) -> S:
            for name, reason in refused.items():
                if name in options:
                    raise TypeError(f"Expected no `{name}` for asdex.{variant.__name__}: {reason}")
            try:
                signature.bind(*args, **options)
            except TypeError as error:
                names = ", ".join(signature.parameters)
                raise TypeError(f"asdex.{variant.__name__}() {error}. It takes: {names}.") from None
            return variant(*args, **options)

        whole = inspect.signature(function)
        kept = [one for name, one in whole.parameters.items() if name not in without]
        returns = inspect.signature(variant).return_annotation
        signature = whole.replace(parameters=kept, return_annotation=returns)
        call.__signature__, call.refused = signature, refused  # pyright: ignore
        return cast(Callable[P, S], call)

    return decorate
