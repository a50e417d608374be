"""Traces: a CSV with arrival, input and output tokens under any usual name, or JSON lines with prefix blocks."""

import csv
import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from tokenomics import paths
from tokenomics.errors import DataError, require
from tokenomics.service.workload.stream import Blocks, Stream

MOONCAKE_BLOCK_TOKENS = 512
NAMES = {
    "arrival": (
        "arrival", "arrivaltime", "arrivaltimestamp", "arrivedat", "requesttime", "queued", "starttime", "timestamp",
        "time",
    ),
    "input": (
        "inputtokens", "inputlength", "inputlen", "prompttokens", "promptlength", "promptlen", "contexttokens",
        "prefilltokens", "numprefilltokens", "requesttokens", "isl",
    ),
    "output": (
        "outputtokens", "outputlength", "outputlen", "completiontokens", "generatedtokens", "generationlength",
        "decodetokens", "numdecodetokens", "responsetokens", "osl",
    ),
    "session": ("session", "sessionid", "conversation", "conversationid"),
    "priority": ("priority",),
}  # fmt: skip
"""Column names by what they mean, in lower case without other signs; the first that a file has is taken."""
UNITS = {"ms": 1e-3, "us": 1e-6, "ns": 1e-9, "s": 1.0, "sec": 1.0, "seconds": 1.0}
FIELDS = {"input": "input_tokens", "output": "output_tokens", "session": "session", "priority": "priority"}


def read_trace(path: Path | str, columns: Mapping[str, str] | None = None) -> Stream:
    """A request stream from a file, in its order.

    A CSV (plain or .gz) needs columns for arrival, input and output tokens; session and priority are read where there.
    Arrival is in seconds, or in the unit that ends the name (``arrival_ms``), or a date and time, which is then counted
    from the first request. JSON lines (``.jsonl``) are read as Mooncake publishes them: ``timestamp`` in ms,
    ``input_length``, ``output_length`` and ``hash_ids`` of 512-token blocks.

    Args:
        path: the file.
        columns: names of columns that are not recognised or not the right ones, by ``arrival``, ``input``, ``output``,
            ``session``, ``priority``: ``{"arrival": "queued_s"}``.

    Raises:
        DataError: one line naming the file and the column or request: nothing to read, no such column, text in place of
            numbers, and all that :class:`Stream` refuses.
    """
    path = Path(path)
    shown = paths.shown(path)
    try:
        lines = path.name.removesuffix(".gz").endswith(".jsonl")
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig") as file:
            return _json_lines(shown, file) if lines else _table(shown, file, columns or {})
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "not a UTF-8 CSV"
        raise DataError(shown, "file", reason, "a CSV or JSON lines file that can be read") from None


def _table(shown: str, file: IO[str], columns: Mapping[str, str]) -> Stream:
    odd = sorted(set(columns) - set(NAMES))
    require(not odd, shown, "columns", ", ".join(odd), ", ".join(NAMES))
    header, *rows = [*csv.reader(file)] or [[]]
    found = {meaning: _column(shown, header, meaning, columns.get(meaning)) for meaning in NAMES}
    require(bool(rows), shown, "requests", 0, "at least one row")
    ragged = next((n for n, row in enumerate(rows) if len(row) != len(header)), None)
    require(ragged is None, f"{shown}, request {(ragged or 0) + 1}", "fields", "another number", f"{len(header)}")
    cells = {meaning: [row[place] for row in rows] for meaning, place in found.items() if place is not None}
    arrival_s = _seconds(shown, header[found["arrival"]], cells.pop("arrival"))
    counts = {FIELDS[meaning]: _numbers(shown, header[found[meaning]], text) for meaning, text in cells.items()}
    return Stream(arrival_s=arrival_s, **counts, name=shown)


def _column(shown: str, header: list[str], meaning: str, named: str | None) -> int | None:
    """Place of the column that means something; ``None`` where an optional one is absent."""
    if named is not None:
        require(named in header, shown, f"columns.{meaning}", named, ", ".join(header) or "a header line")
        return header.index(named)
    plain = [_plain(name) for name in header]
    units = ("", *UNITS) if meaning == "arrival" else ("",)
    places = (plain.index(name + unit) for name in NAMES[meaning] for unit in units if name + unit in plain)
    place = next(places, None)
    known = ", ".join(NAMES[meaning])
    needed = meaning in ("arrival", "input", "output")
    require(
        place is not None or not needed, shown, f"{meaning} column", "missing", f"a column named like one of {known}"
    )
    return place


def _plain(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


def _unit_s(name: str) -> float:
    """Seconds in the unit that ends a name of a column; one without."""
    known = (unit for unit in UNITS for each in NAMES["arrival"] if _plain(name) == each + unit)
    return UNITS.get(next(known, name.lower().rpartition("_")[2]), 1.0)


def _seconds(shown: str, name: str, text: list[str]) -> NDArray[np.float64]:
    try:
        return np.array(text, dtype=np.float64) * _unit_s(name)
    except ValueError:
        pass
    try:
        moments = np.array(
            [each.strip().removesuffix("Z").removesuffix("+00:00") for each in text], dtype="datetime64[ns]"
        )
    except ValueError:
        return _numbers(shown, name, text, "seconds, or dates like 2023-11-16 18:17:03.97")
    return (moments - moments[0]) / np.timedelta64(1, "ns") * 1e-9


def _numbers(shown: str, name: str, text: list[str], allowed: str = "a number") -> NDArray[np.float64]:
    values = np.empty(len(text))
    for place, each in enumerate(text):
        try:
            values[place] = float(each)
        except ValueError:
            raise DataError(f"{shown}, request {place + 1}", name, each or "empty", allowed) from None
    return values


def _json_lines(shown: str, file: IO[str]) -> Stream:
    requests = list(_objects(shown, file))
    require(bool(requests), shown, "requests", 0, "at least one line")
    columns = {}
    for key in ("timestamp", "input_length", "output_length"):
        columns[key] = np.array([each[key] for each in requests], dtype=np.float64)
    blocks = None
    if all("hash_ids" in each for each in requests):
        counts = [len(each["hash_ids"]) for each in requests]
        flat = np.array([block for each in requests for block in each["hash_ids"]], dtype=np.int64)
        _, ids = np.unique(flat, return_inverse=True)
        offsets = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
        blocks = Blocks(ids.astype(np.int32), offsets, MOONCAKE_BLOCK_TOKENS)
    arrival_s = columns["timestamp"] * UNITS["ms"]
    return Stream(arrival_s, columns["input_length"], columns["output_length"], blocks=blocks, name=shown)


def _objects(shown: str, file: IO[str]) -> Iterator[dict]:
    needed = ("timestamp", "input_length", "output_length")
    for number, line in enumerate(file, start=1):
        where = f"{shown}, request {number}"
        try:
            found = json.loads(line)
        except ValueError:
            raise DataError(where, "line", line.strip(), "a JSON object") from None
        require(isinstance(found, dict), where, "line", line.strip(), "a JSON object")
        for key in needed:
            value = found.get(key, "missing")
            require(type(value) in (int, float), where, key, value, "a number")
        yield found
