"""Tables of notebook 05 on choices: offers, options, objectives, fleets, changes; figures without faults."""

from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from tokenomics.compute.inference import provision
from tokenomics.economics import cost
from tokenomics.estimate import Estimate
from tokenomics.notebook import figure_lint, style
from tokenomics.sections.s05_tokenomics_qoe import decisions, drawings, experience, fleet, objectives, offers
from tokenomics.sections.s05_tokenomics_qoe.parameters import Parameters
from tokenomics.service import qoe
from tokenomics.service.replica import keeps

P = Parameters()
RENT = Estimate(*(np.asarray(each) for each in (2.0, 1.5, 3.0)))
SLO = qoe.Slo(1.0, 0.05, 0.95, "own")


@pytest.fixture
def styled():
    with mpl.rc_context():
        style.apply()
        yield
    plt.close("all")


class TestOffers:
    def test_prices_by_hand(self):
        found = offers.measured_offers()
        row = found[(found["model"] == "Llama-2-70B") & (found["provider"] == "anyscale")].iloc[0]
        assert row["usd_per_mtok"] == pytest.approx(1.0 * 550 / 150 + 1.0)
        assert (found["apart_days"] <= offers.NEAR_DAYS).all()
        assert found["usd_per_mtok"].to_numpy() == pytest.approx(offers.by_hand(found))

    def test_margins_take_the_cheapest_point_that_is_fast_enough(self):
        asked = pd.DataFrame({"model": ["m", "m"], "speed_tok_per_s": [20.0, 99.0], "usd_per_mtok": [4.0, 4.0]})
        ends = {"low_usd_per_mtok": 0.5, "high_usd_per_mtok": 3.0, "devices": 2, "accelerator": "x"}
        costs = pd.DataFrame({"model": "m", "speed_tok_per_s": [10.0, 30, 50], "usd_per_mtok": [0.5, 1, 2]})
        found = offers.margins(asked, costs.assign(**ends))
        assert found["margin_share"].iloc[0] == pytest.approx(0.75) and np.isnan(found["margin_share"].iloc[1])
        assert found["on"].tolist() == ["2 x", "none so fast"]
        metrics = offers.offer_metrics(found.assign(date="2024-01-01", provider=["a", "b"]))
        assert metrics["reached"].value == metrics["above_cost"].value == 1 and metrics["too_fast"].value == "b"

    def test_prices_of_a_year(self):
        rows = offers.of_year(["Llama-3.1-70B"], 1000, 1000)
        row = rows[rows["provider"] == "cerebras"].iloc[0]
        assert row["usd_per_mtok"] == pytest.approx(1.2) and len(rows) >= 5


def test_a_task_in_full_by_hand(own):
    task = offers.Task(1000.0, 500.0, 2000.0, 10.0, "llama_3")
    found = offers.chosen(["Llama-3.1-70B", "o1"], task)
    assert [each.model for each in found] == ["Llama-3.1-70B", "o1"]
    rows = offers.tasks(own, task, found, 0.5)
    o1, full, half = rows.iloc[1], rows.iloc[2], rows.iloc[3]
    assert (full["offer"], half["offer"]) == (offers.SATURATED, f"{offers.USED} 50%")
    assert offers.task_metrics(rows)["task_usd"].value == pytest.approx(1e3 * half["task_usd"])
    ratio = cost.tokenizer_ratio("o200k_base", "llama_3")
    assert o1["task_usd"] == pytest.approx(ratio * (1000 * 15 + 500 * 60) / 1e6)
    assert o1["thought_usd"] - o1["task_usd"] == pytest.approx(2000 * 60 / 1e6)
    assert o1["cached_usd"] == pytest.approx(ratio * (500 * 15 + 500 * 7.5 + 500 * 60) / 1e6)
    assert o1["batch_usd"] == pytest.approx(o1["task_usd"] / 2) and np.isnan(rows["thought_usd"].iloc[0])
    assert half["task_usd"] == pytest.approx(2 * full["task_usd"]) and half["batch_usd"] == full["task_usd"]
    assert full["cached_usd"] < full["task_usd"] < full["thought_usd"]
    assert full["user_usd_per_month"] == pytest.approx(full["task_usd"] * 10 * 365.25 / 12)


