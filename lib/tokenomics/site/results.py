"""The committed results as the site needs them: one record for each executed notebook."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.errors import RunError
from tokenomics.facts.sources import cite, sources
from tokenomics.pipeline import headlines


@dataclass(frozen=True)
class Result:
    """One folder ``results/NN_name``."""

    folder: Path

    @property
    def name(self) -> str:
        """``NN_name``."""
        return self.folder.name

    @cached_property
    def record(self) -> dict[str, Any]:
        """``metrics.json``: metrics, checks, figures, tables, parameters, inputs."""
        return json.loads((self.folder / "metrics.json").read_text(encoding="utf-8"))

    @cached_property
    def notebook(self) -> Any:
        """The executed notebook, for reading; :meth:`read_notebook` gives a copy to change."""
        return self.read_notebook()

    def read_notebook(self) -> Any:
        """The executed notebook as it lies on disk."""
        return _read(self.folder / "notebook.ipynb")

    @property
    def title(self) -> str:
        """The first heading."""
        return _prose(self.notebook).splitlines()[0].removeprefix("# ").strip()

    def paragraph(self, start: str) -> str:
        """The paragraph that starts with ``start``, without it; empty where there is none."""
        found = re.search(rf"^{re.escape(start)}\s*(.+?)(?=\n\s*\n|\Z)", _prose(self.notebook), re.M | re.S)
        return " ".join(found.group(1).split()) if found else ""

    def beside(self, kind: str, name: str) -> dict[str, Any]:
        """The JSON beside a figure or table: caption, units, source."""
        return json.loads((self.folder / kind / f"{name}.json").read_text(encoding="utf-8"))

    def headline_keys(self) -> list[str]:
        """Metrics that the answer and the takeaway name (see :mod:`tokenomics.pipeline.headlines`)."""
        return headlines.keys(self.name, self.record)


def _read(path: Path) -> Any:
    import nbformat

    return nbformat.read(path, as_version=4)


def _prose(notebook: Any) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def results(folder: Path = paths.RESULTS) -> list[Result]:
    """All committed results, sorted by notebook.

    Raises:
        RunError: there is none.
    """
    runs = [Result(path.parent) for path in sorted(folder.glob("[0-9][0-9]_*/metrics.json"))]
    if not runs:
        raise RunError(f"{paths.shown(folder)}: no results to show; run `make reproduce` first")
    return runs


def source_keys(citation: str) -> list[str]:
    """The keys behind a citation as it stands beside a figure (the inverse of :func:`tokenomics.facts.sources.cite`).

    Titles may contain the separator, so the longest citation that the text starts with is taken away, one at a time.
    """
    texts = sorted(((cite(key), key) for key in sources()), key=lambda pair: (-len(pair[0]), pair))
    keys, rest = [], citation
    while rest:
        key, length = next(((key, len(words)) for words, key in texts if rest.startswith(words)), ("", len(rest)))
        keys += [key] if key else []
        rest = rest[length:].removeprefix("; ")
    return keys
