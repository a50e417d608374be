"""benchmarks/fuzz: a small part of the campaign, the same on every run; and what it calls wrong."""

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz"


@pytest.fixture
def campaign(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("campaign")
    sys.modules.pop("campaign", None)


@pytest.mark.parametrize(
    ("area", "count"),
    [("rows", 60), ("parameters", 40), ("tables", 60), ("notebooks", 30), ("configurations", 30)],
)
def test_broken_input_gives_no_traceback_and_no_impossible_answer(campaign, area, count):
    found = campaign.campaign(1, {area: count})
    assert found.wrong == [] and found.tried[area] == count
    assert found.answered[area] and (found.refused[area] or area == "rows")


ANSWER = {"status": "ok", "metric": "ttft", "predicted": "2", "low": "1", "high": "3"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"status": "unknown model", "predicted": "", "low": "", "high": ""}, ""),
        ({"status": "unknown model"}, "a refused row with numbers"),
        ({"status": "", "predicted": "", "low": "", "high": ""}, "without a status"),
        ({"predicted": "nan"}, "no finite number"),
        ({"predicted": "-2", "low": "-3"}, "no finite number"),
        ({"high": "inf"}, "outside its interval, or an open one"),
        ({"low": ""}, "outside its interval, or an open one"),
        ({"low": "2.5"}, "outside its interval"),
        ({"low": "2", "high": "2"}, "no width"),
        ({"metric": "fits_in_memory"}, "no verdict"),
    ],
)
def test_what_no_measurement_could_give_is_seen(campaign, change, reason):
    found = campaign.impossible({**ANSWER, **change}, "best")
    assert reason in found and bool(reason) == bool(found)


def test_a_traceback_is_noted_with_its_cause(campaign):
    found = campaign.Findings()
    assert found.attempt("rows", "the cause", lambda: 1 / 0) is None
    assert "ZeroDivisionError" in found.wrong[0][2] and "the cause" in found.wrong[0][2]
