"""Facts about values that are not known: bounds, which elements are zero, cases of an index."""

from ._facts import Facts as Facts, facts_of_results as facts_of_results
from ._index_cases import index_cases as index_cases
from ._knowledge import (
    bounds_of as bounds_of,
    Knowledge as Knowledge,
    support_of as support_of,
    values_of as values_of,
)
from ._numpy_values import (
    known_results as known_results,
    partly_known_results as partly_known_results,
)
from ._rule_facts import results_reading as results_reading
