"""Loads that only simulation finds, and the price of a simulated load."""

import numpy as np
import pytest

from tokenomics.economics import cost
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.service.simulator import Requests, Rules, StepTable, capacity, simulate

TABLE = StepTable(decode_s=np.full((9, 2), 0.02), linear_s=np.arange(513) * 1e-4)
RULES = Rules(max_batch=8, max_tokens=512)


def test_the_saturated_rate_by_hand():
    # eight replies of 100 tokens at a time, 20 ms a step; prompts of one token cost 0.1 ms
    asked = Requests(np.arange(400.0), 1, 100)
    assert capacity.saturated_tok_per_s(asked, TABLE, RULES) == pytest.approx(8 / 0.02, rel=0.01)
    with pytest.raises(DataError, match="more than fit into a batch"):
        capacity.saturated_tok_per_s(Requests([0.0, 1.0], 1, 2), TABLE, RULES)


@pytest.mark.parametrize("limit", [0.02, 0.5, 7.0])
def test_the_highest_rate_that_keeps(limit):
    found = capacity.highest_rate(lambda rate: rate <= limit, 0.01, 10.0, 0.01)
    assert limit / 1.01 <= found <= limit


def test_the_highest_rate_at_the_ends():
    assert capacity.highest_rate(lambda _: False, 0.1, 10.0) == 0.0
    assert capacity.highest_rate(lambda _: True, 0.1, 10.0) == 10.0
    for least, most, rtol in ((0.0, 1.0, 0.1), (2.0, 1.0, 0.1), (1.0, 2.0, 0.0)):
        with pytest.raises(DataError):
            capacity.highest_rate(lambda _: True, least, most, rtol)


class TestMoney:
    def test_a_simulated_price_by_hand(self):
        # a reply of ten tokens each second: 10 tokens/s on 2 accelerators at 3.6 USD an hour
        done = simulate(Requests(np.arange(101.0), 1, 10), TABLE, RULES)
        assert cost.achieved(done) == pytest.approx(10.0)
        price = cost.simulated(done, 3.6, 2)
        assert float(price.value) == pytest.approx(1e6 * 2 * 3.6 / 3600 / 10)

    def test_idle_time_is_in_it_once(self):
        asked = Requests(np.arange(2000.0) * 0.05, 10, 8)  # 160 tokens/s
        done, full = simulate(asked, TABLE, RULES), capacity.saturated_tok_per_s(asked, TABLE, RULES)
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
