"""Checks that every room uses refuse what they say, in one line."""

import numpy as np
import pytest

from tokenomics.errors import DataError, one_line, one_of, positive, proportion, whole


@pytest.mark.parametrize("value", [1, 0.5, np.float64(2.0), np.int64(3)])
def test_finite_numbers_above_zero_are_positive(value):
    positive("here", "rate", value)


@pytest.mark.parametrize("value", [0, -1.0, np.inf, np.nan, True, None, "1"])
def test_nothing_else_is(value):
    with pytest.raises(DataError, match=r"^here: rate = .*; allowed: a finite number > 0$"):
        positive("here", "rate", value)


def test_whole_numbers_may_have_any_type():
    for value in (2, 2.0, np.int64(2)):
        whole("here", "replicas", value, 2)
    for value in (1, 2.5, np.nan, np.inf, "3", None, True):
        with pytest.raises(DataError, match=r"^here: replicas = .*; allowed: a whole number >= 2$"):
            whole("here", "replicas", value, 2)
    with pytest.raises(DataError, match=r"^here: replicas = 1e\+300; allowed: a whole number >= 2, at most 9.*e\+15$"):
        whole("here", "replicas", 1e300, 2)


def test_a_proportion_lies_between_its_ends():
    for value in (0, 0.5, np.float64(1)):
        proportion("here", "share", value)
    for value, without in (
        (-0.1, ()),
        (1.1, ()),
        (np.nan, ()),
        ("0.5", ()),
        (None, ()),
        (True, ()),
        (0, [0]),
        (1, [1]),
    ):
        with pytest.raises(DataError, match=r"^here: share = .*; allowed: .*0.*1$"):
            proportion("here", "share", value, without)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (DataError("here", "key", 1, "2"), 2, "here: key = 1; allowed: 2"),
        (OSError(28, "No space left on device"), 2, "output: file = No space left on device"),
        (PermissionError(13, "Permission denied", "a.csv"), 2, "a.csv: file = Permission denied"),
        (MemoryError(), 2, "memory = used up"),
        (ZeroDivisionError("of\nmine"), 1, "a fault of this program, ZeroDivisionError: of mine"),
        (RecursionError("too deep"), 1, "RecursionError"),
    ],
)
def test_every_error_is_one_line_unless_debugged(error, code, says, capsys):
    with pytest.raises(SystemExit) as end, one_line():
        raise error
    line = capsys.readouterr().err
    assert end.value.code == code and line.startswith("error: ") and says in line and line.count("\n") == 1
    with pytest.raises(type(error)), one_line(debug=True):
        raise error


def test_values_of_any_size_are_shown_short():
    bomb = ["x"] * 9
    for _ in range(30):
        bomb = [bomb] * 9
    for value in (bomb, 1 << 40_000, "x" * 10**6, {"a": bomb}):
        assert len(str(DataError("here", "key", value, "less"))) < 120
    assert "key = [1, 2.5, 'a']" in str(DataError("here", "key", [1, 2.5, "a"], "less"))


def test_the_nearest_of_many_names_is_told():
    one_of("here", "key", "ttft", ("ttft", "tpot"))
    with pytest.raises(DataError, match="here: key = tpott; allowed: ttft, tpot; nearest: tpot"):
        one_of("here", "key", "tpott", ("ttft", "tpot"))
