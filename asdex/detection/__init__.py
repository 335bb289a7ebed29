"""Detection of sparsity patterns: the interpreter, its dependency array and its registry of rules."""

from .._arrays import has_derivative as has_derivative, is_key as is_key, size_of as size_of
from .._graphs import connected_components as connected_components
from .._jaxprs import (
    call_jaxpr as call_jaxpr,
    custom_jaxpr as custom_jaxpr,
    EquationView as EquationView,
    evaluated as evaluated,
    is_jaxpr as is_jaxpr,
    is_literal as is_literal,
    is_predictable as is_predictable,
    jaxpr_consts as jaxpr_consts,
    literal_value as literal_value,
    live_steps as live_steps,
    may_collide as may_collide,
    nested_jaxprs as nested_jaxprs,
    open_jaxpr as open_jaxpr,
    primitive_names as primitive_names,
    rebind as rebind,
    scan_arity as scan_arity,
)
from .._versions import (
    binder as binder,
    EMPTY_PRIMITIVES as EMPTY_PRIMITIVES,
    evaluate as evaluate,
)
from ._chain import Chain as Chain
from ._complex import Parts as Parts
from ._dependence import (
    Dependence as Dependence,
    identities as identities,
    transitive_closure as transitive_closure,
)
from ._detect import (
    detect_hessian as detect_hessian,
    detect_jacobian as detect_jacobian,
    hessian_sparsity as hessian_sparsity,
    jacobian_sparsity as jacobian_sparsity,
    seeded as seeded,
)
from ._equation import Equation as Equation
from ._evaluations import item_of as item_of
from ._explain import explain as explain, Explanation as Explanation
from ._facts import Facts as Facts
from ._index_cases import index_cases as index_cases
from ._index_sets import boolean_product as boolean_product, pairs_to_csr as pairs_to_csr
from ._interpreter import Interpreter as Interpreter
from ._knowledge import support_of as support_of
from ._known import (
    compiled as compiled,
    Known as Known,
    on_host as on_host,
    Probe as Probe,
    Unavailable as Unavailable,
)
from ._limit import Limit as Limit
from ._limited_sets import limited as limited
from ._loops_in_three import in_three as in_three, may_be_inlined as may_be_inlined
from ._masks import (
    as_dependence as as_dependence,
    as_mask as as_mask,
    everywhere as everywhere,
    intersection as intersection,
    is_everywhere as is_everywhere,
    nowhere as nowhere,
    simplified as simplified,
    union as union,
)
from ._options import (
    Captured as Captured,
    DetectionOptions as DetectionOptions,
    Local as Local,
    Unknown as Unknown,
)
from ._ranges import Range as Range
from ._reassociation import error_inside as error_inside, inlined as inlined
from ._registry import (
    elementwise as elementwise,
    find_rule as find_rule,
    register as register,
    registered_rules as registered_rules,
    Rule as Rule,
    same_places as same_places,
    zero_derivative as zero_derivative,
)
from ._rounding import are_equal as are_equal
from ._roundoff import may_differ as may_differ, shifted as shifted
from ._rule_facts import spread as spread
from ._traced_function import trace as trace, Traced as Traced
from ._value import Value as Value
from ._values import changing_elements as changing_elements, claimed_facts as claimed_facts
from ._with_sparsity import Along as Along, with_sparsity as with_sparsity
