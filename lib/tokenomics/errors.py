"""Errors a user can cause and mend: one line that names the place, the key, the value and what is allowed."""

import contextlib
import difflib
import errno
import reprlib
import sys
from collections.abc import Collection, Iterator
from math import inf
from numbers import Real

USER_ERROR_EXIT_CODE, FAULT_EXIT_CODE = 2, 1
EXACT = 2.0**53
"""The largest count: beyond it not every whole number is one of double precision."""
LONGEST = 80
"""Characters of a value in a message."""


class _Short(reprlib.Repr):
    """Shows values of any size and depth in a moment."""

    def __init__(self):
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, LONGEST, LONGEST
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 20

    def repr_int(self, x: int, level: int) -> str:
        """Python writes out no number of more than some thousand digits."""
        return super().repr_int(x, level) if x.bit_length() < 8 * LONGEST else "a huge number"


SHORT = _Short()


class TokenomicsError(Exception):
    """Base of every error that the user can mend; its text is a single line."""

    def __str__(self) -> str:
        return " ".join(super().__str__().split())


class DataError(TokenomicsError):
    """A value in a table, a parameter file or a call that is not allowed.

    Args:
        where: file (and row) or function in which the value stands.
        key: column, parameter or field.
        value: the offending value; long ones show their two ends.
        allowed: what would have been accepted, in words.
    """

    def __init__(self, where: str, key: str, value: object, allowed: str):
        self.where, self.key, self.value, self.allowed = str(where), str(key), value, allowed
        shown = value if isinstance(value, str) else SHORT.repr(value)
        shown = shown if len(shown) <= LONGEST else f"{shown[: LONGEST // 2 - 2]}...{shown[1 - LONGEST // 2 :]}"
        super().__init__(f"{self.where}: {self.key} = {shown}; allowed: {allowed}")


class Infeasible(DataError):  # noqa: N818  a verdict on what was asked for
    """What is asked for cannot exist: a layout, a format, more than memory holds.

    Args:
        where: what it was asked of.
        key: what cannot be (``tp``, ``context``, ``memory`` ...).
        value: its value.
        reason: why, in words that stand alone.
        nearest: what could be instead; empty where nothing is near.
    """

    def __init__(self, where: str, key: str, value: object, reason: str, nearest: str = ""):
        super().__init__(where, key, value, nearest or reason)
        self.reason, self.nearest = reason, nearest
        text = f"{self.where}: {self.key} = {value}; infeasible: {reason}"
        self.args = (f"{text}; nearest: {nearest}" if nearest else text,)


class RunError(TokenomicsError):
    """A notebook or stage that could not run or did not finish."""


def require(good: bool, where: str, key: str, value: object, allowed: str) -> None:
    """Raise a one-line :class:`DataError` unless ``good``; arguments as of that class."""
    if not good:
        raise DataError(where, key, value, allowed)


def one_of(where: str, key: str, value: object, allowed: Collection[str]) -> None:
    """Raise a one-line :class:`DataError` unless ``value`` is one of the names ``allowed``; the nearest is named."""
    if value in allowed:
        return
    near = difflib.get_close_matches(str(value)[:LONGEST], allowed, 1)
    raise DataError(where, key, value, ", ".join(allowed) + (f"; nearest: {near[0]}" if near else ""))


def positive(where: str, key: str, value: object) -> None:
    """Refuse anything but a finite number above zero.

    Raises:
        DataError: text, nothing, a truth value, NaN, infinity, zero or less.
    """
    require(is_number(value) and bool(0 < value < inf), where, key, value, "a finite number > 0")


def whole(where: str, key: str, value: Real, least: int = 1) -> None:
    """Refuse anything but a whole number of at least ``least``, whatever its type.

    Raises:
        DataError: a fraction, NaN, less than ``least``, more than :data:`EXACT`, text, nothing, a truth value.
    """
    good = is_number(value) and least <= value <= EXACT and value == int(value)
    most = f", at most {EXACT:g}" if is_number(value) and EXACT < value < inf else ""
    require(bool(good), where, key, value, f"a whole number >= {least}{most}")


def proportion(where: str, key: str, value: object, without: Collection[float] = ()) -> None:
    """Refuse anything but a number from 0 to 1, ``without`` one end or both.

    Raises:
        DataError: text, nothing, a truth value, NaN, a number outside.
    """
    least, most = "above 0" if 0 in without else "0 or more", "below 1" if 1 in without else "at most 1"
    good = is_number(value) and 0 <= value <= 1 and value not in without
    require(bool(good), where, key, value, f"{least}, {most}" if without else "0 to 1")


def texts(where: str, **given: object) -> None:
    """Refuse anything but text, by its key.

    Raises:
        DataError: a number, nothing, a list.
    """
    for key, value in given.items():
        require(isinstance(value, str), where, key, value, "text")


def is_number(value: object) -> bool:
    """Whether it is a real number: no text, nothing or truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)


@contextlib.contextmanager
def one_line(debug: bool = False) -> Iterator[None]:
    """Turn every error into one line on stderr; with ``debug`` let it rise.

    What a user can mend ends with exit code 2: a :class:`TokenomicsError`, a file or folder that the system refuses
    (full, read-only, gone), too little memory. Anything else is a fault of this program: exit code 1.
    """
    try:
        yield
    except Exception as error:
        if debug or getattr(error, "errno", None) == errno.EPIPE or type(error).__module__.startswith("click"):
            raise
        text, code = _told(error)
        print(f"error: {' '.join(text.split())}", file=sys.stderr)
        raise SystemExit(code) from None


def _told(error: Exception) -> tuple[str, int]:
    """The line of an error, and the exit code."""
    if isinstance(error, TokenomicsError):
        return str(error), USER_ERROR_EXIT_CODE
    if isinstance(error, OSError):
        place, reason = error.filename or "output", error.strerror or str(error)
        return f"{place}: file = {reason}; allowed: a path that can be used", USER_ERROR_EXIT_CODE
    if isinstance(error, MemoryError):
        return "memory = used up; allowed: a smaller question", USER_ERROR_EXIT_CODE
    what = f"{type(error).__name__}: {error}"
    return f"a fault of this program, {what}; the same with --debug shows where", FAULT_EXIT_CODE
