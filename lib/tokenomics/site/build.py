"""Prepare the pages of the site and let Sphinx build them; any warning stops it."""

import shutil
import sys
from pathlib import Path

from tokenomics import outputs, paths
from tokenomics.errors import RunError
from tokenomics.facts import tables
from tokenomics.site import dictionary, notebooks, numbers, reference
from tokenomics.site.results import Result, results

SITE = paths.ROOT / "site"
BUILD = SITE / "_build"


def build(folder: Path = paths.RESULTS, out: Path = BUILD) -> Path:
    """Build the site from results and return the folder of its pages.

    Args:
        folder: folder that holds ``NN_name/`` results.
        out: build folder, replaced if it is an earlier one that nobody changed.

    Raises:
        DataError: see :func:`tokenomics.outputs.check_folder`.
        RunError: nothing to show, or Sphinx warned.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # see tokenomics.pipeline.run
    from sphinx.cmd.build import build_main

    with outputs.folder(out, "site", failed=paths.FAILED / "site") as fresh:
        source = fresh / "source"
        prepare(results(folder), source)
        options = ["-q", "-W", "--keep-going", "-j", "2", "-d", str(fresh / "doctrees")]
        if build_main([*options, "-b", "html", str(source), str(fresh / "html")]):
            raise RunError("site: Sphinx warned")
    return out / "html"


def prepare(runs: list[Result], source: Path) -> None:
    """Write everything that Sphinx reads: hand-written pages, generated pages, notebooks and the files they link to."""
    import nbformat

    shutil.copytree(SITE, source, ignore=shutil.ignore_patterns("_build", ".*", "__pycache__"))
    for font in math_fonts():
        shutil.copyfile(font, source / "style" / font.name)
    for name, text in generated_pages(runs, source).items():
        _write(source / name, text)
    known = {result.name for result in runs}
    for result in runs:
        _write(source / "notebooks" / f"{result.name}.ipynb", nbformat.writes(notebooks.page(result, known)))
        for kind in ("figures", "tables"):
            shutil.copytree(result.folder / kind, source / "files" / "results" / result.name / kind)
    for path in [*tables.all_tables(), paths.DATA / "sources.csv"]:
        copy = source / "files" / paths.shown(path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def math_fonts() -> list[Path]:
    """Fonts with mathematical letters and with signs that stretch, for readers whose system has none.

    Both come with Matplotlib; no single one of its fonts has letters, signs and correct positions of subscripts.
    """
    from matplotlib import get_data_path

    return [Path(get_data_path()) / "fonts" / "ttf" / name for name in ("STIXGeneral.ttf", "DejaVuSerif.ttf")]


def generated_pages(runs: list[Result], source: Path) -> dict[str, str]:
    """File name to text of everything written from results, tables and declarations."""
    return {
        "made/overview.md": numbers.overview(runs, source),
        "made/headline.md": numbers.headline(runs),
        "made/tables.md": dictionary.overview(),
        "made/packages.md": reference.packages(),
        "made/layers.md": reference.layers(),
        "numbers.md": numbers.all_numbers(runs),
        "claims.md": numbers.claims(runs),
        "gallery.md": numbers.gallery(runs, source),
        "parameters.md": reference.parameters(),
        "bibliography.md": reference.BIBLIOGRAPHY,
        "references.bib": reference.bibtex(),
        **{f"{name}.md": text for name, text in dictionary.pages().items()},
        **{f"{name}.rst": text for name, text in reference.api_pages().items()},
    }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
