"""The public names, their parameters and their documentation."""

import inspect
import types
from typing import get_args

import jax
import pytest

import asdex


pytestmark = pytest.mark.quick

SAMPLED = ["f", "*args", "argnums", "has_aux"]
TRACED = ["allow_int", "input_shape", "unknown", "captured", "max_nnz", "local", "**kwargs"]
SEARCH = ["order", "budget"]
JACOBIAN = ["mode", "symmetric", *SEARCH]
HESSIAN = ["mode", "symmetric", "recovery", *SEARCH]
DEVICES = ["chunk_size", "mesh", "axis", "holomorphic"]
ROWS = [*DEVICES[:-1], "row_axis", "holomorphic"]
OF_JACOBIANS = ["output_format", "flatten"]
OF_HESSIANS = [*OF_JACOBIANS, "triangle"]
COLORED = ["f", "coloring"]
REUSED = ["allow_int", "constant", "elements", "verify"]
CHECKED = [
    *("f", "*args", "coloring", "method", "num_probes", "seed", "rtol", "atol"),
    *("has_aux", "holomorphic", "allow_int", "**kwargs"),
]

WITH_JACOBIANS = [
    *(*SAMPLED, *JACOBIAN, *OF_JACOBIANS, *ROWS, *REUSED, "coloring", *TRACED[1:]),
]
WITH_HESSIANS = [*SAMPLED, *HESSIAN, *OF_HESSIANS, *ROWS, *REUSED, "coloring", *TRACED[1:]]
COMPRESSED_JACOBIANS = [
    *(*SAMPLED, *JACOBIAN, *DEVICES, "allow_int", "coloring", *TRACED[1:]),
]
COMPRESSED_HESSIANS = [
    *(*SAMPLED, *HESSIAN, *DEVICES, "allow_int", "coloring", *TRACED[1:]),
]
COLORED_JACOBIANS = [
    *(*COLORED, "output_format", "has_aux", "flatten", *ROWS, "allow_int", "verify"),
]
COLORED_HESSIANS = [
    *(*COLORED, "output_format", "has_aux", "flatten", "triangle", *ROWS, "allow_int", "verify"),
]
COMPRESSED = [*COLORED, "has_aux", *DEVICES, "allow_int"]

