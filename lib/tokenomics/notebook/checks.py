"""Checks of a notebook's own numbers: a failed check stops the run, a passed one is recorded.

:func:`that` is for what holds whatever the parameters (a prediction above its lower bound, a sum of parts).
:func:`usual` is for ranges that were found with the committed parameters: elsewhere a number outside is a warning.

With ``TOKENOMICS_SPOIL=1`` every check gets wrong numbers instead (three times and a third of the value) and must
refuse at least one of them: a check that accepts both cannot fail and is itself an error.
"""

import os
from typing import Any

import numpy as np

from tokenomics.errors import RunError
from tokenomics.notebook import rounding
from tokenomics.notebook.context import current

SPOIL_VARIABLE = "TOKENOMICS_SPOIL"
SPOIL_FACTOR = 3.0


def that(
    name: str,
    value: Any,
    *,
    expected: Any = None,
    rtol: float = 0.0,
    low: float | None = None,
    high: float | None = None,
) -> None:
    """Require a number (or every number of an array) to equal ``expected`` within ``rtol``, or to lie in [low, high];
    or require a truth.

    Args:
        name: what is checked, unique in the notebook.
        value: number, array or bool.
        expected: independent value of the same quantity (number, array of the same shape, or bool).
        rtol: allowed relative deviation from ``expected``.
        low, high: inclusive bounds, in the unit of ``value``.

    Raises:
        RunError: the check fails, or nothing was given to check against, or (spoiled) it cannot fail. An empty array
            fails a committed run; in another one, where nothing is feasible, it is a warning.
    """
    _check(name, value, (expected, rtol, low, high), invariant=np.size(value) > 0)


def usual(
    name: str,
    value: Any,
    *,
    expected: Any = None,
    rtol: float = 0.0,
    low: float | None = None,
    high: float | None = None,
) -> None:
    """Require of a committed run what :func:`that` requires; in a run with other parameters a deviation is a warning
    that says what was expected and found. Arguments and errors as of :func:`that`."""
    _check(name, value, (expected, rtol, low, high), invariant=False)


def _check(name: str, value: Any, wanted: tuple[Any, float, Any, Any], *, invariant: bool) -> None:
    expected, rtol, low, high = wanted
    if expected is None and low is None and high is None:
        if not isinstance(value, bool | np.bool_):
            raise RunError(f"check {name!r}: give expected, low or high")
        expected = True
    if os.environ.get(SPOIL_VARIABLE):
        _spoil(name, value, expected, rtol, low, high)
    elif not holds(value, expected, rtol, low, high):
        text = f"check {name!r} fails: {_bounds(value, expected, rtol, low, high)}"
        if invariant:
            raise RunError(text)
        current().complain(text)
        current().add("checks", name, {"n": int(np.size(value)), "holds": False})
        return
    current().add("checks", name, _entry(value, expected, rtol, low, high))


def holds(value: Any, expected: Any, rtol: float, low: float | None, high: float | None) -> bool:
    """Whether ``value`` agrees with what is expected of it; NaN never does."""
    if isinstance(expected, bool | np.bool_):
        return bool(value) is bool(expected)
    numbers = np.asarray(value, dtype=float)
    if numbers.size == 0:
        return False
    agreed = np.isfinite(numbers)
    if expected is not None:
        wanted = np.asarray(expected, dtype=float)
        agreed &= np.abs(numbers - wanted) <= rtol * np.abs(wanted)
    if low is not None:
        agreed &= numbers >= low
    if high is not None:
        agreed &= numbers <= high
    return bool(agreed.all())


def _spoil(name: str, value: Any, *bounds: Any) -> None:
    if isinstance(value, bool | np.bool_):
        wrong = [not value]
    else:
        numbers = np.asarray(value, dtype=float)
        wrong = [numbers * SPOIL_FACTOR + (numbers == 0), numbers / SPOIL_FACTOR - (numbers == 0)]
    if all(holds(each, *bounds) for each in wrong):
        raise RunError(f"check {name!r} accepts wrong numbers: it cannot fail")


def _entry(value: Any, expected: Any, rtol: float, low: float | None, high: float | None) -> dict[str, Any]:
    numbers = np.asarray(value, dtype=float)
    entry: dict[str, Any] = {"n": int(numbers.size)}
    if expected is not None:
        deviation = np.abs(numbers - np.asarray(expected, dtype=float))
        scale = np.where(np.asarray(expected, dtype=float) == 0, 1.0, np.abs(np.asarray(expected, dtype=float)))
        entry |= {"largest_deviation": rounding.rounded((deviation / scale).max()), "allowed_deviation": rtol}
    if low is not None:
        entry |= {"smallest": rounding.rounded(numbers.min()), "low": rounding.rounded(low)}
    if high is not None:
        entry |= {"largest": rounding.rounded(numbers.max()), "high": rounding.rounded(high)}
    return entry


def _bounds(value: Any, expected: Any, rtol: float, low: float | None, high: float | None) -> str:
    numbers = np.asarray(value, dtype=float)
    span = (
        f"{numbers.min():.6g} to {numbers.max():.6g}"
        if numbers.size > 1
        else f"{numbers.item() if numbers.size else 'nothing'}"
    )
    wanted = [] if expected is None else [f"{np.asarray(expected).ravel()[:3]} within {rtol:g}"]
    wanted += [f">= {low:g}"] if low is not None else []
    wanted += [f"<= {high:g}"] if high is not None else []
    return f"{span}; allowed: {' and '.join(wanted)}"
