"""Links what pages and docstrings call `asdex.name` to its entry in the reference.

`mkdocs build` calls it.
"""

import re
from typing import Any


# What is a link already, a heading or a block of code is left alone.
TEXT = re.compile(r"(<a\b.*?</a>|<h\d\b.*?</h\d>|<pre\b.*?</pre>)", re.DOTALL)
NAME = re.compile(r"<code>(asdex(?:\.\w+)+)(\(.*?\))?</code>")


def on_page_content(html: str, **kwargs: Any) -> str:
    """Mark names for mkdocs-autorefs, which resolves them when all pages are known."""
    del kwargs
    parts = TEXT.split(html)
    parts[::2] = [
        NAME.sub(r'<autoref optional identifier="\1">\g<0></autoref>', part) for part in parts[::2]
    ]
    return "".join(parts)
