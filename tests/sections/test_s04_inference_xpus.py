"""Tables about serving: devices that hold a load, parts that add up, frontiers that nothing beats."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tokenomics.compute import bounds
from tokenomics.compute.inference.search import search
from tokenomics.compute.layout import Layout
from tokenomics.errors import DataError
from tokenomics.facts import catalogue
from tokenomics.sections import s04_inference_xpus
from tokenomics.sections.s04_inference_xpus import choice

LOAD = s04_inference_xpus.Load(prompt=512, output=128, batch=16, engine="vLLM 0.19")
LLAMA, H100 = catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB")
MIXTRAL, PHONE = catalogue.model("Mixtral-8x7B"), catalogue.accelerator("Snapdragon-8-Gen-3")


@pytest.fixture(scope="module")
def own():
    return s04_inference_xpus.group(LOAD, LLAMA, H100, least=4)


def test_the_fewest_devices_hold_and_half_of_them_do_not():
    it = s04_inference_xpus.fastest(LOAD, LLAMA, H100)
    assert it.capacity(LOAD.context) >= LOAD.batch
    halves = [each for each in (1, 2, 4, 8, 16) if each < it.devices]
    assert not any(list(choice_of(each)) for each in halves)


def choice_of(devices):
    from tokenomics.sections.s04_inference_xpus.load import holding

    return holding(LOAD, LLAMA, H100, devices)


def test_a_load_that_nothing_holds_is_said_in_one_line():
    endless = replace(LOAD, batch=1e9)
    assert s04_inference_xpus.fastest(endless, LLAMA, H100) is None
    with pytest.raises(DataError, match=r"Llama-3\.1-70B"):
        s04_inference_xpus.group(endless, LLAMA, H100)
    row = s04_inference_xpus.fleet(endless, [LLAMA], [H100]).iloc[0]
    assert np.isnan(row["devices"]) and row["devices_bound"] > 1024


def test_a_fleet_stands_beside_its_bounds_and_inside_its_intervals():
    rows = s04_inference_xpus.fleet(LOAD, [LLAMA, MIXTRAL], [H100, PHONE])
    assert (rows["devices"] >= rows["devices_bound"]).all()
    for name in ("ttft", "tpot"):
        assert (rows[f"{name}_bound_ms"] <= rows[f"{name}_ms"]).all()
        assert (rows[f"{name}_low_ms"] <= rows[f"{name}_ms"]).all()
        assert (rows[f"{name}_ms"] <= rows[f"{name}_high_ms"]).all()
    assert (rows["rate"] <= rows["rate_bound"]).all() and (rows["rate_low"] <= rows["rate_high"]).all()
    assert set(rows["operators"]) <= {"measured", "engine measured", "same generation", "same vendor", "another vendor"}


def test_fewer_bits_never_take_more_devices():
    rows = s04_inference_xpus.by_bits(LOAD, [LLAMA], H100, (16, 8, 4))
    assert (np.diff(rows["devices"]) <= 0).all() and (rows["used_gb"] > rows["least_gb"]).all()


@pytest.mark.parametrize("layout", [Layout(1), Layout(8), Layout(2, pp=4)])
def test_parts_add_up_to_the_step(layout):
    it = s04_inference_xpus.ask(LOAD, LLAMA, H100, layout)
    parts = s04_inference_xpus.step_parts(LOAD, {"one": it})
    step = 1e3 * float(it.tpot(LOAD.batch, LOAD.prompt + LOAD.output / 2).value)
    assert parts["milliseconds"].sum() == pytest.approx(step, rel=1e-9)


def test_memory_adds_up_to_the_device(own):
    uses = s04_inference_xpus.memory_parts(LOAD, {"one": own})
    assert uses["gigabytes"].sum() * 1e9 == pytest.approx(H100.memory_bytes * bounds.LARGEST_GB)


@pytest.mark.parametrize("kind", ["prefill", "decode", "context"])
def test_latencies_lie_above_the_floor_and_grow(own, kind):
    rows = s04_inference_xpus.latency(LOAD, {"one": own}, kind, [1.0, 64.0, 512.0], "x")
    assert (rows["bound"] <= rows["value"]).all() and (np.diff(rows["value"]) >= 0).all()
    assert ((rows["low"] < rows["value"]) & (rows["value"] < rows["high"])).all()


def test_points_that_do_not_fit_are_left_out(own):
    rows = s04_inference_xpus.latency(LOAD, {"one": own}, "decode", [1.0, 1e7], "batch")
    assert rows["batch"].tolist() == [1.0]


def test_operating_points_obey_littles_law(own):
    rows = s04_inference_xpus.operating_points(LOAD, own, [1.0, 16.0, 64.0])
    inside = rows["rate"] * own.devices * rows["tpot_ms"] / 1e3
    assert np.allclose(inside, rows["concurrency"], rtol=0.3)


def test_nothing_beats_a_point_of_the_frontier():
    points = pd.DataFrame({"x": [1, 2, 2, 3, 1.5], "y": [5, 4, 4, 1, 4.5], "layout": list("abcde")})
    best = s04_inference_xpus.better(points, "x", "y")
    assert best["layout"].tolist() == ["d", "b", "e", "a"]


def test_a_frontier_keeps_the_limit_and_has_a_price():
    points = s04_inference_xpus.frontier(LOAD, LLAMA, [H100], 4, [1.0, 8.0, 64.0])
    assert (np.diff(points["per_user"]) < 0).all() and (np.diff(points["per_device"]) > 0).all()
    limit = points["tpot_ms"].median()
    chosen = s04_inference_xpus.within(points, limit)
    assert chosen["per_device"].tolist() == [points.loc[points["tpot_ms"] <= limit, "per_device"].max()]
    row = s04_inference_xpus.value(chosen, [H100], "skypilot_catalog").iloc[0]
    assert row["mtoken_per_usd"] == pytest.approx(row["per_device"] * 3600 / 1e6 / row["usd_per_hour"])
    assert row["token_per_j"] == pytest.approx(row["per_device"] / H100.tdp_w)


def test_a_rent_is_of_one_list_only():
    assert 0.5 < choice.rent(H100, "skypilot_catalog") < 10
    assert np.isnan(choice.rent(H100, "no such list"))
    assert np.isnan(choice.rent(PHONE, "skypilot_catalog"))


def test_a_limit_that_nothing_keeps_is_said_in_one_line():
    points = s04_inference_xpus.frontier(LOAD, LLAMA, [H100], 2, [1.0])
    with pytest.raises(DataError, match="most_tpot_ms"):
        s04_inference_xpus.point_of(s04_inference_xpus.within(points, 1e-3), H100, 1e-3)
    with pytest.raises(DataError, match="most_tpot_ms"):
        s04_inference_xpus.layouts_table([], 1e-3)


def test_the_best_counts_whose_intervals_reach_into_its_own():
    rows = pd.DataFrame({"accelerator": list("cba"), "n": [3, 2, 1], "n_low": [2.5, 1, 0.5], "n_high": [4, 2.6, 2]})
    found = s04_inference_xpus.best(rows, "n")
    assert (found.name, found.value, found.low, found.high, found.rivals) == ("c", 3, 2.5, 4, 1)
    assert s04_inference_xpus.best(rows.assign(n=np.nan), "n").value == 0


def test_the_table_of_layouts_keeps_the_order_of_the_search():
    found = search(LLAMA, H100, 4, prompt=512, output=128, precision="fp8")
    rows = s04_inference_xpus.layouts_table(found)
    assert len(rows) == len(found) and (np.diff(rows["rate"]) <= 0).all()


def test_no_kernel_reaches_more_than_the_data_sheet():
    assert s04_inference_xpus.ceilings()["share"].between(0, 1).all()
    roof = s04_inference_xpus.kernel_roof(LLAMA, [H100, PHONE], 8, 2.0 ** np.arange(12))
    kernel = roof.dropna(subset=["kernel"])
    assert (kernel["kernel"] < kernel["sheet"]).all() and len(kernel) >= 20


def test_held_out_rows_are_summed_up_by_quantity():
    rows = s04_inference_xpus.held_out()
    assert rows["quantity"].notna().all() and rows["inside"].isin([0.0, 1.0]).all()
    summary = s04_inference_xpus.summary(rows)
    assert summary["rows"].sum() == len(rows) and (summary["median_error"] <= summary["p90_error"]).all()


def test_sensitivity_shows_what_changed(own):
    cases = {
        "as above": s04_inference_xpus.changed(LOAD, own),
        "cached": s04_inference_xpus.changed(LOAD, own, cached=448),
    }
    rows = s04_inference_xpus.sensitivity(cases)
    assert rows["ttft_value"].is_monotonic_decreasing and rows["tpot_value"].nunique() == 1


@pytest.mark.parametrize(("name", "text"), [("H100-SXM-80GB", "H100"), ("MI300X", "MI300X"), ("TPU-v5p", "TPU-v5p")])
def test_short_names(name, text):
    assert s04_inference_xpus.short(catalogue.accelerator(name)) == text


@pytest.mark.parametrize(("layout", "text"), [(Layout(), "1"), (Layout(8, dp=2, ep=16), "TP8 DP2 EP16")])
def test_layouts_in_words(layout, text):
    assert s04_inference_xpus.label(layout) == text


def test_limits_of_a_device_with_integer_units_only():
    it = s04_inference_xpus.ask(replace(LOAD, batch=1), catalogue.model("Llama-3.2-1B"), PHONE)
    assert set(s04_inference_xpus.limits(it, [1, 8], [128, 512])["limit"]) <= {"bandwidth", "compute", "host", "memory"}


@pytest.fixture(scope="module")
def draft(own):
    return s04_inference_xpus.drafter(LOAD, own, catalogue.model("Llama-3.2-1B"))


def test_the_draft_model_is_cut_for_the_shortest_step(own, draft):
    assert draft.devices <= own.devices and draft.on.model.name == "Llama-3.2-1B"
    others = [
        s04_inference_xpus.ask(LOAD, draft.on.model, H100, Layout(tp=tp)).tpot(LOAD.batch, LOAD.middle)
        for tp in (1, 2, 4)
    ]
    assert draft.tpot(LOAD.batch, LOAD.middle).value == min(each.value for each in others)


def test_gains_by_drafting_fall_with_the_batch_and_grow_with_acceptance(own, draft):
    rows = s04_inference_xpus.drafted(LOAD, own, draft, [0.6, 0.8], [1.0, 32.0, 512.0, 1e7])
    assert rows["batch"].max() <= 512 and set(rows["panel"]) == {"Llama-3.2-1B", s04_inference_xpus.OWN_LAYER}
    for _, part in rows.groupby(["panel", "acceptance"]):
        assert (np.diff(part["value"]) < 0).all() and part["drafted"].is_monotonic_decreasing
    few, many = (rows[rows["acceptance"] == a].set_index(["panel", "batch"])["value"] for a in (0.6, 0.8))
    assert (many > few).all() and ((rows["low"] < rows["value"]) & (rows["value"] < rows["high"])).all()


def test_a_draft_that_does_not_fit_is_said_in_one_line(own):
    huge = s04_inference_xpus.ask(LOAD, catalogue.model("Llama-3.1-405B"), H100, Layout(tp=4))
    with pytest.raises(DataError, match=r"draft_model = Llama-3\.1-405B; allowed: one that fits beside Llama-3\.1-70B"):
        s04_inference_xpus.drafted(LOAD, own, huge, [0.6], [1.0])


def test_adapters_that_do_not_fit_are_fetched(own):
    rows = s04_inference_xpus.adapted(LOAD, own, 64, [1, 8, 100_000])
    plain = 1e3 * float(own.tpot(LOAD.batch, LOAD.middle).value)
    assert (np.diff(rows["value"]) > 0).all() and rows["value"].iloc[0] > plain
    assert rows["kept"].iloc[1] == 8 and rows["kept"].iloc[2] < 100_000
    with pytest.raises(DataError, match="adapter_rank = 1000000"):
        s04_inference_xpus.adapted(LOAD, own, 1_000_000, [1])


def test_images_delay_the_first_token_by_encoding_and_reading_them(own):
    rows = s04_inference_xpus.sighted(LOAD, own, ["LLaVA-1.5", "InternVL-1.5"], 1024, range(3))
    none = rows[rows["count"] == 0]
    assert none["value"].nunique() == 1 and (none[["tokens", "encode"]] == 0).all(axis=None)
    two = rows[rows["count"] == 2].set_index("series")
    assert two["tokens"].to_dict() == {"LLaVA-1.5": 2 * 576, "InternVL-1.5": 2 * 2560}
    assert (two["value"] > none["value"].iloc[0] + 0.9 * two["encode"]).all()
