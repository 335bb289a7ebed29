"""Coloring problems: for each, a lower bound, the algorithms that apply, and the check of a coloring."""

from ._bidirectional import Bicoloring as Bicoloring, Bidirectional as Bidirectional
from ._columns import Columns as Columns, Rows as Rows
from ._problem import GraphProblem as GraphProblem, Problem as Problem
from ._symmetric import Acyclic as Acyclic, Star as Star
