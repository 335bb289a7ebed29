"""Partially separable functions: copies of the inputs, what is computed of them, and sums of the results."""

from ._assembly import Assembly as Assembly
from ._cut import Copies as Copies, Cut as Cut
from ._elements import Elements as Elements
from ._linear_rest import LinearRest as LinearRest
from ._part import Part as Part, PartAtArguments as PartAtArguments
from ._terms import Terms as Terms
