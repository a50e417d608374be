"""Measurements: nothing lost, nothing twice, plausible, split once and for all, and no answer among the inputs."""

import csv
import hashlib
from decimal import Decimal

import pytest

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.facts import measurements, names, tables
from tokenomics.facts.measurements import ANSWER_COLUMNS, KINDS, METRICS

FOLDS_SHA256 = "87e366721611a0c4f405c515b8f37481306c1fcfaee620b9a4ea794175b3cef7"
PLAUSIBLE = {  # inclusive range of a value by unit, generous: a misplaced decimal point or unit falls outside
    "tok/s": (0.05, 2e5),
    "tok/s/GPU": (10, 2e5),
    "tok/s/node": (1e3, 1e6),
    "samples/s": (0.01, 1e3),
    "ms": (1, 1e6),
    "MB": (1e3, 86_000),
    "GB": (0.5, 96),
    "GiB": (1, 90),
    "J/token": (0.01, 50),
    "J/request": (10, 1e6),
    "percent": (0.1, 80),
    "TFLOP/s/GPU": (10, 5000),
    "s": (0.2, 1000),
    "GPU-hours": (1e3, 1e8),
    "MWh": (1, 1e4),
    "W": (100, 1000),
    "tCO2e": (1, 2e4),
}
NEW_NAMES_OF_UNITS = {"GiB": "GB"}  # torchtitan's memory, gathered as GB


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def table(kind):
    return measurements.read(kind)


NOT_TAKEN = range(334, 5001)
"""Training runs of these numbers, whole systems of MLPerf Power, were gathered later and are not in the table."""
SERVED = ("inference_moe_serving", "inference_apple_m3max")
"""Gathered files whose rows stand in the table of their metric."""
IN_MS = ("ttft", "tpot", "itl", "e2e")


