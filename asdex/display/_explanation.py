"""Explanations of patterns as tables, for terminals and for notebooks."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ._source import short_source
from ._text import percent


if TYPE_CHECKING:
    from ..detection._chain import Chain, Link
    from ..detection._explain import ExplainedStep, Explanation


# From this many steps or links on, some are left out: of the steps all that fill little.
_MANY, _ENDS, _MOST_CULPRITS, _GROWTH = 40, 10, 5, 1.5
_HEADER = ("primitive", "entries in", "out", "fill", "", "where")
_IS_NUMBER = (False, True, True, True, False, False)
_ORIGINS = {"rule": "", "derived": "by its JVP", "dense": "no rule"}


def explanation_text(explanation: "Explanation") -> str:
    """Return a summary and a table of all equations, or of the telling ones of many."""
    rows = _rows(explanation.steps)
    if not rows:
        return f"{_title(explanation)}: no equation reads an input."
    lines = [_title(explanation) + ".", *_culprits(explanation)]
    cells = [_HEADER, *(_cells(row) for row in rows if not isinstance(row, int))]
    widths = [max(len(line[k]) for line in cells) for k in range(len(_HEADER))]
    lines.append(_line(_HEADER, widths))
    for row in rows:
        lines.append(f"  … {row:,} more" if isinstance(row, int) else _line(_cells(row), widths))
    return "\n".join([*lines, *_notes(explanation)])


def explanation_html(explanation: "Explanation") -> str:
    """Return the same as HTML; the lines at which the pattern became dense are marked."""
    title = f"<strong>{escape(_title(explanation))}</strong>"
    rows = _rows(explanation.steps)
    if not rows:
        return f"<div>{title}: no equation reads an input.</div>"
    culprits = "".join(f"<div>{escape(line)}</div>" for line in _culprits(explanation))
    notes = "".join(
        f'<div style="opacity:.65">{escape(line)}</div>' for line in _notes(explanation)
    )
    head = "".join(
        f'<th style="text-align:{"right" if number else "left"}">{escape(name)}</th>'
        for name, number in zip(_HEADER, _IS_NUMBER, strict=True)
    )
    body = "".join(map(_html_row, rows))
    table = (
        f'<table style="margin:4px 0"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )
    return f"<div>{title}{culprits}{table}{notes}</div>"


def chain_text(chain: "Chain") -> str:
    """Return the ends of a chain and its links, one a line."""
    if not chain.links:
        return " is ".join(_ends(chain)) + "."
    links = _shown(chain)
    cells = [_link_cells(link) for link in links if link is not None]
    widths = [max(len(line[k]) for line in cells) for k in range(3)]
    lines = []
    for link in links:
        if link is None:
            lines.append("  " + _left_out(chain))
        else:
            read, place, primitive, where = _link_cells(link)
            start = f"{read:>{widths[0]}} → {place:<{widths[1]}}"
            lines.append(f"  {start}  {primitive:<{widths[2]}}  {where}")
    return "\n".join([" depends on ".join(_ends(chain)) + ":", *lines])


def chain_html(chain: "Chain") -> str:
    """Return the same as HTML."""
    if not chain.links:
        return f"<div>{escape(chain_text(chain))}</div>"
    title = f"<strong>{escape(' depends on '.join(_ends(chain)))}</strong>"
    left = ' style="text-align:left"'
    head = "".join(f"<th{left}>{name}</th>" for name in ("reads", "writes", "primitive", "where"))
    body = []
    for link in _shown(chain):
        if link is None:
            body.append(f'<td colspan="4"{left}>{_left_out(chain)}</td>')
        else:
            *cells, where = (escape(text) for text in _link_cells(link))
            texts = "".join(f"<td{left}>{text}</td>" for text in cells)
            body.append(f'{texts}<td{left} title="{escape(link.source)}">{where}</td>')
    rows = "".join(f"<tr>{cells}</tr>" for cells in body)
    return f"<div>{title}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def _shown(chain: "Chain") -> "list[Link | None]":
    """All links, or of many those at both ends with `None` between."""
    if len(chain.links) < _MANY:
        return list(chain.links)
    return [*chain.links[:_ENDS], None, *chain.links[-_ENDS:]]


def _left_out(chain: "Chain") -> str:
    return f"… {len(chain.links) - 2 * _ENDS:,} more; all are in the attribute `links`"


def _link_cells(link: "Link") -> tuple[str, str, str, str]:
    return (
        str(list(link.read)),
        str(list(link.place)),
        link.primitive,
        _with_cause(short_source(link.source), link.cause),
    )


def _title(explanation: "Explanation") -> str:
    (m, n), nnz = explanation.shape, explanation.nnz
    entries = f"{nnz:,} {'entry' if nnz == 1 else 'entries'}"
    here = "" if explanation.local_nnz is None else f", {explanation.local_nnz:,} at the point"
    return f"{m:,}×{n:,} pattern with {entries} ({percent(nnz, m * n)} full){here}"


def _culprits(explanation: "Explanation") -> list[str]:
    """One line for each equation that made something dense of what was not."""
    dense = [("dense", step) for step in explanation.steps if step.became_dense and explanation.nnz]
    fuller = [("fuller than at the point", step) for step in explanation.steps if step.fuller]
    places = [
        (what, _with_cause(f"{step.primitive} at {short_source(step.source)}", step.cause))
        for what, step in dense + fuller
    ]
    lines = [f"It became {what} in {place}." for what, place in dict.fromkeys(places)]
    more = len(lines) - _MOST_CULPRITS
    return [*lines[:_MOST_CULPRITS], f"And in {more:,} other places."] if more > 1 else lines


def _with_cause(place: str, cause: str) -> str:
    return f"{place}: {cause}" if cause else place


def _notes(explanation: "Explanation") -> list[str]:
    steps = explanation.steps
    notes = {
        "Equations: those of the gradient, whose Jacobian is the Hessian.": explanation.hessian,
        "Fill: the share of the inputs that an average element depends on.": True,
        "Indented: what loops, branches and derivative rules consist of.": any(
            step.depth for step in steps
        ),
        "×k: k times, of which the last is shown.": any(step.count > 1 for step in steps),
        "By its JVP: without a rule, as JAX differentiates it.": any(
            step.origin == "derived" for step in steps
        ),
        "No rule: all results are taken to depend on all operands; see asdex.register.": any(
            step.origin == "dense" for step in steps
        ),
        "More: that fill little; all are in the attribute `steps`.": len(steps) >= _MANY,
    }
    return [note for note, applies in notes.items() if applies]


def _rows(steps: "Sequence[ExplainedStep]") -> "list[ExplainedStep | int]":
    """All steps, or of many the first, the last, and those with much fuller results than any before.

    Numbers say how many steps are left out.
    """
    if len(steps) < _MANY:
        return list(steps)
    rows: list[ExplainedStep | int] = []
    fullest, skipped = 0.0, 0
    for number, step in enumerate(steps):
        ends = number in (0, len(steps) - 1)
        record = step.depth == 0 and step.fill > _GROWTH * fullest
        if not (ends or record or step.became_dense or step.fuller or step.origin != "rule"):
            skipped += 1
            continue
        rows += [skipped, step] if skipped else [step]
        skipped = 0
        fullest = max(fullest, step.fill if step.depth == 0 else 0.0)
    return rows


def _cells(step: "ExplainedStep") -> tuple[str, ...]:
    name = "  " * step.depth + _name(step)
    numbers = f"{step.entering:,}", f"{step.leaving:,}", percent(step.fill, 1)
    return (name, *numbers, _remark(step), short_source(step.source))


def _name(step: "ExplainedStep") -> str:
    return step.primitive + (f" ×{step.count}" if step.count > 1 else "")


def _remark(step: "ExplainedStep") -> str:
    origin = _ORIGINS[step.origin]
    if step.became_dense:
        origin = f"dense ({origin})" if origin else "dense"
    here = step.local is not None and step.local < step.leaving
    return ", ".join(filter(None, (origin, f"{step.local:,} at the point" if here else "")))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        text.rjust(width) if number else text.ljust(width)
        for text, width, number in zip(cells, widths, _IS_NUMBER, strict=True)
    ]
    return "  " + "  ".join(padded).rstrip()


def _html_row(step: "ExplainedStep | int") -> str:
    if isinstance(step, int):
        return f'<tr><td colspan="{len(_HEADER)}" style="text-align:left">… {step:,} more</td></tr>'
    _, entering, leaving, fill, remark, source = _cells(step)
    mark = ' style="background:rgba(255,150,0,.22)"' if step.became_dense else ""
    share = f"{100 * min(step.fill, 1):.1f}%"
    bar = f"linear-gradient(90deg,rgba(31,119,180,.35) {share},transparent {share})"
    left, right = "text-align:left", "text-align:right"
    indented = f"{left};padding-left:{8 + 16 * step.depth}px"
    return (
        f'<tr{mark}><td style="{indented}">{escape(_name(step))}</td>'
        f'<td style="{right}">{entering}</td><td style="{right}">{leaving}</td>'
        f'<td style="{right};background:{bar}">{escape(fill)}</td><td style="{left}">{remark}</td>'
        f'<td style="{left}" title="{escape(step.source)}">{escape(source)}</td></tr>'
    )


def _ends(chain: "Chain") -> tuple[str, str]:
    row, col = chain.entry
    return f"Output {row} ({chain.output_place})", f"input {col} ({chain.input_place})"
