"""Random numbers that depend on parameters smoothly."""

from asdex import Dependence, Equation, register


@register("random_gamma")
def random_gamma(eqn: Equation, key: Dependence, shape_parameter: Dependence) -> Dependence:
    """Samples of gamma distributions, one for each shape parameter, which they depend on smoothly."""
    del eqn, key
    return shape_parameter
