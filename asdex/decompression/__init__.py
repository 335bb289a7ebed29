from ._api import (
    check_known as check_known,
    decompress as decompress,
    decompress_data as decompress_data,
    decompressor_for as decompressor_for,
)
from ._constant import ConstantDecompressor as ConstantDecompressor
from ._decompressors import (
    BidirectionalDecompressor as BidirectionalDecompressor,
    ColumnDecompressor as ColumnDecompressor,
    Decompressor as Decompressor,
    RowDecompressor as RowDecompressor,
    StarDecompressor as StarDecompressor,
)
from ._dense import DenseDecompressor as DenseDecompressor
from ._formats import (
    assemble as assemble,
    BLOCK_FORMATS as BLOCK_FORMATS,
    OutputFormat as OutputFormat,
)
from ._select import SelectDecompressor as SelectDecompressor
from ._subset import SubsetDecompressor as SubsetDecompressor
from ._substitution import SubstitutionDecompressor as SubstitutionDecompressor
from ._windows import block_decompressor as block_decompressor
