"""Automatic sparse differentiation in JAX."""

from pathlib import Path as _Path


_here = _Path(__file__).resolve().parent
if not (_here / "rules").is_dir():
    # In a checkout the rules lie beside the package, in `rules/`; a wheel installs them inside it.
    __path__.append(str(_here.parent))

from ._detect_and_color import (
    hessian_coloring as hessian_coloring,
    jacobian_coloring as jacobian_coloring,
)
from ._errors import (
    DenseColoringWarning as DenseColoringWarning,
    InvalidColoringError as InvalidColoringError,
    PatternTooLargeError as PatternTooLargeError,
    UnbatchedPassesWarning as UnbatchedPassesWarning,
    UnknownPrimitiveError as UnknownPrimitiveError,
    UnknownPrimitiveWarning as UnknownPrimitiveWarning,
    VerificationError as VerificationError,
)
from ._spy import spy as spy
from .coloring import (
    check_coloring_acyclic as check_coloring_acyclic,
    check_coloring_bidirectional as check_coloring_bidirectional,
    check_coloring_cols as check_coloring_cols,
    check_coloring_rows as check_coloring_rows,
    check_coloring_symmetric as check_coloring_symmetric,
    color_acyclic as color_acyclic,
    color_bidirectional as color_bidirectional,
    color_cols as color_cols,
    color_rows as color_rows,
    color_symmetric as color_symmetric,
    ColoredPattern as ColoredPattern,
    ColoringMode as ColoringMode,
    hessian_coloring_from_sparsity as hessian_coloring_from_sparsity,
    HessianMode as HessianMode,
    jacobian_coloring_from_sparsity as jacobian_coloring_from_sparsity,
    JacobianMode as JacobianMode,
    OrderName as OrderName,
    Recovery as Recovery,
    StarSet as StarSet,
)
from .decompression import (
    BidirectionalDecompressor as BidirectionalDecompressor,
    ColumnDecompressor as ColumnDecompressor,
    decompress as decompress,
    decompress_data as decompress_data,
    Decompressor as Decompressor,
    decompressor_for as decompressor_for,
    RowDecompressor as RowDecompressor,
    StarDecompressor as StarDecompressor,
    SubstitutionDecompressor as SubstitutionDecompressor,
)
from .detection import (
    Along as Along,
    Dependence as Dependence,
    elementwise as elementwise,
    Equation as Equation,
    explain as explain,
    hessian_sparsity as hessian_sparsity,
    jacobian_sparsity as jacobian_sparsity,
    register as register,
    registered_rules as registered_rules,
    Value as Value,
    with_sparsity as with_sparsity,
    zero_derivative as zero_derivative,
)
from .evaluation import (
    check_hessian_correctness as check_hessian_correctness,
    check_jacobian_correctness as check_jacobian_correctness,
    compressed_hessian as compressed_hessian,
    compressed_hessian_from_coloring as compressed_hessian_from_coloring,
    compressed_jacobian as compressed_jacobian,
    compressed_jacobian_from_coloring as compressed_jacobian_from_coloring,
    hessian as hessian,
    hessian_from_coloring as hessian_from_coloring,
    jacobian as jacobian,
    jacobian_from_coloring as jacobian_from_coloring,
    materialize as materialize,
    SparseDerivative as SparseDerivative,
    value_and_compressed_hessian as value_and_compressed_hessian,
    value_and_compressed_hessian_from_coloring as value_and_compressed_hessian_from_coloring,
    value_and_compressed_jacobian as value_and_compressed_jacobian,
    value_and_compressed_jacobian_from_coloring as value_and_compressed_jacobian_from_coloring,
    value_and_hessian as value_and_hessian,
    value_and_hessian_from_coloring as value_and_hessian_from_coloring,
    value_and_jacobian as value_and_jacobian,
    value_and_jacobian_from_coloring as value_and_jacobian_from_coloring,
    value_gradient_and_hessian as value_gradient_and_hessian,
    value_gradient_and_hessian_from_coloring as value_gradient_and_hessian_from_coloring,
)
from .formats import (
    BlockPattern as BlockPattern,
    BSR as BSR,
    OutputFormat as OutputFormat,
    RowBlocks as RowBlocks,
)
from .nlp import lagrangian_hessian as lagrangian_hessian
from .pattern import SparsityPattern as SparsityPattern


__version__ = "0.9.0"

# The core depends on no rule by name: importing the package registers them all.
__import__("asdex.rules")
