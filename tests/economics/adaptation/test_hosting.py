"""Queries and tuning on devices of one's own: by hand, and what must rise and fall with what."""

import numpy as np
import pytest

from tokenomics.compute.inference.server import server
from tokenomics.compute.training.tuning import METHODS
from tokenomics.economics import adaptation, cost
from tokenomics.economics.adaptation import Reading
from tokenomics.estimate import Estimate
from tokenomics.facts import catalogue


@pytest.fixture(scope="module")
def replica():
    return server(catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB"), engine="vLLM 0.19", tp=4)


def test_longer_prompts_cost_more_and_cached_ones_less(replica):
    price = adaptation.on_server(replica, 2.5)
    short, long = price(Reading(200, 100)).value, price(Reading(4000, 100)).value
    known = price(Reading(4000, 100, cached=3800)).value
    assert short < known < long


def test_reading_and_writing_add_up_to_the_server(replica):
    whole = cost.usd_per_mtoken(2.5, replica.output_rate(1000, 200), replica.devices).value * 200 / 1e6
    assert adaptation.on_server(replica, 2.5)(Reading(1000, 200)).value == pytest.approx(float(whole))


def test_adapters_by_hand(replica):
    factor = adaptation.adapter_factor(catalogue.model("Llama-3.1-70B"), 16)
    assert 1.002 < factor < 1.01  # 0.2 billion of 70 billion parameters


def test_tuning_by_hand():
    model, device = catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB")
    full, lora, _ = (
        float(adaptation.tuning_usd(model, device, 3.6, 1e6, method=each, sequence=512, mfu=0.4).value)
        for each in METHODS
    )
    assert lora / full == pytest.approx(2 / 3)
    by_six_nd = 6 * 70.6e9 * 1e6 / (989e12 * 0.4) / 3600 * 3.6
    assert full == pytest.approx(by_six_nd, rel=0.05)


def test_served_in_time(replica):
    rates = [
        adaptation.queries_per_s(replica, reading, ttft_s=1.0, queries=300)
        for reading in (Reading(112, 100), Reading(4000, 100), Reading(4000, 100, cached=3888))
    ]
    saturated = float(replica.output_rate(4000, 100).value) / 100
    assert 0 < 2 * rates[1] < rates[2] <= rates[0] and rates[1] == pytest.approx(saturated, rel=0.3)
    assert adaptation.queries_per_s(replica, Reading(4000, 100), ttft_s=1e-3, queries=300) == 0


def test_served_by_hand():
    rate = Estimate(*(np.array(each) for each in (2.0, 1.6, 2.4)))
    made = adaptation.from_served(3.6, 4, rate)
    assert made.value == pytest.approx(4 * 3.6 / 3600 / 2) and made.low < made.value < made.high
