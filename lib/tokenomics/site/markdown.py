"""Pieces of Markdown as MyST reads it."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

CODE_SPAN = re.compile(r"(`[^`]*`)")
SPECIAL = re.compile(r"([\\|<>$*\[\]{}~^_@#])")
SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
SHARE = "share"
PLAIN_FROM, PLAIN_UP_TO = 1e-3, 1e6


def text(words: Any) -> str:
    """Plain words on one line, with everything escaped that Markdown would read as markup, except code spans."""
    parts = CODE_SPAN.split(" ".join(str(words).split()))
    return "".join(part.replace("|", r"\|") if i % 2 else SPECIAL.sub(r"\\\1", part) for i, part in enumerate(parts))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are Markdown already; a title that starts with ``>`` sets its column to the right."""
    titles = [title.removeprefix(">") for title in head]
    rule = ["--:" if title.startswith(">") else ":--" for title in head]
    return "\n".join("| " + " | ".join(row) + " |" for row in (titles, rule, *rows)) + "\n"


def number(value: Any, *, fixed: bool = False) -> str:
    """A number at three significant digits, ``2.37``, ``1,250``, ``3.1 × 10²⁵``; words unchanged.

    Args:
        fixed: keep trailing zeros (``2.00``), for numbers that stand beside others of their kind.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return text(value)
    if isinstance(value, int) and abs(value) <= PLAIN_UP_TO:
        return f"{value:,}"
    if value == 0 or PLAIN_FROM <= abs(value) <= PLAIN_UP_TO:
        rounded = float(f"{value:.3g}")
        return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:#.3g}" if fixed else f"{rounded:g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    mantissa = mantissa if fixed else f"{float(mantissa):g}"
    return f"{mantissa}&nbsp;×&nbsp;10{str(int(exponent)).translate(SUPERSCRIPT)}"


def quantity(value: Any, name: str, *, fixed: bool = False) -> str:
    """A number as it is shown under its :func:`unit`: shares, kept as parts of one, in per cent, and years whole."""
    if isinstance(value, int | float) and name == SHARE:
        return number(100.0 * value, fixed=fixed)
    return str(value) if name == "year" else number(value, fixed=fixed)


def unit(name: str) -> str:
    """A unit as shown: nothing for numbers without one, for words and for dates."""
    return "" if name in ("", "1", "text", "date") else "%" if name == SHARE else text(name)


def cited(keys: Iterable[str]) -> str:
    """Links to the bibliography, sorted by key."""
    keys = sorted(set(keys))
    return "{cite:t}`" + ",".join(keys) + "`" if keys else ""
