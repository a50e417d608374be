"""Service in the validation annex: targets from the committed replays and from rows made up here."""

import numpy as np
import pandas as pd
import pytest

from tokenomics.sections.s08_validation import service, targets


def rows_of(metric, load, model, factor, *, value=100.0, saturated=False):
    """Eleven rows whose predictions are all off by one factor."""
    made = {"predicted": value * factor, "low": value * factor * 0.9, "high": value * factor * 1.1}
    shared = {"metric": metric, "load": load, "model": model, "value": value, "error": factor - 1, **made}
    return pd.DataFrame([shared | {"saturated": saturated, "limit": 10.0}] * 11)


@pytest.fixture(scope="module")
def runs():
    return service.replays()


@pytest.fixture(scope="module")
def reached(runs):
    rows = [
        rows_of("itl_mean", "open", "Llama-3.1-8B", 1.16, value=5.0),
        rows_of("itl_mean", "open", "Llama-3.1-8B", 9.0, value=5.0, saturated=True),
        rows_of("ttft_mean", "open", "Llama-3.1-8B", 0.7),
        rows_of("mlperf_server_throughput", "mlperf_server", "Llama-2-70B", 1.1),
        rows_of("mlperf_server_throughput", "mlperf_server", "Mixtral-8x7B", 1.7),
    ]
    return targets.table(service.targets(pd.concat(rows, ignore_index=True), runs)).set_index("subject")


def test_replays_keep_their_targets(reached):
    assert reached.loc[service.EXACT, "reached_number"] < 1e-5
    own = [name for name in reached.index if name.startswith(("other simulator", "vLLM runs"))]
    assert len(own) == 5 and (reached.loc[own, "met"] == "yes").all()


def test_a_target_is_missed_where_rows_are_off(reached):
    assert reached.loc[f"{service.BELOW}, ITL beyond 0.5 ms", "reached_number"] == pytest.approx(0.06)
    assert reached.loc["beside: at all rates, ITL beyond 0.5 ms", "n"] == 22
    met = reached.loc[[f"{service.BELOW}, TTFT", "MLPerf server, Llama-2-70B", "MLPerf server, Mixtral-8x7B"], "met"]
    assert met.tolist() == ["no", "yes", "no"]


def test_every_headline_is_a_target_and_parts_are_not_counted(reached):
    lines = set(zip(reached.index, reached["measure"], strict=True))
    assert {(subject, measure) for subject, measure, _ in service.HEADLINES.values()} <= lines
    counted = targets.counted(reached.reset_index())
    assert len(counted) == 9 and not counted["subject"].str.startswith("beside").any()


def test_only_the_part_of_an_error_beyond_rounding_counts():
    rows = pd.DataFrame({"value": [7.0, 7.0, 7.0], "predicted": [7.4, 6.6, 8.2]})
    assert service.beyond_rounding(rows)["error"].tolist() == pytest.approx([0, 0, 0.1])


def test_groups_tell_saturated_rows_apart():
    rows = pd.concat([rows_of("itl_mean", "open", "m", 1.1), rows_of("itl_mean", "open", "m", 3.0, saturated=True)])
    table = service.groups(rows).set_index("group")
    assert table.loc["online, below 80 % of saturation, m", "median_error"] == pytest.approx(0.1)
    assert table.loc["online, all, m", ["n", "coverage"]].tolist() == [22, 0.5]


def test_distributions_of_real_runs_rise(runs):
    found = service.real_distributions(runs)
    assert set(found["curve"]) == {"measured", "modelled", "fitted on first third"} and found["run"].nunique() == 2
    for _, rows in found.groupby(["run", "metric", "curve"]):
        assert (np.diff(rows["requests_share"]) > 0).all() and (np.diff(rows["time_s"]) >= 0).all()


def test_their_own_step_times_give_their_quantiles(runs):
    rows = service.quantile_rows(runs, "simulator")
    theirs = rows[rows["times"] == "theirs"]
    assert theirs["label"].nunique() == 5 and theirs["replayed_ratio"].between(0.999, 1.001).all()
