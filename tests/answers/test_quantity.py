"""A predicted number: inside its interval, plain in JSON, legible in print."""

import math

from tokenomics.answers.quantity import Quantity, shown
from tokenomics.estimate import Estimate


def test_a_value_lies_inside_its_interval_whatever_the_ends():
    made = Quantity.of(Estimate(5.0, 6.0, 4.0), "ms")
    assert (made.low, made.value, made.high) == (5.0, 5.0, 5.0)


def test_json_knows_no_infinity():
    made = Quantity(2.0, 1.0, math.inf, "devices", ("a",), ("b",)).as_dict()
    assert made == {"value": 2.0, "low": 1.0, "high": None, "unit": "devices", "assumed": ["a"], "sources": ["b"]}


def test_what_is_unknown_says_why():
    made = Quantity.unknown("USD/Mtok", "no rent")
    assert made.as_dict()["value"] is None and str(made) == "unknown: no rent"


def test_numbers_are_shown_with_three_digits():
    assert [shown(x) for x in (0, 0.02351, 3.14159, 28051.2, 12.0, math.inf)] == [
        *("0", "0.0235", "3.14", "28,051", "12", "no bound")
    ]
