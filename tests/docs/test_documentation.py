"""The programs in the documentation run and print what it says, and the reference is complete."""

import contextlib
import inspect
import io
import re
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


def run_page(page):
    """Run the Python blocks of a page as one program.

    Returns what each block printed, beside the text block that follows it ("" where none does).
    """
    namespace = {"__name__": "__documentation__"}
    printed, promised = [], []
    text = read(page)
    follows_program = False
    for match in FENCE.finditer(text):
        language, content = match.groups()
        if language == "python":
            # Leading newlines make the line numbers of a traceback those of the page.
            line = text.count("\n", 0, match.start()) + 1
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile("\n" * line + content, page, "exec"), namespace)
            printed.append(output.getvalue())
            promised.append("")
        elif language == "text" and follows_program:
            promised[-1] = content
        follows_program = language == "python"
    return printed, promised


@pytest.mark.parametrize(
    "page", ["docs/index.md", "docs/getting-started.md", "docs/writing-a-rule.md"]
)
def test_programs_print_what_the_page_says(page, monkeypatch):
    # Rules that a page registers end with it.
    monkeypatch.setattr(_registry, "_RULES", dict(_registry._RULES))
    printed, promised = run_page(page)
    assert printed
    assert printed == promised


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
    missing = [link for link in LINK.findall(read(page)) if not (folder / link).exists()]
    assert missing == []


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
    pages = [path.read_text(encoding="utf-8") for path in REPOSITORY.glob("docs/api/*.md")]
    documented = [name for page in pages for name in REFERENCE.findall(page)]
    assert sorted(documented) == sorted(public)
