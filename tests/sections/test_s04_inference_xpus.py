"""Tables about serving: devices that hold a load, parts that add up, frontiers that nothing beats."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tokenomics.compute.inference import provision
from tokenomics.compute.inference.search import search
from tokenomics.compute.layout import Layout
from tokenomics.errors import DataError
from tokenomics.facts import catalogue
from tokenomics.sections import operating_points
from tokenomics.sections.s04_inference_xpus import choice, extras, measured, tables

LOAD = provision.Load(prompt=512, output=128, batch=16, weight_format="fp8", engine="vLLM 0.19")
LLAMA, H100 = catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB")
MIXTRAL, PHONE = catalogue.model("Mixtral-8x7B"), catalogue.accelerator("Snapdragon-8-Gen-3")


@pytest.fixture(scope="module")
def own():
    return provision.replica_of(LOAD, LLAMA, H100, least=4)


def test_the_fewest_devices_hold_and_half_of_them_do_not():
    it = provision.fastest(LOAD, LLAMA, H100)
    assert it.capacity(LOAD.context) >= LOAD.batch
    halves = [each for each in (1, 2, 4, 8, 16) if each < it.devices]
    assert not any(list(choice_of(each)) for each in halves)


def choice_of(devices):
    return provision.holding(LOAD, LLAMA, H100, devices)


def test_a_load_that_nothing_holds_is_said_in_one_line():
    endless = replace(LOAD, batch=1e9)
    assert provision.fastest(endless, LLAMA, H100) is None
    with pytest.raises(DataError, match=r"Llama-3\.1-70B"):
        provision.replica_of(endless, LLAMA, H100)
    row = tables.fleet(endless, [LLAMA], [H100]).iloc[0]
    assert np.isnan(row["devices"]) and row["devices_bound"] > 1024


def test_a_fleet_stands_beside_its_bounds_and_inside_its_intervals():
    rows = tables.fleet(LOAD, [LLAMA, MIXTRAL], [H100, PHONE])
    assert (rows["devices"] >= rows["devices_bound"]).all()
    for name in ("ttft", "tpot"):
        assert (rows[f"{name}_bound_ms"] <= rows[f"{name}_ms"]).all()
        assert (rows[f"{name}_low_ms"] <= rows[f"{name}_ms"]).all()
        assert (rows[f"{name}_ms"] <= rows[f"{name}_high_ms"]).all()
    assert (rows["rate_tok_per_s"] <= rows["rate_bound_tok_per_s"]).all() and (
        rows["rate_low_tok_per_s"] <= rows["rate_high_tok_per_s"]
    ).all()
    assert set(rows["operators"]) <= {"measured", "engine measured", "same generation", "same vendor", "another vendor"}


def test_fewer_bits_never_take_more_devices():
    rows = tables.by_format(LOAD, [LLAMA], H100)
    assert rows["format"].tolist() == ["as published", "bf16", "fp8", "nvfp4"]
    assert (np.diff(rows["devices"]) <= 0).all() and (np.diff(rows["least_gb"][1:]) < 0).all()
    assert (rows["used_gb"] > rows["least_gb"]).all()


def test_nothing_said_is_the_published_format_and_its_emulation_is_noted():
    published = replace(LOAD, weight_format="")
    models = [LLAMA, catalogue.model("gpt-oss-120b"), catalogue.model("DeepSeek-V3")]
    a100 = catalogue.accelerator("A100-SXM-80GB")
    rows = tables.fleet(published, models, [a100, H100]).set_index(["model", "accelerator"])
    assert rows.xs("H100-SXM-80GB", level=1)["weights"].tolist() == ["bf16", "mxfp4", "fp8 block"]
    assert rows.loc[("gpt-oss-120b", "H100-SXM-80GB"), "devices_bound"] == 1
    noted = rows["note"].str.contains("emulated")
    assert noted.tolist() == [False, False, True, True, True, False]


def test_compared_formats_leave_out_what_would_change_nothing():
    def others(model, given):
        it = provision.ask(replace(LOAD, weight_format=given), catalogue.model(model), H100)
        return operating_points.other_formats(it)

    assert others("Llama-3.1-8B", "") == ["fp8", "nvfp4"]
    assert others("Llama-3.1-8B", "fp8") == ["", "nvfp4"]
    assert others("gpt-oss-20b", "") == ["bf16", "fp8", "nvfp4"]


@pytest.mark.parametrize("layout", [Layout(2), Layout(8), Layout(2, pp=4)])
def test_parts_add_up_to_the_step(layout):
    it = provision.ask(LOAD, LLAMA, H100, layout)
    parts = tables.step_parts(LOAD, {"one": it})
    step = 1e3 * float(it.tpot(LOAD.batch, LOAD.prompt + LOAD.output / 2).value)
    assert parts["spent_ms"].sum() == pytest.approx(step, rel=1e-9)


def test_memory_adds_up_to_the_device(own):
    uses = tables.memory_parts(LOAD, {"one": own})
    assert uses["used_gb"].sum() * 1e9 == pytest.approx(H100.driver_memory_bytes)


def test_latencies_lie_above_the_lower_bound_and_grow(own):
    for rows, column in (
        (tables.prefill_times(LOAD, {"one": own}, [1.0, 64.0, 512.0]), "ttft"),
        (tables.decode_times(LOAD, {"one": own}, [1.0, 64.0, 512.0]), "tpot"),
        (tables.decode_times_by_context(LOAD, own, [16], [1.0, 64.0, 512.0]), "tpot"),
    ):
        value, low, high, bound = (rows[f"{column}_{end}ms"] for end in ("", "low_", "high_", "bound_"))
        assert (bound <= value).all() and (np.diff(value) >= 0).all()
        assert ((low < value) & (value < high)).all()


def test_points_that_do_not_fit_are_left_out(own):
    assert tables.decode_times(LOAD, {"one": own}, [1.0, 1e7])["batch"].tolist() == [1.0]


def test_operating_points_obey_littles_law(own):
    rows = tables.loaded(LOAD, own, [1.0, 16.0, 64.0])
    inside = rows["rate_tok_per_s"] * own.devices * rows["tpot_ms"] / 1e3
    assert np.allclose(inside, rows["concurrency"], rtol=0.3)


def test_nothing_beats_a_point_of_the_frontier():
    points = pd.DataFrame({"x": [1, 2, 2, 3, 1.5], "y": [5, 4, 4, 1, 4.5], "layout": list("abcde")})
    best = operating_points.better(points, "x", "y")
    assert best["layout"].tolist() == ["d", "b", "e", "a"]


def test_a_frontier_keeps_the_limit_and_has_a_price():
    points = operating_points.frontier(LOAD, LLAMA, [H100], 4, [1.0, 8.0, 64.0])
    assert (np.diff(points[operating_points.PER_USER]) < 0).all() and (
        np.diff(points[operating_points.PER_DEVICE]) > 0
    ).all()
    limit = points["tpot_ms"].median()
    chosen = choice.within(points, limit)
    assert chosen[operating_points.PER_DEVICE].tolist() == [
        points.loc[points["tpot_ms"] <= limit, operating_points.PER_DEVICE].max()
    ]
    row = choice.value(chosen, [H100], "skypilot_catalog").iloc[0]
    assert row["mtok_per_usd"] == pytest.approx(row[operating_points.PER_DEVICE] * 3600 / 1e6 / row["usd_per_hour"])
    assert row["tok_per_j"] == pytest.approx(row[operating_points.PER_DEVICE] / H100.tdp_w)


def test_a_frontier_passes_over_layouts_that_hold_a_token_but_no_request():
    load, model = replace(LOAD, prompt=1024, output=256, weight_format=""), catalogue.model("DeepSeek-V3")
    points = operating_points.frontier(load, model, [PHONE], 8, [1.0, 8.0])
    assert not points.empty
    assert operating_points.frontier(load, model, [PHONE], 8, [1e6]).empty


def test_a_limit_that_nothing_keeps_leaves_no_value_and_says_why():
    points = operating_points.frontier(LOAD, LLAMA, [H100], 2, [1.0])
    kept = choice.within(points, 1e-3)
    assert kept.empty and choice.point_of(kept, H100).isna().all()
    none = choice.search_metrics(choice.layouts_table([]), LLAMA.name, H100.name)
    assert none["layouts"].value == 0 and none["layout_best"].value is None and "limit" in none["layout_best"].reason


def test_the_best_counts_whose_intervals_reach_into_its_own():
    rows = pd.DataFrame({"accelerator": list("cba"), "tok_per_j": [3, 2, 1]})
    rows = rows.assign(low_tok_per_j=[2.5, 1, 0.5], high_tok_per_j=[4, 2.6, 2])
    best = choice.best(rows, "tok_per_j", "joule")
    value = best["best_joule_value"]
    assert (best["best_joule"].value, value.value, value.low, value.high) == ("c", 3, 2.5, 4)
    assert best["overlapping_joule"].value == 1
    none = choice.best(rows.assign(tok_per_j=np.nan), "tok_per_j", "joule")
    assert np.isnan(none["best_joule_value"].value) and np.isnan(none["best_joule"].value)


def test_the_table_of_layouts_keeps_the_order_of_the_search():
    found = search(LLAMA, H100, 4, prompt=512, output=128, precision="fp8")
    rows = choice.layouts_table(found)
    assert len(rows) == len(found) and (np.diff(rows["rate_tok_per_s"]) <= 0).all()


def test_no_kernel_reaches_more_than_the_data_sheet():
    assert measured.kernel_efficiency()["share"].between(0, 1).all()
    roof = measured.kernel_roof(LLAMA, [H100, PHONE], LOAD, 2.0 ** np.arange(12))
    kernel = roof.dropna(subset=["kernel_tflop_per_s"])
    assert (kernel["kernel_tflop_per_s"] < kernel["sheet_tflop_per_s"]).all() and len(kernel) >= 20


def test_held_out_rows_are_summed_up_by_quantity():
    rows = measured.held_out()
    assert rows["quantity"].notna().all() and rows["inside"].isin([0.0, 1.0]).all()
    summary = measured.summary(rows)
    assert summary["rows"].sum() == len(rows) and (summary["median_error"] <= summary["p90_error"]).all()


def test_sensitivity_shows_what_changed(own):
    rows = tables.sensitivity(LOAD, own).set_index("change")
    cached, same = rows.loc["9 in 10 of the prompt cached"], rows.loc[tables.UNCHANGED]
    assert cached["ttft_ms"] < same["ttft_ms"] and cached["tpot_ms"] == same["tpot_ms"]
    ratios = tables.against_unchanged(rows.reset_index())
    assert tables.UNCHANGED not in set(ratios["change"]) and tables.tpot_spread(ratios)["engine_tpot_ratio"].value >= 1


@pytest.mark.parametrize(("name", "text"), [("H100-SXM-80GB", "H100"), ("MI300X", "MI300X"), ("TPU-v5p", "TPU-v5p")])
def test_short_names(name, text):
    assert provision.short(catalogue.accelerator(name)) == text


@pytest.mark.parametrize(("layout", "text"), [(Layout(), "1"), (Layout(8, dp=2, ep=16), "TP8 DP2 EP16")])
def test_layouts_in_words(layout, text):
    assert provision.label(layout) == text


def test_limits_of_a_device_with_integer_units_only():
    it = provision.ask(replace(LOAD, batch=1), catalogue.model("Llama-3.2-1B"), PHONE)
    assert set(tables.limits({"one": it}, [1, 8], [128, 512])["limit"]) <= {"bandwidth", "compute", "host", "memory"}


@pytest.fixture(scope="module")
def draft(own):
    return extras.draft_server(LOAD, own, catalogue.model("Llama-3.2-1B"))


def test_the_draft_model_is_cut_for_the_shortest_step(own, draft):
    assert draft.devices <= own.devices and draft.on.model.name == "Llama-3.2-1B"
    others = [
        provision.ask(LOAD, draft.on.model, H100, Layout(tp=tp)).tpot(LOAD.batch, LOAD.middle) for tp in (1, 2, 4)
    ]
    assert draft.tpot(LOAD.batch, LOAD.middle).value == min(each.value for each in others)


def test_gains_by_drafting_fall_with_the_batch_and_grow_with_acceptance(own, draft):
    rows = extras.drafting_gains(LOAD, own, draft, [0.6, 0.8], [1.0, 32.0, 512.0, 1e7])
    assert rows["batch"].max() <= 512 and set(rows["panel"]) == {"Llama-3.2-1B", extras.OWN_LAYER}
    for _, part in rows.groupby(["panel", "acceptance_share"]):
        assert (np.diff(part["gain_ratio"]) < 0).all() and part["drafted_tok"].is_monotonic_decreasing
    few, many = (rows[rows["acceptance_share"] == a].set_index(["panel", "batch"])["gain_ratio"] for a in (0.6, 0.8))
    assert (many > few).all() and (
        (rows["gain_low_ratio"] < rows["gain_ratio"]) & (rows["gain_ratio"] < rows["gain_high_ratio"])
    ).all()


def test_a_draft_that_does_not_fit_leaves_no_gain_and_says_why(own):
    huge = provision.ask(LOAD, catalogue.model("Llama-3.1-405B"), H100, Layout(tp=4))
    gains = extras.drafting_gains(LOAD, own, huge, [0.6], [1.0])
    assert set(gains["panel"]) == {extras.OWN_LAYER}
    alone = extras.drafting_metrics(gains, own, "Llama-3.1-405B", 0.6)["draft_gain_alone"]
    assert np.isnan(alone.value) and alone.reason == "Llama-3.1-405B does not fit beside Llama-3.1-70B"


def test_adapters_that_do_not_fit_are_fetched(own):
    rows = extras.adapter_times(LOAD, own, 64, [1, 8, 100_000])
    plain = 1e3 * float(own.tpot(LOAD.batch, LOAD.middle).value)
    assert (np.diff(rows["tpot_ms"]) > 0).all() and rows["tpot_ms"].iloc[0] > plain
    assert rows["kept_adapters"].iloc[1] == 8 and rows["kept_adapters"].iloc[2] < 100_000
    assert extras.adapter_times(LOAD, own, 1_000_000, [1]).empty


def test_images_delay_the_first_token_by_encoding_and_reading_them(own):
    rows = extras.image_times(LOAD, own, ["LLaVA-1.5", "InternVL-1.5"], 1024, range(3))
    none = rows[rows["images"] == 0]
    assert none["ttft_ms"].nunique() == 1 and (none[["image_tok", "encode_ms"]] == 0).all(axis=None)
    two = rows[rows["images"] == 2].set_index("encoder")
    assert two["image_tok"].to_dict() == {"LLaVA-1.5": 2 * 576, "InternVL-1.5": 2 * 2560}
    assert (two["ttft_ms"] > none["ttft_ms"].iloc[0] + 0.9 * two["encode_ms"]).all()
