"""Prose with numbers: ``{{key}}``, ``{{key.low}}`` and ``{{key:.1f}}`` stand for metrics and parameters."""

import re
from collections.abc import Mapping
from typing import Any

from tokenomics.errors import RunError

PLACEHOLDER = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)(?:\.(low|high))?(?::([^{}\s]+))?\s*\}\}")
SENTENCE = re.compile(r"\S(?:.*?[.:;!?]\**(?=\s+[A-Z*`{(\[])|.*$)", re.MULTILINE)
"""A sentence or its clause up to a colon, at most a line long."""
MISSING, UNLIMITED = "–", "without limit"
DEFAULT_FORMAT = ".3g"


def known(metrics: Mapping[str, Mapping[str, Any]], parameters: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What prose may name: parameters, and metrics as they stand in ``metrics.json``."""
    return {**{key: {"value": value} for key, value in parameters.items()}, **metrics}


def filled(text: str, known: Mapping[str, Mapping[str, Any]], name: str, missing: str | None = None) -> str:
    """``text`` with every ``{{key}}`` replaced by its value, three significant digits unless a format is given.

    A sentence that needs a value which does not exist gives way to one that says so; a heading and a cell of a table
    keep their words around a dash.

    Args:
        text: prose.
        known: of :func:`known`.
        name: the notebook, for the error.
        missing: what stands for a key that is not known yet; by default it is refused.

    Raises:
        RunError: an unknown key, a bound that the metric does not have, or a format that does not fit.
    """

    def number(match: re.Match) -> str:
        key, bound, form = match.groups()
        entry = known.get(key, {})
        part = bound or "value"
        if part not in entry:
            if missing is not None:
                return missing
            raise RunError(f"{name}: the prose names {match.group(0)}, known are {', '.join(sorted(known))}")
        value = entry[part]
        if value is None:
            return UNLIMITED if bound == "high" and entry["value"] is not None else MISSING
        try:
            return format(value, form or ("" if isinstance(value, str | int) else DEFAULT_FORMAT))
        except (ValueError, TypeError) as error:
            raise RunError(f"{name}: {match.group(0)}: {error}") from None

    def sentence(match: re.Match) -> str:
        words = PLACEHOLDER.sub(number, match.group())
        named = [known[key] for key, _, _ in PLACEHOLDER.findall(match.group()) if key in known]
        lacking = next((each for each in named if each["value"] is None), None)
        if lacking is None or match.group().lstrip().startswith(("#", "|")):
            return words
        bold = "**" if match.group().count("**") % 2 else ""
        return f"{bold}*Not known here: {lacking['meaning']} ({lacking['reason']}).*"

    return SENTENCE.sub(sentence, text)
