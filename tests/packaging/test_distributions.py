"""Wheel, sdist and editable install hold the whole tree, and work away from the repository."""

import re
import tarfile
import zipfile
from pathlib import Path

import asdex


REPOSITORY = Path(__file__).resolve().parents[2]

# Builds and environments are slow on a shared disk; one worker after another makes them.


def tree_files():
    """Where the files of the tree belong in an installation."""
    modules = {path.relative_to(REPOSITORY) for path in (REPOSITORY / "asdex").rglob("*.py")}
    rules = (REPOSITORY / "rules").rglob("*.py")
    modules |= {Path("asdex", path.relative_to(REPOSITORY)) for path in rules}
    return {path.as_posix() for path in modules} | {"asdex/py.typed"}


def wheel_files(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    return {name for name in names if not name.partition("/")[0].endswith(".dist-info")}


def readme_example():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert example is not None
    return example[1]


def check_installation(environment, origin):
    """The README's example runs there, on an asdex from `origin`, with the built-in rules."""
    ask = "import asdex.rules\nprint(asdex.__file__)\nprint(asdex.rules.__file__)"
    values, package, rules = environment.python_run(f"{readme_example()}\n{ask}").splitlines()
    assert values.startswith("(4999, 5000) 9998 ")
    assert Path(package).is_relative_to(origin)
    assert Path(rules).is_relative_to(origin)


def test_wheel_holds_the_tree_and_works(source_tree, build, new_environment):
    wheel = build(source_tree, "wheel")
    assert wheel.name == f"asdex-{asdex.__version__}-py3-none-any.whl"
    assert wheel_files(wheel) == tree_files()

    environment = new_environment("wheel")
    environment.install(wheel)
    check_installation(environment, environment.root)


def test_installed_package_declares_what_it_needs(source_tree, build, new_environment):
    environment = new_environment("metadata")
    environment.install(build(source_tree, "wheel"))
    code = "import importlib.metadata as m; print(*m.requires('asdex'), sep='\\n')"
    required = [line for line in environment.python_run(code).splitlines() if "extra" not in line]
    names = {re.split(r"[^\w-]", line)[0] for line in required}
    assert names == {"jax", "jaxlib", "equinox", "numpy", "scipy"}


def test_sdist_builds_the_same_wheel(source_tree, build, new_environment, tmp_path):
    sdist = build(source_tree, "sdist")
    with tarfile.open(sdist) as archive:
        # Python before 3.11.4 has no filters, and ignores the attribute.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path / "unpacked")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    wheel = build(unpacked, "wheel")
    assert wheel_files(wheel) == tree_files()

    environment = new_environment("sdist")
    environment.install(wheel)
    check_installation(environment, environment.root)


def test_editable_install_uses_the_tree(source_tree, new_environment):
    environment = new_environment("editable")
    environment.install("--editable", source_tree)
    check_installation(environment, source_tree)


def test_source_tree_works_without_installation(source_tree, new_environment):
    environment = new_environment("bare")
    code = f"import sys; sys.path.insert(0, {str(source_tree)!r})\n{readme_example()}"
    values = environment.python_run(code)
    assert values.startswith("(4999, 5000) 9998 ")


def test_rules_refuse_another_name(source_tree, new_environment):
    code = f"""
import sys
sys.path.insert(0, {str(source_tree)!r})
try:
    import rules
except ImportError as error:
    print(error)
"""
    message = new_environment("bare").python_run(code)
    assert "'rules'" in message
    assert "'asdex.rules'" in message
