"""Runs the programs of documentation pages; as a script, that of one page in a process of its own."""

import ast
import contextlib
import io
import json
import linecache
import re
import sys
import textwrap
import warnings
from pathlib import Path
from typing import NamedTuple


REPOSITORY = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^( *)```(.*?)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str


def read(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def blocks_of(text: str) -> list[Block]:
    """All fenced blocks, those inside of admonitions and tabs included."""
    return [
        Block(match[2].strip().split(" ")[0], textwrap.dedent(match[3]))
        for match in FENCE.finditer(text)
    ]


def imported_packages(text: str) -> set[str]:
    """The top-level packages that the programs of a page import."""
    names = set()
    for block in blocks_of(text):
        for node in ast.walk(ast.parse(block.text if block.language == "python" else "")):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names


@contextlib.contextmanager
def printed_warnings(are_printed: bool):
    """Warnings are printed to where the output goes, or else are left to the caller's filters."""
    with warnings.catch_warnings():
        if are_printed:
            warnings.simplefilter("always")
            warnings.showwarning = lambda *args: print(warnings.formatwarning(*args[:4]), end="")
        yield


def run_text(text: str, file: str, *, with_warnings: bool = False) -> tuple[list[str], list[str]]:
    """Run the Python blocks of a page as one program.

    **Arguments:**

    - `text`: the page.
    - `file`: the name of the program: a file with all blocks, and an empty line between them.
    - `with_warnings`: print warnings, as they are for a reader who runs it.

    **Returns:**

    What each block printed, beside the text block that follows it ("" where none does).
    """
    namespace = {"__name__": "__documentation__"}
    printed, promised = [], []
    blocks = blocks_of(text)
    written = "\n".join(block.text for block in blocks if block.language == "python")
    linecache.cache[file] = (len(written), None, written.splitlines(keepends=True), file)
    follows_program = False
    line = 0
    for block in blocks:
        if block.language == "python":
            output = io.StringIO()
            with contextlib.redirect_stdout(output), printed_warnings(with_warnings):
                exec(compile("\n" * line + block.text, file, "exec"), namespace)
            line += block.text.count("\n") + 1
            printed.append(output.getvalue())
            promised.append("")
        elif block.language == "text" and follows_program:
            promised[-1] = block.text
        follows_program = block.language == "python"
    return printed, promised


def program_of(page: str) -> str:
    """The name under which the program of a page runs."""
    return Path(page).stem.replace("-", "_") + ".py"


if __name__ == "__main__":
    page = sys.argv[1]
    warnings.simplefilter("error")
    json.dump(run_text(read(page), program_of(page)), sys.stdout)
