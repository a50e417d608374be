"""Streams as requests, outcomes as timelines, step times at their ends, loads that only simulation finds."""

import numpy as np
import pytest

from tokenomics.compute.inference.server import server
from tokenomics.economics import cost
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts import catalogue
from tokenomics.service import qoe, workload
from tokenomics.service.simulator import Requests, Rules, StepTable, capacity, simulate
from tokenomics.service.simulator.step_tables import modelled

TABLE = StepTable(decode_s=np.full((9, 2), 0.02), linear_s=np.arange(513) * 1e-4)
RULES = Rules(max_batch=8, max_tokens=512)


@pytest.fixture(scope="module")
def group():
    return server(catalogue.model("Llama-3.1-8B"), catalogue.accelerator("H100-SXM-80GB"), engine="vLLM 0.19")


def test_a_stream_keeps_times_tokens_and_priorities():
    stream = workload.workload("azure_conversation_2023").draw(50, seed=1)
    mine = capacity.requests(workload.with_priorities(stream, [0.5, 0.5]))
    assert np.array_equal(mine.arrival_s, stream.arrival_s) and np.array_equal(mine.prompt, stream.input_tokens)
    assert np.array_equal(mine.output, stream.output_tokens) and set(mine.priority) == {0, 1}


def test_shared_beginnings_are_read_once():
    stream = workload.sessions(workload.CHAT, workload.Poisson(0.2), 30, seed=2)
    served = simulate(capacity.requests(stream), TABLE, RULES)
    alone = simulate(capacity.requests(stream, prefixes=False), TABLE, RULES)
    assert alone.totals["cached_tokens"] == 0 and alone.totals["prompt_tokens"] == stream.input_tokens.sum()
    read = served.totals["prompt_tokens"] + served.totals["cached_tokens"]
    assert read == stream.input_tokens.sum() and served.totals["cached_tokens"] > 0.3 * read


def test_a_timeline_agrees_with_its_outcome():
    asked = Requests([0.0, 0.1, 5.0], [300, 200, 10], [3, 1, 7])
    done = simulate(asked, TABLE, RULES, tokens=True)
    of = capacity.delivered(done)
    assert of.ttft() == pytest.approx(done.ttft_s) and of.e2e() == pytest.approx(done.e2e_s)
    assert of.tpot()[[0, 2]] == pytest.approx(done.tpot_s[[0, 2]])
    with pytest.raises(DataError, match="tokens=True"):
        capacity.delivered(simulate(asked, TABLE, RULES))


def test_what_was_not_served_is_wanted_and_not_delivered():
    impatient = Requests([0.0, 0.0], [500, 500], [2, 2], patience_s=[np.inf, 1e-3])
    done = simulate(impatient, TABLE, Rules(policy="prefill", max_batch=1, max_tokens=512), tokens=True)
    of = capacity.delivered(done)
    assert of.count.tolist() == [2, 0] and of.wanted.tolist() == [2, 2]
    assert qoe.attained(of, qoe.Slo(10.0, 10.0)).tolist() == [True, False]


def test_ends_of_step_times_enclose_the_middle(group):
    table = modelled(group, 8, 512, 2048)
    low, high = (capacity.at_end(table, group, end) for end in ("low", "high"))
    for name in ("decode_s", "linear_s", "prefill_s"):
        middle = getattr(table, name)
        assert (getattr(low, name) <= middle).all() and (getattr(high, name) >= middle).all()
    step = group.tpot(4, 1024)
    assert high(4, 4096) / table(4, 4096) == pytest.approx(float(step.high / step.value), rel=1e-6)
    assert capacity.at_end(table, group) is table
    with pytest.raises(DataError, match="value, low, high"):
        capacity.at_end(table, group, "middle")


def test_the_saturated_rate_by_hand():
    # eight replies of 100 tokens at a time, 20 ms a step; prompts of one token cost 0.1 ms
    asked = Requests(np.arange(400.0), 1, 100)
    assert capacity.saturated(asked, TABLE, RULES) == pytest.approx(8 / 0.02, rel=0.01)
    with pytest.raises(DataError, match="more than fit into a batch"):
        capacity.saturated(Requests([0.0, 1.0], 1, 2), TABLE, RULES)


@pytest.mark.parametrize("limit", [0.02, 0.5, 7.0])
def test_the_largest_load_that_keeps(limit):
    found = capacity.largest(lambda load: load <= limit, 0.01, 10.0, 0.01)
    assert limit / 1.01 <= found <= limit


def test_the_largest_load_at_the_ends():
    assert capacity.largest(lambda _: False, 0.1, 10.0) == 0.0
    assert capacity.largest(lambda _: True, 0.1, 10.0) == 10.0
    for least, most, rtol in ((0.0, 1.0, 0.1), (2.0, 1.0, 0.1), (1.0, 2.0, 0.0)):
        with pytest.raises(DataError):
            capacity.largest(lambda _: True, least, most, rtol)


class TestMoney:
    def test_a_simulated_price_by_hand(self):
        # a reply of ten tokens each second: 10 tokens/s on 2 accelerators at 3.6 USD an hour
        done = simulate(Requests(np.arange(101.0), 1, 10), TABLE, RULES)
        assert cost.achieved(done) == pytest.approx(10.0)
        price = cost.simulated(done, 3.6, 2)
        assert float(price.value) == pytest.approx(1e6 * 2 * 3.6 / 3600 / 10)

    def test_idle_time_is_in_it_once(self, group):
        asked = Requests(np.arange(2000.0) * 0.05, 10, 8)  # 160 tokens/s
        done, full = simulate(asked, TABLE, RULES), capacity.saturated(asked, TABLE, RULES)
        used = cost.utilisation(cost.achieved(done), full)
        closed = cost.effective(cost.usd_per_mtoken(2.0, full), used)
        assert float(closed.value) == pytest.approx(float(cost.simulated(done, 2.0).value), rel=1e-12)
        assert float(used.value) == pytest.approx(160 / full, rel=0.01)

    def test_ends_of_the_rent_are_carried(self):
        done = simulate(Requests(np.arange(101.0), 1, 10), TABLE, RULES)
        rent = Estimate(*(np.asarray(each) for each in (2.0, 1.0, 3.0)))
        price = cost.simulated(done, rent)
        assert float(price.low) / float(price.value) == pytest.approx(0.5)
        assert float(price.high) / float(price.value) == pytest.approx(1.5)

    def test_nothing_finished_is_said(self):
        done = simulate(Requests([0.0, 0.01], 10, 50), TABLE, RULES)
        with pytest.raises(DataError, match="finished"):
            cost.achieved(done)
