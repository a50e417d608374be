"""Saturated replicas under the three policies: by hand, against the bound, arrays against numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.compute import bounds
from tokenomics.compute.deployment import Deployment, Settings
from tokenomics.compute.inference import memory
from tokenomics.compute.inference.durations import decode_step, in_flight
from tokenomics.compute.inference.engines import Profile
from tokenomics.compute.inference.saturation import saturated_cycle
from tokenomics.compute.inference.steps import device_seconds
from tokenomics.compute.layout import Layout
from tokenomics.facts import catalogue
from tokenomics.facts.engines import POLICIES

PLAIN = Profile(name="vllm 2024")
HOSTED = Profile("vllm 2024", 1.5, 1.2, 2e-3, 2e-5)
PROMPT, OUTPUT = 1000, 101


def serve(policy, model="Llama-3.1-8B", **layout):
    device = catalogue.accelerator("H100-SXM-80GB")
    return Deployment(catalogue.model(model), device, layout=Layout(**layout), settings=Settings(policy=policy))


def read_s(on, prompts, profile=HOSTED):
    """Seconds of a stage's step that reads so many prompts."""
    seconds = float(device_seconds(on, new=prompts * PROMPT, prompts=prompts).total) * on.stage_share
    return profile.prefill_slowdown * seconds + float(profile.host_s(on.layers_together)) / on.layout.pp


def decode_s(on, running, profile=HOSTED):
    """Seconds of all steps of decodes of a request."""
    return float(decode_step(on, running, PROMPT + OUTPUT / 2).times(OUTPUT - 1).seconds(profile))


def cycle_s(on, running, profile=HOSTED, output=OUTPUT):
    return float(saturated_cycle(on, profile, PROMPT, output, running).seconds(profile))


def test_a_batch_is_read_in_full_steps_and_one_of_the_rest_and_decoded_to_its_end():
    on = serve("decode")
    assert cycle_s(on, 20) == pytest.approx(2 * read_s(on, 8) + read_s(on, 4) + decode_s(on, 20))
    assert cycle_s(on, 16) == pytest.approx(2 * read_s(on, 8) + decode_s(on, 16))


def test_stages_fill_and_drain_once_a_batch():
    on = serve("decode", pp=2)
    assert cycle_s(on, 32) == pytest.approx(5 * read_s(on, 8) + decode_s(on, 32))


def test_a_request_alone_is_read_and_then_decoded_under_every_policy_of_whole_prompts():
    for policy in ("decode", "prefill"):
        on = serve(policy)
        assert cycle_s(on, 1) == pytest.approx(read_s(on, 1) + decode_s(on, 1))


def test_prompts_that_go_first_stop_all_decodes():
    """Two sequences: with a chance of 1 in 100 each of them ends with a step."""
    on, end = serve("prefill"), 1 / (OUTPUT - 1)
    one, both = 2 * end * (1 - end), end**2
    a_step = (one * read_s(on, 1) + both * read_s(on, 2)) / (one + 2 * both) * 2
    assert cycle_s(on, 2) == pytest.approx(a_step + decode_s(on, 2), rel=2e-3)
    few = replace(on, settings=replace(on.settings, max_num_batched_tokens=PROMPT))
    assert cycle_s(few, 2) == pytest.approx(2 * read_s(on, 1) + decode_s(on, 2), rel=1e-6)


def test_a_rare_prompt_holds_up_every_stage():
    on, long = serve("prefill", pp=4), 4001
    steps = decode_step(on, 4, PROMPT + long / 2).times(long - 1)
    each = float(steps.seconds(HOSTED)) / 4 / (long - 1)
    waits = (cycle_s(on, 4, output=long) - float(steps.seconds(HOSTED))) / 4
    assert waits == pytest.approx(each + 4 * (read_s(on, 1) - each), rel=0.1)


@given(st.sampled_from(POLICIES), st.sampled_from([1, 3]), st.integers(1, 8000), st.integers(1, 2000), st.floats(0, 11))
def test_nothing_delivers_more_than_its_bound(policy, pp, prompt, output, log_most):
    on = serve(policy, pp=pp)
    least = bounds.IdealDevices(on.model, on.device, on.precision, pp)
    for most in (np.inf, 2.0**log_most):
        running = in_flight(on, PLAIN.name, most, prompt, output)
        if memory.capacity(on, PLAIN.name, prompt + output) < 1:
            return
        rate = running * output / saturated_cycle(on, PLAIN, prompt, output, most).seconds(PLAIN)
        assert rate <= bounds.output_rate(least, prompt, output, in_flight=running)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("pp", [1, 3])
def test_arrays_equal_scalars(policy, pp):
    on = serve(policy, "Mixtral-8x7B", tp=2, pp=pp)
    batch, prompt = np.array([[1], [64], [3000]]), np.array([10, 9000])
    together = saturated_cycle(on, HOSTED, prompt, 77, batch).seconds(HOSTED)
    assert together.shape == (3, 2)
    single = [[float(saturated_cycle(on, HOSTED, p, 77, b).seconds(HOSTED)) for p in (10, 9000)] for b in (1, 64, 3000)]
    assert together == pytest.approx(np.array(single), rel=1e-9)
