"""Executed notebooks as pages: prose, figures and tables first, code one click away."""

import base64
import contextlib
import csv
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tokenomics.pipeline.executed import INJECTED_TAG
from tokenomics.site import markdown
from tokenomics.site.results import Result

TAKEAWAY = re.compile(r"^> \*\*Takeaway\.\*\* *(.+?)(?=\n\s*\n|\Z)", re.M | re.S)
OTHER_NOTEBOOK = re.compile(r"\[([^\]]+)\]\(\.\./(\d\d_\w+)/notebook\.ipynb\)")
DRAWING_STATE = re.compile(r"<matplotlib|<Axes|<seaborn|\(np\.float64|^\[?Text\(")
MOST_ROWS = 200


def anchor(name: str) -> str:
    """The anchor of a figure on its notebook's page."""
    return "fig-" + name.replace("_", "-")


def files(result: Result, kind: str, name: str, endings: tuple[str, ...] = ("csv",)) -> str:
    """Links to the files of a figure or table."""
    folder = f"/files/results/{result.name}/{kind}"
    return " ".join(f"[{ending.upper()}]({folder}/{name}.{ending})" for ending in endings)


def page(result: Result, known: set[str]) -> Any:
    """The notebook as Sphinx shall read it.

    Args:
        known: the notebooks that have a page; links to others become plain words.
    """
    notebook = result.read_notebook()
    pictures = drawn(result)
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = prose(cell.source, known)
        if INJECTED_TAG not in cell.metadata.get("tags", []):
            cells += [cell] if cell.cell_type == "markdown" else _code(result, cell, pictures)
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


def drawn(result: Result) -> dict[str, str]:
    """The figures of a result by their picture as it stands in the notebook (base64), in the notebook's order."""
    paths = {name: result.folder / "figures" / f"{name}.png" for name in result.record["figures"]}
    encoded = {base64.b64encode(path.read_bytes()).decode(): name for name, path in paths.items()}
    shown = [picture(output) for cell in result.notebook.cells for output in cell.get("outputs", [])]
    return {each: encoded[each] for each in shown if each in encoded}


def picture(output: Any) -> str:
    """The PNG of an output as base64 on one line; empty where there is none."""
    return output.get("data", {}).get("image/png", "").replace("\n", "")


def _code(result: Result, cell: Any, pictures: Mapping[str, str]) -> list[Any]:
    """A code cell, folded, its figure captioned; a saved table follows as a table of the site."""
    import nbformat

    cell.metadata = {"tags": ["hide-input"], "mystnb": _shown(result, cell, pictures)}
    cell.outputs = [output for output in cell.outputs if not _is_drawing_state(output)]
    saved = cell.source.partition("tables.save(")[2]
    name = next((name for name in result.record["tables"] if f'"{name.split("_", 1)[1]}"' in saved), None)
    if name is None:
        return [cell]
    cell.outputs = [output for output in cell.outputs if "text/html" not in output.get("data", {})]
    return [cell, nbformat.v4.new_markdown_cell(result_table(result, name), id=f"{cell.id}-table")]


def _shown(result: Result, cell: Any, pictures: Mapping[str, str]) -> dict[str, Any]:
    if cell.id == "parameters":
        return {"code_prompt_show": "Parameters", "code_prompt_hide": "Parameters"}
    name = next((pictures[picture(output)] for output in cell.outputs if picture(output) in pictures), None)
    if name is None:
        return {}
    words = result.record["figures"][name]["caption"]
    caption = f"{markdown.text(words)} {files(result, 'figures', name)}"
    return {"figure": {"name": anchor(name), "caption": caption}, "image": {"alt": words}}


def _is_drawing_state(output: Any) -> bool:
    data = output.get("data", {})
    return set(data) == {"text/plain"} and bool(DRAWING_STATE.search(data["text/plain"]))


def result_table(result: Result, name: str) -> str:
    """A saved table at three significant digits, units in its head, caption and CSV below."""
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
    caption = f"{markdown.text(beside['caption'])}{more} {files(result, 'tables', name)}"
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
    return markdown.text(words) if kind is str or not words or unit == "year" else markdown.number(kind(words))
