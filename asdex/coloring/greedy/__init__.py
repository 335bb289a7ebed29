"""Greedy coloring algorithms, and the orders in which they visit the vertices.

An algorithm is a function of an `Incidence`, an order of its vertices and a limit on the colors. It returns
the colors, or `None` beyond the limit. An order is a function from an `Incidence` to a permutation.
"""

from ._acyclic import greedy_acyclic as greedy_acyclic
from ._compilation import worth_compiling as worth_compiling
from ._distance_2 import (
    compiled_partition as compiled_partition,
    greedy_partition as greedy_partition,
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
from ._star import compiled_star as compiled_star, greedy_star as greedy_star
