"""Errors a user can cause and mend: one line that names the place, the key, the value and what is allowed."""

import contextlib
import sys
from collections.abc import Iterator
from math import inf
from numbers import Real

USER_ERROR_EXIT_CODE = 2


class TokenomicsError(Exception):
    """Base of every error that the user can mend; its text is a single line."""

    def __str__(self) -> str:
        return " ".join(super().__str__().split())


class DataError(TokenomicsError):
    """A value in a table, a parameter file or a call that is not allowed.

    Args:
        where: file (and row) or function in which the value stands.
        key: column, parameter or field.
        value: the offending value; long values are shortened.
        allowed: what would have been accepted, in words.
    """

    def __init__(self, where: str, key: str, value: object, allowed: str):
        self.where, self.key, self.value, self.allowed = str(where), str(key), value, allowed
        shown = value if isinstance(value, str) else repr(value)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
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


def positive(where: str, key: str, value: object) -> None:
    """Refuse anything but a finite number above zero.

    Raises:
        DataError: text, nothing, a truth value, NaN, infinity, zero or less.
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    require(number and bool(0 < value < inf), where, key, value, "a finite number > 0")


def whole(where: str, key: str, value: Real, least: int = 1) -> None:
    """Refuse anything but a whole number of at least ``least``, whatever its type.

    Raises:
        DataError: a fraction, NaN, infinity, less than ``least``.
    """
    require(bool(least <= value < inf and value == int(value)), where, key, value, f"a whole number >= {least}")


@contextlib.contextmanager
def one_line(debug: bool = False) -> Iterator[None]:
    """Turn what a user can mend into one line on stderr and exit code 2; with ``debug`` let it rise.

    That is a :class:`TokenomicsError`, or a named file or folder that the system refuses (full, read-only, gone).
    """
    try:
        yield
    except (TokenomicsError, OSError) as error:
        refused = isinstance(error, OSError)
        if debug or (refused and error.filename is None):
            raise
        text = f"{error.filename}: file = {error.strerror}; allowed: a path that can be used" if refused else error
        print(f"error: {text}", file=sys.stderr)
        raise SystemExit(USER_ERROR_EXIT_CODE) from None
