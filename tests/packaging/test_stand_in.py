"""Packages that ask for the `asdex` on PyPI, 0.5.1 or later, take the one that is installed."""

import shutil

import pytest

import asdex


PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "{version}"
dependencies = {dependencies}

[tool.setuptools]
py-modules = ["{name}"]
"""

ASK = """
import importlib.metadata
import asdex
import client
print(asdex.__file__)
print(asdex.__version__, importlib.metadata.version("asdex"), client.SOURCE, asdex.rules.__name__)
"""


@pytest.fixture
def wheels(tmp_path, build):
    """A folder with a client of the other `asdex`, and with a package of its name and version."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, version, dependencies in (
        ("client", "1", ["asdex>=0.5.1"]),
        ("asdex", "0.5.1", []),
    ):
        tree = tmp_path / f"{name}-tree"
        tree.mkdir()
        content = PYPROJECT.format(name=name, version=version, dependencies=dependencies)
        (tree / "pyproject.toml").write_text(content)
        (tree / f"{name}.py").write_text(f"SOURCE = {name!r}\n")
        shutil.copy(build(tree, "wheel"), folder)
    return folder


@pytest.mark.parametrize("options", [(), ("--upgrade",)])
def test_a_client_of_the_other_library_keeps_this_one(
    source_tree, build, new_environment, wheels, options
):
    environment = new_environment("client")
    environment.install(build(source_tree, "wheel"))
    environment.install_with_dependencies("client", wheels, *options)
    file, versions = environment.python_run(ASK).splitlines()
    assert file.startswith(str(environment.root))
    assert file.endswith("__init__.py")  # the other one is a single module
    assert versions == f"{asdex.__version__} {asdex.__version__} client asdex.rules"


def test_the_other_library_would_have_come_without_this_one(new_environment, wheels):
    environment = new_environment("bare")
    environment.install_with_dependencies("client", wheels, "--ignore-installed")
    assert environment.python_run("import asdex; print(asdex.SOURCE)").strip() == "asdex"
