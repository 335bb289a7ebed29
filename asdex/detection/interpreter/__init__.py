"""The interpreter: walks a jaxpr, one rule per primitive, and what a rule sees of its equation."""

from ._complex import Parts as Parts
from ._equation import Equation as Equation
from ._interpreter import Interpreter as Interpreter
from ._recorder import Record as Record, Recorder as Recorder
from ._value import Value as Value
from ._values import changing_elements as changing_elements, claimed_facts as claimed_facts