class TestDecisions:
    @pytest.fixture
    def by(self):
        return decisions.options(RENT, Estimate(*(np.asarray(x) for x in (1.0, 0.8, 1.2))), 700.0, P)

    def test_hours_by_hand(self, by):
        assert float(by["on demand"].hour.usd.value) == 2.0 and by["on demand"].hourly
        assert float(by["reserved"].hour.usd.value) == pytest.approx(2.0 * (1 - P.reserved_discount))
        spot = 1.0 * 0.9 * (1 + 0.05 * 0.25) + 0.1 * 2.0
        assert float(by["spot"].hour.usd.value) == pytest.approx(spot)
        assert "spot" not in decisions.options(RENT, None, 700.0, P)
        parts = decisions.hours_table(by)
        own = parts[parts["option"] == "own"]["usd_per_hour"].sum()
        assert own == pytest.approx(float(by["own"].hour.usd.value))

    def test_api_when_idle_and_a_replica_when_busy(self, own, by):
        served = {"flat": decisions.Served(own, 5.0, np.ones(24))}
        rows = decisions.choices(served, by, [1e-4, 5.0], [5.0])
        assert (rows["panel"] == "flat").all()
        rows = rows.set_index("rate_rps")["limit"]
        assert rows[1e-4] == decisions.API and rows[5.0] != decisions.API
        border = decisions.borders(served, by, [5.0]).iloc[0]
        assert border["low_usd_per_mtok"] < border["usd_per_mtok"] < border["high_usd_per_mtok"] < 5.0

    def test_a_day_is_paid_by_the_hour_or_for_its_peak(self, own, by):
        hourly = np.r_[np.full(12, 0.5), np.full(12, 1.5)]
        served = decisions.Served(own, 1.0, hourly)
        rate = [2.0]
        hours = {name: float(by[name].hour.usd.value) for name in ("on demand", "reserved")}
        assert served.usd_per_hour(by["on demand"], rate)[0] == pytest.approx(2.0 * hours["on demand"])
        assert served.usd_per_hour(by["reserved"], rate)[0] == pytest.approx(3.0 * hours["reserved"])

    def test_breakeven_by_hand(self, own, by):
        rows = decisions.breakeven(own, by, Estimate(*(np.asarray(x) for x in (5.0, 4.0, 6.0))), [4.0, 1e-3])
        assert decisions.breakeven_metrics(rows, 4.0)["api_price"].value == 4.0
        row = rows[rows["option"] == "on demand"].set_index("offered_usd_per_mtok")["breakeven_rps"]
        assert row[4.0] == pytest.approx(2.0 / 3600 / (4.0 * own.output / 1e6)) and np.isnan(row[1e-3])


def test_objectives_cost_and_impossible_ones_have_no_price(own):
    slos = [qoe.Slo(10.0, 1.0, 0.9, "loose"), qoe.Slo(0.5, 0.015, 0.99, "tight"), qoe.Slo(1e-4, 1e-4, 0.9, "never")]
    table = objectives.prices(own, slos)
    rows = table.set_index("objective")
    assert objectives.price_metrics(table)["slo_dearest"].value == rows.loc["tight", "simulated_ratio"]
    price = rows["simulated_usd_per_mtok"]
    assert price["loose"] < price["tight"] and np.isnan(price["never"])
    assert rows.loc["tight", "simulated_ratio"] > 1


class TestFleet:
    def test_replicas_by_hand(self, own):
        rate = Estimate(*(np.asarray(x) for x in (10.0, 8.0, 12.0)))
        at = replace(fleet.Site.of(700.0, P), spare_share=0.0)
        whole = fleet.extrapolated(own, rate, 86400.0 * 100, 1.5, at)
        assert [float(whole["replicas"].at(end)) for end in ("value", "low", "high")] == [15, 13, 19]
        assert float(whole["usd_per_day"].value) == 15 * 24 * 2.0
        assert float(whole["usd_per_day"].low) == 13 * 24 * 1.5 and float(whole["usd_per_day"].high) == 19 * 24 * 3.0
        table = fleet.table(whole).set_index("end")
        assert table.loc["high", "replicas"] == 19 and table.loc["value", "accelerators"] == 15 * own.server.devices
        assert whole["mean_mw"].value < whole["peak_mw"].value
        metrics = fleet.metrics(whole, 1.1, 86400.0 * 100)
        assert metrics["shard_gain"].value == pytest.approx(0.1) and metrics["fleet_usd"].value == pytest.approx(720e-6)

    def test_shards_share_bursts(self, own):
        rows = fleet.shards(own, SLO, 4).set_index("replicas")["replica_rps"]
        assert rows.index.tolist() == [1, 2, 4] and rows[4] >= 0.97 * rows[1]
        assert fleet.shard_gain(rows.reset_index(), Estimate.of(rows[1])) == pytest.approx(rows[4] / rows[1])

    def test_a_replica_that_never_keeps_has_no_fleet(self, own):
        at = fleet.Site.of(700.0, P)
        rows = fleet.by_case({"a": own}, replace(SLO, tpot_s=1e-5), 1.0, (1e6, 1.5), at)
        assert rows.empty

    def test_plans_by_three_computations(self, own):
        demand = cost.Demand(np.array([1e3, 1e5]), 10, own.prompt, own.output, 1.5)
        at = fleet.Site.of(700.0, P)
        rows = fleet.plans(own, demand, SLO, own.rate_within(SLO), at)
        assert (rows["replicas"] >= 1 + at.spares).all() and (rows["replicas_low"] <= rows["replicas_high"]).all()
        assert rows["simulated_replicas"].iloc[0] == 1 + at.spares
        assert (rows["simulated_replicas"] <= rows["replicas"]).all(), "sharing bursts never takes more replicas"
        assert (rows["peak_kw"] >= rows["mean_kw"]).all()
        metrics = fleet.plan_metrics(rows, 1)
        assert metrics["plan_users"].value == 1e5
        assert metrics["plan_closed_error"].value == rows["closed_error"].abs().max()
        assert np.isnan(fleet.plan_metrics(rows.assign(simulated_replicas=np.nan), 1)["plan_users"].value)

    def test_no_fleet_keeps_what_no_replica_keeps(self, own):
        never, at = replace(SLO, ttft_s=1e-9), fleet.Site.of(700.0, P)
        demand = cost.Demand(np.array([1e3, 1e5]), 10, own.prompt, own.output, 1.5)
        rows = fleet.plans(own, demand, never, Estimate.of(0.0), at)
        assert rows[["replicas", "usd_per_mtok", "closed_replicas", "simulated_replicas"]].isna().all(axis=None)
        whole = fleet.extrapolated(own, Estimate.of(0.0), 1e6, 1.5, at)
        assert np.isinf(whole["accelerators"].value) and np.isnan(fleet.table(whole)["accelerators"]).all()

    def test_the_fewest_replicas_keep_and_one_less_does_not(self, own):
        peak = 3.4 * own.highest_rate(SLO)
        found = fleet.fewest(own, SLO, peak, 8)
        assert keeps(own.run(peak / found, replicas=found), SLO)
        assert not keeps(own.run(peak / (found - 1), replicas=found - 1), SLO)
        assert fleet.fewest(own, SLO, peak, 65) is None and fleet.fewest(own, SLO, 100 * peak, 2) is None


