"""How many accelerators: plausible, between bound and three times it, refused where nothing keeps the objective."""

import math

import pytest

from tokenomics.answers import size as module
from tokenomics.answers.question import PRICE_LIST, ask
from tokenomics.answers.size import Trials, counted, fewest, price_date, size
from tokenomics.compute import bounds
from tokenomics.errors import DataError
from tokenomics.facts.prices import listed_by
from tokenomics.facts.sources import sources

STATED = {"rate": 20, "prompt": 1500, "output": 300, "tpot_ms": 50}
PAIR = ("Llama-3.1-70B", "H100-SXM-80GB")
LIMITS = {"memory", "bandwidth", "compute", "communication", "host", "objective"}


@pytest.fixture(scope="module")
def example():
    return size(*PAIR, **STATED)


def test_every_number_lies_inside_an_interval_that_is_not_empty(example):
    assert len(example.quantities) == 9
    for name, each in example.quantities.items():
        assert each.low <= each.value <= each.high and each.low < each.high, name
        assert each.unit and each.assumed and set(each.sources) <= sources().keys(), name


def test_the_example_takes_more_than_the_bound_and_at_most_three_times_it(example):
    """Compute and bandwidth at the data sheet's rates, as many sequences as a step of 50 ms allows."""
    one = ask(*PAIR, **STATED).server(example.layout)
    batch = 1
    while bounds.decode_step_seconds(one.bound, batch + 1, 1650) <= 0.05 and one.capacity(1650) > batch:
        batch += 1
    seconds = (
        bounds.prefill_seconds(one.bound, 1, 1500) + 299 * bounds.decode_step_seconds(one.bound, batch, 1650) / batch
    )
    least = 20 * float(seconds) * one.devices
    assert least <= example.devices.value <= 3 * least
    assert example.limit in LIMITS and example.layout.devices in {2, 4, 8}
    assert example.tpot_p50_ms.value < example.tpot_p95_ms.value
    assert example.ttft_p50_ms.value < example.ttft_p95_ms.value < 2000


def test_money_is_rent_of_all_devices_all_month(example):
    usd_per_hour = example.usd_per_month.value / example.devices.value / (24 * 365.25 / 12)
    assert 1 < usd_per_hour < 12
    tokens = 20 * 300 * 86400 * 365.25 / 12
    assert example.usd_per_mtok.value == pytest.approx(1e6 * example.usd_per_month.value / tokens)
    assert PRICE_LIST in example.usd_per_mtok.sources and example.price_date == price_date(
        PAIR[1], listed_by(PRICE_LIST)
    )


def test_spares_are_paid_and_stay_idle(example):
    more = size(*PAIR, **STATED, spares=1)
    assert more.replicas.value == example.replicas.value + 1
    assert more.utilisation.value < example.utilisation.value
    assert more.ttft_p95_ms.value == example.ttft_p95_ms.value


def test_a_stated_layout_is_kept():
    found = size(*PAIR, **STATED, tp=8, pp=1)
    assert (found.layout.tp, found.layout.pp) == (8, 1)


def test_without_a_rent_there_is_no_money_but_there_are_devices():
    found = size("Llama-3.1-70B", "MI300X", **STATED)
    assert found.usd_per_month.value is None and "no on-demand rent of MI300X" in found.usd_per_mtok.assumed[0]
    assert found.devices.value >= 1 and found.price_date == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tpot_ms": 5}, "nearest: TTFT .* ms, TPOT .* ms"),
        ({"ttft_ms": 1}, "objective = TTFT 1 ms"),
        ({"tp": 1, "pp": 1}, "weights take"),
        ({"price_list": "nobody"}, "price_list = nobody"),
        ({"engine": "nothing 1.0"}, "engine = nothing"),
        ({"format": "fp9"}, "fp9"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(change, words):
    with pytest.raises(DataError, match=words) as refused:
        size(*PAIR, **STATED | change)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("least", [1, 2, 7, 100, 1234])
@pytest.mark.parametrize("guess", [1, 5, 1000])
def test_the_fewest_are_found_from_any_guess(least, guess):
    found = fewest(lambda n: n >= least, guess)
    assert least <= found <= max(least, least * (1 + 2 * module.CLOSE))


def test_no_number_is_enough():
    assert fewest(lambda n: False, 1) == math.inf


def test_whole_replicas_have_an_interval_a_replica_wide_at_least():
    made = counted({"value": 2.0, "low": 2.0, "high": 2.0}, spares=1)
    assert (made.low, made.value, made.high) == (3, 3, 4)


def test_a_simulation_is_run_once(monkeypatch):
    trials = Trials(ask(*PAIR, **STATED), ask(*PAIR, **STATED, tp=8, pp=1).server(module.Layout(8)))
    assert trials.keeps("value", 4)
    monkeypatch.setattr(trials, "run", None)
    assert trials.outcome("value", 4).finished.all()


def test_print_is_a_few_lines(example):
    lines = str(example).splitlines()
    assert len(lines) == 13 and lines[0].startswith("Llama-3.1-70B on H100-SXM-80GB, vLLM 0.19, bf16")
    assert all(line.count("(") == line.count(")") for line in lines)
