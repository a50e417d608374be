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
    ("model", "given", "dtype", "gigabytes"),
    [
        ("Llama-3.1-8B", "", "bf16", 16.06),
        ("Llama-3.1-8B", "fp8", "fp8", 9.08),
        ("gpt-oss-20b", "", "fp4", 13.76),
        ("gpt-oss-20b", "bf16", "bf16", 41.83),
    ],
)
def test_weights_are_stored_as_published_unless_said_otherwise(model, given, dtype, gigabytes):
    on = sizing.deployment(catalogue.model(model), DEVICE, given, kv_bits=8)
    assert (on.precision.dtype, on.precision.kv_bits) == (dtype, 8)
    assert float(weight_bytes(on.model, on.precision.weights)) / 1e9 == pytest.approx(gigabytes, rel=0.02)


def test_the_ridge_of_a_device_with_narrower_units_only_is_that_of_its_bound():
    on = sizing.deployment(catalogue.model("Llama-2-7B"), PHONE)
    assert on.ridge_flop_per_byte == pytest.approx(45e12 / 2e12)
    assert sizing.limited_by(on, 1, 128) == "bandwidth"


def test_an_unknown_format_is_refused():
    with pytest.raises(DataError, match="precision"):
        sizing.deployment(catalogue.model("Llama-2-7B"), DEVICE, "fp12")


def test_deadline_or_memory_sets_the_fleet():
    on = sizing.deployment(catalogue.model("Llama-2-7B"), DEVICE)
    device_days = float(bounds.training_days(on, 1e12, 4096))
    asked = sizing.devices_to_train(on, 1e12, 4096, np.array([1.0, device_days, 1e6]))
    hold = bounds.training_devices_to_hold(on)
    assert asked.tolist() == [np.ceil(device_days), max(1, hold), hold]
    assert hold == 2


def test_a_step_is_limited_by_what_takes_longer():
    on = sizing.deployment(catalogue.model("Llama-2-7B"), DEVICE, "bf16")
    limits = sizing.limited_by(on, np.array([1, 1, 20_000, 1000]), np.array([128, 200_000, 1, 1]))
    assert limits.tolist() == ["bandwidth", "memory", "compute", "compute"]


def test_the_ridge_parts_the_two_times():
    on = sizing.deployment(catalogue.model("Llama-3.1-8B"), DEVICE, "bf16")
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
