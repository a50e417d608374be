"""Tables of notebook 05: what must add up, rise, fall or agree by hand; pictures without faults."""

from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from tokenomics.compute.inference import provision
from tokenomics.economics import cost
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts import catalogue
from tokenomics.notebook import figure_lint, style
from tokenomics.sections.s05_tokenomics_qoe import (
    case,
    day,
    decisions,
    drawings,
    experience,
    fleet,
    frontiers,
    objectives,
    offers,
    scheduling,
)
from tokenomics.sections.s05_tokenomics_qoe.parameters import Parameters
from tokenomics.service import qoe, workload

P = Parameters()
H100 = catalogue.accelerator("H100-SXM-80GB")
RENT = Estimate(*(np.asarray(each) for each in (2.0, 1.5, 3.0)))
SLO = qoe.Slo(1.0, 0.05, 0.95, "own")
READER = experience.Reader(SLO, 5.0, 3.0)


@pytest.fixture(scope="module")
def own():
    pool = case.drawn("azure_conversation_2023", 8000, 1)
    load = provision.Load(1150, 210, 32, 8, 16, "vLLM 0.19")
    it = provision.replica_of(load, catalogue.model("Llama-3.1-8B"), H100)
    return case.build(it, pool, RENT, case.Setting(64, 2048, 1000))


@pytest.fixture
def styled():
    with mpl.rc_context():
        style.apply()
        yield
    plt.close("all")


class TestCase:
    def test_ends_enclose_what_a_replica_bears(self, own):
        rate, saturated = own.rate_within(SLO), own.saturated_tok_per_s
        assert 0 < rate.low <= rate.value <= rate.high
        assert saturated.low < saturated.value < saturated.high
        assert rate.value < 1.2 * own.saturated_rps

    def test_prices_by_hand(self, own):
        assert float(own.usd_per_replica_hour.value) == 2.0 * own.server.devices
        price = own.usd_per_mtok(Estimate(*(np.asarray(x) for x in (4.0, 2.0, 5.0))))
        by_hand = 1e6 * own.server.devices / 3600 / own.output
        assert float(price.value) == pytest.approx(by_hand * 2.0 / 4.0)
        assert float(price.low) == pytest.approx(by_hand * 1.5 / 5.0)
        assert float(price.high) == pytest.approx(by_hand * 3.0 / 2.0)
        assert own.usd_per_mtok(Estimate.of(0.0)).value == np.inf

    def test_a_stricter_promise_bears_less(self, own):
        strict = own.highest_rate(replace(SLO, tpot_s=0.01))
        assert strict < own.highest_rate(SLO) and own.highest_rate(replace(SLO, tpot_s=1e-4)) == 0

    def test_more_replicas_than_requests(self, own):
        with pytest.raises(DataError, match="at most 8"):
            own.run(1.0, replicas=9)


class TestLatency:
    def test_the_formula_holds_when_idle_and_fails_when_not(self, own):
        rows = experience.against_load(own, [0.01, 0.9])
        at = rows.set_index("share")
        assert at.loc[0.01, "over_constants_ratio"] == pytest.approx(1, abs=0.1)
        assert at.loc[0.9, "over_constants_ratio"] > 1.5
        assert at.loc[0.01, "over_loop_ratio"] == pytest.approx(1, abs=0.1)
        assert (rows["p99_stretch_ratio"] >= 1).all()
        metrics = experience.latency_metrics(rows, 0.01, 0.9)
        assert metrics["low_error"].value == at.loc[0.01, "over_constants_ratio"] - 1
        assert metrics["loop_load"].value in (0.01, 0.9)

    def test_the_closed_loop_obeys_littles_law(self, own):
        rows = experience.closed(own, [0.5, 2.0]).dropna()
        held = rows[rows["concurrency"] > 1]
        inside = held["rate_rps"] * held["e2e_s"]
        assert len(held) > 0 and inside.to_numpy() == pytest.approx(held["concurrency"].to_numpy(), rel=0.05)

    def test_latency_is_straight_in_the_length(self, own):
        rows = experience.against_length(own, [0.5])
        fit = np.polyfit(rows["output_tok"], rows["e2e_s"], 1)
        assert np.polyval(fit, rows["output_tok"]) == pytest.approx(rows["e2e_s"], rel=0.15)

    def test_one_server_waits_as_the_formula_says(self):
        wait = experience.single_queue(20_000, 0.5, 3)
        assert wait.formula_s == pytest.approx(0.05) and wait.waited_s == pytest.approx(wait.formula_s, rel=0.1)


