"""Executed notebooks as pages: prose, figures and tables first, code folded."""

import contextlib
import csv
import re
from collections.abc import Sequence
from typing import Any

from tokenomics.pipeline.executed import INJECTED_TAG
from tokenomics.site import markdown
from tokenomics.site.results import Result

TAKEAWAY = re.compile(r"^> \*\*Takeaway\.\*\* *(.+?)(?=\n\s*\n|\Z)", re.M | re.S)
OTHER_NOTEBOOK = re.compile(r"\[([^\]]+)\]\(\.\./(\d\d_\w+)/notebook\.ipynb\)")
LINKED_FIGURE = re.compile(r'<img src="figures/(\w+)\.png"')
MOST_ROWS = 200


def anchor(name: str) -> str:
    """The anchor of a figure on its notebook's page."""
    return "fig-" + name.replace("_", "-")


def csv_link(result: Result, kind: str, name: str) -> str:
    """A link to the data of a figure or table."""
    return f"[CSV](/files/results/{result.name}/{kind}/{name}.csv)"


def page(result: Result, known: set[str]) -> Any:
    """The notebook in the form that Sphinx reads.

    Args:
        known: the notebooks that have a page; links to others become plain words.
    """
    notebook = result.read_notebook()
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = prose(cell.source, known)
        if INJECTED_TAG not in cell.metadata.get("tags", []):
            cells += [cell] if cell.cell_type == "markdown" else _code(result, cell)
    notebook.cells = cells
    return notebook


def prose(source: str, known: set[str]) -> str:
    """Prose with its takeaway boxed, and without links to notebooks that have no page."""

    def box(found: re.Match) -> str:
        words = re.sub(r"^> ?", "", found.group(1), flags=re.M)
        return f":::{{admonition}} Takeaway\n:class: takeaway\n{words}\n:::"

    def page_link(found: re.Match) -> str:
        words, name = found.groups()
        return f"[{words}]({name}.ipynb)" if name in known else words

    return OTHER_NOTEBOOK.sub(page_link, TAKEAWAY.sub(box, source))


def drawn(result: Result) -> list[str]:
    """The figures that a notebook shows, in its order."""
    shown = [linked(output) for cell in result.notebook.cells for output in cell.get("outputs", [])]
    return list(dict.fromkeys(filter(None, shown)))


def linked(output: Any) -> str:
    """The figure that an output links to (see :func:`tokenomics.notebook.figures.save`); empty where there is none."""
    link = LINKED_FIGURE.search(output.get("data", {}).get("text/markdown", ""))
    return link.group(1) if link else ""


def _code(result: Result, cell: Any) -> list[Any]:
    """A code cell, folded; a figure that it shows and a table that it saves follow as prose, captioned."""
    from nbformat.v4 import new_markdown_cell

    cell.metadata = {"tags": ["hide-input"]}
    if cell.id == "parameters":
        cell.metadata["mystnb"] = {"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
    figures = [name for name in map(linked, cell.outputs) if name]
    saved = cell.source.partition("tables.save(")[2]
    tables = [name for name in result.record["tables"] if f'"{name.split("_", 1)[1]}"' in saved]
    cell.outputs = [output for output in cell.outputs if not linked(output)]
    if tables:
        cell.outputs = [output for output in cell.outputs if "text/html" not in output.get("data", {})]
    shown = [figure(result, name) for name in figures] + [result_table(result, name) for name in tables]
    return [cell, *(new_markdown_cell(text, id=f"{cell.id}-{place}") for place, text in enumerate(shown))]


def figure(result: Result, name: str) -> str:
    """A figure with its caption and a link to its data, as MyST reads it."""
    words = result.record["figures"][name]["caption"]
    options = f":name: {anchor(name)}\n:alt: {' '.join(words.split())}\n:figclass: result-figure"
    caption = f"{markdown.text(words)} {csv_link(result, 'figures', name)}"
    return f":::{{figure}} /files/results/{result.name}/figures/{name}.png\n{options}\n\n{caption}\n:::"


def result_table(result: Result, name: str) -> str:
    """A saved table at three significant digits, shares in per cent, units in its head, caption and CSV below."""
    beside = result.beside("tables", name)
    with (result.folder / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    units = [beside["units"].get(column, "") for column in header]
    kinds = [_kind([row[i] for row in rows]) for i in range(len(header))]
    titles = [
        f"{markdown.text(column.replace('_', ' '))}<br><small>{markdown.unit(unit)}</small>"
        for column, unit in zip(header, units, strict=True)
    ]
    head = [title if kind is str else f">{title}" for title, kind in zip(titles, kinds, strict=True)]
    body = [[_cell(*each) for each in zip(row, units, kinds, strict=True)] for row in rows[:MOST_ROWS]]
    more = f" First {MOST_ROWS} of {len(rows)} rows." if len(rows) > MOST_ROWS else ""
    caption = f"{markdown.text(beside['caption'])}{more} {csv_link(result, 'tables', name)}"
    return f":::{{div}} result-table\n{markdown.table(head, body)}\n{caption}\n:::"


def _kind(column: Sequence[str]) -> type:
    """What a column of a CSV holds: whole numbers, numbers or words; empty cells decide nothing."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            for words in filter(None, column):
                kind(words)
            return kind
    return str


def _cell(words: str, unit: str, kind: type) -> str:
    return markdown.text(words) if kind is str or not words else markdown.quantity(kind(words), unit)
