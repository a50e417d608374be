"""Held-out rows, errors by group, targets, reasons and other tools: measures are right, and wrong inputs show."""

import numpy as np
import pandas as pd
import pytest

from tokenomics.sections.s08_validation import drawings, errors, outside_folds, reasons, rows, targets, tools


@pytest.fixture(scope="module")
def held():
    return {fold: rows.held_out(fold) for fold in rows.FOLDS}


@pytest.fixture(scope="module")
def answers(held):
    return tools.answers(held)


def frame_of(predicted, measured=None, **columns):
    """Rows as the tables hold them, all measured as one unless stated otherwise."""
    predicted = np.asarray(predicted, dtype=float)
    measured = np.ones_like(predicted) if measured is None else np.asarray(measured, dtype=float)
    frame = pd.DataFrame({"measured": measured, "predicted": predicted, "low": predicted / 2, "high": predicted * 2})
    frame = frame.assign(error=predicted / measured - 1, log_ratio=np.log(predicted / measured), verdict=False)
    return frame.assign(table="t", case=[f"c{i}" for i in range(len(frame))], metric="tpot", **columns)


def test_rows_know_what_their_tables_say(held):
    family = held["family"]
    published = family[family["table"] != rows.SILICON]
    assert published[["load", "grade", "hardware", "model"]].notna().all(axis=None)
    assert (family.loc[family["table"] == rows.SILICON, "osl"] > 0).all()
    assert set(family["bits"]) <= {"16 bit", "8 bit", "4 bit", "not stated", rows.NOT_NAMED}
    assert family["quantity"].notna().all() and family["vendor"].notna().all()


def test_a_rate_that_is_too_high_is_a_time_that_is_too_short():
    frame = pd.DataFrame({"metric": ["prefill_tok_s", "ttft"], "measured": [10.0, 2.0], "predicted": [20.0, 1.0]})
    assert rows.seconds(frame).to_numpy().tolist() == [[0.1, 0.05], [2.0, 1.0]]
    assert rows.is_rate(frame).tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("fp16", "16 bit"),
        ("FP8", "8 bit"),
        ("Q4_K_M", "4 bit"),
        ("mxfp4", "4 bit"),
        (None, "not stated"),
        ("?", "not stated"),
    ],
)
def test_precision_as_bits_of_weights(text, bits):
    assert rows.weight_bits(text) == bits


def test_duplicates_are_dropped_in_the_sample_only(held):
    family = held["family"]
    kept = rows.without_duplicates(family)
    dropped = family.drop(kept.index)
    assert 0 < len(dropped) < len(family) / 2 and set(dropped["table"]) == {rows.SILICON}


def test_an_interval_of_an_unknown_family_has_not_left_it_out(held):
    first = held["family"].head(20)
    assert rows.interval_left_out(first).all()
    assert not rows.interval_left_out(first.assign(family="nobody's")).any()


def test_parts_of_a_target_are_not_counted():
    lines = [targets.line(subject, "share", 1.0, 1.0, 1) for subject in ("x", "of which y", "beside: z")]
    assert targets.counted(targets.table(lines))["subject"].tolist() == ["x"]


def test_measures_by_hand():
    frame = frame_of([0.5, 0.95, 1.0, 1.1, 3.0])
    assert errors.statistic(frame, "median_error") == pytest.approx(0.1)
    assert errors.statistic(frame, "mean_error") == pytest.approx((0.5 + 0.05 + 0 + 0.1 + 2) / 5)
    assert errors.statistic(frame, "within", 0.1) == pytest.approx(0.6)
    assert errors.statistic(frame, "p90_error") == pytest.approx(0.5 + 0.6 * 1.5)
    assert errors.statistic(frame, "coverage") == pytest.approx(0.8)
    assert np.isnan(errors.statistic(frame[:0], "median_error"))


def test_groups_with_few_rows_are_not_shown():
    frame = frame_of(np.full(50, 1.2), source=["a"] * 40 + ["b"] * 10)
    table = errors.by_group({"family": frame, "accelerator": frame}, "source", 30, 0.1)
    assert set(table["group"]) == {"a", errors.ALL} and list(table) == errors.SHOWN
    assert table["median_signed_error"].to_numpy() == pytest.approx(0.2)
    assert (table["n"] == [40, 40, 50, 50]).all()


def test_transfer_compares_the_same_rows():
    known = frame_of(np.full(40, 1.1), kind="own", quantity="decode", accelerator="x")
    left = frame_of(np.full(40, 1.3), kind="vendor", quantity="decode", accelerator="x")
    table = errors.transfer({"family": known, "accelerator": left}).set_index("quantity")
    assert table.loc["decode", "penalty_factor"] == pytest.approx(3.0)
    assert table.loc["all", "duration_factor"] == pytest.approx(1.3)


