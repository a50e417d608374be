"""Tables of notebook 05 on one replica: latency, experience, price and speed, policies, a day."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tokenomics.compute.inference import provision
from tokenomics.errors import DataError
from tokenomics.estimate import ENDS, Estimate
from tokenomics.facts import catalogue
from tokenomics.sections.s05_tokenomics_qoe import (
    case,
    day,
    experience,
    frontiers,
    scheduling,
)
from tokenomics.service import qoe, workload

H100 = catalogue.accelerator("H100-SXM-80GB")
RENT = Estimate(*(np.asarray(each) for each in (2.0, 1.5, 3.0)))
SLO = qoe.Slo(1.0, 0.05, 0.95, "own")
READER = experience.Reader(SLO, 5.0, 3.0)


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
        easy = own.rate_within(replace(SLO, ttft_s=60.0, tpot_s=5.0))
        for end in ENDS:  # no objective is cheaper than a saturated replica
            assert easy.at(end) * own.output <= own.saturated_tok_per_s.at(end) * (1 + 1e-9)

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
    load = provision.Load(1150, 210, 32, "fp8", 16, "vLLM 0.19")
    names = list(frontiers.replicas_of(own, load, ["Llama-3.1-8B"]))
    assert [name.split(", ")[:2] for name in names] == [
        ["Llama-3.1-8B", "fp8"],
        ["Mixtral-8x7B", "bf16"],
        ["Qwen3-30B-A3B", "fp8"],
    ]


class TestFrontiers:
    def test_cheaper_is_slower(self):
        load = provision.Load(1000, 200, 1, "fp8", 16, "vLLM 0.19")
        rows = frontiers.priced(load, [catalogue.model("Llama-3.1-8B")], {H100: RENT}, 2, [1.0, 8.0, 64.0])
        ordered = rows.sort_values("speed_tok_per_s")
        assert ordered["usd_per_mtok"].is_monotonic_increasing
        assert (rows["low_usd_per_mtok"] <= rows["usd_per_mtok"]).all()
        assert len(frontiers.cheapest_at(rows, 1.0, "accelerator")) == 1
        metrics = frontiers.speed_metrics(rows, 1.0)
        assert metrics["cheapest_xpu"].value == H100.name and metrics["cheapest_rivals"].value == 0
        assert frontiers.cheapest_at(rows, 1e6, "accelerator").empty
        none = frontiers.speed_metrics(rows, 1e6)["cheapest_xpu"]
        assert np.isnan(none.value) and "1e+06 tokens a second" in none.reason

    def test_each_step_counts_more(self, own):
        shape = day.Day("azure_conversation_2023", 0.5, 15.0, 1)
        rows = frontiers.added(own, np.array([0.02, 0.05]) * own.saturated_rps, shape)
        at = frontiers.at_speed(rows, 100.0).set_index("step")["usd_per_mtok"]
        assert at[frontiers.EPOCH] < at[frontiers.DECODE] < at[frontiers.PREFILL] < at[frontiers.TAIL]

    def test_thinning_keeps_the_last_point(self):
        curve = pd.DataFrame({"setting": "GPT-3", "speed_tok_per_s": np.arange(8.0), "usd_per_mtok": 1.0})
        assert frontiers.thinned(curve, 10).iloc[-1]["speed_tok_per_s"] == 7


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

    def test_work_that_the_cache_does_not_hold_is_a_row_with_a_reason(self, own):
        made = scheduling.kinds("azure_conversation_2023", 300, 1)
        some = {name: made[name] for name in ("conversation", "long context")}
        longest = [max(each.input_tokens + each.output_tokens) for each in (make(1.0) for make in some.values())]
        small = replace(own.server.on, settings=replace(own.server.on.settings, memory_utilisation=0.18))
        narrow = replace(own, server=replace(own.server, on=small))
        assert longest[0] < narrow.server.capacity(1.0) < longest[1]
        rows = scheduling.kinds_table(narrow, some, 0.3, READER).set_index("kind")
        assert rows["usd_per_mtok"].notna().tolist() == [True, False]
        assert "cache" in rows.loc["long context", "note"]
        assert set(scheduling.KIND_COLUMNS) == {"kind", *rows.columns} - {"note"}
        routes = scheduling.routed(narrow, made["agent, tools"], np.nan, 2, READER)
        assert routes[list(scheduling.ARRANGED[1:-2])].isna().all(axis=None) and not routes["stable"].any()

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
        small = own.told(max_num_seqs=4)
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
        small = own.told(max_num_seqs=4)
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
        wide = case.Case(own.server, make(1.0), 400, RENT)
        rows = scheduling.routed(wide, make, 2.0, 3, READER).set_index("arrangement")["cached_share"]
        assert rows["prefix aware"] > rows["least loaded"] + 0.1

    def test_apart_the_stream_is_smoother(self, own):
        stream = own.pool.first(1500).at_rate(0.6 * own.saturated_rps)
        rows = scheduling.apart(own, stream, (1, 1), 50e9, READER).set_index("arrangement")
        alone, both = rows.loc["1 prefill, 1 decode"], rows.loc["together"]
        assert alone["itl_p99_ms"] < both["itl_p99_ms"] and alone["tpot_p95_ms"] < both["tpot_p95_ms"]
