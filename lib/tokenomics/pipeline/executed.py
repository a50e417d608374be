"""The executed notebook as it is committed: prose filled with numbers, nothing in it that changes from run to run."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from tokenomics import paths
from tokenomics.notebook import prose

ADDRESS = re.compile(r" at 0x[0-9a-f]+>")
LINK = re.compile(r"\]\((\d\d_\w+)\.ipynb\)")
"""A link to another source notebook; in results each executed one has a folder of its own."""
WRITTEN_FOR = """Numbers, names and figures below are of this run; sentences that explain them were written for the
committed parameters and may not hold here."""
KEPT_METADATA = ("kernelspec",)
INJECTED_TAG = "injected-parameters"


def finish(
    notebook: Any, record: Mapping[str, Any], parameters: Mapping[str, Any], name: str, changed: Collection[str] = ()
) -> list[str]:
    """Fill the prose with metrics and parameters and drop what differs between two runs (in place).

    Args:
        record: what ``metrics.json`` holds.
        changed: parameters whose values are not the committed ones; the reader is told, under the title.

    Returns:
        What would be refused in a committed run: an output on stderr, a folder of this machine in an output.

    Raises:
        RunError: an unknown name in the prose.
    """
    known = prose.known(record["metrics"], parameters)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(r"](../\1/notebook.ipynb)", prose.filled(cell.source, known, name))
    _normalise(notebook)
    leaks = _leaks(notebook, name)
    _tell(notebook, {key: parameters[key] for key in changed}, [*record.get("warnings", []), *leaks])
    return leaks


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


def _leaks(notebook: Any, name: str) -> list[str]:
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                found += [f"{name}: a cell wrote to stderr: {line}" for line in _told(output["text"])]
            elif str(paths.ROOT) + "/" in json.dumps(output):
                found.append(f"{name}: an output names a folder of this machine: {cell.source.splitlines()[0]}")
    return list(dict.fromkeys(found))


def _told(text: str) -> list[str]:
    """What a text on stderr says: each warning once, without the place in the code; else its last line."""
    found = re.findall(r"^\S+:\d+: (\w*Warning: .*)$", text, re.MULTILINE)
    return list(dict.fromkeys(found)) or text.strip().splitlines()[-1:]


def _tell(notebook: Any, changed: Mapping[str, Any], warnings: list[str]) -> None:
    """Say under the title which parameters were changed, and at the end what the run warns of."""
    import nbformat

    if changed:
        values = ", ".join(f"`{key} = {json.dumps(value, ensure_ascii=False)}`" for key, value in changed.items())
        text = f"> **Not the committed parameters.** This run has {values}. {WRITTEN_FOR}"
        notebook.cells.insert(1, nbformat.v4.new_markdown_cell(text, id="other-parameters"))
    if warnings:
        lines = "\n".join(f"* {each}" for each in warnings)
        text = f"## Warnings of this run\n\n{lines}"
        notebook.cells.append(nbformat.v4.new_markdown_cell(text, id="warnings"))
