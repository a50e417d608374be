"""The price of an objective and the size of a fleet: by hand, monotone, refusals."""

import numpy as np
import pytest

from tokenomics.economics import cost
from tokenomics.economics.cost import capacity
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.service.qoe import MLPERF, Slo

POWER = cost.Power(busy_w=700, idle_w=100, host_w=300)


def demand(**changed) -> cost.Demand:
    given = {"users_per_day": 1e5, "requests_per_user": 10, "prompt": 1000, "output": 300, "peak_ratio": 3}
    return cost.Demand(**{**given, **changed})


class TestObjective:
    def test_a_tighter_objective_is_never_cheaper(self, replica):
        prices = [
            cost.price_of_slo(replica, 2.5, Slo(ttft, tpot), 1000, 300)
            for ttft, tpot in ((9, 9), (1, 0.05), (0.3, 0.01))
        ]
        ratios = [each.ratio for each in prices]
        assert ratios == sorted(ratios) and ratios[0] == pytest.approx(1.0)
        assert prices[0].running > prices[-1].running >= 1
        for each in prices:
            assert each.usd_per_mtoken.low < each.usd_per_mtoken.value < each.usd_per_mtoken.high

    def test_an_objective_out_of_reach_has_no_price(self, replica):
        never = cost.price_of_slo(replica, 2.5, Slo(1e-6, 1e-6), 1000, 300)
        assert never.running == 0 and never.ratio == np.inf


class TestPlan:
    def test_from_a_given_rate_by_hand(self, replica):
        # 1e5 users of 8.64 requests a day are 10 a second, 30 in the busiest hour: at 4 each, 8 replicas and a spare
        asked = demand(requests_per_user=8.64)
        got = cost.plan(asked, replica, 2.0, Slo(2, 0.2), power=POWER, pue=1.25, replica_rate=4.0)
        assert got.replicas.value == 9 and got.accelerators.value == 9 * replica.devices
        assert got.usd_per_month.value == pytest.approx(9 * 2.0 * 730.5)
        assert got.peak_w.value == pytest.approx(9 * 1000 * 1.25)
        load = 10 / 4 / 9
        assert got.utilisation.value == pytest.approx(load)
        assert got.mean_w.value == pytest.approx(9 * (400 + 600 * load) * 1.25)
        tokens = 10 * 86400 * 365.25 / 12 * 300
        assert got.usd_per_mtoken.value == pytest.approx(9 * 2.0 * 730.5 / tokens * 1e6)

    def test_replicas_hold_the_scatter_of_requests_by_hand(self, replica):
        slo, asked = MLPERF["Llama-3.1-8B server"], demand()
        at = capacity.loads(replica, 1000, 300)
        most = at.most(slo)
        flight = 1e5 * 10 * 3 / 86400 * (at.ttft_s[most] + 299 * at.tpot_s[most])
        expected = np.ceil((flight + 1.6448536 * flight**0.5) / at.running[most]) + 1
        assert cost.plan(asked, replica, 2.0, slo, power=POWER).replicas.value == expected

    def test_ends_enclose_and_everything_rises_with_users(self, replica):
        got = cost.plan(demand(users_per_day=[1e3, 1e5, 1e7]), replica, 2.0, Slo(2, 0.1), power=POWER, pue=1.3)
        for each in (got.replicas, got.accelerators, got.usd_per_month, got.mean_w, got.peak_w, got.utilisation):
            assert (each.low <= each.value).all() and (each.value <= each.high).all()
        for each in (got.replicas, got.usd_per_month, got.mean_w, got.peak_w, got.utilisation):
            assert (np.diff(each.value) >= 0).all()
        assert (np.diff(got.usd_per_mtoken.value) < 0).all()

    def test_more_is_asked_for_by_peaks_spares_shares_and_pue(self, replica):
        def made(asked=None, **changed):
            given = {"power": POWER, "pue": 1.2, "share": 0.95, "spares": 1}
            return cost.plan(asked or demand(users_per_day=1e7), replica, 2.0, Slo(2, 0.1), **{**given, **changed})

        plain = made()
        assert made(demand(users_per_day=1e7, peak_ratio=6)).replicas.value > plain.replicas.value
        assert made(spares=2).replicas.value == plain.replicas.value + 1
        assert made(share=0.999).replicas.value > plain.replicas.value
        assert made(pue=1.5).mean_w.value > plain.mean_w.value

    def test_high_ends_say_when_the_slow_estimate_breaks_the_objective(self, replica):
        alone = capacity.loads(replica, 1000, 300)
        tight = Slo(9.0, float(alone.tpot_s[0]) * 1.02)
        got = cost.plan(demand(), replica, 2.0, tight, power=POWER)
        assert np.isfinite(got.replicas.value) and got.replicas.high == np.inf and got.mean_w.high == np.inf

    def test_a_rate_whose_slow_end_serves_nothing_has_an_infinite_high_end(self, replica):
        rate = Estimate(*(np.asarray(each) for each in (2.0, 0.0, 3.0)))
        got = cost.plan(demand(), replica, 2.0, Slo(1, 1), power=POWER, replica_rate=rate)
        assert np.isfinite(got.replicas.value) and got.replicas.high == np.inf and got.mean_w.high == np.inf
        assert 0 < got.utilisation.value <= 1 and got.utilisation.low == 0


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda r: demand(users_per_day=0), "users_per_day = 0.0"),
        (lambda r: demand(peak_ratio=30), "peak_ratio = 30"),
        (lambda r: cost.plan(demand(), r, 1.0, Slo(1e-9, 1e-9), power=POWER), "slo = 1e-09 s"),
        (lambda r: cost.plan(demand(), r, 1.0, Slo(1, 1), power=POWER, share=1.0), "share = 1.0"),
        (lambda r: cost.plan(demand(), r, 1.0, Slo(1, 1), power=POWER, spares=-1), "spares = -1"),
        (lambda r: cost.plan(demand(), r, 1.0, Slo(1, 1), power=POWER, pue=0.5), "pue = 0.5"),
        (lambda r: cost.plan(demand(), r, 1.0, Slo(1, 1), power=POWER, replica_rate=0), "replica_rate = 0;"),
    ],
)
def test_bad_input_is_one_line(replica, call, match):
    with pytest.raises(DataError, match=match) as error:
        call(replica)
    assert "\n" not in str(error.value)
