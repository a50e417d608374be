"""The executed notebook as it is committed: prose filled with numbers, nothing in it that changes from run to run."""

import json
import re
from collections.abc import Mapping
from typing import Any

from tokenomics import paths
from tokenomics.errors import RunError
from tokenomics.notebook import prose

ADDRESS = re.compile(r" at 0x[0-9a-f]+>")
LINK = re.compile(r"\]\((\d\d_\w+)\.ipynb\)")
"""A link to another source notebook; in results each executed one has a folder of its own."""
KEPT_METADATA = ("kernelspec",)
INJECTED_TAG = "injected-parameters"


def finish(notebook: Any, metrics: Mapping[str, Mapping[str, Any]], parameters: Mapping[str, Any], name: str) -> None:
    """Fill the prose with metrics and parameters and drop what differs between two runs (in place).

    Raises:
        RunError: an unknown name in the prose, an output on stderr, or a folder of this machine in an output.
    """
    known = prose.known(metrics, parameters)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(r"](../\1/notebook.ipynb)", prose.filled(cell.source, known, name))
    _normalise(notebook)
    _refuse_leaks(notebook, name)


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
