"""Prefill and decode on pools of their own."""

import numpy as np
import pytest

from tokenomics.compute.inference.disaggregation import Pools, closed_loop
from tokenomics.compute.inference.server import server
from tokenomics.errors import DataError
from tokenomics.facts import catalogue


def worker(tp=4):
    return server(catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H200-SXM-141GB"), engine="vLLM 0.19", tp=tp)


def loop(concurrency, prefill_workers=1, decode_workers=1, prompt=4096, output=512):
    one = worker()
    return closed_loop(Pools(one.on, one.on, prefill_workers, decode_workers), one.profile, concurrency, prompt, output)


def test_tokens_are_not_held_up_by_prompts():
    one = worker()
    together = one.closed_loop(64, 4096, 512).step.seconds(one.profile)
    assert loop(64).tpot_s < together


def test_a_slow_prefill_pool_lets_requests_wait():
    few, many = loop(256, prefill_workers=1), loop(256, prefill_workers=8)
    assert few.ttft_s > 2 * many.ttft_s and few.output_rate < many.output_rate


def test_requests_in_flight_are_what_littles_law_says():
    found = loop(np.array([1, 16, 128]))
    rate = found.output_rate / 512
    assert rate * (found.ttft_s + 511 * found.tpot_s) == pytest.approx([1, 16, 128])


def test_more_decode_workers_step_faster():
    assert loop(128, decode_workers=4).tpot_s < loop(128).tpot_s


def test_a_pool_without_workers_is_refused():
    one = worker()
    with pytest.raises(DataError, match="prefill_workers"):
        Pools(one.on, one.on, 0, 1)
