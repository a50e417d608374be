"""Learning of profiles: known numbers are found again, and nothing is learned from what has to be predicted."""

import importlib.util

import numpy as np
import pandas as pd
import pytest

from tokenomics.calibration.engines import profiles, run, samples
from tokenomics.calibration.engines.profiles import (
    FIRST,
    INPUTS,
    NUMBERS,
    Design,
    ask,
    design,
    duration,
    fit,
    held_out,
)
from tokenomics.compute.inference.engines import GENERIC, Profile
from tokenomics.compute.inference.intervals import OWN, PROFILED
from tokenomics.errors import RunError
from tokenomics.facts import catalogue, measurements, tables
from tokenomics.rows import reading
from tokenomics.rows.held_out import family_of
from tokenomics.rows.predict import record

SCIPY = importlib.util.find_spec("scipy") is not None
needs_scipy = pytest.mark.skipif(not SCIPY, reason="fitting needs the extra: calibration")
TRUE = np.array([1.6, 1.1, 2e-3, 2e-5])
PLAIN = ("table", "case", "source", "grade", "early")


@pytest.fixture(scope="module")
def published():
    """Published rows as they are learned from, without the package's own sample."""
    numbers = [name for name in INPUTS if name not in reading.TEXTS]
    empty = pd.DataFrame(columns=[*INPUTS, *PLAIN, "value"], dtype=object).astype(dict.fromkeys(numbers, float))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "silicon", lambda: empty)
        return samples.measured()


@pytest.fixture(scope="module")
def few(published):
    """Some rows of every engine and metric."""
    return published.groupby(["profile", "metric"]).head(6).reset_index(drop=True)


def made(numbers=TRUE, noise=0.0, seed=0, **columns):
    """A linear problem of which the answer is known: prefills, and decodes bound by the host or by the device."""
    random = np.random.default_rng(seed)
    steps, zero = 10 ** random.uniform(0, 3, 60), np.zeros(60)
    prefill, device, sequences = (10 ** random.uniform(*ends, 60) for ends in ((-2, 1), (-3.5, -1), (0, 3)))
    decode = np.stack([zero, steps * device, steps, steps * sequences], axis=1)
    coefficients = np.where(random.random((60, 1)) < 1 / 3, np.stack([prefill, zero, zero + 1, zero], 1), decode)
    table = {"profile": "vllm 2024", "accelerator": "H100", "family": "a", "moe": False, **columns}
    seconds = (coefficients @ numbers) * np.exp(noise * random.standard_normal(60))
    return Design(pd.DataFrame(table, range(60)), coefficients, seconds)


def joined(*designs):
    return Design(
        pd.concat([each.rows for each in designs], ignore_index=True),
        np.concatenate([each.coefficients for each in designs]),
        np.concatenate([each.seconds for each in designs]),
    )


def by_key(fitted):
    return {(each.name, each.experts, each.without): each.numbers.tolist() for each in fitted}


@needs_scipy
def test_fit_finds_known_numbers():
    assert fit(made()) == pytest.approx(TRUE, rel=1e-3)
    assert fit(made(noise=0.05)) == pytest.approx(TRUE, rel=0.2)


@needs_scipy
def test_fit_shrugs_off_outliers_and_follows_a_prior_where_data_are_silent():
    wild = made()
    wild.seconds[::10] *= 20
    assert fit(wild) == pytest.approx(TRUE, rel=0.2)
    silent = made()
    silent.coefficients[:, 3] = 0
    prior = np.array([1.0, 1.0, 1e-3, 7e-5])
    found = fit(Design(silent.rows, silent.coefficients, silent.coefficients @ TRUE), prior)
    assert found[:3] == pytest.approx(TRUE[:3], rel=0.02)
    assert found[3] == pytest.approx(7e-5, rel=0.02)


@needs_scipy
def test_fit_stays_within_its_bounds():
    for factor in (1e-4, 1e4):
        found = fit(made(factor * TRUE))
        assert (found >= profiles.LOWEST * 0.999).all() and (found <= profiles.HIGHEST * 1.001).all()


@pytest.fixture(scope="module")
def problem():
    """Three engines and three families, one of them with experts, each somewhat apart from the others."""
    parts = []
    for seed, (name, family) in enumerate((n, f) for n in ("vllm 2024", "vllm 2026", "sglang") for f in "abc"):
        numbers = TRUE * np.exp(0.2 * np.random.default_rng(100 + seed).standard_normal(4))
        parts.append(made(numbers, 0.02, seed, profile=name, family=family, moe=family == "c"))
    return joined(*parts)


