"""How far a long run is told to be, where, and when it is not told at all."""

import io

import pytest

from tokenomics.scoring import progress
from tokenomics.scoring.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def told(stream, monkeypatch, done, total, looks):
    """What is written to a stream while the thread looks so many times."""
    left = iter([False] * looks)
    it = Progress(stream)
    monkeypatch.setattr(it._over, "wait", lambda seconds: waited.append(seconds) or next(left, True))
    waited = []
    it(0, total)
    it(done, total)
    with it:
        pass
    return stream.getvalue(), waited


def test_a_terminal_is_told_in_place_at_once_and_left_clean(monkeypatch):
    text, waited = told(Terminal(), monkeypatch, 50, 1000, 2)
    assert text.startswith("\r50 of 1,000 rows, ") and " a second, " in text and text.count("\n") == 0
    assert text.endswith("\r") and set(waited) == {progress.TERMINAL_S} and progress.TERMINAL_S <= 1


def test_elsewhere_it_is_a_line_every_ten_seconds(monkeypatch):
    text, waited = told(io.StringIO(), monkeypatch, 50, 1000, 2)
    assert text.count("\n") == 2 and "\r" not in text and set(waited) == {10.0}


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_a_small_file_is_silent(monkeypatch, stream):
    assert told(stream, monkeypatch, 5, 99, 3)[0] == ""


def test_rate_and_time_left_follow_from_rows_done(monkeypatch):
    clock = iter([0.0, 100.0, 110.0, 110.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    it = Progress(io.StringIO())
    it(0, 1000)
    assert it.line() == "0 of 1,000 rows, starting"
    it(100, 1000)
    assert it.line() == "100 of 1,000 rows, 10 a second, 1:30 left"