@pytest.mark.parametrize(
    ("measure", "target", "reached", "met"),
    [
        ("median_error", 0.1, 0.05, "yes"),
        ("median_error", 0.1, 0.2, "no"),
        ("within", 0.6, 0.7, "yes"),
        ("coverage", 0.75, 0.5, "no"),
        ("share", 1.0, np.nan, "not measured"),
    ],
)
def test_a_target_is_met_from_its_own_side(measure, target, reached, met):
    assert targets.line("x", measure, target, reached, 1)["met"] == met


def test_every_target_has_rows(held):
    table = targets.table(targets.of_rows(held, 0.1))
    assert (table["n"] > 0).all() and set(table["met"]) <= {"yes", "no"} and len(table) == len(targets.TARGETS)
    assert not table.duplicated(["subject", "measure"]).any()


def test_targets_on_intervals_count_groups():
    groups = pd.DataFrame(
        {
            "held_out": ["family", "family", "accelerator"],
            "coverage": [0.8, 0.5, 0.8],
            "width_to_error_ratio": [2.0, 3.0, 2.0],
            "interval_score": [1.0, 1.0, 2.0],
            "constant_width_score": [2.0, 0.5, 1.0],
        }
    )
    table = targets.table(targets.of_intervals(groups))
    assert table["reached_number"].tolist() == [0.5, 0.5, 0.5]
    assert table["left_out_number"].tolist() == [1.0, 1.0, 0.0]


def test_sums_of_operators_are_near_those_of_the_measured_tables():
    sums = outside_folds.sums()
    assert set(sums["phase"]) == {"decode", "prefill"} and len(sums) > 50
    assert sums["error"].abs().median() < 0.1


def test_what_ran_is_said_to_fit():
    ran = outside_folds.ran()
    assert len(ran) > 20 and set(ran["predicted"]) <= {0.0, 1.0}


def test_share_predicted_counts_published_rows():
    share, n = outside_folds.share_predicted()
    assert 0.9 < share <= 1 and n > 2000


def test_tools_answer_the_same_rows(answers):
    common = tools.common(answers)
    sets = common.groupby("tool")["case"].apply(frozenset)
    assert sets.nunique() == 1 and len(sets) == answers["tool"].nunique() >= 6
    assert common["predicted"].notna().all()
    alone = tools.one_by_one(answers).set_index("tool")
    assert alone.loc[tools.OWN, "predicted_share"] == 1 and alone["predicted_share"].between(0.2, 1).all()


def test_own_answers_keep_their_errors_in_published_units(answers, held):
    own = answers[answers["tool"] == tools.OWN].set_index(rows.KEY)["error"]
    kept = held["family"].set_index(rows.KEY)["error"]
    assert own.to_numpy() == pytest.approx(kept[own.index].to_numpy(), abs=1e-3)


def test_reasons_follow_from_rules(held):
    family = held["family"]
    explained = reasons.explain(family)
    assert explained.notna().all() and reasons.UNKNOWN in set(explained)
    early = family[explained == reasons.EARLY]
    assert early["early_software"].astype(bool).all()
    waited = family[explained == reasons.WAITED]
    assert set(waited["table"]) == {rows.SILICON}
    first = waited[waited["metric"].str.startswith("ttft")]
    assert (first["log_ratio"] < 0).all()


def test_worst_rows_come_first(held):
    worst = reasons.worst(held["family"], 5)
    far = np.log(worst["duration_factor"]).abs()
    assert far.is_monotonic_decreasing and far.iloc[-1] >= held["family"]["log_ratio"].abs().nlargest(5).iloc[-1]
    each = reasons.worst(held["family"], 2, "quantity")
    assert (each.groupby("quantity").size() <= 2).all() and each["quantity"].nunique() >= 4


def test_far_rows_are_counted_once(held):
    table = reasons.far_rows(held["family"], 3.0)
    assert table["rows"].sum() == (held["family"]["log_ratio"].abs() > np.log(3)).sum()


def test_one_typical_row_a_combination(held):
    chosen = held["family"].loc[errors.typical(held["family"])]
    assert not chosen.duplicated(["source", "family", "accelerator", "profile"]).any()


def test_quantiles_of_errors_are_in_order():
    table = tools.quantiles(frame_of([0.5, 1.1, 2.0], tool="x"), points=10)
    assert table["error"].is_monotonic_increasing and table["error"].iloc[-1] == 1.0
    assert drawings.wrapped(["one two three"], 7) == ["one two\nthree"]
