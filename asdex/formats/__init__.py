from ._bsr import BlockPattern as BlockPattern, BSR as BSR
from ._formats import Format as Format, FORMATS as FORMATS, OutputFormat as OutputFormat
from ._layout import (
    assemble as assemble,
    Dtypes as Dtypes,
    Layout as Layout,
    layout_for as layout_for,
)
from ._row_block_layout import (
    ROW_BLOCK_FORMATS as ROW_BLOCK_FORMATS,
    RowBlockLayout as RowBlockLayout,
)
from ._row_blocks import RowBlockPattern as RowBlockPattern, RowBlocks as RowBlocks
