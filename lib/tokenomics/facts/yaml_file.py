"""YAML 1.2, the dialect in which DVC reads the same files: ``1e3`` is a number, ``yes`` a string."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.errors import DataError

ALLOWED = "a YAML 1.2 mapping of key: value"
MOST_BYTES, MOST_YAML_BYTES = 1 << 24, 1 << 18
"""Bytes of a file, and of one that is not JSON, whose parser takes a second for some ten thousand of them."""
MOST_VALUES = 100_000
"""Values of a file once its aliases are written out."""


def read(path: Path) -> dict[str, Any]:
    """A YAML (or JSON) mapping as plain Python values.

    Raises:
        DataError: a missing, unreadable or huge file, a syntax error, a key that stands twice, aliases that stand for
            more than :data:`MOST_VALUES` values or for themselves, or no mapping at all.
    """
    where = paths.shown(path)
    try:
        if path.exists() and not path.is_file():
            raise DataError(where, "file", "a folder" if path.is_dir() else "no regular file", ALLOWED)
        content = path.read_bytes() if path.stat().st_size <= MOST_BYTES else b""
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise DataError(where, "file", reason, ALLOWED) from None
    if not content and path.stat().st_size:
        raise DataError(where, "file", f"{path.stat().st_size:,} bytes", f"at most {MOST_BYTES:,}")
    found = value(text, where)
    if found is None:
        return {}
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        raise DataError(where, "file", type(found).__name__, ALLOWED)
    return dict(found)


def value(text: str, where: str) -> Any:
    """What a YAML (or JSON) text stands for; errors as of :func:`read`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if text.lstrip()[:1] == "{":
        try:
            return json.loads(text, object_pairs_hook=_each_once)
        except (ValueError, RecursionError):  # a YAML mapping in braces, or an error that YAML's parser explains
            pass
    if len(text) > MOST_YAML_BYTES:
        raise DataError(where, "file", f"{len(text):,} characters", f"at most {MOST_YAML_BYTES:,} of YAML; or JSON")
    try:
        if "&" in text and "*" in text:
            _size(YAML(typ="safe", pure=True).compose(text), {})
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ArithmeticError, AttributeError, LookupError, ValueError, TypeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error) or type(error).__name__
        raise DataError(f"{where}, line {mark.line + 1}" if mark else where, "syntax", problem, ALLOWED) from None


def _each_once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    pairs = list(pairs)
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _size(node: Any, known: dict[int, float]) -> float:
    """Values below a node of a document, with each alias written out; a node within itself has no end."""
    if id(node) not in known:
        known[id(node)] = float("inf")
        below = node.value if isinstance(getattr(node, "value", None), list) else []
        parts = [part for each in below for part in (each if isinstance(each, tuple) else (each,))]
        known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    if known[id(node)] > MOST_VALUES:
        raise ValueError(f"aliases that stand for more than {MOST_VALUES:,} values")
    return known[id(node)]
