from ._bsr import BlockPattern as BlockPattern, BSR as BSR
from ._formats import Format as Format, FORMATS as FORMATS, OutputFormat as OutputFormat
from ._layout import (
    assemble as assemble,
    Dtypes as Dtypes,
    Layout as Layout,
    layout_for as layout_for,
)
