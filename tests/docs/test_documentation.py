"""The programs in the documentation run and print what it says, and the reference is complete."""

import importlib
import importlib.util
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys

import jax
import pytest
from documentation_pages import blocks_of, imported_packages, program_of, read, REPOSITORY, run_text

import asdex
import asdex.testing


LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
REFERENCE = re.compile(r"^::: (asdex[\w.]+)$", re.MULTILINE)
PAGES = sorted(str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("docs/**/*.md"))
# Of the extras in pyproject.toml: a page that needs one is skipped where it is not installed.
OPTIONAL = {"cyipopt", "diffrax", "lineax", "matplotlib", "optax", "optimistix", "splineax"}
# What has to be said before JAX starts, or is said for good.
OF_THE_PROCESS = ("jax.config.update", "XLA_FLAGS")


# Packages whose public names `asdex` itself exports.
STAGES = {
    f"asdex.{name}"
    for name in "pattern detection coloring evaluation decompression formats display".split()
}


def run_page(page):
    """As `run_text`, in a process of its own where the page changes how JAX is set up."""
    text = read(page)
    programs = "".join(block.text for block in blocks_of(text) if block.language == "python")
    if jax.__version_info__ < (0, 7):
        jax.clear_caches()  # where a jitted function was traced first stays in its operations
    if not any(one in programs for one in OF_THE_PROCESS):
        return run_text(text, program_of(page))
    paths = [str(REPOSITORY), os.environ.get("PYTHONPATH")]
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "tests" / "docs" / "documentation_pages.py"), page],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("page", [page for page in PAGES if "writing-a-rule" not in page])
def test_programs_print_what_the_page_says(page, monkeypatch, tmp_path):
    languages = {block.language for block in blocks_of(read(page))}
    assert languages <= {"python", "text", "sh", "toml"}, "a program is marked as `python`"
    missing = [
        name for name in imported_packages(read(page)) if importlib.util.find_spec(name) is None
    ]
    if missing and set(missing) <= OPTIONAL:
        pytest.skip(f"needs {', '.join(missing)}")
    monkeypatch.chdir(tmp_path)
    printed, promised = run_page(page)
    assert printed == promised


@pytest.mark.usefixtures("registry")  # the rules that the page registers end with it
def test_the_way_from_a_warning_to_a_tested_rule():
    printed, promised = run_text(read("docs/writing-a-rule.md"), "upwind.py", with_warnings=True)
    assert "UnknownPrimitiveWarning" in printed[0]
    # What follows the test is what it would say of another rule.
    assert "VerificationError" in promised[2]
    promised[2] = ""
    assert printed == promised


@pytest.mark.usefixtures("registry")
def test_the_check_of_a_wrong_rule_says_what_the_page_says():
    right, text = "return operand | left", read("docs/writing-a-rule.md")
    assert right in text
    wrong = text.replace(right, "return operand")
    with pytest.raises(asdex.VerificationError) as caught:
        run_text(wrong, "upwind.py", with_warnings=True)
    assert f"asdex.VerificationError: {caught.value}\n" in wrong


def test_readme_shows_the_real_picture_and_its_program_runs():
    picture = blocks_of(read("README.md"))[0]
    coloring = asdex.jacobian_coloring(lambda x: (x[1:] - x[:-1]) ** 2, input_shape=50)
    assert picture.text == f"{coloring}\n"

    (printed,), _ = run_page("README.md")
    # Row i of the Jacobian is (-2 d_i, 2 d_i): the ones are in its null space.
    assert printed == f"(4999, 5000) 9998 [{' '.join(['0.'] * 3)} ... {' '.join(['0.'] * 3)}]\n"


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_install_section_is_about_this_library(page):
    section = read(page).partition("## Install\n")[2].partition("\n## ")[0]
    commands = [block.text for block in blocks_of(section) if block.language == "sh"]
    assert any("pip install ." in text for text in commands)
    assert not any("pip install asdex" in text for text in commands)
    assert "`pip install asdex` installs another library." in section


@pytest.mark.parametrize(
    "page",
    ["README.md", "CONTRIBUTING.md", "examples/README.md", *PAGES],
)
def test_relative_links_lead_somewhere(page):
    folder = (REPOSITORY / page).parent
    links = [link for link in LINK.findall(read(page)) if "pictures/" not in link]
    assert [link for link in links if not (folder / link).exists()] == []


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib")
def test_pictures_are_drawn(monkeypatch, tmp_path):
    """The build draws each picture that a page shows, and no other."""
    monkeypatch.syspath_prepend(str(REPOSITORY / "docs"))
    for path in sorted(REPOSITORY.glob("docs/draw_*.py")):
        module = importlib.import_module(path.stem)
        monkeypatch.setattr(module, "FOLDER", tmp_path)
        module.on_pre_build()
    fill = importlib.import_module("draw_benchmarks").fill
    shown = set()
    for page in PAGES:
        text = fill(read(page), read("benchmarks/RESULTS.md"))
        folder = "../" * (page.count("/") - 1) + "pictures"
        shown |= set(re.findall(rf"\]\({folder}/(.*?)\)", text))
    assert shown == {path.name for path in tmp_path.iterdir()}


def public_names(module):
    """The names that a module defines, or exports from private modules."""
    return {
        f"{module.__name__}.{name}"
        for name, value in vars(module).items()
        if not (name.startswith("_") or inspect.ismodule(value) or hasattr(asdex, name))
        and getattr(value, "__module__", "").startswith(module.__name__)
    }


def test_reference_covers_the_public_names():
    public = {
        f"asdex.{name}"
        for name, value in vars(asdex).items()
        if not (name.startswith("_") or inspect.ismodule(value))
    }
    documented = [
        name for page in PAGES if "/api/" in page for name in REFERENCE.findall(read(page))
    ]
    for module in pkgutil.iter_modules([str(REPOSITORY / "asdex")], "asdex."):
        if module.name.startswith("asdex._") or module.name in STAGES:
            continue
        try:
            public |= public_names(importlib.import_module(module.name))
        except ImportError:  # of an optional package
            documented = [name for name in documented if not name.startswith(f"{module.name}.")]
    assert sorted(documented) == sorted(public)
