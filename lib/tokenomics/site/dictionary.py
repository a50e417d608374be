"""The data dictionary: one page a table, from its metadata, with its sources and its first rows."""

from pathlib import Path

import pandas as pd

from tokenomics import paths
from tokenomics.facts import tables
from tokenomics.facts.sources import keys_of, sources
from tokenomics.site import markdown

FIRST_ROWS = 5
LONGEST_CELL = 60


def pages() -> dict[str, str]:
    """Page name (``dictionary/FOLDER/NAME``) to Markdown, one a table, and ``dictionary/index``."""
    made = {page_name(path): page(path) for path in tables.all_tables()}
    return {"dictionary/index": index(), **made}


def page_name(path: Path) -> str:
    """Where a table has its page."""
    return f"dictionary/{path.relative_to(paths.DATA).with_suffix('').as_posix()}"


def overview() -> str:
    """All tables: file, size, and the share of rows read in their source."""
    rows = []
    for path in tables.all_tables():
        meta, table = tables.read_meta(path), tables.read(path)
        link = f"[{markdown.text(meta.title)}](/{page_name(path)})"
        verified = f"{table['verified'].mean():.0%}" if "verified" in table else ""
        rows.append([link, f"`{paths.shown(path)}`", f"{len(table):,}", f"{len(meta.columns)}", verified])
    return markdown.table(("table", "file", ">rows", ">columns", ">verified"), rows)


def index() -> str:
    """The front page of the dictionary."""
    names = "\n".join(f"/{page_name(path)}" for path in tables.all_tables())
    return f"{INDEX_INTRODUCTION}\n{overview()}\n```{{toctree}}\n:hidden:\n\n{names}\n```\n"


INDEX_INTRODUCTION = """\
# Data dictionary

Every table of `data/`: what a row is, what each column means, in which unit, and where the rows come from. *Verified*
is the share of rows whose values were read in the source that the row names; the others are used with that mark, and no
prediction is validated on them.
"""


def page(path: Path) -> str:
    """One table: description, columns, sources, first rows."""
    meta, table = tables.read_meta(path), tables.read(path)
    key = ", ".join(f"`{name}`" for name in meta.key)
    file = f"[{paths.shown(path)}](/files/{paths.shown(path)})"
    columns = (_column(name, meta, table) for name in meta.columns)
    parts = [
        f"# {markdown.text(meta.title)}\n",
        f"{file} · {len(table):,} rows · a row is known by {key}\n",
        markdown.text(meta.description) + "\n",
        "## Columns\n",
        markdown.table(("column", "type", "unit", "meaning", ">filled"), columns),
    ]
    if "source" in table:
        parts += ["## Sources\n", _sources(table)]
    parts += ["## First rows\n", _first_rows(table)]
    return "\n".join(parts)


def _column(name: str, meta: tables.TableMeta, table: pd.DataFrame) -> list[str]:
    column = meta.columns[name]
    allowed = tables.allowed_text(column).removeprefix(column["type"]).removeprefix(", ")
    for plain, shown in (">=", "≥"), ("<=", "≤"), ("not empty", "required"):
        allowed = allowed.replace(plain, shown)
    meaning = markdown.text(column.get("meaning", ""))
    meaning += f"<br><small>{markdown.text(allowed)}</small>" if allowed else ""
    unit = markdown.text(column.get("unit", ""))
    return [f"`{name}`", column["type"], unit, meaning, f"{table[name].notna().mean():.0%}"]


def _sources(table: pd.DataFrame) -> str:
    counts = table["source"].dropna().map(keys_of).explode().value_counts()
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    rows = [[markdown.cited([key]), markdown.text(sources()[key]["title"]), f"{count:,}"] for key, count in ordered]
    return markdown.table(("source", "title", ">rows"), rows)


def _first_rows(table: pd.DataFrame) -> str:
    def cell(value: object) -> str:
        words = "" if pd.isna(value) else f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else str(value)
        return markdown.text(words if len(words) <= LONGEST_CELL else words[: LONGEST_CELL - 1] + "…")

    rows = [[cell(value) for value in row] for row in table.head(FIRST_ROWS).astype(object).itertuples(index=False)]
    return f":::{{div}} wide\n{markdown.table([f'`{name}`' for name in table.columns], rows)}:::\n"
