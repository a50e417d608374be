"""What stands in a result file, whatever its name: JSON documents, CSV tables, Markdown tables, "key: value" lines."""

import codecs
import csv
import io
import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from tokenomics import paths
from tokenomics.errors import DataError, require

HEAD = 65_536
"""Bytes by which a file is recognised."""
LARGEST = 1 << 30
"""Bytes of a file at most. Single requests, which tools may write beside their summary, are decoded with it: skipping
them by their brackets takes as much memory and longer (100 MB in 3 to 8 s and 0.3 GB)."""
RESULT = "a result file of a benchmark tool"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
COLUMNS_OF_OWN = {"model", "hardware", "metric"}
WHOLE = "a whole file: this one ends early"

Table = list[dict[str, str]]


class Content:
    """The content of one file.

    Args:
        path: a file.

    Raises:
        DataError: it cannot be read, is empty, or is no text.
    """

    def __init__(self, path: Path):
        self.path, self.where = path, paths.shown(path)
        try:
            size = path.stat().st_size
            require(path.is_file(), self.where, "file", "a folder or a device", "a regular file")
            with path.open("rb") as file:
                head = file.read(HEAD)
                binary = b"\0" in head and not head.startswith(UTF_16)
                require(not binary, self.where, "file", "not text", RESULT)
                require(size <= LARGEST, self.where, "bytes", size, f"at most {LARGEST}, without single requests")
                raw = head + file.read()
        except OSError as error:
            raise DataError(self.where, "file", error.strerror or "unreadable", "a file that can be read") from None
        require(bool(raw.strip()), self.where, "file", "empty", RESULT)
        self.text = _decoded(raw)
        self.fault: json.JSONDecodeError | None = None

    @cached_property
    def documents(self) -> list[dict[str, Any]]:
        """JSON objects: of one document, a list, JSON lines, or several documents after one another, in a log or alone.

        A document that ends early or is malformed is left out; :attr:`fault` tells of the first.
        """
        documents, end = [], 0
        decoder = json.JSONDecoder()
        for line in re.finditer(r"^(?=[\[{])", self.text, re.M):
            if line.start() < end:
                continue
            try:
                document, end = decoder.raw_decode(self.text, line.start())
            except json.JSONDecodeError as error:
                self.fault = self.fault or error
                continue
            except RecursionError:
                continue
            documents += document if isinstance(document, list) else [document]
        return [document for document in documents if isinstance(document, dict)]

    @property
    def is_json(self) -> bool:
        """Whether the text begins as JSON objects do; a log may begin with a bracket too."""
        return re.match(r"\s*(\{|\[\s*[{\[\]])", self.text) is not None

    def refuse(self, allowed: str) -> NoReturn:
        """Refuse a content of no known format.

        Raises:
            DataError: where JSON ends early or is malformed, else what is allowed.
        """
        if not self.is_json:
            raise DataError(self.where, "file", "of no known format", allowed)
        if self.documents or self.fault is None:
            raise DataError(self.where, "file", "JSON of another kind", allowed)
        early = self.fault.pos >= len(self.text.rstrip()) - 1 or self.fault.msg.startswith("Unterminated")
        told = f"{self.fault.msg} in column {self.fault.colno}"
        raise DataError(f"{self.where}, line {self.fault.lineno}", "JSON", told, WHOLE if early else "JSON")

    @cached_property
    def tables(self) -> list[Table]:
        """CSV tables, separated by blank lines: each row as a mapping from its column to its cell."""
        try:
            lines = list(csv.reader(io.StringIO(self.text)))
        except csv.Error:
            return []
        return _tables(lines)

    @cached_property
    def grids(self) -> list[Table]:
        """Markdown tables, in the order of the text; what a merged cell leaves empty repeats the cell above."""
        lines = []
        for line in self.text.splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if "|" in line.strip()[:1] else []
            if not cells or not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
                lines.append(cells)
        return _tables(lines, repeats=True)

    @cached_property
    def pairs(self) -> dict[str, str]:
        """Lines of the form "key : value"; see :func:`pairs`."""
        return pairs(self.text)


def pairs(text: str, last: bool = False) -> dict[str, str]:
    """Lines of the form "key : value": keys in lower case without spaces at their ends; the first (last) of a kind."""
    found = {}
    for line in text.splitlines():
        key, colon, value = line.partition(": ") if ": " in line else line.partition(":")
        if colon and key.strip() and (last or key.strip().casefold() not in found):
            found[key.strip().casefold()] = value.strip()
    return found


def is_own(path: Path) -> bool:
    """Whether a file is a table in the public input format already, by its first line."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    line = head.decode("utf-8-sig", errors="replace").partition("\n")[0]
    return {name.strip().strip('"').casefold() for name in re.split(r"[,;\t]", line)} >= COLUMNS_OF_OWN


def _decoded(raw: bytes) -> str:
    if raw.startswith(UTF_16):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _tables(lines: list[list[str]], repeats: bool = False) -> list[Table]:
    """Tables of lines of cells; a line without cells ends one."""
    tables, header = [], None
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            header = None
        elif header is None:
            header = [cell.strip() for cell in cells]
            tables.append([])
        elif len(cells) <= len(header):
            row = dict.fromkeys(header, "") | dict(zip(header, (cell.strip() for cell in cells), strict=False))
            if repeats and tables[-1]:
                row = {name: cell or tables[-1][-1].get(name, "") for name, cell in row.items()}
            tables[-1].append(row)
    return [table for table in tables if table]