@needs_scipy
def test_every_profile_is_fitted_with_and_without_each_family(problem):
    found = profiles.profiles(problem)
    keys = {(each.name, each.experts, each.without) for each in found}
    assert keys == {
        (name, experts, without)
        for name in (GENERIC, "vllm 2024", "vllm 2026", "sglang")
        for experts in (False, True)
        for without in ("", "a", "b", "c")
    }
    count = {(each.name, each.experts, each.without): each.rows for each in found}
    assert count["sglang", True, ""] == 180
    assert count["sglang", True, "a"] == count["sglang", False, ""] == 120
    assert count["sglang", False, "a"] == 60
    for each in found:
        assert each.numbers == pytest.approx(TRUE, rel=0.6)


@needs_scipy
@pytest.mark.parametrize("family", ["a", "c"])
def test_a_left_out_family_does_not_influence_its_own_profile(problem, family):
    factor = np.where(problem.rows.family == family, 7.0, 1.0)
    changed = Design(problem.rows, problem.coefficients, problem.seconds * factor)
    before, after = (by_key(profiles.profiles(each)) for each in (problem, changed))
    for key, numbers in before.items():
        if key[2] == family:
            assert after[key] == numbers, key
    assert after["sglang", True, ""] != before["sglang", True, ""]
    mine = (problem.rows.family == family).to_numpy()
    predictions = [held_out(each, profiles.profiles(each))[mine] for each in (problem, changed)]
    assert np.array_equal(*predictions)


@needs_scipy
def test_a_left_out_accelerator_does_not_influence_its_own_profile(problem):
    table = problem.rows.assign(accelerator=problem.rows.family)
    factor = np.where(table.accelerator == "b", 7.0, 1.0)
    before, after = (
        by_key(profiles.profiles(Design(table, problem.coefficients, seconds), "accelerator"))
        for seconds in (problem.seconds, problem.seconds * factor)
    )
    assert all(after[key] == numbers for key, numbers in before.items() if key[2] == "b")


@needs_scipy
def test_held_out_predictions_come_close(problem):
    off = np.abs(np.log(held_out(problem, profiles.profiles(problem)) / problem.seconds))
    assert np.median(off) < 0.3
    assert np.isfinite(off).all()


@needs_scipy
def test_an_engine_is_drawn_to_its_other_periods():
    slow = 3 * TRUE
    old = made(slow, profile="vllm 2023", family="a")
    names = ("sglang", "gpt-fast", "deepspeed", "trtllm 2024", "llama.cpp")
    other = joined(*(made(TRUE, 0, seed, profile=name) for seed, name in enumerate(names)))
    thin = made(slow, profile="vllm 2026", family="b")
    thin = thin.take(thin.coefficients[:, 0] > 0)  # prefills only
    found = by_key(profiles.profiles(joined(old, other, thin)))["vllm 2026", False, ""]
    assert found[1] == pytest.approx(slow[1], rel=0.1)


@needs_scipy
def test_waits_are_found_again_and_without_the_family():
    random = np.random.default_rng(3)
    own, others = 10 ** random.uniform(-2, 0, 90), 10 ** random.uniform(-2, 2, 90)
    table = pd.DataFrame({"profile": "sglang", "moe": False, "family": list("abc") * 30, "metric": "ttft", "unit": "s"})
    found = {}
    for change in (1.0, 9.0):
        seconds = (own + 0.07 * others + 0.05) * np.where(table.family == "a", change, 1.0)
        data = profiles.Queued(table.assign(value=seconds), own, others)
        fitted = [profiles.Fitted("sglang", False, without, TRUE) for without in ("", "a", "b", "c")]
        found[change] = profiles.fit_waits(data, fitted)
    assert found[1.0]["sglang", False, ""] == pytest.approx((0.07, 0.05), rel=1e-2)
    assert found[9.0]["sglang", False, "a"] == found[1.0]["sglang", False, "a"]
    assert found[9.0]["sglang", False, ""] != found[1.0]["sglang", False, ""]


@needs_scipy
def test_a_profile_nobody_saw_wait_keeps_the_usual_numbers():
    nothing = np.empty(0)
    assert profiles._fit_wait(nothing, nothing, nothing) == pytest.approx((Profile().burst, Profile().wait_s))


def test_the_scorer_is_linear_in_a_profile(few):
    """What the fit relies on: a row's duration is the sum of its coefficients times the four numbers."""
    data = design(few)
    assert len(data.rows) > 60
    numbers = np.array([1.3, 0.9, 3e-3, 4e-5])
    straight = ask(data.rows.reset_index(drop=True), profiles.profile_of(numbers))
    assert straight == pytest.approx(data.coefficients @ numbers, rel=1e-6)


