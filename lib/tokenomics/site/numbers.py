"""Pages about the results: notebooks at a glance, headline numbers, all numbers and checks, the gallery."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenomics.facts import tables
from tokenomics.site import markdown
from tokenomics.site.notebooks import anchor, csv_link, drawn
from tokenomics.site.results import Result, source_keys

THUMBNAIL_PX = 640
PICTURES = "_images"
"""Folder of the images that pages show."""
NUMBERS_INTRODUCTION = """\
Everything that the notebooks record, at three significant digits; `metrics.json` of each result holds six. An
interval has the coverage that the notebook's parameters name. A check compares with an independent value or a bound and
stops the run when it fails, so what stands here has passed; *numbers* counts the values it compared.
"""
CLAIMS_INTRODUCTION = """\
The survey argues in words, others state numbers. Each claim stands beside the number that a notebook computes for it.
*Holds when* names the condition; *open* waits for a notebook or for a number that can be compared. *Read* says whether
the claim was read in the text itself, taken from others that summarise it (secondary), or could not be had (unread).
"""
CLAIM_COLUMNS = ("claim", "stated", "ours", "verdict", "notebook", "read", "source")
GALLERY_INTRODUCTION = """\
Each picture leads to the place where its notebook draws it; CSV is the data it was drawn from.
"""


def overview(runs: Sequence[Result], source: Path) -> str:
    """One card a notebook: its first figure, its question, its answer; writes the thumbnails below ``source``."""
    return _grid(_overview_card(result, source) for result in runs)


def _grid(cards: Iterable[str]) -> str:
    return f":::::{{grid}} 1 2 2 2\n:gutter: 3\n\n{''.join(cards)}:::::\n"


def _overview_card(result: Result, source: Path) -> str:
    figure = next(iter(drawn(result)), None)
    picture = ""
    if figure:
        alt = " ".join(result.record["figures"][figure]["caption"].split())
        picture = f":img-top: /{thumbnail(result, figure, source)}\n:img-alt: {alt}\n"
    return (
        f"::::{{grid-item-card}} {result.title}\n:link: /notebooks/{result.name}\n:link-type: doc\n{picture}\n"
        f"**{result.paragraph('**Question.**')}**\n\n{result.paragraph('**Answer.**')}\n::::\n\n"
    )


def headline(runs: Sequence[Result]) -> str:
    """The numbers that answers and takeaways name."""
    rows = [
        [*_metric(result.record["metrics"][key]), f"[{result.name[:2]}](/notebooks/{result.name})"]
        for result in runs
        for key in result.headline_keys()
    ]
    return markdown.table(("what", ">value", "interval", "unit", "notebook"), rows)


def _metric(entry: dict[str, Any]) -> list[str]:
    ranged = bool({"low", "high"} & set(entry))
    unit = entry["unit"]
    bounds = [markdown.quantity(entry[side], unit, fixed=True) if side in entry else "…" for side in ("low", "high")]
    interval = "&nbsp;to&nbsp;".join(bounds) if ranged else ""
    value = markdown.quantity(entry["value"], unit, fixed=ranged)
    return [markdown.text(entry["meaning"]), value, interval, markdown.unit(unit)]


def all_numbers(runs: Sequence[Result]) -> str:
    """Every metric and every check, by notebook."""
    parts = ["# Numbers and checks\n", NUMBERS_INTRODUCTION]
    for result in runs:
        metrics = [[*_metric(entry), f"`{key}`"] for key, entry in result.record["metrics"].items()]
        checks = [[markdown.text(name), *_check(entry)] for name, entry in result.record["checks"].items()]
        parts += [f"## {result.title}\n", "### Numbers\n"]
        parts += [markdown.table(("what", ">value", "interval", "unit", "key"), metrics), "### Checks\n"]
        parts += [markdown.table(("check", ">numbers", "found", "allowed"), checks)]
    return "\n".join(parts)


def _check(entry: dict[str, Any]) -> list[str]:
    if "largest_deviation" in entry:
        found = f"off by at most {markdown.number(entry['largest_deviation'])}"
        allowed = f"off by {markdown.number(entry['allowed_deviation'])}"
    else:
        found = _range(entry.get("smallest"), entry.get("largest"))
        allowed = _range(entry.get("low"), entry.get("high"))
    return [markdown.number(entry.get("n", 1)), found, allowed]


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return "" if high is None else f"at most {markdown.number(high)}"
    return f"at least {markdown.number(low)}" if high is None else f"{markdown.number(low)} to {markdown.number(high)}"


def claims(runs: Sequence[Result]) -> str:
    """What the survey and others claim, by section: our number, the verdict and the condition under which it holds."""
    by_name = {result.name: result for result in runs}
    rows = tables.records("catalogue/paper_claims")
    parts = ["# Claims and what became of them\n", CLAIMS_INTRODUCTION]
    for section in sorted({row["section"] for row in rows}):
        lines = [_claim(row, by_name) for row in rows if row["section"] == section]
        parts += [f"## Section {section}\n", markdown.table(CLAIM_COLUMNS, lines)]
    return "\n".join(parts)


def _claim(row: Mapping[str, Any], results: Mapping[str, Result]) -> list[str]:
    result = results.get(row["notebook"])
    entry = result.record["metrics"].get(row["metric"]) if result else None
    where = f"[{row['notebook'][:2]}](/notebooks/{row['notebook']})" if result else "to come"
    _, value, interval, unit = _metric(entry) if entry else ["", "", "", ""]
    ours = " ".join(filter(None, (value, unit, f"({interval})" if interval else "")))
    stated = f"{markdown.number(row['stated'])} {markdown.unit(row['unit'])}".strip() if row["stated"] else ""
    verdict = " ".join(filter(None, (row["verdict"], markdown.text(row["condition"] or ""))))
    sources = markdown.cited(source_keys(row["source"]))
    return [markdown.text(row["claim"]), stated, ours, verdict, where, row["read"], sources]


def gallery(runs: Sequence[Result], source: Path) -> str:
    """Every figure with caption, sources and files, then every result table; writes the thumbnails."""
    parts = ["# Gallery\n", GALLERY_INTRODUCTION]
    for result in runs:
        parts += [f"## {result.title}\n", _grid(_card(result, name, source) for name in drawn(result))]
        rows = [
            [markdown.text(entry["caption"]), f"[notebook](/notebooks/{result.name})", csv_link(result, "tables", name)]
            for name, entry in result.record["tables"].items()
        ]
        parts += [markdown.table(("table", "where", "file"), rows)] if rows else []
    return "\n".join(parts)


def _card(result: Result, name: str, source: Path) -> str:
    beside = result.beside("figures", name)
    links = [
        csv_link(result, "figures", name),
        f'<a href="{PICTURES}/{name}.png">PNG</a>',
        f"[notebook {result.name[:2]}](#{anchor(name)})",
    ]
    links += [markdown.cited(source_keys(beside["source"]))]
    return (
        f"::::{{grid-item-card}}\n:::{{image}} /{thumbnail(result, name, source)}\n"
        f":alt: {' '.join(beside['caption'].split())}\n"
        f":target: notebooks/{result.name}.html#{anchor(name)}\n:::\n\n{markdown.text(beside['caption'])}\n\n"
        f":::{{div}} card-links\n{' · '.join(filter(None, links))}\n:::\n::::\n\n"
    )


def thumbnail(result: Result, name: str, source: Path) -> str:
    """Write a smaller PNG, as wide as a gallery column on a fine screen, and return its name below ``source``."""
    from PIL import Image

    small = source / "thumbnails" / f"{name}_small.png"
    if not small.exists():
        small.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(result.folder / "figures" / f"{name}.png") as image:
            size = THUMBNAIL_PX, round(image.height * THUMBNAIL_PX / image.width)
            image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(small)
    return small.relative_to(source).as_posix()
