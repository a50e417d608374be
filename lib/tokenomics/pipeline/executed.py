"""The executed notebook as it is committed: prose filled with numbers, nothing in it that changes from run to run."""

import json
import re
from collections.abc import Mapping
from typing import Any

from tokenomics import paths
from tokenomics.errors import RunError

PLACEHOLDER = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)(?:\.(low|high))?(?::([^{}\s]+))?\s*\}\}")
ADDRESS = re.compile(r" at 0x[0-9a-f]+>")
LINK = re.compile(r"\]\((\d\d_\w+)\.ipynb\)")
"""A link to another source notebook; in results each executed one has a folder of its own."""
DEFAULT_FORMAT = ".3g"
KEPT_METADATA = ("kernelspec",)
INJECTED_TAG = "injected-parameters"


def finish(notebook: Any, metrics: Mapping[str, Mapping[str, Any]], parameters: Mapping[str, Any], name: str) -> None:
    """Fill the prose with metrics and parameters and drop what differs between two runs (in place).

    Raises:
        RunError: an unknown name in the prose, an output on stderr, or a folder of this machine in an output.
    """
    known = {**{key: {"value": value} for key, value in parameters.items()}, **metrics}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(r"](../\1/notebook.ipynb)", filled(cell.source, known, name))
    _normalise(notebook)
    _refuse_leaks(notebook, name)


def filled(text: str, known: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """``text`` with every ``{{key}}`` replaced by its value, three significant digits unless a format is given.

    Raises:
        RunError: an unknown key, a bound that the metric does not have, or a format that does not fit.
    """

    def number(match: re.Match) -> str:
        key, bound, form = match.groups()
        entry = known.get(key, {})
        part = bound or "value"
        if part not in entry:
            raise RunError(f"{name}: the prose names {match.group(0)}, known are {', '.join(sorted(known))}")
        value = entry[part]
        try:
            return format(value, form or ("" if isinstance(value, str | int) else DEFAULT_FORMAT))
        except ValueError as error:
            raise RunError(f"{name}: {match.group(0)}: {error}") from None

    return PLACEHOLDER.sub(number, text)


def _normalise(notebook: Any) -> None:
    notebook.metadata = {key: notebook.metadata[key] for key in KEPT_METADATA if key in notebook.metadata}
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = {"tags": tags} if tags else {}
        if INJECTED_TAG in tags:
            cell["id"] = INJECTED_TAG
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_address(output)]


def _is_address(output: Any) -> bool:
    """The repr of an object without one of its own, such as a plot's handle: noise, and another address each run."""
    data = output.get("data", {})
    return set(data) == {"text/plain"} and bool(ADDRESS.search(data["text/plain"]))


def _refuse_leaks(notebook: Any, name: str) -> None:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise RunError(f"{name}: a cell wrote to stderr: {output['text'].strip().splitlines()[-1]}")
            if str(paths.ROOT) + "/" in json.dumps(output):
                raise RunError(f"{name}: an output names a folder of this machine: {cell.source.splitlines()[0]}")