def test_whole_requests_of_a_closed_loop_are_not_fitted(published):
    """They hold a queued first token, which is not linear, and repeat the rows of their run."""
    whole = published[(published["metric"] == "e2e_latency") & (published["load"] == "closed")].reset_index(drop=True)
    assert len(whole) > 50 and not len(design(whole).rows) and not profiles.is_queued(whole).any()


def test_no_prediction_reads_a_measured_value(few):
    poisoned = few.assign(value=np.nan, case="x", source="y", grade="F", family="z", moe=True)
    numbers = profiles.profile_of(FIRST)
    assert np.array_equal(ask(few, numbers), ask(poisoned, numbers), equal_nan=True)
    other = design(few.assign(value=few["value"] * 3 + 1))
    assert np.array_equal(design(few).coefficients, other.coefficients)
    assert not set(INPUTS) & {"value", "case", "source", "grade", "family"}


def test_leaving_an_accelerator_out_changes_what_its_operators_say(few):
    own = few[few.accelerator == "H100-SXM-80GB"].reset_index(drop=True)
    shown, hidden = (ask(own, profiles.profile_of(FIRST), left_out=flag) for flag in (False, True))
    assert np.isfinite(shown).any()
    assert not np.allclose(shown, hidden, equal_nan=True)


def test_rates_are_durations_upside_down():
    table = pd.DataFrame(
        {
            "metric": ["ttft", "tpot", "output_throughput_total", "prefill_tok_s"],
            "unit": ["ms", "s", "tok/s", "tok/s"],
        }
    )
    assert duration(table, np.array([250.0, 2.0, 50.0, 8.0])) == pytest.approx([0.25, 2.0, 0.02, 0.125])


def test_published_rows_are_fit_for_validation(published):
    assert len(published) > 1500
    assert set(published["load"]) <= set(samples.LOADS)
    assert not published["engine"].eq(samples.PROVIDER).any()
    assert not published["metric"].eq("fits_in_memory").any()
    assert (published["value"] > 0).all()
    for kind in samples.KINDS:
        table = measurements.read(kind)
        taken = table["case"].isin(published.loc[published["table"] == kind, "case"])
        allowed = measurements.for_validation(table, without=("unverified", "suspect"))["case"]
        assert set(table.loc[taken, "case"]) <= set(allowed)
    for name, group in published.groupby("model"):
        assert set(group["family"]) == {family_of(record("model", name))}


def test_rows_without_the_package_are_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(samples.util, "find_spec", lambda name: None)
    with pytest.raises(RunError, match="aiconfigurator_core is not installed: pip install") as error:
        samples.silicon()
    assert "\n" not in str(error.value)


def test_every_accelerator_has_a_relation():
    shown, hidden = run._relations(hidden=False), run._relations(hidden=True)
    assert set(shown) == set(hidden) == set(catalogue.accelerators())
    assert shown["H100-SXM-80GB"] == OWN and shown["MI300X"] == PROFILED
    assert hidden["H100-SXM-80GB"] == "generation" and hidden["MI300X"] == "other"
    assert OWN not in hidden.values()


def test_held_out_tables_are_sound():
    for fold in ("family", "accelerator"):
        held = tables.read(f"calibration/held_out_{fold}")
        assert (held[["measured", "predicted", "low", "high"]] > 0).all(axis=None)
        assert (held.low <= held.predicted).all() and (held.predicted <= held.high).all()
        assert not held.duplicated(["table", "case", "metric"]).any()


def test_numbers_are_those_of_a_profile():
    numbers = profiles.profile_of(TRUE, burst=0.3)
    assert [getattr(numbers, name) for name in NUMBERS] == TRUE.tolist()
    assert (numbers.burst, numbers.wait_s) == (0.3, 0.0)


def test_layouts_beyond_a_node_were_multiplied_by_the_spread_of_experts():
    columns = ["tp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size"]
    written = [[64, np.nan, 8, 8], [1, 16, 4, 4], [8, 1, 1, 8], [72, 1, 72, 1]]
    right = [[8, np.nan, 1, 8], [1, 4, 1, 4], [8, 1, 1, 8], [72, 1, 72, 1]]
    found = samples._multiplied_out(pd.DataFrame(written, columns=columns))
    np.testing.assert_array_equal(found.to_numpy(float), np.array(right, dtype=float))
