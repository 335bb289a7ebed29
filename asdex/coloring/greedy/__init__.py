"""Greedy coloring algorithms, and the orders in which they visit the vertices.

An order is a function from a graph, an `Incidence`, to a permutation of its vertices.
"""

from ._acyclic import ACYCLIC as ACYCLIC
from ._algorithm import Algorithm as Algorithm
from ._distance_2 import (
    DISTANCE_2 as DISTANCE_2,
    recolor_partition as recolor_partition,
    recoloring_cost as recoloring_cost,
)
from ._incidence import adjacency as adjacency, columns as columns, Incidence as Incidence
from ._orders import (
    breadth_first as breadth_first,
    largest_first as largest_first,
    natural as natural,
    num_conflicts as num_conflicts,
    Order as Order,
    OrderName as OrderName,
    ORDERS as ORDERS,
    saturation as saturation,
    smallest_last as smallest_last,
)
from ._star import STAR as STAR
