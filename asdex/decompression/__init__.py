from ._api import (
    decompress as decompress,
    decompress_data as decompress_data,
    decompressor_for as decompressor_for,
)
from ._constant import ConstantDecompressor as ConstantDecompressor, Constants as Constants
from ._decompressors import (
    BidirectionalDecompressor as BidirectionalDecompressor,
    ColumnDecompressor as ColumnDecompressor,
    Decompressor as Decompressor,
    RowDecompressor as RowDecompressor,
    StarDecompressor as StarDecompressor,
    take as take,
)
from ._row_blocks import RowBlockDecompressor as RowBlockDecompressor
from ._subset import SubsetDecompressor as SubsetDecompressor
from ._substitution import SubstitutionDecompressor as SubstitutionDecompressor
from ._windows import block_decompressor as block_decompressor
