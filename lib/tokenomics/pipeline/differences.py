"""What differs between two folders of one notebook's results: files, numbers and how far, texts.

Two folders agree when they are equal byte for byte under one environment, else when numbers agree within 1e-5.
"""

import csv
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenomics import outputs

RTOL = 1e-5
SHOWN = 6
"""Changes shown of one file; of the others, their count and the farthest."""
TEXT_SHOWN = 40
"""Characters of a text shown, from a little before the first that differs."""
PICTURES = {".png", ".svg", ".pdf"}
NOT_COMPARED_ELSEWHERE = {*PICTURES, ".ipynb"}
Change = tuple[str, float]
"""A change in words, and how far it is: relative to the committed number, infinite for a text."""


def differences(reference: Path, fresh: Path, gone: Mapping[str, str] | None = None) -> list[str]:
    """One line for each file that differs and each change in it (the first of many); empty when the folders agree.

    Where both were made under the same environment (see :func:`tokenomics.pipeline.environment.signature`) bytes are
    compared; elsewhere pictures and the executed notebook are skipped, numbers may differ by 1e-5 of their value, and
    texts must be equal.

    Args:
        reference: the committed results.
        fresh: the new ones.
        gone: SHA-256 of committed files that lie in no ``reference`` any more: they are compared by that alone.
    """
    gone = gone or {}
    first, second = _files(reference), _files(fresh)
    lines = [f"{name}: only in the committed results" for name in sorted((first | gone.keys()) - second)]
    lines += [f"{name}: only in the new results" for name in sorted(second - first - gone.keys())]
    exact = _environment(reference) == _environment(fresh)
    for name in sorted(second & gone.keys()):
        if hashlib.sha256((fresh / name).read_bytes()).hexdigest() != gone[name]:
            lines.append(f"{name}: bytes differ (the committed numbers are no longer here: unpack the project anew)")
    for name in sorted(first & second):
        one, other = reference / name, fresh / name
        if one.read_bytes() == other.read_bytes() or (not exact and one.suffix in NOT_COMPARED_ELSEWHERE):
            continue
        lines += [f"{name}: {text}" for text in _told(list(_changes(one, other, 0.0 if exact else RTOL)), exact)]
    return lines


def _files(folder: Path) -> set[str]:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return found - {outputs.FOLDER_RECORD}


def _environment(folder: Path) -> Any:
    path = folder / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8")).get("environment") if path.exists() else None


def _told(changes: list[Change], exact: bool) -> Iterator[str]:
    if not changes and exact:
        yield "bytes differ, but no number and no text"
    yield from (text for text, _ in changes[:SHOWN])
    numbers = [far for _, far in changes[SHOWN:] if math.isfinite(far)]
    if more := len(changes) - SHOWN if len(changes) > SHOWN else 0:
        yield f"and {more} more changes" + (f", of numbers by up to {max(numbers):.2%}" if numbers else "")


def _changes(first: Path, second: Path, rtol: float) -> Iterator[Change]:
    if first.suffix in PICTURES:
        yield "bytes differ", math.inf
    elif first.suffix in (".json", ".ipynb"):
        values = [json.loads(path.read_text(encoding="utf-8")) for path in (first, second)]
        if rtol:
            for value in values:
                value.pop("environment", None)
        yield from _unequal("", *values, rtol)
    elif first.suffix == ".csv":
        yield from _rows(*(list(csv.reader(path.open(encoding="utf-8", newline=""))) for path in (first, second)), rtol)
    else:
        lines = [path.read_text(encoding="utf-8", errors="replace").splitlines() for path in (first, second)]
        yield from _unequal("line", *lines, rtol)


def _rows(first: list[list[str]], second: list[list[str]], rtol: float) -> Iterator[Change]:
    """Cells of two tables, named by row (the first below the header is 1) and column."""
    if first[:1] != second[:1]:
        yield from _unequal("columns", first[:1], second[:1], rtol)
        return
    if len(first) != len(second):
        yield f"{len(first) - 1} rows became {len(second) - 1}", math.inf
    for number, (one, other) in enumerate(zip(first[1:], second[1:], strict=False), 1):
        for column, *cells in zip(first[0], one, other, strict=False):
            yield from _unequal(f"row {number}, {column}", *cells, rtol)
        if len(one) != len(other):
            yield f"row {number}: {len(one)} cells became {len(other)}", math.inf


def _unequal(where: str, first: Any, second: Any, rtol: float) -> Iterator[Change]:
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted(first.keys() | second.keys()):
            place = f"{where}.{key}" if where else key
            if key in first and key in second:
                yield from _unequal(place, first[key], second[key], rtol)
            else:
                yield f"{place}: only in the {'committed' if key in first else 'new'} results", math.inf
    elif isinstance(first, list) and isinstance(second, list):
        if len(first) != len(second):
            yield f"{where or 'list'}: {len(first)} entries became {len(second)}", math.inf
        for index, (one, other) in enumerate(zip(first, second, strict=False)):
            yield from _unequal(f"{where}[{index}]", one, other, rtol)
    else:
        far = _far(first, second)
        if far > rtol:
            yield f"{where}: {_shown(first, second, far)}", far


def _far(first: Any, second: Any) -> float:
    """How far a value is from another, relative to it: 0 where equal, infinite for texts and for what was zero."""
    if first == second and type(first) is type(second):
        return 0.0
    if isinstance(first, bool) or isinstance(second, bool) or first is None or second is None:
        return math.inf
    try:
        one, other = float(first), float(second)
    except (TypeError, ValueError):
        return math.inf
    if one == other or (math.isnan(one) and math.isnan(other)):
        return 0.0
    far = abs(other - one) / abs(one) if one else math.inf
    return far if math.isfinite(far) else math.inf


def _shown(first: Any, second: Any, far: float) -> str:
    if math.isfinite(far):
        return f"{first} became {second} ({far if float(second) > float(first) else -far:+.2g})"
    if not (isinstance(first, str) and isinstance(second, str)):
        return f"{first!r} became {second!r}"
    equal = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
    start = max(equal - TEXT_SHOWN // 2, 0)
    one, other = (text[start : start + TEXT_SHOWN] for text in (first, second))
    return f"{one!r} became {other!r}"
