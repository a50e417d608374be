"""Whether two result folders say the same: byte for byte under one environment, else numbers within 1e-5."""

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RTOL = 1e-5
NOT_COMPARED_ELSEWHERE = {".png", ".svg", ".pdf", ".ipynb"}


def differences(reference: Path, fresh: Path) -> list[str]:
    """What differs between two folders of one notebook's results, one line each; empty when they agree.

    Where both were made under the same environment (see :func:`tokenomics.pipeline.environment.signature`) bytes are
    compared; elsewhere pictures and the executed notebook are skipped, numbers may differ by 1e-5, texts must be equal.
    """
    names = [
        {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        for folder in (reference, fresh)
    ]
    found = [f"{name}: only in the committed results" for name in sorted(names[0] - names[1])]
    found += [f"{name}: only in the new results" for name in sorted(names[1] - names[0])]
    exact = _environment(reference) == _environment(fresh)
    for name in sorted(names[0] & names[1]):
        first, second = reference / name, fresh / name
        if first.read_bytes() == second.read_bytes():
            continue
        if exact:
            found.append(f"{name}: bytes differ")
        else:
            found += [f"{name}: {text}" for text in _tolerant(first, second)]
    return found


def _environment(folder: Path) -> Any:
    path = folder / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8")).get("environment") if path.exists() else None


def _tolerant(first: Path, second: Path) -> Iterator[str]:
    if first.suffix in NOT_COMPARED_ELSEWHERE:
        return
    if first.suffix == ".json":
        values = [json.loads(path.read_text(encoding="utf-8")) for path in (first, second)]
        for value in values:
            value.pop("environment", None)
        yield from _unequal("", *values)
    elif first.suffix == ".csv":
        rows = [list(csv.reader(path.open(encoding="utf-8", newline=""))) for path in (first, second)]
        yield from _unequal("", *rows)
    else:
        yield "texts differ"


def _unequal(where: str, first: Any, second: Any) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        for key in first:
            yield from _unequal(f"{where}.{key}", first[key], second[key])
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            yield from _unequal(f"{where}[{index}]", one, other)
    elif not _same(first, second):
        yield f"{where or 'value'}: {first!r} became {second!r}"


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, bool) or isinstance(second, bool) or first is None or second is None:
        return first is second
    try:
        return math.isclose(float(first), float(second), rel_tol=RTOL, abs_tol=0.0) or first == second
    except (TypeError, ValueError):
        return first == second
