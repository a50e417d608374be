"""Any text table with a header as records: encoding, delimiter, comments and quotes are found out, not asked for.

What is wrong with a single record is told beside it; only what is no table at all is refused.
"""

import codecs
import csv
import difflib
import io
import os
import select
import shutil
import stat
import sys
import tempfile
import unicodedata
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO

from tokenomics import paths
from tokenomics.errors import DataError

STDIN = "-"
DELIMITERS = ",;\t|"
MARKS = (
    *((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32")),
    *((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")),
)
"""Byte order marks and the encodings that they stand for."""
BLOCK = 1 << 20
KEPT_BYTES = 1 << 26
"""Bytes of a pipe that are kept in memory; more go to a temporary file."""
WAIT_S = 10.0
"""How long a named pipe may have no writer."""
MOST_LINES = 50
"""Lines of a quoted cell; one that runs on for longer was never closed."""
LONGEST_CELL = 1 << 24
NEAR = 0.6
"""How similar to a needed column the name of another must be to be called meant."""
ALLOWED = "a CSV file with a header line and at least one row, or - for standard input"


@dataclass(frozen=True)
class Record:
    """One row of a file.

    Attributes:
        line: where it begins, counted from 1 with header, blank lines and comments.
        cells: as many as the header has.
        fault: why it cannot be read; empty if it can.
    """

    line: int
    cells: list[str]
    fault: str = ""


@dataclass
class Records:
    """An open table, to be iterated once.

    Attributes:
        where: the file in messages.
        names: columns, each once: known ones as they are known, others as published.
        repeated: known columns that stand more than once, and the names given to the later ones.
        notes: lines on what was assumed.
        delimiter: what parts its cells.
        size: bytes of the file.
        as_written: columns as the header spells them, in small letters with underscores.
    """

    where: str
    names: list[str]
    repeated: dict[str, list[str]]
    notes: list[str]
    delimiter: str
    size: int
    _file: IO[bytes]
    _lines: "_Lines"
    as_written: frozenset[str]

    def share_read(self) -> float:
        """Share of the file's bytes read so far."""
        return min(self._file.tell() / max(self.size, 1), 1.0)

    def __iter__(self) -> Iterator[Record]:
        """Records that hold anything."""
        width = len(self.names)
        reader = csv.reader(self._lines, delimiter=self.delimiter, strict=True)
        while True:
            first = self._lines.begin()
            try:
                cells, broken = next(reader), ""
            except StopIteration:
                return
            except csv.Error as error:
                cells, broken = [], str(error)
            cells = _cut(cells, width)
            if self._lines.taken and (broken or len(cells) != width):
                cells, broken = self._first_line_alone(width, broken)
                reader = csv.reader(self._lines, delimiter=self.delimiter, strict=True)
            if not any(cell.strip() for cell in cells) and not broken:
                continue
            if not broken and len(cells) != width:
                broken = f"{len(cells):,} fields, the header has {width:,}"
            line = self._lines.first if self._lines.taken else first
            yield Record(line, (cells + [""] * width)[:width], broken)

    def _first_line_alone(self, width: int, broken: str) -> tuple[list[str], str]:
        """Cells of a record's first line alone; what a quote swallowed after it is given back."""
        several = len(self._lines.taken) > 1
        first = self._lines.give_back()
        try:
            cells = _cut(next(csv.reader([first], delimiter=self.delimiter), []), width)
        except csv.Error as error:
            return [], str(error)
        return cells, "a quote is not closed" if several or "unexpected end" in broken else ""


@dataclass
class _Lines:
    """Lines for ``csv.reader``: blank ones and comments between records are left out, endless cells end early."""

    file: Iterator[str]
    number: int = 0
    first: int = 0
    taken: list[str] = field(default_factory=list)
    waiting: deque = field(default_factory=deque)

    def begin(self) -> int:
        """Start a record."""
        self.taken.clear()
        return self.number + 1

    def give_back(self) -> str:
        """All lines of the record but its first one, which is returned."""
        self.waiting.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1
        return self.taken[0]

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self.taken) >= MOST_LINES:
            raise StopIteration
        while True:
            line = self.waiting.popleft() if self.waiting else next(self.file)
            self.number += 1
            if self.taken:
                break
            bare = line.strip()
            if bare and not bare.startswith("#"):
                self.first = self.number
                break
        self.taken.append(line)
        return line


def _cut(cells: list[str], width: int) -> list[str]:
    """Cells without empty ones beyond the header's."""
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    return cells


@contextmanager
def opened(
    path: Path | str, known: Collection[str], needed: Collection[str], aliases: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Records]:
    """Open a table: a file, a pipe, or standard input as ``-``.

    UTF-8 and UTF-16 with and without a mark, else Latin-1; commas, semicolons, tabs or bars, whichever finds most known
    columns in the header. Lines that begin with ``#`` and empty ones are left out.

    Args:
        path: what to read.
        known: columns that mean something; case, spaces around and hyphens in their names do not matter.
        needed: columns without which a file is none of ours.
        aliases: other names of known columns.

    Raises:
        DataError: no file, no text, no row, or a needed column missing (with the one that may be meant).
    """
    where = "standard input" if str(path) == STDIN else paths.shown(path)
    with _bytes(path, where) as file:
        encoding, notes = _encoding(file)
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
        csv.field_size_limit(LONGEST_CELL)
        lines = _Lines(iter(text))
        names, delimiter, written = _header(lines, where, known, needed, aliases)
        names, repeated = _each_once(names, known)
        notes += [f"columns that stand twice: {', '.join(repeated)}"] if repeated else []
        yield Records(where, names, repeated, notes, delimiter, size, file, lines, written)


def _header(
    lines: "_Lines", where: str, known: Collection[str], needed: Collection[str], aliases: Mapping[str, str]
) -> tuple[list[str], str, frozenset[str]]:
    """Columns of a file, known ones as they are known, what parts its cells, and the columns as they are written."""
    header = next(lines, "")
    if header.strip().casefold()[:4] == "sep=":  # a spreadsheet's way to name its delimiter
        lines.begin()
        header = next(lines, "")
    if not header:
        raise DataError(where, "file", "empty", ALLOWED)
    folded = {_fold(alias): name for alias, name in aliases.items()} | {_fold(name): name for name in known}
    found = {mark: _names(header, mark, folded) for mark in DELIMITERS}
    mark = max(DELIMITERS, key=lambda each: len(set(found[each]) & set(known)))
    missing = [name for name in needed if name not in found[mark]]
    if missing:
        _refuse(where, header, found[mark], missing, needed)
    return found[mark], mark, frozenset(_fold(name) for name in _names(header, mark, {}))


def _refuse(where: str, header: str, names: list[str], missing: list[str], needed: Collection[str]) -> None:
    """Say what a file without its needed columns is instead."""
    if any(unicodedata.category(sign) == "Cc" and not sign.isspace() for sign in header):
        raise DataError(where, "file", "binary, not text", ALLOWED)
    spare = {_fold(name): name for name in names[:1000] if name not in needed}
    near = difflib.get_close_matches(missing[0], spare, 1, NEAR)
    hint = f"; nearest: {spare[near[0]]!r}" if near else ""
    raise DataError(where, "column", f"{missing[0]} is missing", ", ".join(needed) + " are needed" + hint)


def _names(header: str, mark: str, folded: dict[str, str]) -> list[str]:
    """Columns of a header line; empty ones at its end are none."""
    try:
        cells = [cell.strip() for cell in next(csv.reader([header], delimiter=mark), [])]
    except csv.Error:
        return []
    cells = _cut(cells, 0)
    return [folded.get(_fold(cell), cell or f"column {place}") for place, cell in enumerate(cells, 1)]


def _each_once(names: list[str], known: Collection[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Columns with a number behind the later ones of a name, and those of known ones."""
    result: dict[str, None] = {}
    repeated: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for name in names:
        new = name
        while new in result:
            counts[name] += 1
            new = f"{name}.{counts[name]}"
        result[new] = None
        if new != name and name in known:
            repeated.setdefault(name, []).append(new)
    return list(result), repeated


def _fold(name: str) -> str:
    return "_".join(name.casefold().replace("-", " ").replace("_", " ").split())


@contextmanager
def _bytes(path: Path | str, where: str) -> Iterator[IO[bytes]]:
    """A file that can be read twice; a pipe is copied first."""
    with tempfile.SpooledTemporaryFile(KEPT_BYTES) as kept:
        if str(path) == STDIN:
            shutil.copyfileobj(sys.stdin.buffer, kept, BLOCK)
            yield kept
            return
        try:
            kind = Path(path).stat().st_mode
            if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
                raise DataError(where, "file", "a folder" if stat.S_ISDIR(kind) else "a device", ALLOWED)
            file = _open(path)
        except (OSError, ValueError) as error:
            raise DataError(where, "file", getattr(error, "strerror", None) or str(error), ALLOWED) from None
        with file:
            if stat.S_ISFIFO(kind):
                if not select.select([file], [], [], WAIT_S)[0]:
                    raise DataError(where, "file", "a pipe that nobody writes to", ALLOWED)
                os.set_blocking(file.fileno(), True)
                shutil.copyfileobj(file, kept, BLOCK)
            yield kept if stat.S_ISFIFO(kind) else file


def _open(path: Path | str) -> IO[bytes]:
    """Open without waiting for the writer of a pipe."""
    flag = getattr(os, "O_NONBLOCK", 0)
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | flag))


def _encoding(file: IO[bytes]) -> tuple[str, list[str]]:
    """The encoding of a file, and a note where it had to be guessed."""
    file.seek(0)
    start = file.read(4096)
    for mark, name in MARKS:
        if start.startswith(mark):
            return name, []
    for place, name in ((1, "utf-16-le"), (0, "utf-16-be")):  # every other byte of Western text is zero
        if len(start) > 1 and start[place::2].count(0) > 0.9 * (len(start) // 2) and start[1 - place] != 0:
            return name, []
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while block := file.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1", ["not UTF-8 text: read as Latin-1"]
    return "utf-8", []
