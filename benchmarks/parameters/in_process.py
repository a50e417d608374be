"""A notebook executed without a kernel: its cells, one after the other, in this process.

Much faster than a kernel for each, for many runs of which only the outcome counts. What a run of the pipeline refuses
after the cells (prose, outputs, stderr) is refused here by the same code.
"""

import contextlib
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

import nbformat

from tokenomics import paths
from tokenomics.errors import RunError
from tokenomics.notebook import style
from tokenomics.notebook.context import OUT_VARIABLE, STRICT_VARIABLE
from tokenomics.parameters import loading
from tokenomics.pipeline import environment, executed, run
from tokenomics.sections import registry

COARSE_DPI = 40
"""Of the pictures, which nobody looks at; they are laid out and judged as any others."""


def execute(notebook: str, out: Path, overrides: Iterable[str] = ()) -> list[str]:
    """Run a notebook with overrides (``name=value``) into ``out``; returns the warnings of the run.

    Raises:
        DataError: a parameter is not allowed.
        RunError: a cell or the prose failed.
    """
    checked = loading.load(registry.declared(notebook), None, overrides)
    parameters = checked.model_dump()
    style.DPI = COARSE_DPI
    environment.apply({OUT_VARIABLE: str(out), STRICT_VARIABLE: ""})
    document = nbformat.read(paths.NOTEBOOKS / f"{notebook}.ipynb", as_version=4)
    names = {"__name__": "__main__"}
    os.chdir(paths.NOTEBOOKS)
    for number, cell in enumerate(document.cells):
        if cell.cell_type == "code":
            _run_cell(cell, names, f"{notebook}: cell {number}")
            names |= parameters if "parameters" in cell.metadata.get("tags", []) else {}
    record = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    leaks = executed.finish(document, record, parameters, notebook, run.changed(checked))
    return [*record.get("warnings", []), *leaks]


def _run_cell(cell: nbformat.NotebookNode, names: dict, where: str) -> None:
    told, said = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(said):
            exec(compile(cell.source, where, "exec"), names)
    except Exception as error:
        raise RunError(f"{where} raised {type(error).__name__}: {error}") from error
    for name, text in (("stdout", told.getvalue()), ("stderr", said.getvalue())):
        if text:
            cell.outputs.append(nbformat.v4.new_output("stream", name=name, text=text))
