"""One run: numbers as tools write them, statistics by any name, names of models."""

import pytest

from tokenomics.rows.formats.run import Run, alike, day, found, model_name, number, per


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *(("1,146.31", 1146.31), (" 7 ", 7.0), ("1,5", None), (True, None), (None, None), ("", None), ("inf", None)),
        *((float("nan"), None), ([1], None), ("12,345,678", 12345678.0), (1e308, 1e308), (10**400, None)),
    ],
)
def test_numbers(value, expected):
    assert number(value) == expected


def test_infinity_is_a_number_where_it_may_be():
    assert number("inf", endless=True) == float("inf") and number("nan", endless=True) is None


def test_a_ratio_of_unknowns_is_unknown():
    assert per(6, "3") == 2 and per(6, 0) is None and per(None, 3) is None


def test_what_says_nothing_is_left_unsaid():
    run = Run()
    run.state(
        model="auto",
        kv_precision="compressed-tensors",
        tp=0,
        ep=-1,
        precision=[],
        engine="",
        dp=None,
        isl=3,
        hardware="L40S",
        pp=True,
    )
    assert run.conditions == {"isl": 3, "hardware": "L40S"}


def test_the_mean_of_static_batches_is_the_quantity_itself():
    static, closed = Run({"load": "static"}), Run({"load": "closed"})
    for run in (static, closed):
        run.add_statistics("ttft", {"avg": 5, "Median": 4, "p75": 6, "P99": "9.5"}, "ms")
    assert static.measured == [("ttft", 5.0, "ms"), ("ttft_p50", 4.0, "ms"), ("ttft_p99", 9.5, "ms")]
    assert closed.measured[0] == ("ttft_mean", 5.0, "ms")


def test_no_more_are_in_flight_than_there_are_requests():
    run = Run()
    run.arrive("inf", 128, 100)
    assert run.conditions == {"load": "closed", "batch": 100.0, "requests": 100.0}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("/models/hub/Llama-3.1-8B/", "Llama-3.1-8B"),
        ("./Llama-3.1-8B", "Llama-3.1-8B"),
        ("D:\\models\\Qwen3-8B", "Qwen3-8B"),
        ("cache/hub/Qwen/Qwen3-8B", "Qwen3-8B"),
        ("", None),
        (3, None),
    ],
)
def test_a_path_is_named_by_its_last_part(text, name):
    assert model_name(text) == name


def test_days():
    assert day("20250217-104315") == day("2025-02-17T10:43") == "2025-02-17" and day("yesterday") is None


def test_the_shallowest_key_is_found():
    assert found({"a": {"x": 1}, "b": {"c": {"x": 2}}, "x": None}, "x") == 1 and found([1], "x") is None


def test_devices_alike_are_one_name():
    assert alike(["A ", "A"]) == ("A", 2) and alike(["A", "B"]) == ("A + B", 2) and alike(["", None]) == ("", 0)
