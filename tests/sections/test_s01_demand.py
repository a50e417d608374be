"""From users to megawatts, by hand."""

import dataclasses

import pytest

from tokenomics.compute.counts.parameters import parameters
from tokenomics.facts import catalogue, tables
from tokenomics.sections.s01_ubiquitous_llms import demand
from tokenomics.sections.s01_ubiquitous_llms.parameters import Parameters

MODEL, DEVICE = "Llama-3.1-8B", "H100-SXM-80GB"


def chain(**changes):
    p = Parameters(
        **{
            "users": 86_400.0,
            "messages_per_user_and_day": 10.0,
            "message_prompt_tokens": 900.0,
            "message_reply_tokens": 100.0,
            "peak_share": 0.25,
            "busiest_over_mean": 2.0,
            "server_over_accelerator": 1.5,
            "pue": 1.2,
        }
        | changes
    )
    model, device = catalogue.model(MODEL), catalogue.accelerator(DEVICE)
    return p, model, device, demand.chain(p, model, device)


def test_every_step_by_hand():
    _, model, device, table = chain()
    active = parameters(model).active
    flop = 2 * active * 10_000
    least = flop / device.peak_flop_per_s("bf16")
    installed = least / 0.25 * 2
    expected = [10, 10_000, flop, least, installed, installed * 700 * 1.5 * 1.2 / 1e6]
    assert table["value_number"].tolist() == pytest.approx(expected)


def test_prose_says_the_same_as_the_table():
    p, model, device, table = chain()
    found = demand.metrics(table, p, model, device, 2 * p.users)
    power = table["value_number"].iloc[-1]
    assert found["demand_mw"].value == power and found["demand_first_mw"].value == pytest.approx(2 * power)
    assert found["demand_tokens"].value == pytest.approx(0.01)
    assert found["demand_installed"].value * 1e3 == pytest.approx(table["value_number"].iloc[4])
    assert found["demand_watts_per_user"].value == pytest.approx(power * 1e6 / 86_400)


def test_an_accelerator_without_power_gives_no_megawatts():
    p, model, device, _ = chain()
    bare = dataclasses.replace(device, tdp_w=None)
    found = demand.metrics(demand.chain(p, model, bare), p, model, bare, 1.0)
    assert found["demand_mw"].value != found["demand_mw"].value and found["demand_installed"].value > 0


def test_the_share_in_use_follows_from_what_an_operator_published():
    published = tables.read("catalogue/published_figures").set_index("key")["value"]
    device = catalogue.accelerator("H800-SXM-80GB")
    computed = (608e9 * (1 - 0.563) + 168e9) / 86_400
    expected = 2 * 37e9 * computed / (226.75 * 8 * device.peak_flop_per_s("bf16"))
    assert demand.used_share(published, 37e9, device) == pytest.approx(expected)
    assert expected == pytest.approx(Parameters().peak_share, rel=0.1)


def test_defaults_are_the_published_figures():
    published, p = tables.read("catalogue/published_figures").set_index("key")["value"], Parameters()
    assert p.users == published["chatgpt_users"]
    assert p.users * p.messages_per_user_and_day == pytest.approx(published["chatgpt_messages"], rel=0.01)
    assert p.message_prompt_tokens == pytest.approx(published["conversation_prompt"], rel=0.01)
    assert p.message_reply_tokens == pytest.approx(published["conversation_reply"], rel=0.01)
