"""Money by hand, what must rise and fall with what, what must add up, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.compute.inference.server import server
from tokenomics.economics import cost
from tokenomics.economics.cost import amounts, hourly, objective
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts import catalogue, prices
from tokenomics.facts.prices import ApiPrice, RentalPrice
from tokenomics.service.qoe import MLPERF, Slo

API = ApiPrice.from_row(
    {
        **{"date": "2025-01-01", "listed_until": "2025-06-30", "provider": "acme", "model_id": "thinker-1"},
        **{"model": "Thinker 1", "usd_per_mtoken_input": 2, "usd_per_mtoken_output": 8.0, "context_tokens": 128000},
        **{"usd_per_mtoken_cached_input": 0.5, "reasoning_billed": True, "tokenizer": "o200k_base"},
        **{"usable": True, "source": "a_source", "verified": True},
    }
)
RENT = RentalPrice.from_row(
    {
        **{"date": "2025-01-01", "listed_until": "2025-06-30", "provider": "acme", "instance": "a-8"},
        **{"accelerator_listed": "H100", "accelerator": "", "n_accelerators": 8, "kind": "on_demand"},
        **{"usd_per_accelerator_hour": 3.6, "usable": True, "source": "a_source", "verified": True},
    }
)
POWER = cost.Power(busy_w=700, idle_w=100, host_w=300)
BOUGHT = cost.Purchase(usd=35_064, power=POWER, pue=1.25, usd_per_kwh=0.1, years=4)
UNSURE = Estimate(np.array(100.0), np.array(80.0), np.array(125.0))
positive = st.floats(0.01, 1e4)


@pytest.fixture(scope="module")
def group():
    return server(catalogue.model("Llama-3.1-8B"), catalogue.accelerator("H100-SXM-80GB"), engine="vLLM 0.19")


def demand(**changed) -> cost.Demand:
    given = {"users_per_day": 1e5, "requests_per_user": 10, "prompt": 1000, "output": 300, "peak_ratio": 3}
    return cost.Demand(**{**given, **changed})


class TestHours:
    def test_owning_by_hand(self):
        # 35,064 USD over 4 years of 8766 hours is 1 USD an hour; 1 kW busy at PUE 1.25 and 0.1 USD/kWh is 0.125
        parts = {name: float(part.value) for name, part in cost.own(BOUGHT).parts.items()}
        assert parts == pytest.approx({"capital": 1.0, "energy": 0.125, "maintenance": 0, "people": 0, "space": 0})
        # half the time idle: 0.4 + 0.3 kW
        assert cost.own(BOUGHT, load=0.5).parts["energy"].value == pytest.approx(0.0875)

    def test_all_that_owning_costs_by_hand(self):
        rich = replace(
            BOUGHT,
            **{"residual_share": 0.25, "maintenance_share": 0.05, "people_usd_per_year": 876.6, "available": 0.5},
            space_usd_per_kw_month=73.05,
        )
        parts = {name: float(part.value) for name, part in cost.own(rich).parts.items()}
        assert parts["capital"] == pytest.approx(1.5) and parts["maintenance"] == pytest.approx(0.4)
        assert parts["people"] == pytest.approx(0.2) and parts["space"] == pytest.approx(0.2)

    def test_interest_is_an_annuity(self):
        yearly = float(cost.own(replace(BOUGHT, interest=0.08)).parts["capital"].value) * amounts.HOURS_PER_YEAR
        worth = sum(yearly / 1.08**year for year in range(1, 5))
        assert worth == pytest.approx(35_064)
        tiny = cost.own(replace(BOUGHT, interest=1e-9)).parts["capital"].value
        assert tiny == pytest.approx(1.0, rel=1e-6)

    def test_renting_by_hand(self):
        assert cost.on_demand(RENT).usd.value == 3.6
        assert cost.reserved(2.0, used_share=0.8).usd.value == pytest.approx(2.5)
        # one interruption in ten hours costs half an hour: 1.05 hours paid; a fifth of hours on demand at 3.6
        away = cost.spot(1.0, interruptions_per_hour=0.1, lost_hours=0.5, fallback_share=0.2, fallback=RENT)
        assert away.usd.value == pytest.approx(0.8 * 1.05 + 0.2 * 3.6)

    def test_offers_are_a_median_with_ends(self):
        listed = [replace(RENT, usd_per_accelerator_hour=float(usd)) for usd in range(1, 12)]
        found = cost.offers(listed)
        assert (found.low, found.value, found.high) == (2, 6, 10)

    @given(st.floats(1, 3), st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 1))
    def test_owning_rises_with_what_it_should(self, pue, load, price, interest):
        plain = cost.own(replace(BOUGHT, pue=pue, usd_per_kwh=price, interest=interest), load).usd.value
        for key, more in (
            ("pue", pue + 0.1),
            ("usd_per_kwh", price + 0.01),
            ("usd", 40_000),
            ("interest", interest + 0.1),
        ):
            changed = {"pue": pue, "usd_per_kwh": price, "interest": interest} | {key: more}
            assert cost.own(replace(BOUGHT, **changed), load).usd.value >= plain
        longer = replace(BOUGHT, pue=pue, usd_per_kwh=price, interest=interest, years=5)
        assert cost.own(longer, load).usd.value < plain


class TestRent:
    def test_is_the_median_of_each_providers_cheapest_offer_on_one_list(self):
        listed = prices.listed_by("skypilot_catalog")
        found = cost.rent(catalogue.accelerator("H100-SXM-80GB"), listed)
        mine = [o for o in listed if (o.accelerator, o.kind) == ("H100-SXM-80GB", "on_demand") and o.usable]
        least = [min(o.usd_per_accelerator_hour for o in mine if o.provider == p) for p in {o.provider for o in mine}]
        assert float(found.value) == np.median(least) and found.low <= found.value <= found.high

    def test_what_nobody_offers_has_none(self):
        tpu = catalogue.accelerator("TPU-v5p")
        assert prices.listed_by("no such list") == [] and cost.rent(tpu, prices.listed_by("skypilot_catalog")) is None
        with pytest.raises(DataError, match="own_accelerator"):
            cost.required_rent(tpu, [])


class TestTokens:
    def test_price_by_hand(self):
        # 3.6 USD an hour is 0.001 a second; two of them, 1000 tokens a second together, half used: 4 USD
        assert cost.usd_per_mtoken(cost.on_demand(RENT), 1000, devices=2, utilisation=0.5).value == pytest.approx(4)
        assert cost.effective(2.0, 0.5).value == 4.0

    def test_ends_are_carried(self):
        price = cost.usd_per_mtoken(Estimate(*map(np.array, (3.6, 1.8, 7.2))), UNSURE)
        assert (price.low, price.value, price.high) == pytest.approx((0.5 * 8, 10, 2 * 12.5))
        part = cost.utilisation(40.0, UNSURE)
        assert (part.low, part.value, part.high) == pytest.approx((0.32, 0.4, 0.5))

    def test_effective_price_times_utilisation_is_constant(self):
        used = np.geomspace(0.01, 1, 20)
        assert cost.effective(2.0, used).value * used == pytest.approx(2.0)

    @given(positive, positive, st.floats(0.01, 1))
    def test_monotone(self, usd, rate, used):
        price = cost.usd_per_mtoken(usd, rate, 1, used).value
        assert cost.usd_per_mtoken(usd * 1.1, rate, 1, used).value > price
        assert cost.usd_per_mtoken(usd, rate * 1.1, 1, used).value < price
        assert cost.usd_per_mtoken(usd, rate, 2, used).value > price
        assert cost.usd_per_mtoken(usd, rate, 1, used / 2).value == pytest.approx(2 * price)

    @given(*[st.tuples(positive, positive, positive)] * 3)
    def test_ends_always_enclose(self, hour, rate, saturated):
        hour, rate, saturated = (Estimate(*np.array(sorted(each))[[1, 0, 2]]) for each in (hour, rate, saturated))
        purchase = replace(BOUGHT, usd=hour, usd_per_kwh=saturated)
        for got in (
            cost.usd_per_mtoken(hour, rate, 4, 0.5),
            cost.effective(saturated, 0.3),
            cost.breakeven_rate(hour, saturated),
            cost.own(purchase, 0.5).usd,
            cost.spot(hour, interruptions_per_hour=0.1, lost_hours=1, fallback_share=0.1, fallback=rate).usd,
        ):
            assert got.low <= got.value <= got.high

    def test_task_by_hand(self):
        prices = cost.listed(API)
        # 1000 in, 40 % of it cached, 250 + 750 out: as prices.ApiPrice has it
        got = prices.usd(1000, 250, reasoning_tokens=750, cached_share=0.4)
        assert got.value == pytest.approx(0.0094) and got.low == got.high
        assert cost.per_user_month(got, 20).value == pytest.approx(0.0094 * 20 * 365.25 / 12)

    def test_prices_of_a_server_add_up_to_what_it_costs(self, group):
        prompt, output = np.array([100.0, 1000.0, 8000.0]), np.array([500.0, 300.0, 50.0])
        prices = cost.self_hosted(group, 2.5, prompt, output, utilisation=0.5)
        whole = cost.usd_per_mtoken(2.5, group.output_rate(prompt, output), group.devices, 0.5)
        task = prices.usd(prompt, output)
        for end in ("value", "low", "high"):
            assert getattr(task, end) == pytest.approx(getattr(whole, end) * output / 1e6)
        assert (prices.cached.value < prices.input.value).all() and (prices.input.value < prices.output.value).all()

    def test_prices_of_a_server_rise_with_the_hour_and_fall_with_use(self, group):
        plain = cost.self_hosted(group, 2.5, 1000, 300)
        dear, idle = cost.self_hosted(group, 5.0, 1000, 300), cost.self_hosted(group, 2.5, 1000, 300, utilisation=0.1)
        for kind in ("input", "cached", "output"):
            value = getattr(plain, kind).value
            assert getattr(dear, kind).value == pytest.approx(2 * value)
            assert getattr(idle, kind).value == pytest.approx(10 * value)


class TestApi:
    def test_discounts_and_tokenizer_by_hand(self):
        # half of tasks in batches at half price: 3/4; 1.2 times the tokens, reasoning apart
        plain = cost.api_usd(API, 1000, 250, reasoning_tokens=750, cached_share=0.4, batch_share=0.5)
        assert plain == pytest.approx(0.75 * 0.0094)
        finer = cost.api_usd(API, 1000, 250, reasoning_tokens=750, tokens_ratio=1.2)
        assert finer == pytest.approx((1200 * 2 + (300 + 750) * 8) / 1e6)
        assert cost.listed(API, batch_discount=0.5, tokens_ratio=1.2).output.value == pytest.approx(4.8)

    def test_tokenizer_ratio(self):
        assert cost.tokenizer_ratio("llama_2", "llama_3") == pytest.approx(1.431 / 1.275)
        assert cost.tokenizer_ratio("llama_3", "llama_3", "German") == 1.0

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_caches_and_batches_never_cost_more(self, known, waits):
        assert cost.api_usd(API, 1000, 100, cached_share=known, batch_share=waits) <= cost.api_usd(API, 1000, 100)


class TestChoice:
    def test_breakeven_by_hand(self):
        # 3.6 USD an hour is 0.001 a second: at 0.01 USD a task it pays from 0.1 tasks a second on
        assert cost.breakeven_rate(3.6, 0.01).value == pytest.approx(0.1)
        assert cost.breakeven_rate(3.6, 0.01, capacity=0.05).value == np.inf

    def test_cheapest_breaks_ties_by_name(self):
        got = cost.cheapest({"rent": [1.0, 2.0, 3.0], "api": [2.0, 2.0, 1.0], "own": 9.0})
        assert got.tolist() == ["rent", "api", "api"]


class TestObjective:
    def test_a_tighter_objective_is_never_cheaper(self, group):
        prices = [
            cost.price_of_slo(group, 2.5, Slo(ttft, tpot), 1000, 300) for ttft, tpot in ((9, 9), (1, 0.05), (0.3, 0.01))
        ]
        ratios = [each.ratio for each in prices]
        assert ratios == sorted(ratios) and ratios[0] == pytest.approx(1.0)
        assert prices[0].running > prices[-1].running >= 1
        for each in prices:
            assert each.usd_per_mtoken.low < each.usd_per_mtoken.value < each.usd_per_mtoken.high

    def test_an_objective_out_of_reach_has_no_price(self, group):
        never = cost.price_of_slo(group, 2.5, Slo(1e-6, 1e-6), 1000, 300)
        assert never.running == 0 and never.ratio == np.inf


class TestPlan:
    def test_from_a_given_rate_by_hand(self, group):
        # 1e5 users of 8.64 requests a day are 10 a second, 30 in the busiest hour: at 4 a copy 8 copies and a spare
        asked = demand(requests_per_user=8.64)
        got = cost.plan(asked, group, 2.0, Slo(2, 0.2), power=POWER, pue=1.25, copy_rate=4.0)
        assert got.copies.value == 9 and got.accelerators.value == 9 * group.devices
        assert got.usd_per_month.value == pytest.approx(9 * 2.0 * 730.5)
        assert got.peak_w.value == pytest.approx(9 * 1000 * 1.25)
        load = 10 / 4 / 9
        assert got.utilisation.value == pytest.approx(load)
        assert got.mean_w.value == pytest.approx(9 * (400 + 600 * load) * 1.25)
        tokens = 10 * 86400 * 365.25 / 12 * 300
        assert got.usd_per_mtoken.value == pytest.approx(9 * 2.0 * 730.5 / tokens * 1e6)

    def test_copies_hold_the_scatter_of_requests_by_hand(self, group):
        slo, asked = MLPERF["Llama-3.1-8B server"], demand()
        at = objective.loads(group, 1000, 300)
        most = at.most(slo)
        flight = 1e5 * 10 * 3 / 86400 * (at.ttft_s[most] + 299 * at.tpot_s[most])
        expected = np.ceil((flight + 1.6448536 * flight**0.5) / at.running[most]) + 1
        assert cost.plan(asked, group, 2.0, slo, power=POWER).copies.value == expected

    def test_ends_enclose_and_everything_rises_with_users(self, group):
        got = cost.plan(demand(users_per_day=[1e3, 1e5, 1e7]), group, 2.0, Slo(2, 0.1), power=POWER, pue=1.3)
        for each in (got.copies, got.accelerators, got.usd_per_month, got.mean_w, got.peak_w, got.utilisation):
            assert (each.low <= each.value).all() and (each.value <= each.high).all()
        for each in (got.copies, got.usd_per_month, got.mean_w, got.peak_w, got.utilisation):
            assert (np.diff(each.value) >= 0).all()
        assert (np.diff(got.usd_per_mtoken.value) < 0).all()

    def test_more_is_asked_for_by_peaks_spares_shares_and_pue(self, group):
        def made(asked=None, **changed):
            given = {"power": POWER, "pue": 1.2, "share": 0.95, "spares": 1}
            return cost.plan(asked or demand(users_per_day=1e7), group, 2.0, Slo(2, 0.1), **{**given, **changed})

        plain = made()
        assert made(demand(users_per_day=1e7, peak_ratio=6)).copies.value > plain.copies.value
        assert made(spares=2).copies.value == plain.copies.value + 1
        assert made(share=0.999).copies.value > plain.copies.value
        assert made(pue=1.5).mean_w.value > plain.mean_w.value

    def test_high_ends_say_when_the_slow_estimate_breaks_the_objective(self, group):
        alone = objective.loads(group, 1000, 300)
        tight = Slo(9.0, float(alone.tpot_s[0]) * 1.02)
        got = cost.plan(demand(), group, 2.0, tight, power=POWER)
        assert np.isfinite(got.copies.value) and got.copies.high == np.inf and got.mean_w.high == np.inf


def test_month_and_total():
    assert hourly.monthly(cost.on_demand(1.0), 8).value == pytest.approx(8 * 730.5)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda g: cost.on_demand(-1.0), "usd_per_hour = -1.0"),
        (lambda g: cost.on_demand("three"), "usd_per_hour = three"),
        (lambda g: cost.reserved(RENT), "kind = on_demand"),
        (lambda g: cost.reserved(1.0, used_share=0), "used_share = 0.0"),
        (lambda g: cost.spot(1.0, lost_hours=-1), "lost_hours = -1.0"),
        (lambda g: cost.spot(1.0, fallback_share=0.5), "usd_per_hour = 0.0"),
        (lambda g: cost.offers([]), "prices = none"),
        (lambda g: replace(BOUGHT, pue=0.9), "pue = 0.9"),
        (lambda g: replace(BOUGHT, usd=-5), "usd = -5.0"),
        (lambda g: replace(BOUGHT, residual_share=1.5), "residual_share = 1.5"),
        (lambda g: cost.own(BOUGHT, load=1.1), "load = 1.1"),
        (lambda g: cost.Power(700, 800), "idle_w = 800.0"),
        (lambda g: cost.usd_per_mtoken(1.0, 100, utilisation=1.2), "utilisation = 1.2"),
        (lambda g: cost.usd_per_mtoken(1.0, [100, 0]), "tokens_per_s = 0.0"),
        (lambda g: cost.effective(1.0, 0.0), "utilisation = 0.0"),
        (lambda g: cost.utilisation(120, 100), "achieved = 120.0"),
        (lambda g: cost.self_hosted(g, 1.0, 0, 10), "prompt = 0.0"),
        (lambda g: cost.self_hosted(g, 1.0, 10, 10, cached=10), "cached = 10.0"),
        (lambda g: cost.self_hosted(g, np.nan, 10, 10), "usd_per_hour = nan"),
        (lambda g: cost.listed(API).usd(10, 10, cached_share=2), "cached_share = 2.0"),
        (lambda g: cost.per_user_month(1.0, -1), "tasks_per_day = -1.0"),
        (lambda g: cost.api_usd(API, 10, 10, batch_share=2), "batch_share = 2.0"),
        (lambda g: cost.api_usd(API, 10, 10, tokens_ratio=0), "tokens_ratio = 0.0"),
        (lambda g: cost.api_usd(replace(API, reasoning_billed=False), 10, 10, reasoning_tokens=5), "reasoning_tokens"),
        (lambda g: cost.tokenizer_ratio("llama_9", "llama_3"), "tokenizer = llama_9"),
        (lambda g: cost.breakeven_rate(1.0, 0.0), "usd_per_task = 0.0"),
        (lambda g: cost.cheapest({}), "options = none"),
        (lambda g: cost.cheapest({"api": [-1.0]}), "api = -1.0"),
        (lambda g: demand(users_per_day=0), "users_per_day = 0.0"),
        (lambda g: demand(peak_ratio=30), "peak_ratio = 30"),
        (lambda g: cost.plan(demand(), g, 1.0, Slo(1e-9, 1e-9), power=POWER), "slo = 1e-09 s"),
        (lambda g: cost.plan(demand(), g, 1.0, Slo(1, 1), power=POWER, share=1.0), "share = 1.0"),
        (lambda g: cost.plan(demand(), g, 1.0, Slo(1, 1), power=POWER, spares=-1), "spares = -1"),
        (lambda g: cost.plan(demand(), g, 1.0, Slo(1, 1), power=POWER, pue=0.5), "pue = 0.5"),
        (lambda g: cost.plan(demand(), g, 1.0, Slo(1, 1), power=POWER, copy_rate=0), "copy_rate = 0.0"),
    ],
)
def test_bad_input_is_one_line(group, call, match):
    with pytest.raises(DataError, match=match) as error:
        call(group)
    assert "\n" not in str(error.value)