@pytest.fixture(scope="module")
def seen(own):
    return experience.sweep(own, np.array([0.1, 0.5, 1.1]) * own.saturated_rps, READER)


class TestExperience:
    def test_measures_are_shares_and_break_with_load(self, seen):
        for name in ("andes_share", "fluidity_share", "attained_share", "smooth_share"):
            assert seen[name].between(0, 1 + 1e-12).all() and seen[name].iloc[-1] <= seen[name].iloc[0]
        assert seen["attained_share"].iloc[0] > 0.99

    def test_prices_stand_beside_each_other(self, seen):
        assert seen["simulated_usd_per_mtok"].is_monotonic_decreasing
        calm = seen.iloc[:2]
        assert calm["closed_usd_per_mtok"].to_numpy() == pytest.approx(calm["simulated_usd_per_mtok"], rel=0.05)
        assert (seen["simulated_low_usd_per_mtok"] / seen["simulated_usd_per_mtok"]).to_numpy() == pytest.approx(0.75)

    def test_no_rate_counts_tokens_after_the_end(self, seen):
        assert (seen["goodput_tok_per_s"] <= seen["smooth_tok_per_s"] * (1 + 1e-9) + 1).all()
        of = own_timeline()
        assert experience.until(of, 2.5).count.tolist() == [2, 0]

    def test_the_knee_and_prices_between_loads(self, seen):
        assert experience.knee(seen, "attained_share", 0.9) > 0.5 * seen["rate_rps"].iloc[1]
        twice = experience.at_share(seen, 0.2) / experience.at_share(seen, 0.4)
        assert twice == pytest.approx(2, rel=0.05)


def own_timeline():
    from tokenomics.service.timeline import timeline

    return timeline([0.0, 1.0], [[1.0, 2.0, 3.0], [4.0]])


def test_a_saturated_replica_is_cheapest_and_half_of_it_twice_as_dear(own):
    rows = frontiers.underused({"Llama-3.1-8B, 8 bit, 1": own}, np.array([0.25, 0.5]) * own.saturated_rps)
    assert rows["penalty_ratio"].to_numpy() == pytest.approx([4, 2], rel=0.05)
    assert rows["constant_ratio"].to_numpy() == pytest.approx(1, abs=0.05)


def test_penalties_stand_beside_those_of_the_same_models():
    names = ("Mixtral-8x7B, 16 bit, 2", "Qwen3-30B-A3B, 8 bit, 1", "other, 8 bit, 1")
    rows = pd.DataFrame([(n, at, k / at) for k, n in enumerate(names, 1) for at in (1.0, 10.0, 20.0)])
    rows.columns = ["replica", "rate_rps", "penalty_ratio"]
    assert frontiers.penalty_range(rows) == (0.1, 3.0)
    ours, published = frontiers.compared_penalties(rows), frontiers.published_penalties()
    assert ours == {"low": 0.1, "high": 2.0, "mixtral": 1.0, "qwen": 2.0} and ours.keys() == published.keys()
    assert published["low"] < published["mixtral"] < published["qwen"]
    metrics = frontiers.underuse_metrics(rows)
    assert metrics["under_high"].value == 3.0 and metrics["under_both_high"].value == 2.0


def test_a_replica_of_each_named_and_compared_model(own):
    load = provision.Load(1150, 210, 32, 8, 16, "vLLM 0.19")
    names = list(frontiers.replicas_of(own, load, ["Llama-3.1-8B"]))
    assert [name.split(", ")[:2] for name in names] == [
        ["Llama-3.1-8B", "8 bit"],
        ["Mixtral-8x7B", "16 bit"],
        ["Qwen3-30B-A3B", "8 bit"],
    ]


