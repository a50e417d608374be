"""Intervals: they hold the value, widen with distance, do not peek at a family, and cover what they promise."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenomics.calibration.intervals import ENOUGH, LEAST, lookup, quantiles, widened
from tokenomics.compute.counts.precision import parse
from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference import engines, intervals
from tokenomics.compute.inference.intervals import ANY, COVERAGE, interval, keys, kind_of, pick, quantiles_of
from tokenomics.facts import catalogue, tables
from tokenomics.facts.engines import of_profile

OWN = ["A100-SXM-80GB", "H100-SXM-80GB", "H200-SXM-141GB", "B200-SXM-180GB", "L40S"]
FAR = ["TPU-v5e", "Gaudi3", "MI355X", "Trainium2", "V100-SXM-32GB", "RTX-5090", "Ascend-910B"]
QUANTITIES = ["prefill", "decode", "request", "throughput"]
ENGINES = ["", "vLLM", "vLLM 0.19", "TensorRT-LLM 0.9.0", "TensorRT-LLM 1.0", "sglang 0.5.9", "llama.cpp", "DeepSpeed"]


def asked(device, engine="", model="Llama-3.1-70B"):
    device, model = catalogue.accelerator(device), catalogue.model(model)
    name = engines.profile_name(engine, device)
    on = Deployment(model, device, parse("bf16"), kernels=of_profile(name).kernels)
    return on, engines.profile(name, model.is_moe)


def width(device, engine, quantity, model="Llama-3.1-70B"):
    low, high = interval(1.0, *asked(device, engine, model), quantity)
    return float(np.log(high / low))


def table_of(rows):
    return lookup(list(quantiles(rows)))


def drawn(seed=0, rows=400, families=4, **columns):
    """Exchangeable residuals: every row of every family from one lopsided distribution."""
    random = np.random.default_rng(seed)
    given = {"profile": "p", "kind": "own", "quantity": "decode", "moe": False} | columns
    residual = 0.2 * random.standard_gamma(2.0, rows) - 0.3
    family = [f"family {i % families}" for i in range(rows)]
    return pd.DataFrame({**given, "family": family, "residual": residual})


@pytest.mark.parametrize(
    ("name", "engine", "kind"), [("H100-SXM-80GB", "vLLM", "own"), ("MI300X", "vLLM 0.6", "profiled")]
)
def test_another_device_of_a_known_name_has_the_wider_interval(name, engine, kind):
    on, profile = asked(name, engine)
    mine = dataclasses.replace(on, device=dataclasses.replace(on.device, memory_bytes=on.device.memory_bytes * 1.5))
    assert kind_of(on, profile) == kind
    assert kind_of(mine, profile) not in ("own", "profiled")
    (low, high), (wide_low, wide_high) = (interval(1.0, each, profile, "decode") for each in (on, mine))
    assert wide_high / wide_low > high / low


@pytest.mark.parametrize("device", OWN + FAR)
@pytest.mark.parametrize("model", ["Llama-3.1-70B", "Mixtral-8x7B"])
def test_an_interval_holds_its_value(device, model):
    for engine in ENGINES:
        for quantity in QUANTITIES:
            low, high = interval(2.0, *asked(device, engine, model), quantity)
            assert 0 < low <= 2.0 <= high < np.inf, (engine, quantity)
            assert low < high


@pytest.mark.parametrize("device", ["H100-SXM-80GB", "H200-SXM-141GB", "B200-SXM-180GB"])
def test_both_sides_are_open_where_operators_and_engine_were_measured(device):
    for engine in ("vLLM 0.19", "TensorRT-LLM 1.0", "sglang 0.5.9"):
        for quantity in ("prefill", "decode"):
            low, high = interval(1.0, *asked(device, engine), quantity)
            assert low < 1.0 < high


def test_intervals_are_wider_where_nothing_was_measured():
    own, far = ([width(d, e, q) for d in group for e in ENGINES for q in QUANTITIES] for group in (OWN, FAR))
    assert np.median(far) > 1.2 * np.median(own)


def test_kinds_of_nearness():
    assert kind_of(*asked("H100-SXM-80GB")) == "own"
    on, profile = asked("H100-SXM-80GB", "vLLM 0.19")
    assert "H100-SXM-80GB" in profile.accelerators and kind_of(on, profile) == "own"
    assert kind_of(*asked("MI300X", "vLLM 0.6")) == "profiled"
    assert kind_of(*asked("MI300X")) == kind_of(*asked("TPU-v5e")) == "other"
    assert kind_of(*asked("GH200-96GB")) == "generation"
    assert kind_of(*asked("V100-SXM-32GB")) == "vendor"


def test_keys_run_from_fine_to_coarse():
    found = keys("vllm 2024", "own", "decode", moe=True)
    assert found[0] == ("vllm 2024", "own experts", "decode")
    assert found[-1] == (ANY, ANY, ANY)
    assert len(set(found)) == len(found)
    assert keys("vllm 2024", "own", "decode", moe=False)[0][1] == "own dense"


def test_arrays_keep_their_shape():
    low, high = interval(np.array([[1.0, 2.0], [3.0, 4.0]]), *asked("H100-SXM-80GB"), "decode")
    assert low.shape == high.shape == (2, 2)
    assert low[1, 1] == pytest.approx(4 * low[0, 0])


def test_every_family_of_the_table_finds_an_interval():
    held = tables.read("calibration/held_out_family")[["profile", "kind", "family", "experts"]].drop_duplicates()
    for row in held.itertuples():
        for quantity in QUANTITIES:
            low, high = quantiles_of(row.profile, row.kind, quantity, row.experts, row.family)
            assert low <= 0 <= high and low < high


@pytest.mark.parametrize("seed", range(3))
def test_quantiles_cover_exchangeable_draws_of_families_left_out(seed):
    seen, new = drawn(seed), drawn(seed + 100, rows=4000)
    table = table_of(seen)
    groups = keys("p", "own", "decode", False)
    inside = [low <= r <= high for r, f in zip(new.residual, new.family, strict=True)
              for low, high in [table[(*groups[0], f)]]]  # fmt: skip
    assert np.mean(inside) == pytest.approx(COVERAGE, abs=0.06)


def test_a_family_left_out_is_ignored():
    rows = drawn()
    mine = rows.family == "family 1"
    changed = rows.assign(residual=np.where(mine, 100.0, rows.residual))
    before, after = table_of(rows), table_of(changed)
    for key, value in before.items():
        if key[-1] == "family 1":
            assert after[key] == value
    wide = pick(after, keys("p", "own", "decode", False), "")
    assert wide[1] == 100.0
    assert pick(after, keys("p", "own", "decode", False), "family 1")[1] < 10


def test_too_few_rows_or_one_family_pass_to_the_next_coarser_group():
    few = drawn(rows=ENOUGH - 1, profile="few", residual=0)
    one = drawn(rows=3 * ENOUGH, profile="one", families=1)
    many = drawn(rows=400, profile="many").assign(residual=np.linspace(-0.5, 0.5, 400))
    table = table_of(pd.concat([few, one, many]))
    for name in ("few", "one"):
        assert np.isnan(table[name, "own dense", "decode", ""]).all()
        assert pick(table, keys(name, "own", "decode", False), "") == table[ANY, "own dense", "decode", ""]
    assert pick(table, keys("many", "own", "decode", False), "") == pytest.approx((-0.4, 0.4), abs=0.01)


def test_a_group_with_enough_rows_only_with_a_family_is_passed_over_without_it():
    large = drawn(rows=2 * ENOUGH, families=1)
    small = drawn(rows=ENOUGH // 2, families=1).assign(family="small")
    table = table_of(pd.concat([large, small, drawn(rows=400, profile="q")]))
    groups = keys("p", "own", "decode", False)
    assert np.isfinite(table[(*groups[0], "")]).all()
    assert pick(table, groups, "family 0") == table[(ANY, "own dense", "decode", "family 0")]


def test_a_lopsided_group_is_stretched_to_hold_the_prediction():
    for shift, expected in ((3.0, -LEAST), (-30.0, LEAST)):
        rows = drawn()
        ends = table_of(rows.assign(residual=rows.residual + shift))["p", "own dense", "decode", ""]
        assert expected in ends and ends[0] < 0 < ends[1]
    assert np.isnan(pick({}, keys("p", "own", "decode", False), "")).all()


@settings(max_examples=25)
@given(st.lists(st.floats(-3, 3), min_size=ENOUGH, max_size=100))
def test_quantiles_are_residuals_that_hold_enough_of_them(residuals):
    low, high = table_of(drawn(rows=len(residuals)).assign(residual=residuals))["p", "own dense", "decode", ""]
    assert low in {*residuals, -LEAST} and high in {*residuals, LEAST}
    assert np.mean([low <= r <= high for r in residuals]) >= COVERAGE


def test_families_that_differ_widen_every_interval():
    """Rows of a family share an offset: a new family is covered too seldom until intervals are stretched."""
    offsets = np.random.default_rng(5).normal(0, 0.4, 24)
    rows = drawn(rows=2400, families=24)
    number = rows.family.str.split().str[1].astype(int)
    rows["residual"] = 0.2 * rows.residual + offsets[number]
    plain = list(quantiles(rows))
    stretched = lookup(widened(rows, plain))
    for key, (low, high) in lookup(plain).items():
        assert np.isnan(low) or (stretched[key][0] <= low and stretched[key][1] >= high)
    inside = [
        low <= row.residual <= high
        for row in rows.itertuples()
        for low, high in [pick(stretched, keys("p", "own", "decode", False), row.family)]
    ]
    assert np.mean(inside) >= COVERAGE - 0.05


def test_stretching_without_a_family_does_not_look_at_it():
    rows = drawn()
    changed = rows.assign(residual=np.where(rows.family == "family 1", 50.0, rows.residual))
    before, after = (lookup(widened(each, list(quantiles(each)))) for each in (rows, changed))
    groups = [key for key in before if key[-1] == "family 1"]
    assert groups
    for key in groups:
        assert after[key] == before[key]


def test_the_table_covers_what_was_held_out():
    """80 % intervals on rows of families that neither profile nor interval had seen, in groups of some size."""
    held = tables.read("calibration/held_out_family")
    held = held[held.kind == "own"]
    inside = (held.low <= held.measured) & (held.measured <= held.high)
    assert inside.mean() == pytest.approx(COVERAGE, abs=0.08)
    assert intervals.TABLE.is_file()
