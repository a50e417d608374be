"""Checks that every room uses refuse what they say, in one line."""

import numpy as np
import pytest

from tokenomics.errors import DataError, positive, whole


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
    for value in (1, 2.5, np.nan, np.inf):
        with pytest.raises(DataError, match=r"^here: replicas = .*; allowed: a whole number >= 2$"):
            whole("here", "replicas", value, 2)
