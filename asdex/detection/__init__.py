"""Detection of sparsity patterns: the interpreter, its dependency array and its registry of rules."""

from .._arrays import has_derivative as has_derivative, is_key as is_key, size_of as size_of
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
from .._versions import binder as binder, EMPTY_PRIMITIVES as EMPTY_PRIMITIVES, evaluate as evaluate
from ..pattern import connected_components as connected_components
from ._chain import Chain as Chain
from ._detect import (
    detect_hessian as detect_hessian,
    detect_jacobian as detect_jacobian,
    hessian_sparsity as hessian_sparsity,
    jacobian_sparsity as jacobian_sparsity,
    seeded as seeded,
)
from ._explain import explain as explain, Explanation as Explanation
from ._limit import Limit as Limit
from ._options import (
    Captured as Captured,
    DetectionOptions as DetectionOptions,
    Local as Local,
    Unknown as Unknown,
)
from ._registry import (
    elementwise as elementwise,
    find_rule as find_rule,
    register as register,
    registered_rules as registered_rules,
    Rule as Rule,
    same_places as same_places,
    zero_derivative as zero_derivative,
)
from ._traced_function import (
    reads_numbers as reads_numbers,
    trace as trace,
    Traced as Traced,
)
from ._with_sparsity import Along as Along, with_sparsity as with_sparsity
from .dependence import (
    as_dependence as as_dependence,
    as_mask as as_mask,
    boolean_product as boolean_product,
    Dependence as Dependence,
    everywhere as everywhere,
    identities as identities,
    intersection as intersection,
    is_everywhere as is_everywhere,
    limited as limited,
    nowhere as nowhere,
    pairs_to_csr as pairs_to_csr,
    Range as Range,
    simplified as simplified,
    transitive_closure as transitive_closure,
    union as union,
)
from .facts import (
    Facts as Facts,
    index_cases as index_cases,
    results_reading as results_reading,
    support_of as support_of,
)
from .interpreter import (
    changing_elements as changing_elements,
    claimed_facts as claimed_facts,
    Equation as Equation,
    Interpreter as Interpreter,
    Parts as Parts,
    Value as Value,
)
from .known import (
    are_equal as are_equal,
    compiled as compiled,
    Deferred as Deferred,
    error_inside as error_inside,
    in_three as in_three,
    inlined as inlined,
    item_of as item_of,
    Known as Known,
    may_be_inlined as may_be_inlined,
    may_differ as may_differ,
    on_host as on_host,
    shifted as shifted,
    Unavailable as Unavailable,
)
