"""Static rules for source notebooks: the anatomy that a reader finds in each of them."""

import ast
import itertools
import re

import nbformat
import pytest

from tokenomics import paths

NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("*.ipynb"))
LONGEST_CELL, LONGEST_FUNCTION, MOST_CELLS = 15, 10, 60
SECTIONS = ["## Data", "## Model", "## Figures", "## Check", "## Takeaway", "## What would change it"]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code(notebook) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_sections_stand_in_order(notebook):
    headings = [line for line in prose(notebook).splitlines() if line.startswith("## ")]
    found = [
        next((i for i, heading in enumerate(headings) if heading.startswith(section)), None) for section in SECTIONS
    ]
    assert None not in found, f"missing: {SECTIONS[found.index(None)]}"
    assert found == sorted(found)
    assert prose(notebook).startswith("# ") and "**Question.**" in prose(notebook) and "**Answer.**" in prose(notebook)
    assert re.search(r"> \*\*Takeaway\.\*\* .*\{\{\w+", prose(notebook)), "the takeaway prints no number"
    last = notebook.cells[-1].source
    assert "make run NB=" in last
    linked = re.findall(r"\]\((\w+)\.ipynb\)", last)
    assert linked and all((paths.NOTEBOOKS / f"{name}.ipynb").exists() for name in linked)


def test_code_cells_are_short_and_plain(notebook):
    for cell in notebook.cells:
        if cell.cell_type != "code" or "parameters" in cell.metadata.get("tags", []):
            continue
        assert cell.source.count("\n") < LONGEST_CELL, cell.source.splitlines()[0]
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.ClassDef)
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < LONGEST_FUNCTION, node.name
    assert len(notebook.cells) <= MOST_CELLS


def test_prose_and_code_alternate(notebook):
    kinds = [cell.cell_type for cell in notebook.cells]
    runs = [sum(1 for _ in group) for kind, group in itertools.groupby(kinds) if kind == "code"]
    assert max(runs) <= 3


def test_nothing_points_outside(notebook):
    text = "\n".join(code(notebook))
    assert not re.search(r"https?://|(?<![\w.])/(?:home|root|tmp|mnt|Users)/|urlopen|import requests", text)


def test_prose_types_no_result(notebook):
    """Numbers of the takeaway and the answer come from code: no digits there outside ``{{...}}``."""
    lines = [line for line in prose(notebook).splitlines() if line.startswith(("> **Takeaway", "**Answer"))]
    for line in lines:
        typed = re.findall(r"(?<![\w.{-])\d+(?:\.\d+)?(?![\w}-])", re.sub(r"\{\{.*?\}\}", "", line))
        assert not typed, f"typed by hand: {typed} in {line}"


def test_ids_are_fixed_and_unique(notebook):
    ids = [cell["id"] for cell in notebook.cells]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"[a-z0-9-]+", each) for each in ids)
