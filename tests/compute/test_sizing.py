"""Sizes by hand on a made-up device: what must be held, what a deadline asks for, what limits a step."""

import numpy as np
import pytest

from tokenomics.compute import bounds, sizing
from tokenomics.compute.counts.parameters import parameters, weight_bytes
from tokenomics.compute.training import tuning
from tokenomics.errors import DataError
from tokenomics.facts import catalogue
from tokenomics.facts.accelerators import Accelerator

PLAIN = {"vendor": "v", "kind": "gpu", "memory_bytes": 80e9, "bandwidth_bytes_per_s": 2e12}
DEVICE = Accelerator(name="device", **PLAIN, peak_bf16_flop_per_s=300e12, peak_fp8_flop_per_s=600e12)
PHONE = Accelerator(name="phone", **PLAIN, peak_int8_op_per_s=45e12)


@pytest.mark.parametrize(
    ("device", "bits", "dtype"),
    [(DEVICE, 16, "bf16"), (DEVICE, 8, "fp8"), (DEVICE, 4, "fp8"), (PHONE, 16, "int8"), (PHONE, 4, "int8")],
)
def test_fastest_type_of_at_least_a_width(device, bits, dtype):
    assert sizing.fastest_dtype(device, bits) == dtype


def test_narrower_types_do_not_stand_in_while_wider_ones_are_published():
    old = Accelerator(name="old", **PLAIN, peak_fp32_flop_per_s=10e12, peak_int8_op_per_s=90e12)
    assert sizing.fastest_dtype(old, 16) == "fp32"


def test_unknown_width_is_refused():
    with pytest.raises(DataError, match="bits"):
        sizing.fastest_dtype(DEVICE, 12)


def test_deadline_or_memory_sets_the_fleet():
    on = sizing.deployment(catalogue.model("Llama-2-7B"), DEVICE)
    device_days = float(bounds.training_days(on, 1e12, 4096))
    asked = sizing.devices_to_train(on, 1e12, 4096, np.array([1.0, device_days, 1e6]))
    hold = bounds.training_devices_to_hold(on)
    assert asked.tolist() == [np.ceil(device_days), max(1, hold), hold]
    assert hold == 2


def test_a_step_is_limited_by_what_takes_longer():
    on = sizing.deployment(catalogue.model("Llama-2-7B"), DEVICE, 16)
    limits = sizing.limited_by(on, np.array([1, 1, 20_000, 1000]), np.array([128, 200_000, 1, 1]))
    assert limits.tolist() == ["bandwidth", "memory", "compute", "compute"]


def test_the_ridge_parts_the_two_times():
    on = sizing.deployment(catalogue.model("Llama-3.1-8B"), DEVICE, 16)
    batch = np.array([1, 50, 100, 200, 400, 4000])
    moved = on.slower_seconds(0, 1) * 2e12  # one, whatever the device: bytes over bandwidth times bandwidth
    flop_per_byte = sizing.decode_flop_per_byte(on, batch, 1)
    seconds = bounds.decode_step_seconds(on, batch, 1)
    waits = flop_per_byte < 150
    assert moved == pytest.approx(1) and waits.any() and not waits.all()
    flop = batch * 2 * parameters(on.model).multiplied
    assert seconds[~waits] == pytest.approx(flop[~waits] / 300e12, rel=1e-3)
    assert (seconds[waits] > 1.0001 * flop[waits] / 300e12).all()


def test_low_rank_adapters_by_hand():
    gpt3 = catalogue.model("GPT-3-175B")
    assert tuning.lora_parameters(gpt3, 4, only=("query", "value")) == 4 * 96 * 2 * (12288 + 12288)
    llama = catalogue.model("Llama-2-7B")
    every = 32 * (4 * (4096 + 4096) + 3 * (4096 + 11008))
    assert tuning.lora_parameters(llama, 8) == 8 * every


def test_routed_experts_get_no_adapter():
    mixtral = catalogue.model("Mixtral-8x7B")
    attention = 32 * (2 * (4096 + 4096) + 2 * (4096 + 1024))
    assert tuning.lora_parameters(mixtral, 1) == attention


def test_tuning_memory_by_method():
    model = catalogue.model("Llama-2-7B")
    full, lora, qlora = (method.bytes(model, 16) for method in tuning.METHODS)
    adapters = 16 * tuning.lora_parameters(model, 16)
    assert full == 16 * parameters(model).total
    assert lora == weight_bytes(model, 16) + adapters
    assert qlora == weight_bytes(model, 4) + adapters
