"""Short names of lines of code, for messages."""

import re
import sys
from pathlib import Path
from typing import Any


_SOURCE = re.compile(r"(?P<file>.+?):(?P<line>\d+)(?::\d+)?(?: \((?P<function>.*)\))?")
_LONG = 40
_KEPT_PARTS = 3


def short_source(source: str) -> str:
    """Shorten `file:line:column (function)`, without the column and with a short name of the file.

    The short name is relative to the working directory, or the number of a notebook's cell, or the end of a
    long path. Only the last part of a function's qualified name is kept.
    """
    found = _SOURCE.fullmatch(source)
    if found is None:
        return source
    place = f"{_short_file(found['file'])}:{found['line']}"
    function = (found["function"] or "").rpartition("<locals>.")[2]
    return f"{place} ({function})" if function else place


def _short_file(file: str) -> str:
    cell = _cells().get(file)
    if cell is not None:
        return f"In[{cell}]"
    path = Path(file)
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):  # it is elsewhere, or there is no working directory any more
        return file if len(file) <= _LONG else "/".join(["…", *path.parts[-_KEPT_PARTS:]])


def _cells() -> dict[str, Any]:
    """The number of each notebook cell, by the name of the file under which its code was compiled."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(getattr(shell, "compile", None), "_filename_map", {})
