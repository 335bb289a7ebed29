"""Smaller problems whose colorings give colorings of the whole: one node of each block, one copy, no hubs."""

from ._blocks import Blocks as Blocks, find_blocks as find_blocks
from ._copies import Copies as Copies, find_copies as find_copies
from ._hubs import (
    possible_hubs as possible_hubs,
    with_hubs as with_hubs,
    without_hubs as without_hubs,
)