FUNCTIONS = {
    "jacobian_sparsity": [*SAMPLED, *TRACED],
    "hessian_sparsity": [*SAMPLED, *TRACED],
    "jacobian_coloring": [*SAMPLED, *JACOBIAN, *TRACED],
    "hessian_coloring": [*SAMPLED, *HESSIAN, *TRACED],
    "jacobian_coloring_from_sparsity": ["sparsity", *JACOBIAN],
    "hessian_coloring_from_sparsity": ["sparsity", *HESSIAN],
    "color_rows": ["sparsity", *SEARCH],
    "color_cols": ["sparsity", *SEARCH],
    "color_symmetric": ["sparsity", *SEARCH],
    "color_acyclic": ["sparsity", *SEARCH],
    "color_bidirectional": ["sparsity", *SEARCH],
    "jacobian": WITH_JACOBIANS,
    "hessian": WITH_HESSIANS,
    "value_and_jacobian": WITH_JACOBIANS,
    "value_and_hessian": WITH_HESSIANS,
    "value_gradient_and_hessian": WITH_HESSIANS,
    "compressed_jacobian": COMPRESSED_JACOBIANS,
    "compressed_hessian": COMPRESSED_HESSIANS,
    "value_and_compressed_jacobian": COMPRESSED_JACOBIANS,
    "value_and_compressed_hessian": COMPRESSED_HESSIANS,
    "jacobian_from_coloring": COLORED_JACOBIANS,
    "hessian_from_coloring": COLORED_HESSIANS,
    "value_and_jacobian_from_coloring": COLORED_JACOBIANS,
    "value_and_hessian_from_coloring": COLORED_HESSIANS,
    "value_gradient_and_hessian_from_coloring": COLORED_HESSIANS,
    "compressed_jacobian_from_coloring": COMPRESSED,
    "compressed_hessian_from_coloring": COMPRESSED,
    "value_and_compressed_jacobian_from_coloring": COMPRESSED,
    "value_and_compressed_hessian_from_coloring": COMPRESSED,
    "lagrangian_hessian": [
        *("objective", "constraints", "x", "*args", *HESSIAN, *OF_HESSIANS),
        *("chunk_size", "mesh", "axis", "elements", "unknown", "captured", "max_nnz", "**kwargs"),
    ],
    "decompress": ["B", "coloring", "output_format"],
    "decompress_data": ["B", "coloring"],
    "materialize": [
        *("matvec", "x", "coloring", "output_format", "mode", "symmetric", *SEARCH),
        *("flatten", "chunk_size", "check", "unknown", "captured", "max_nnz"),
    ],
    "check_jacobian_correctness": CHECKED,
    "check_hessian_correctness": CHECKED,
    "check_coloring_rows": ["sparsity", "colors"],
    "check_coloring_cols": ["sparsity", "colors"],
    "check_coloring_symmetric": ["sparsity", "colors", "star_set"],
    "check_coloring_acyclic": ["sparsity", "colors"],
    "check_coloring_bidirectional": ["sparsity", "column_colors", "row_colors"],
}
CLASSES = {
    "SparsityPattern": (
        "rows cols shape argnums modes local m n nnz density todense to_bcoo to_scipy from_coo "
        "from_csr from_dense from_bcoo from_scipy positions T transpose save load"
    ),
    "ColoredPattern": (
        "sparsity colors column_colors row_colors num_colors symmetric mode lower_bound optimal "
        "num_row_colors recovery reason star_set save load"
    ),
    "StarSet": "star hub edge_lo edge_hi edge_pos",
    "BlockPattern": "indices indptr block_shape shape components num_blocks from_sparsity matrix to_scipy",
    "BSR": "data indices indptr shape components block_shape rows todense to_scipy",
    "RowBlocks": "data pattern shape T mv todense",
    "SparseDerivative": "f coloring sparsity per_call num_constant",
}
ALIASES = {
    "JacobianMode": {"auto", "fwd", "rev", "bidirectional"},
    "HessianMode": {"auto", "fwd_over_rev", "rev_over_fwd", "rev_over_rev"},
    "ColoringMode": {
        *("auto", "fwd", "rev", "bidirectional"),
        *("fwd_over_rev", "rev_over_fwd", "rev_over_rev"),
    },
    "Recovery": {"direct", "substitution"},
    "OrderName": {"natural", "largest_first", "smallest_last", "saturation", "random"},
    "OutputFormat": {
        *("bcoo", "dense", "numpy_dense", "scipy_coo", "scipy_csr", "scipy_csc"),
        *("bcsr", "data", "bsr", "scipy_bsr", "row_blocks"),
    },
}
EXCEPTIONS = {
    "VerificationError": AssertionError,
    "InvalidColoringError": ValueError,
    "PatternTooLargeError": MemoryError,
    "DenseColoringWarning": UserWarning,
    "UnbatchedPassesWarning": UserWarning,
    "UnknownPrimitiveError": NotImplementedError,
    "UnknownPrimitiveWarning": UserWarning,
}
DECOMPRESSION = (
    "Decompressor ColumnDecompressor RowDecompressor BidirectionalDecompressor StarDecompressor "
    "SubstitutionDecompressor decompressor_for"
)
RULES = "Along with_sparsity Dependence Equation Value register registered_rules elementwise zero_derivative"
OTHERS = {"explain", "spy", *DECOMPRESSION.split(), *RULES.split()}


