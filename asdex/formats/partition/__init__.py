"""How rows, columns and nonzeros are spread over the devices of a mesh, and what devices send each other."""

from ._exchange import Exchange as Exchange, Located as Located, plan_exchange as plan_exchange
from ._partition import axes_of as axes_of, Cuts as Cuts, cuts_of as cuts_of, Partition as Partition
from ._row_order import RowOrder as RowOrder
