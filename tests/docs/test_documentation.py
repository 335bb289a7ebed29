"""The programs in the documentation run and print what it says, and the reference is complete."""

import contextlib
import importlib
import inspect
import io
import linecache
import re
import warnings
from pathlib import Path

import pytest

import asdex
import asdex.testing
from asdex.detection import _registry


REPOSITORY = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")
REFERENCE = re.compile(r"^::: (asdex[\w.]+)$", re.MULTILINE)


def read(page):
    return (REPOSITORY / page).read_text(encoding="utf-8")


@contextlib.contextmanager
def printed_warnings(are_printed):
    """Warnings are printed to where the output goes, or else are errors."""
    with warnings.catch_warnings():
        if are_printed:
            warnings.simplefilter("always")
            warnings.showwarning = lambda *args: print(warnings.formatwarning(*args[:4]), end="")
        yield


def run_page(page, file=None):
    """Run the Python blocks of a page as one program.

    With the name of a `file`, the program is what this holds: the blocks with an empty line between them.
    Warnings are then printed, as they are for a reader who runs it.

    Returns what each block printed, beside the text block that follows it ("" where none does).
    """
    namespace = {"__name__": "__documentation__"}
    printed, promised = [], []
    text = read(page)
    blocks = [content for language, content in FENCE.findall(text) if language == "python"]
    written = "\n".join(blocks)
    if file is not None:
        lines = [str(one) for one in written.splitlines(keepends=True)]
        linecache.cache[file] = (len(written), None, lines, file)
    follows_program = False
    line = 0
    for match in FENCE.finditer(text):
        language, content = match.groups()
        if language == "python":
            if file is None:  # line numbers of a traceback are then those of the page
                line = text.count("\n", 0, match.start()) + 1
            output = io.StringIO()
            with contextlib.redirect_stdout(output), printed_warnings(file is not None):
                exec(compile("\n" * line + content, file or page, "exec"), namespace)
            line += content.count("\n") + 1
            printed.append(output.getvalue())
            promised.append("")
        elif language == "text" and follows_program:
            promised[-1] = content
        follows_program = language == "python"
    return printed, promised


@pytest.mark.parametrize("page", ["docs/index.md", "docs/getting-started.md"])
def test_programs_print_what_the_page_says(page):
    printed, promised = run_page(page)
    assert printed
    assert printed == promised


def test_the_way_from_a_warning_to_a_tested_rule(monkeypatch):
    # The rules that the page registers end with it.
    monkeypatch.setattr(_registry, "_RULES", dict(_registry._RULES))
    page = "docs/writing-a-rule.md"
    printed, promised = run_page(page, "upwind.py")
    assert "UnknownPrimitiveWarning" in printed[0]
    # What follows the test is what it would say of another rule.
    assert "VerificationError" in promised[2]
    promised[2] = ""
    assert printed == promised


def test_the_check_of_a_wrong_rule_says_what_the_page_says(monkeypatch):
    monkeypatch.setattr(_registry, "_RULES", dict(_registry._RULES))
    page = "docs/writing-a-rule.md"
    right = "return operand | left"
    assert right in read(page)
    wrong = read(page).replace(right, "return operand")
    monkeypatch.setitem(globals(), "read", lambda _: wrong)
    with pytest.raises(asdex.VerificationError) as caught:
        run_page(page, "upwind.py")
    assert f"asdex.VerificationError: {caught.value}\n" in wrong


def test_readme_shows_the_real_picture_and_its_program_runs():
    picture = FENCE.search(read("README.md"))
    assert picture is not None
    coloring = asdex.jacobian_coloring(lambda x: (x[1:] - x[:-1]) ** 2, input_shape=50)
    assert picture[2] == f"{coloring}\n"

    (printed,), _ = run_page("README.md")
    # Row i of the Jacobian is (-2 d_i, 2 d_i): the ones are in its null space.
    assert printed == f"(4999, 5000) 9998 [{' '.join(['0.'] * 3)} ... {' '.join(['0.'] * 3)}]\n"


@pytest.mark.parametrize(
    "page",
    ["README.md", "CONTRIBUTING.md", "examples/README.md"]
    + [str(path.relative_to(REPOSITORY)) for path in sorted(REPOSITORY.glob("docs/**/*.md"))],
)
def test_relative_links_lead_somewhere(page):
    folder = (REPOSITORY / page).parent
    links = [link for link in LINK.findall(read(page)) if not link.startswith("pictures/")]
    assert [link for link in links if not (folder / link).exists()] == []


def test_pictures_are_drawn(monkeypatch, tmp_path):
    """The build draws each picture that a page shows, and no other."""
    monkeypatch.syspath_prepend(str(REPOSITORY / "docs"))
    draw_pictures = importlib.import_module("draw_pictures")
    monkeypatch.setattr(draw_pictures, "FOLDER", tmp_path)
    draw_pictures.on_pre_build()
    pages = "".join(path.read_text(encoding="utf-8") for path in REPOSITORY.glob("docs/**/*.md"))
    shown = set(re.findall(r"\]\(pictures/(.*?)\)", pages))
    assert shown == {path.name for path in tmp_path.iterdir()}


def test_reference_covers_the_public_names():
    public = {
        f"asdex.{name}"
        for name, value in vars(asdex).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    public |= {
        f"asdex.testing.{name}"
        for name, value in vars(asdex.testing).items()
        if inspect.isfunction(value)
        and value.__module__ == "asdex.testing"
        and not name.startswith("_")
    }
    public |= {
        f"asdex.nlp.{name}"
        for name in vars(asdex.nlp)
        if not name.startswith("_") and not hasattr(asdex, name)
    }
    pages = [path.read_text(encoding="utf-8") for path in REPOSITORY.glob("docs/api/*.md")]
    documented = [name for page in pages for name in REFERENCE.findall(page)]
    assert sorted(documented) == sorted(public)