def parameters(function):
    """The names of all parameters."""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = inspect.signature(function).parameters.values()
    return [stars.get(parameter.kind, "") + parameter.name for parameter in found]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters(name):
    assert parameters(getattr(asdex, name)) == FUNCTIONS[name]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_options_are_keywords_with_defaults(name):
    positional = {"f", "matvec", "coloring", "sparsity", "colors", "x", "B", "output_format"}
    positional |= {"column_colors", "row_colors", "objective", "constraints"}
    for parameter in inspect.signature(getattr(asdex, name)).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            assert parameter.default is not inspect.Parameter.empty
        elif parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            assert parameter.name in positional


@pytest.mark.parametrize("name", ["jacobian", "hessian"])
def test_defaults(name):
    defaults = {
        parameter.name: parameter.default
        for parameter in inspect.signature(getattr(asdex, name)).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    if name == "hessian":
        assert defaults.pop("recovery") == "direct" and defaults.pop("triangle") is None
    assert defaults == {
        "argnums": 0,
        "has_aux": False,
        "mode": "auto" if name == "jacobian" else None,
        "symmetric": name == "hessian",
        "order": None,
        "budget": None,
        "output_format": "bcoo",
        "flatten": False,
        "chunk_size": None,
        "mesh": None,
        "axis": None,
        "row_axis": None,
        "holomorphic": False,
        "allow_int": False,
        "constant": "recompute",
        "elements": None,
        "verify": False,
        "coloring": None,
        "input_shape": None,
        "unknown": "dense",
        "captured": "constant",
        "max_nnz": None,
        "local": False,
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_documented(name):
    doc = inspect.getdoc(getattr(asdex, name))
    assert doc is not None
    if not doc.startswith("As `asdex."):  # a variant, which says in what it differs
        assert "**Arguments:**" in doc
        assert "**Returns:**" in doc or "**Raises:**" in doc
    assert doc.splitlines()[0].endswith((".", "`."))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_annotated(name):
    signature = inspect.signature(getattr(asdex, name))
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter.name


@pytest.mark.parametrize("name", CLASSES)
def test_classes(name):
    cls = getattr(asdex, name)
    assert inspect.getdoc(cls)
    fields = set(getattr(cls, "__dataclass_fields__", {}))
    for member in CLASSES[name].split():
        assert member in fields or hasattr(cls, member), member


@pytest.mark.parametrize("name", ALIASES)
def test_aliases(name):
    assert set(get_args(getattr(asdex, name))) == ALIASES[name]


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exceptions(name):
    assert issubclass(getattr(asdex, name), EXCEPTIONS[name])
    assert inspect.getdoc(getattr(asdex, name))


def test_nothing_else_is_public():
    """A new public name belongs in these tables; a leaked import does not."""
    known = {*FUNCTIONS, *CLASSES, *ALIASES, *EXCEPTIONS, *OTHERS}
    public = {name: value for name, value in vars(asdex).items() if not name.startswith("_")}
    modules = {name for name, value in public.items() if isinstance(value, types.ModuleType)}
    assert {name for name in public if name not in modules} == known
    assert {public[name].__name__ for name in modules} == {f"asdex.{name}" for name in modules}
    rooms = {"coloring", "decompression", "detection", "display", "evaluation", "formats", "rules"}
    assert rooms <= modules


@pytest.mark.parametrize(
    "package", ["coloring", "decompression", "detection", "display", "evaluation", "formats", "nlp"]
)
def test_subpackages_hold_nothing_foreign(package):
    for name, value in vars(getattr(asdex, package)).items():
        if name.startswith("_") or isinstance(value, types.ModuleType | types.GenericAlias):
            continue
        assert getattr(value, "__module__", "asdex").partition(".")[0] in ("asdex", "typing"), name


def test_the_version_is_a_version():
    assert [part.isdigit() for part in asdex.__version__.split(".")[:2]] == [True, True]


def test_modules_are_pytrees():
    pattern = asdex.SparsityPattern.from_coo([0, 1], [1, 0], (2, 2))
    assert [leaf.tolist() for leaf in jax.tree.leaves(pattern)] == [[0, 1], [1, 0]]
