"""Figures: rounded data are written first and drawn from that file; the PNG is deterministic, with a caption beside.

``data = figures.data("slug", frame)`` writes the CSV and returns it as read back; after drawing,
``figures.save(fig, "slug", caption=...)`` writes the PNG and a JSON with caption, units and the parameters' hash.
"""

import functools
import html
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tokenomics.errors import RunError, require
from tokenomics.facts.sources import cite
from tokenomics.notebook import figure_lint, report, rounding, style, units
from tokenomics.notebook.context import current
from tokenomics.notebook.report import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS_VARIABLE = "TOKENOMICS_FORMATS"
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
FORMATS = (*METADATA, "tex")
"""What a run can write: pictures in the first three, tables in the last; PNG always."""
WIDTH_PX = 525
LARGE_BYTES = 150_000
"""Pictures above are kept in a palette of 256 colours."""
NOTHING = "no data with these parameters"
_drawn_from: dict[str, dict[str, str]] = {}


def check_formats(formats: Iterable[str]) -> list[str]:
    """The formats, each once.

    Raises:
        DataError: one that no figure or table has.
    """
    asked = list(dict.fromkeys(formats))
    for each in asked:
        require(each in FORMATS, "run", "--formats", each, ", ".join(FORMATS))
    return asked


def canvas(rows: int = 1, columns: int = 1, height_in: float = style.HEIGHT_IN, **options: Any):
    """A figure one journal column wide and its axes, as :func:`matplotlib.pyplot.subplots` gives them."""
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, figsize=(style.COLUMN_WIDTH_IN, height_in), **options)


def gap(text: str, height_in: float = style.HEIGHT_IN) -> "Figure":
    """A figure of which there is nothing to draw, and that says why."""
    fig, axes = canvas(height_in=height_in)
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", wrap=True)
    return fig


def drawing(draw: Callable[..., "Figure"]) -> Callable[..., "Figure"]:
    """Let a function that draws frames say so where one of them has no rows."""

    @functools.wraps(draw)
    def drawn(*given: Any, **options: Any) -> "Figure":
        nothing = any(isinstance(each, pd.DataFrame) and each.empty for each in given)
        return gap(NOTHING) if nothing else draw(*given, **options)

    return drawn


def point_out(axes: "Axes", text: str, x: float, y: float, *, left: bool = False) -> None:
    """Write ``text`` beside a point (or at the start of a line), to its right and a little above, or to its left."""
    offset, side = ((-5, 0), "right") if left else ((3, 4), "left")
    axes.annotate(text, (x, y), xytext=offset, textcoords="offset points", ha=side, fontsize=6.5)


def data(slug: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Write a figure's data and return it as the file holds it.

    Args:
        slug: name of the figure, without the notebook's number.
        frame: tidy data, rows in their final order; units follow from the
            columns' names (:mod:`tokenomics.notebook.units`).

    Raises:
        RunError: a column whose name tells no unit, or (in a committed run) an empty frame.
    """
    if frame.empty:
        current().complain(f"figure {slug}: no data to draw")
    _drawn_from[slug] = units.units(frame)
    return rounding.write_csv(frame, _path(slug, "csv"))


def save(fig: "Figure", slug: str, caption: str, source: str = "", metrics: Mapping[str, Metric] | None = None):
    """Check and save a figure; returns what a cell shows: the picture, or in a run of the pipeline a link to it.

    Args:
        caption: one or two sentences that stand without the text around them; also the picture's alternative text.
        source: source keys joined by ``;``.
        metrics: numbers of the figure that prose refers to.

    Raises:
        RunError: :func:`data` was not called for this slug, or the figure of a committed run breaks a rule of
            :mod:`figure_lint`. That of another run is laid out again; what then remains is a warning.
    """
    import matplotlib.pyplot as plt
    from IPython.display import Image, Markdown
    from matplotlib.ticker import MaxNLocator

    if slug not in _drawn_from:
        raise RunError(f"figure {slug}: call figures.data first, and draw from what it returns")
    for axes in fig.axes:
        if axes.get_xlabel().endswith("[year]"):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    context = current()
    with warnings.catch_warnings():
        if not context.strict:
            warnings.simplefilter("ignore", UserWarning)  # of layouts that are given up
        faults = figure_lint.faults(fig)
        if faults and not context.strict:
            faults = figure_lint.laid_out_again(fig)
    if faults:
        context.complain(f"figure {slug}: " + "; ".join(faults))
    wanted = os.environ.get(FORMATS_VARIABLE, "").split(",")
    for kind in ("png", *(each for each in METADATA if each in wanted and each != "png")):
        fig.savefig(_path(slug, kind), metadata=METADATA[kind], dpi=style.DPI)
    _fewer_colours(_path(slug, "png"))
    plt.close(fig)
    report.record(metrics or {})
    entry = {
        "caption": caption,
        "units": _drawn_from.pop(slug),
        "source": cite(source),
        "notebook": context.name,
        "parameters": context.parameters_hash,
    }
    rounding.write_json(entry, _path(slug, "json"))
    context.add("figures", f"{context.number}_{slug}", {"caption": caption})
    picture = _path(slug, "png")
    if not context.linked:
        return Image(filename=str(picture), width=WIDTH_PX, alt=caption)
    link, words = picture.relative_to(context.out).as_posix(), html.escape(caption)
    return Markdown(f'<img src="{link}" alt="{words}" width="{WIDTH_PX}">')


def _path(slug: str, ending: str):
    return current().out / "figures" / f"{current().number}_{slug}.{ending}"


def _fewer_colours(path: Path) -> None:
    """Keep a large picture, such as a map with numbers, in a palette: the same to the eye, a third as big."""
    if path.stat().st_size <= LARGE_BYTES:
        return
    from PIL import Image

    with Image.open(path) as picture:
        palette = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        palette.save(path, optimize=True, dpi=picture.info["dpi"])
