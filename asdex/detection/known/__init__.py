"""Known values: what follows from constants, computed when asked for, and how it may round elsewhere."""

from ._evaluations import Evaluation as Evaluation, Evaluations as Evaluations, item_of as item_of
from ._known import (
    compiled as compiled,
    Deferred as Deferred,
    Known as Known,
    on_host as on_host,
    Unavailable as Unavailable,
)
from ._loops_in_three import in_three as in_three, may_be_inlined as may_be_inlined
from ._reassociation import error_inside as error_inside, inlined as inlined
from ._rounding import are_equal as are_equal
from ._roundoff import may_differ as may_differ, shifted as shifted, SUMS as SUMS
