"""A notebook that is run by hand, in a browser: its own answer and takeaway, with the numbers of this very run.

The prose of a source notebook holds ``{{key}}``; the runner of the pipeline fills it, a browser shows it as it is. So
the cell that begins shows answer and takeaway below itself and fills them as the cells record numbers, and the last
cell shows them once more. Nothing of it happens in a run of the pipeline, or outside a notebook.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tokenomics.notebook import prose

MARKS = ("**Answer.**", "> **Takeaway.**")
PENDING = "…"
NOTE = "*Numbers of this run{so_far}. [The committed run, with every figure](../results/{name}/notebook.ipynb)*"
_following: list[Callable] = []


def follow(source: Path, known: Callable[[], Mapping[str, Mapping[str, Any]]]) -> None:
    """Show answer and takeaway below the running cell, keep them up to date, and show them again after the last cell.

    Args:
        source: the notebook whose prose is filled.
        known: what its cells have recorded so far, as :func:`prose.known` gives it.
    """
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None or not source.is_file():
        return
    for earlier in _following:
        shell.events.unregister("post_run_cell", earlier)
    _following[:] = [_follower(source, known)]
    shell.events.register("post_run_cell", _following[0])


def _follower(source: Path, known: Callable[[], Mapping[str, Mapping[str, Any]]]) -> Callable:
    from IPython.display import Markdown, display

    text, last = template(source)
    shown = summary(text, known(), source.stem)
    handle = display(Markdown(shown), display_id=True)

    def after_cell(result: Any) -> None:
        nonlocal shown
        now = summary(text, known(), source.stem)
        if now != shown:
            handle.update(Markdown(now))
            shown = now
        if is_cell(result.info, last):
            display(Markdown(now))

    return after_cell


def summary(text: str, known: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """Answer and takeaway with the numbers that are there, and a link to the executed copy of the notebook."""
    now = prose.filled(text, known, name, PENDING)
    so_far = f" so far; {PENDING} is filled as its cells run" if PENDING in now else ""
    return f"{now}\n\n{NOTE.format(so_far=so_far, name=name)}"


def template(source: Path) -> tuple[str, Mapping[str, Any]]:
    """Answer and takeaway of a notebook, unfilled; and its last code cell."""
    import nbformat

    cells = nbformat.read(source, as_version=4).cells
    paragraphs = [each for cell in cells if cell.cell_type == "markdown" for each in cell.source.split("\n\n")]
    chosen = [each for each in paragraphs if each.startswith(MARKS)]
    return "\n\n".join(chosen), next((cell for cell in reversed(cells) if cell.cell_type == "code"), {})


def is_cell(info: Any, cell: Mapping[str, Any]) -> bool:
    """Whether what ran is this cell: by its id where the browser sends one, else by its text."""
    sent = getattr(info, "cell_id", None)
    return sent == cell.get("id") if sent else (info.raw_cell or "").strip() == cell.get("source", "").strip()