def test_an_objective_that_is_never_kept_has_no_rate_and_no_price_and_says_why(own):
    reader = experience.Reader(SLO, 5.0, 3.0)
    never = experience.case_metrics(own, reader, Estimate.of(0.0), 1e4)
    for key in ("replica_rps", "replica_share", "price_slo"):
        assert not np.isfinite(never[key].value) and "at no load" in never[key].reason
    kept = experience.case_metrics(own, reader, Estimate.of(5.0), 1e4)
    assert kept["price_bound"].value < kept["price_saturated"].value < kept["price_slo"].value


def test_changes_stand_beside_the_base(own):
    load = provision.Load(1150, 210, 32, "fp8", 16, "vLLM 0.19")
    made = objectives.variants(own, SLO, load, 1)
    some = {name: made[name] for name in ("TPOT within half", "replies twice as long")}
    table = objectives.changes((own, SLO), some)
    rows = table.set_index("change")
    ratio = rows["over_base_ratio"]
    assert ratio["as above"] == 1 and ratio["TPOT within half"] >= 1
    assert (rows["over_base_low_ratio"] <= ratio).all() and (rows["over_base_high_ratio"] >= ratio).all()
    assert objectives.change_metrics(table)["dearest_ratio"].value == ratio.drop("as above").max()


class TestPictures:
    def test_maps_name_every_option_they_show(self, styled):
        x, y = np.meshgrid([0.1, 1.0, 10.0], [0.5, 5.0, 50.0])
        rows = pd.DataFrame({"rate_rps": x.ravel(), "offered_usd_per_mtok": y.ravel()})
        rows["limit"] = ["API", "spot", "own"] * 3
        rows = pd.concat([rows.assign(panel=name) for name in ("a", "b")])
        line = pd.DataFrame({"rate_rps": [0.1, 10.0], "low_usd_per_mtok": 1.0, "high_usd_per_mtok": 2.0})
        fig = drawings.maps(rows, pd.concat([line.assign(panel=name) for name in ("a", "b")]))
        assert [text.get_text() for text in fig.legends[0].get_texts()] == ["API", "spot", "own"]
        assert figure_lint.faults(fig) == []

    def test_offers_and_underuse_without_faults(self, styled):
        costs = pd.DataFrame({"speed_tok_per_s": [5.0, 50, 200], "usd_per_mtok": [1.0, 2, 9], "model": "m"})
        costs = costs.assign(low_usd_per_mtok=costs["usd_per_mtok"] / 2, high_usd_per_mtok=20.0)
        seen = pd.DataFrame({"model": ["m"], "provider": ["p"], "speed_tok_per_s": [30.0], "usd_per_mtok": [3.0]})
        assert figure_lint.faults(drawings.offers(seen, costs)) == []
        rows = pd.DataFrame(
            {"replica": "c", "rate_rps": [1.0, 10.0], "penalty_ratio": [20.0, 2.0], "closed_ratio": [19.0, 2.0]}
        )
        assert figure_lint.faults(drawings.underused(rows, {"low": 2.5, "high": 24.0, "idle": 36.0})) == []