def gathered(given_data, name):
    with (given_data / "measurements" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def raw_rows(given_data, kind):
    """Gathered rows of a table, in the table's units; without MFU of 0.0, which was rounded."""
    rows = gathered(given_data, kind)
    if kind == "training_runs":
        rows = [row for row in rows if int(row["run"].removeprefix("run")) not in NOT_TAKEN and row["value"] != "0.0"]
    for row in [row for name in SERVED for row in gathered(given_data, name)]:
        if kind == ("inference_latency" if row["metric"].startswith(IN_MS) else "inference_throughput"):
            value = format((Decimal(row["value"]) * 1000).normalize(), "f") if row["unit"] == "s" else row["value"]
            rows.append(row | {"value": value, "unit": {"s": "ms"}.get(row["unit"], row["unit"])})
    return rows


def test_units_belong_to_their_metric(table):
    assert set(table["metric"]) <= set(METRICS)
    for metric, rows in table.groupby("metric"):
        assert set(rows["unit"].dropna()) <= set(METRICS[metric].units)
        assert rows["unit"].notna().all() == bool(METRICS[metric].units)
    assert (table.groupby(["metric", "model", "source"])["unit"].nunique() <= 1).all()


def test_every_metric_is_measured_or_stated_by_benchmark_tools():
    measured = {m for each in KINDS for m in measurements.read(each)["metric"]}
    statistics = {f"{name}_{each}" for name in measurements.LATENCIES for each in measurements.STATISTICS}
    printed = {"request_throughput", "mlperf_interactive_throughput"}
    printed |= {"kv_capacity_tokens", "kv_memory_per_gpu", "weight_memory_per_gpu"}
    assert measured <= set(METRICS)
    assert set(METRICS) - measured <= {*statistics, *measurements.LATENCIES, *printed}


def test_values_are_plausible(table):
    for unit, rows in table.groupby("unit"):
        low, high = PLAUSIBLE[unit]
        assert rows["value"].between(low, high).all(), unit


def test_shares_of_peak_leave_room_below_it():
    table = measurements.read("training_runs")
    runs = table.pivot_table(index="run", columns="metric", values="value")
    assert (runs["hfu"].dropna() >= runs["mfu"].reindex(runs["hfu"].dropna().index).fillna(0)).all()


def test_power_lies_between_idle_and_limit():
    energy = measurements.read("inference_energy")
    each = energy["avg_power_w"] / energy["n_gpu"].astype(float)
    assert each.between(50, 700).all()


def test_throughput_follows_from_the_latency_of_the_same_run():
    table = measurements.read("inference_throughput").dropna(subset=["e2e_latency_s"])
    made = table["sequences"].astype(float) * (table["isl"] + table["osl"]) / table["e2e_latency_s"]
    assert len(table) > 2800
    assert (made / table["value"] - 1).abs().max() < 2e-3


def test_energy_follows_from_the_outcomes_of_the_same_run():
    table = measurements.read("inference_energy")
    rows = table[table["metric"] == "energy_per_output_token"]
    assert (rows["avg_power_w"] / rows["output_tok_s"] / rows["value"] - 1).abs().max() < 2e-3


def test_no_case_stands_twice(table):
    assert table["case"].is_unique
    cases = [case for each in KINDS for case in measurements.read(each)["case"]]
    assert len(cases) == len(set(cases))


def test_rows_alike_are_merged_or_suspect(kind, table):
    ignored = {"case", "run", "suspect", "raw_rows", *ANSWER_COLUMNS[kind]}
    alike = table[table.duplicated([name for name in table if name not in ignored], keep=False)]
    assert alike["suspect"].all()


def test_suspect_rows_say_why(table):
    reasons = table["note"].fillna("").str.startswith("suspect: ")
    assert (reasons == table["suspect"].astype(bool)).all()


def test_every_gathered_row_is_accounted_for(kind, table, given_data):
    raw = raw_rows(given_data, kind)
    assert table["raw_rows"].sum() == len(raw)
    given = {(r["model"], r["hardware"], r["metric"], r["unit"], r["value"].removesuffix(".0")) for r in raw}
    values = tables.read(f"measurements/{kind}")["value"].astype(str).str.removesuffix(".0")
    units = table["unit"].fillna("").replace(NEW_NAMES_OF_UNITS)
    kept = set(zip(table["model"], table["hardware"], table["metric"], units, values, strict=True))
    assert kept <= given


def test_columns_of_the_public_format_are_all_there(kind, table, given_data):
    assert set(raw_rows(given_data, kind)[0]) <= set(table)


def test_what_the_gatherers_doubted_is_not_verified(kind, table, given_data):
    raw = raw_rows(given_data, kind)
    doubted = [r for r in raw if "unverified" in r.get("note", "") or "secondary" in r["source"]]
    assert (~table["verified"].astype(bool)).sum() >= len(doubted)


def test_no_answer_among_the_inputs(kind, table):
    inputs = measurements.input_columns(kind)
    assert set(inputs) | set(ANSWER_COLUMNS[kind]) == set(table)
    assert not set(inputs) & set(ANSWER_COLUMNS[kind])


def test_no_input_gives_the_answer_away(kind, table):
    """No numeric input equals the value in more than a chance share of the rows of a metric."""
    inputs = table[measurements.input_columns(kind)].select_dtypes("number")
    for _, rows in table[table["unit"].notna()].groupby("metric"):  # a verdict is no number
        same = inputs.loc[rows.index].astype("float64").sub(rows["value"], axis=0).abs().lt(1e-9).mean()
        assert len(rows) < 10 or (same < 0.05).all()


def test_selection_and_validation_rows():
    table = measurements.read("inference_throughput")
    some = measurements.select(table, metric="output_throughput_total", grade="B", load="max")
    assert len(some) == 230
    kept = measurements.for_validation(table)
    assert 0 < len(kept) < len(table)
    assert not kept["suspect"].any()
    assert not kept["early_software"].any()
    assert len(measurements.for_validation(table, without=())) == len(table)
    runs = measurements.for_validation(measurements.read("training_runs"))
    assert runs["verified"].all()
    assert set(runs["basis"]) == {"measured"}


def test_memory_verdicts_are_numbers():
    rows = measurements.select(measurements.read("inference_latency"), metric="fits_in_memory")
    assert set(rows["value"]) <= {0.0, 1.0}


def test_runs_of_adapters_are_left_out_unless_asked_for():
    table = measurements.read("training_runs")
    adapters = table["kind"] == measurements.ADAPTERS
    assert adapters.sum() > 50 and (table["kind"] == measurements.SWEEP).sum() > 4000
    assert not (measurements.for_validation(table)["kind"] == measurements.ADAPTERS).any()
    asked = measurements.for_validation(table, without=("unverified", "suspect"))
    assert (asked["kind"] == measurements.ADAPTERS).sum() == adapters.sum()


def test_runs_that_failed_are_facts_too():
    rows = measurements.select(measurements.read("training_runs"), metric="fits_in_memory")
    assert set(rows["value"]) == {0.0, 1.0}
    assert (rows["failure_stated"].notna() == (rows["value"] == 0)).all()
    numbers = measurements.select(measurements.read("training_runs"), metric="tokens_per_s_per_gpu")
    assert not set(rows.loc[rows["value"] == 0, "run"]) & set(numbers["run"])


def test_wrong_choices_give_one_line():
    table = measurements.read("training_runs")
    with pytest.raises(DataError, match="allowed: inference_throughput"):
        measurements.read("throughput")
    with pytest.raises(DataError, match="metric = speed"):
        measurements.select(table, metric="speed")
    with pytest.raises(DataError, match="lacks this column"):
        measurements.select(table, load="static")
    with pytest.raises(DataError, match="doubt = old"):
        measurements.for_validation(table, without=["old"])


def test_folds_are_frozen():
    found = hashlib.sha256((paths.DATA / "measurements" / "folds.csv").read_bytes()).hexdigest()
    assert found == FOLDS_SHA256, "folds were fixed before any fit; changing them voids every error"


def test_every_case_is_in_one_fold_of_each_kind():
    folds = measurements.folds()
    assert folds["case"].is_unique
    for kind in KINDS:
        assert set(folds.loc[folds["table"] == kind, "case"]) == set(measurements.read(kind)["case"])
    assert folds[["model_family", "accelerator"]].notna().all(axis=None)
    assert (folds.dropna(subset=["model_shape"]).groupby("model_shape")["model_family"].nunique() == 1).all()
    assert (folds.dropna(subset=["model"]).groupby("model")["model_shape"].nunique() == 1).all()


def test_folds_follow_the_catalogue():
    from tokenomics.facts import catalogue

    folds = measurements.folds().set_index("case")
    for kind in KINDS:
        named = measurements.read(kind)[["case", "model", "hardware"]].drop_duplicates(["model", "hardware"])
        for row in named.itertuples():
            fold = folds.loc[row.case]
            if names.fold(row.hardware) in names.unresolved("accelerator"):
                assert fold["accelerator"] == row.hardware
            else:
                assert fold["accelerator"] == catalogue.accelerator(row.hardware).name
            if names.fold(row.model) not in names.unresolved("model"):
                model = catalogue.model(row.model)
                assert (fold["model"], fold["model_shape"]) == (model.name, model.family)


def test_one_family_is_one_vendors_line():
    folds = measurements.folds().dropna(subset=["model"])
    family = dict(zip(folds["model"], folds["model_family"], strict=True))
    assert family["Llama-3.1-70B"] == family["Llama-3.3-70B"] == family["Llama-3-8B"]
    assert family["Llama-2-7B"] == family["Llama-2-70B"] != family["Llama-3-8B"]
    assert family["DeepSeek-R1"] == family["DeepSeek-V3"]
    assert family["Mistral-7B-v0.1"] != family["Mixtral-8x7B"]
