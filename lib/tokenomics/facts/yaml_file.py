"""YAML 1.2, the dialect in which DVC reads the same files: ``1e3`` is a number, ``yes`` a string."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.errors import DataError


def read(path: Path) -> dict[str, Any]:
    """A YAML (or JSON) mapping as plain Python values.

    Raises:
        DataError: a missing or unreadable file, a syntax error, a key that stands twice, or no mapping at all.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    allowed = "a YAML 1.2 mapping of key: value"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise DataError(paths.shown(path), "file", reason, allowed) from None
    try:
        value = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, TypeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{paths.shown(path)}, line {mark.line + 1}" if mark else paths.shown(path)
        raise DataError(where, "syntax", getattr(error, "problem", None) or str(error), allowed) from None
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise DataError(paths.shown(path), "file", type(value).__name__, allowed)
    return dict(value)
