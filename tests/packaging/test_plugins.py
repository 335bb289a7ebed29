"""Rules from other packages, through the entry-point group `asdex.rules`."""

import textwrap

import pytest


PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "1"

[project.entry-points."asdex.rules"]
{entry_point} = "{module}"

[tool.setuptools]
py-modules = {modules}
"""

OPERATIONS = """
import jax
import jax.numpy as jnp
from jax.extend.core import Primitive

toy_shift_p = Primitive("toy_shift")
toy_shift_p.def_impl(lambda x: jnp.roll(x, 1))
toy_shift_p.def_abstract_eval(lambda x: jax.core.ShapedArray(x.shape, x.dtype))
"""

RULES = """
import numpy as np
from asdex import register

@register("toy_shift")
def toy_shift(eqn, operand):
    return operand.rearrange(lambda p: np.roll(p, 1))
"""

DETECT = """
import warnings
import jax.numpy as jnp
from toy_operations import toy_shift_p
import asdex

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2):
        pattern = asdex.jacobian_sparsity(lambda x: toy_shift_p.bind(x) ** 2, jnp.ones(4))
print(pattern.rows.tolist(), pattern.cols.tolist())
for warning in caught:
    print(warning.category.__name__, warning.message)
"""

SHIFT = "[0, 1, 2, 3] [3, 0, 1, 2]"


@pytest.fixture
def make_plugin(tmp_path):
    """A function that writes a package with one entry point and some modules."""

    def make(name, entry_point, module, sources):
        root = tmp_path / name
        root.mkdir()
        modules = list(sources)
        pyproject = PYPROJECT.format(
            name=name, entry_point=entry_point, module=module, modules=modules
        )
        (root / "pyproject.toml").write_text(pyproject)
        for module_name, source in sources.items():
            (root / f"{module_name}.py").write_text(textwrap.dedent(source))
        return root

    return make


def test_plugin_is_used_without_an_import_and_a_broken_one_is_named(
    source_tree, build, new_environment, make_plugin
):
    environment = new_environment("plugins")
    environment.install(build(source_tree, "wheel"))
    sources = {"toy_operations": OPERATIONS, "toy_rules": RULES}
    environment.install(make_plugin("toy", "toy", "toy_rules", sources))
    assert environment.python_run(DETECT).splitlines() == [SHIFT]

    broken = {"broken_rules": "import a_module_that_nobody_has"}
    environment.install(make_plugin("broken", "broken_plugin", "broken_rules", broken))
    pattern, *warned = environment.python_run(DETECT).splitlines()
    # The working plugin still works, and the broken one is reported once, not at each detection.
    assert pattern == SHIFT
    assert len(warned) == 1
    assert "broken_plugin" in warned[0]
    assert "a_module_that_nobody_has" in warned[0]


def test_without_the_plugin_the_answer_is_dense_and_warned_about(
    source_tree, build, new_environment, make_plugin
):
    environment = new_environment("no-plugin")
    environment.install(build(source_tree, "wheel"))
    (environment.root / "elsewhere" / "toy_operations.py").write_text(OPERATIONS)
    code = f"import sys; sys.path.insert(0, '.')\n{DETECT}"
    pattern, *warned = environment.python_run(code).splitlines()
    rows, cols = [i for i in range(4) for _ in range(4)], [*range(4)] * 4
    assert pattern == f"{rows} {cols}"
    assert any("toy_shift" in line for line in warned)