class TestFrontiers:
    def test_cheaper_is_slower(self):
        load = provision.Load(1000, 200, 1, 8, 16, "vLLM 0.19")
        rows = frontiers.priced(load, [catalogue.model("Llama-3.1-8B")], {H100: RENT}, 2, [1.0, 8.0, 64.0])
        ordered = rows.sort_values("speed_tok_per_s")
        assert ordered["usd_per_mtok"].is_monotonic_increasing
        assert (rows["low_usd_per_mtok"] <= rows["usd_per_mtok"]).all()
        assert len(frontiers.cheapest_at(rows, 1.0, "accelerator")) == 1
        metrics = frontiers.speed_metrics(rows, 1.0)
        assert metrics["cheapest_xpu"].value == H100.name and metrics["cheapest_rivals"].value == 0
        with pytest.raises(DataError, match="slo_tpot_ms"):
            frontiers.cheapest_at(rows, 1e6, "accelerator")

    def test_each_step_counts_more(self, own):
        shape = day.Day("azure_conversation_2023", 0.5, 15.0, 1)
        rows = frontiers.added(own, 8, np.array([0.02, 0.05]) * own.saturated_rps, shape)
        at = frontiers.at_speed(rows, 100.0).set_index("step")["usd_per_mtok"]
        assert at[frontiers.EPOCH] < at[frontiers.DECODE] < at[frontiers.PREFILL] < at[frontiers.TAIL]

    def test_thinning_keeps_the_last_point(self):
        curve = pd.DataFrame({"setting": "GPT-3", "speed_tok_per_s": np.arange(8.0), "usd_per_mtok": 1.0})
        assert frontiers.thinned(curve, 10).iloc[-1]["speed_tok_per_s"] == 7


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

    def test_objectives_cost_and_impossible_ones_have_no_price(self, own):
        slos = [qoe.Slo(10.0, 1.0, 0.9, "loose"), qoe.Slo(0.5, 0.015, 0.99, "tight"), qoe.Slo(1e-4, 1e-4, 0.9, "never")]
        table = objectives.prices(own, slos)
        rows = table.set_index("objective")
        assert objectives.price_metrics(table)["slo_dearest"].value == rows.loc["tight", "simulated_ratio"]
        price = rows["simulated_usd_per_mtok"]
        assert price["loose"] < price["tight"] and np.isnan(price["never"])
        assert rows.loc["tight", "simulated_ratio"] > 1

    def test_plans_three_ways(self, own):
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

    def test_the_fewest_replicas_keep_and_one_less_does_not(self, own):
        peak = 3.4 * own.highest_rate(SLO)
        found = fleet.fewest(own, SLO, peak, 8)
        assert own.keeps(own.run(peak / found, replicas=found), SLO)
        assert not own.keeps(own.run(peak / (found - 1), replicas=found - 1), SLO)
        assert fleet.fewest(own, SLO, peak, 65) is None and fleet.fewest(own, SLO, 100 * peak, 2) is None


class TestScheduling:
    def test_policies_differ_where_they_should(self, own):
        stream = workload.workload("azure_conversation_2023").draw(1000, seed=4, prefixes=False)
        table = scheduling.compared(own, scheduling.policies(own), stream, [0.6], READER)
        rows = table.set_index("policy")
        assert rows["ttft_p95_s"].idxmax() == "decode first"
        assert rows.loc["prefill first", "itl_p99_ms"] > rows.loc["chunked", "itl_p99_ms"]
        assert scheduling.policy_metrics(table, 0.6)["best_ttft"].value == rows["ttft_p95_s"].idxmin()

    def test_kinds_of_work(self, own):
        made = scheduling.kinds("azure_conversation_2023", 300, 1)
        some = {name: made[name] for name in ("conversation", "chat, several turns", "reasoning")}
        rows = scheduling.kinds_table(own, some, 0.3, READER).set_index("kind")
        assert rows.loc["chat, several turns", "cached_share"] > 0.2 and rows.loc["conversation", "cached_share"] == 0
        hidden = rows.loc["reasoning", "hidden_share"]
        shown = rows.loc["reasoning", "visible_usd_per_mtok"] / rows.loc["reasoning", "usd_per_mtok"]
        assert 0.5 < hidden < 1 and shown == pytest.approx(1 / (1 - hidden))

    def test_sessions_come_at_the_rate_asked_for(self):
        stream = scheduling.kinds("azure_conversation_2023", 3000, 1)["chat, several turns"](5.0)
        assert len(stream) / stream.duration_s == pytest.approx(5.0, rel=0.15)


