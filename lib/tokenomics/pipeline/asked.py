"""Figures and tables in formats that a paper takes: one figure by its name, or all of every notebook.

Each is drawn by running its notebook, so that it can be had for any parameters; results go to ``runs/``.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path

from tokenomics import paths
from tokenomics.errors import DataError, RunError, require
from tokenomics.notebook.figures import FORMATS
from tokenomics.parameters import loading
from tokenomics.parameters.loading import parse_override
from tokenomics.pipeline import run as runner
from tokenomics.sections import registry

OF_FIGURES = tuple(each for each in FORMATS if each != "tex")


def figures() -> dict[str, str]:
    """The notebook of each committed figure, by the figure's name (``NN_slug``)."""
    return {each.stem: each.parts[-3] for each in sorted(paths.RESULTS.glob("[0-9]*/figures/*.csv"))}


def figure_named(name: str) -> str:
    """A committed figure by ``NN_slug``, with or without a file's ending.

    Raises:
        DataError: no such figure; the nearest are listed.
    """
    known = figures()
    stem = name.removesuffix(Path(name).suffix) if Path(name).suffix[1:] in OF_FIGURES else name
    if stem not in known:
        near = difflib.get_close_matches(stem, known, 3, cutoff=0.4)
        raise DataError("figure", "name", name, f"nearest: {', '.join(near)}" if near else ", ".join(known))
    return stem


def figure(name: str, kind: str = "pdf", overrides: Iterable[str] = ()) -> Path:
    """Run the notebook of a figure and return the figure's file.

    Args:
        name: ``NN_slug`` of a committed figure.
        kind: ``png``, ``svg`` or ``pdf``.
        overrides: ``name=value`` texts.

    Raises:
        DataError: an unknown figure or format, or a parameter that is not allowed; nothing was started.
        RunError: the notebook failed, or does not draw this figure with these parameters.
    """
    paths.need_checkout("figure")
    stem = figure_named(name)
    require(kind in OF_FIGURES, "figure", "--format", kind, ", ".join(OF_FIGURES))
    notebook = figures()[stem]
    folder = runner.run(notebook, paths.RUNS / notebook, overrides=overrides, formats=[kind])
    drawn = folder / "figures" / f"{stem}.{kind}"
    if not drawn.is_file():
        raise RunError(f"figure {stem}: {notebook} does not draw it with these parameters")
    return drawn


def paper(out: Path | None = None, formats: Iterable[str] = ("svg", "pdf", "tex"), overrides: Iterable[str] = ()):
    """Run every notebook with the overrides that it has, and yield each one's folder as it is done.

    Args:
        out: folder for a folder of each notebook; default ``runs/paper``.
        formats: as for :func:`tokenomics.pipeline.run.run`.
        overrides: ``name=value`` texts; each goes to the notebooks that have such a parameter.

    Raises:
        DataError: a parameter that no notebook has, or a value that is not allowed; nothing was started.
        RunError: a notebook failed.
    """
    paths.need_checkout("paper")
    overrides, formats = list(overrides), list(formats)
    shares = {name: _share(name, overrides) for name in registry.NOTEBOOKS}
    every = {field for name in registry.NOTEBOOKS for field in registry.declared(name).model_fields}
    loading.refuse_unknown(dict(map(parse_override, overrides)), every, "--set", "")
    for name, share in shares.items():
        loading.load(registry.declared(name), overrides=share)
    for name, share in shares.items():
        yield runner.run(name, (out or paths.RUNS / "paper") / name, overrides=share, formats=formats)


def _share(notebook: str, overrides: Iterable[str]) -> list[str]:
    """The overrides of parameters that a notebook has."""
    return [each for each in overrides if parse_override(each)[0] in registry.declared(notebook).model_fields]