class TestDay:
    SHAPE = day.Day("azure_conversation_2023", 0.5, 15.0, 1)

    def test_the_peak_is_as_asked_and_thinning_keeps_a_share(self):
        stream = self.SHAPE.stream(0.5)
        hours = np.bincount((stream.arrival_s // 3600).astype(int), minlength=24) / 3600
        assert hours.max() == pytest.approx(0.5, rel=0.1) and int(np.argmax(hours)) in (13, 14, 15, 16)
        assert len(self.SHAPE.thinned(stream, 0.5)) / len(stream) == pytest.approx(0.5, rel=0.05)

    def test_fleets_of_a_day(self, own):
        peak = 1.6 * own.highest_rate(SLO) / 8
        small = replace(own, rules=replace(own.rules, max_batch=4))
        stream, bears = self.SHAPE.stream(peak), peak / 1.6
        follow = self.SHAPE.needed(peak, bears)
        assert follow.max() == 2 and follow.min() == 1
        rows = [day.hours(small.serve(stream, replicas=n), SLO, np.full(24, n), str(n)) for n in (2, 1)]
        rows.append(day.hours(day.following(small, stream, follow), SLO, follow, "by the hour"))
        for each in rows:
            assert each["requests"].sum() == len(stream) and each["output_tok"].sum() == stream.output_tokens.sum()
        table = day.compared(small, pd.concat(rows)).set_index("fleet")
        assert table.loc["2", "usd_per_day"] == 2 * table.loc["1", "usd_per_day"] == 2 * 24 * 2.0
        assert table.loc["1", "usd_per_day"] < table.loc["by the hour", "usd_per_day"] < table.loc["2", "usd_per_day"]
        assert table.loc["1", "attained_share"] <= table.loc["2", "attained_share"]

    def test_an_autoscaler_pays_for_what_it_holds(self, own):
        small = replace(own, rules=replace(own.rules, max_batch=4))
        bears = 0.05 * own.saturated_rps
        stream = self.SHAPE.stream(2 * bears)
        rule = day.scaling(small, bears, 3, 0.8, 60.0)
        assert rule.low == pytest.approx(0.75 * rule.high) and rule.most == 3
        done, paid = day.scaled(small, stream, rule, 1)
        assert paid.sum() * 3600 == pytest.approx(done.totals["paid_s"], rel=0.01)
        assert (paid >= 1 - 1e-9).all() and (paid <= 3 + 1e-9).all() and paid[15] >= paid[3]


class TestArrangements:
    def test_a_router_that_knows_prefixes_finds_more(self, own):
        make = scheduling.kinds("azure_conversation_2023", 400, 1)["agent, tools"]
        wide = case.build(own.server, make(1.0), RENT, case.Setting(64, 2048, 400))
        rows = scheduling.routed(wide, make, 2.0, 3, READER).set_index("arrangement")["cached_share"]
        assert rows["prefix aware"] > rows["least loaded"] + 0.1

    def test_apart_the_stream_is_smoother(self, own):
        stream = own.pool.first(1500).at_rate(0.6 * own.saturated_rps)
        rows = scheduling.apart(own, stream, (1, 1), 50e9, READER).set_index("arrangement")
        alone, both = rows.loc["1 prefill, 1 decode"], rows.loc["together"]
        assert alone["itl_p99_ms"] < both["itl_p99_ms"] and alone["tpot_p95_ms"] < both["tpot_p95_ms"]


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


def test_changes_stand_beside_the_base(own):
    load = provision.Load(1150, 210, 32, 8, 16, "vLLM 0.19")
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
