"""The scorer: what it reads, what it must not read, what it says, and how it refuses."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from tokenomics import paths
from tokenomics.cli import main
from tokenomics.errors import DataError
from tokenomics.facts import catalogue, measurements
from tokenomics.rows import constant, reading
from tokenomics.rows import predict as score
from tokenomics.rows.case import Prediction, Predictor
from tokenomics.rows.held_out import family_of
from tokenomics.rows.units import unit
from tokenomics.scoring import report
from tokenomics.scoring.run import score_file

HEADER = "model,hardware,n_gpu,tp,precision,isl,osl,load,batch,rate_qps,metric,unit,value,engine"
ROWS = {
    "ttft": "Llama-2-7B,A100 SXM 80GB,1,1,fp16,2048,1,static,1,,ttft,ms,120,x",
    "tpot": "Llama-2-7B,A100 SXM 80GB,1,1,fp16,1,128,static,1,,tpot,ms,8,x",
    "rate": "Llama-2-7B,A100 SXM 80GB,2,2,fp16,512,512,static,16,,output_throughput_total,tok/s,1500,y",
    "oom": "Llama-2-70B,A100 SXM 80GB,1,1,fp16,512,512,static,16,,fits_in_memory,,OOM,y",
}


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A writer of small files; the working directory is elsewhere than the project."""
    monkeypatch.chdir(tmp_path)

    def write(*rows, header=HEADER, name="mine.csv"):
        path = tmp_path / name
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return path

    return write


def run(path, **options):
    outcome = score_file(path, **{"model": "bounds", **options})
    return outcome, pd.read_csv(outcome.written[0], dtype=str, keep_default_na=False)


def inputs_of(path):
    return pd.concat([chunk.inputs for chunk in reading.chunks(path)], ignore_index=True)


def test_output_has_input_columns_predictions_and_status(file):
    outcome, out = run(file(*ROWS.values()))
    assert list(out) == [*HEADER.split(","), "predicted", "low", "high", "status", "assumed"]
    assert out["value"].tolist() == ["120", "8", "1500", "OOM"]
    assert set(out["status"]) == {"ok"} and outcome.statuses == {"ok": 4}
    latency, rate = out.iloc[0], out.iloc[2]
    assert latency["low"] == latency["predicted"] and latency["high"] == ""
    assert rate["high"] == rate["predicted"] and rate["low"] == ""
    assert out.loc[3, "predicted"] == "OOM"
    assert outcome.written[1].read_bytes().startswith(b"\x89PNG")


def test_bounds_by_hand_in_the_rows_unit(file):
    seconds = ROWS["tpot"].replace(",ms,8,", ",s,0.008,")
    _, out = run(file(ROWS["tpot"], seconds))
    read = 2 * (6_738_415_616 - 32_000 * 4096) + 2 * (2 * 32 * 4096 * 2)
    least = read / catalogue.accelerator("A100 SXM 80GB").bandwidth_bytes_per_s
    assert float(out.loc[0, "predicted"]) == pytest.approx(1e3 * least, rel=1e-5)
    assert float(out.loc[1, "predicted"]) == pytest.approx(least, rel=1e-5)


def test_a_file_without_unit_and_value_is_only_predicted(file):
    outcome, out = run(file("Llama-2-7B,A100 SXM 80GB,tpot", header="model,hardware,metric"))
    assert outcome.report is None and len(outcome.written) == 1
    assert list(out)[-6:] == ["predicted", "low", "high", "unit", "status", "assumed"]
    assert (out.loc[0, "unit"], out.loc[0, "status"]) == ("ms", "ok")


def test_an_empty_unit_is_filled_with_the_one_predicted_in(file):
    _, out = run(file(ROWS["ttft"].replace(",ms,", ",,"), ROWS["tpot"].replace(",ms,", ",s,"), ROWS["oom"]))
    assert out["unit"].tolist() == ["ms", "s", ""]


def test_a_column_of_ones_own_is_ignored_and_said(file):
    outcome, out = run(file(ROWS["ttft"] + ",7,8", header=f"{HEADER},tps,rack"))
    assert "columns not used: tps, rack" in outcome.text and out.loc[0, ["tps", "rack"]].tolist() == ["7", "8"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (("Llama-2-7B", "Nobody-7B"), "unknown model"),
        (("A100 SXM 80GB", "abacus"), "unknown accelerator"),
        (("fp16", "posit5"), "unknown precision"),
        (("static", "bursty"), "unknown load"),
        (("Llama-2-7B", "Llama-3.1-405B"), "infeasible: weights take 812 GB"),
        (("2048,1,", ",1,"), "columns missing: isl"),
        (("A100 SXM 80GB,1,1", "A100 SXM 80GB,,"), "columns missing: n_gpu"),
        (("ttft,ms", "decode_tok_s_per_node,tok/s/node"), "metric not modelled"),
        (("ttft,ms", "time_to_joy,ms"), "metric not modelled"),
        (("ttft,ms", ",ms"), "columns missing: metric"),
        (("Llama-2-7B,A100 SXM 80GB", ","), "columns missing: model, hardware"),
        ((",ms,", ",furlong,"), "unknown unit furlong of ttft; allowed: s, ms"),
        ((",ms,", ",GB,"), "unknown unit GB of ttft"),
        (("2048", "many"), "not judgeable: isl = many, not a number from 1e-06 to 1e+07"),
        (("2048", "inf"), "not judgeable: isl = inf"),
        (("2048", "-5"), "not judgeable: isl = -5"),
        (("2048", "1e-300"), "not judgeable: isl = 1e-300"),
        (("static,1,,", "open,1,1e-300,"), "not judgeable: rate_qps = 1e-300"),
        (("static,1,,ttft,", "max,1,,ttft_mean,"), "not judgeable: ttft_mean under load max has no end"),
        ((",120,", ",fast,"), "not judgeable: value = fast, not a number from"),
        ((",120,", ",-1,"), "not judgeable: value = -1"),
        ((",120,", ",0,"), "not judgeable: value = 0"),
        ((",120,", ",inf,"), "not judgeable: value = inf"),
        (("ttft,ms,120", "fits_in_memory,,3"), "not judgeable: value = 3, not OOM or ok"),
        ((",120,x", ",120,x,1,2"), "not judgeable: 16 fields, the header has 14"),
        ((",120,x", ""), "not judgeable: 12 fields, the header has 14"),
        ((",120,x", ',120,"x'), "not judgeable: a quote is not closed"),
    ],
)
def test_rows_that_cannot_be_predicted_get_a_status(file, change, status):
    _, out = run(file(ROWS["ttft"].replace(*change), ROWS["tpot"]), model="best" if "max" in change[1] else "bounds")
    assert out.loc[0, "status"].startswith(status) and out.loc[1, "status"] == "ok"
    assert out.loc[0, ["predicted", "low", "high"]].tolist() == ["", "", ""]


def test_the_first_rows_that_cannot_be_read_are_named_with_their_lines(file):
    bad = ROWS["ttft"].replace("2048", "many")
    outcome, _ = run(file("# by hand", ROWS["ttft"], "", bad, *[ROWS["tpot"].replace(",ms,", ",furlong,")] * 9))
    lines = [line for line in outcome.text.splitlines() if ", line " in line]
    assert lines[0].endswith("mine.csv, line 5: not judgeable: isl = many, not a number from 1e-06 to 1e+07")
    assert "mine.csv, line 6: unknown unit furlong of tpot; allowed: s, ms" in lines[1] and len(lines) == 5


def test_columns_that_are_nearly_known_are_named(file):
    outcome, out = run(file(ROWS["ttft"], header=HEADER.replace(",value,", ",values,")))
    assert "columns not used: values (did you mean value?)" in outcome.text
    assert outcome.report is None and out.loc[0, "status"] == "ok"


@pytest.mark.parametrize(
    ("written", "meant"), [("bacth", "batch"), ("concurency", "batch"), ("tensor_paralel_size", "tp")]
)
def test_a_column_that_is_nearly_an_input_stops(file, written, meant):
    with pytest.raises(DataError, match=f"column = '{written}'.*nearest: '{meant}'"):
        run(file(ROWS["ttft"], header=HEADER.replace("batch" if meant == "batch" else "tp", written)))


def test_an_unknown_metric_is_told_with_the_nearest(file):
    outcome, out = run(file(*(ROWS["tpot"].replace("tpot", name) for name in ("TPOT", "tpott", "time_to_joy"))))
    assert out["status"].tolist() == ["ok", "metric not modelled", "metric not modelled"]
    assert "1 rows: metric = tpott is unknown; did you mean tpot?" in outcome.text


def test_rows_of_all_kinds_may_stand_in_one_file(file):
    training = "Llama-2-7B,A100 SXM 80GB,1,1,bf16,,,,,,mfu,percent,40,x,4096"
    energy = "Llama-2-7B,A100 SXM 80GB,1,1,fp16,512,512,,4,,energy_per_output_token,J/token,1,x,"
    path = file(ROWS["ttft"] + ",", training, energy, header=f"{HEADER},seq_len")
    _, out = run(path, model="constant")
    assert out["status"].tolist() == ["ok"] * 3
    assert inputs_of(path)["load"].tolist() == ["static", "training", "closed"]


def test_whether_a_training_run_fits_is_of_training_and_not_modelled(file):
    served = "Llama-2-7B,A100 SXM 80GB,1,1,fp16,512,64,static,1,,fits_in_memory,,ok,x,"
    trained = "Llama-2-7B,A100 SXM 80GB,1,1,bf16,,,,,,fits_in_memory,,OOM,x,4096"
    _, out = run(file(served, trained, header=f"{HEADER},seq_len"))
    assert out["status"].tolist() == ["ok", "metric not modelled"]
    _, out = run(file("Llama-2-7B,A100 SXM 80GB,1,fits_in_memory,2048", header="model,hardware,n_gpu,metric,seq_len"))
    assert out["status"].tolist() == ["metric not modelled"]


def test_a_row_whose_columns_of_one_name_differ_is_refused(file):
    rows = (ROWS["ttft"] + ",2048", ROWS["ttft"] + ",1024")
    outcome, out = run(file(*rows, header=f"{HEADER},isl"))
    assert out["status"].tolist() == ["ok", "not judgeable: column isl stands twice and differs"]
    assert "columns that stand twice: isl" in outcome.text


def test_json_and_function_agree_and_give_every_prediction_as_a_quantity(file):
    path = file(*ROWS.values(), ROWS["ttft"].replace("2048", "many"))
    result = CliRunner().invoke(main, ["score", "mine.csv", "--out", "a.csv", "--json"])
    told = json.loads(result.stdout)
    same = score_file(path.name, out=path.with_name("b.csv")).as_dict()
    assert told.pop("written") != same.pop("written") and told == same
    first, last = told["rows"][0], told["rows"][-1]
    assert set(first["predicted"]) == {"value", "low", "high", "unit", "assumed", "sources"}
    assert first["predicted"]["low"] < first["predicted"]["value"] < first["predicted"]["high"]
    assert first["predicted"]["unit"] == "ms" and first["predicted"]["sources"] and first["status"] == "ok"
    assert last["predicted"]["value"] is None and last["status"].startswith("not judgeable: isl = many")
    assert told["rows"][3]["predicted"]["value"] == 0.0
    assert {line["model"] for line in told["summary"]} == {"best", "constant"}


def test_standard_input_is_read(file, monkeypatch):
    text = file(ROWS["ttft"]).read_bytes()
    result = CliRunner().invoke(main, ["score", "-", "--model", "bounds"], input=text)
    assert result.exit_code == 0 and "1 rows: ok 1" in result.output and "stdin.pred.csv" in result.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (HEADER + "\n", "empty"),
        (HEADER.replace("model,", "modle,") + "\n" + ROWS["ttft"], "model is missing"),
        (HEADER.replace("metric,", "metrics,") + "\n" + ROWS["ttft"], "metric is missing"),
        (HEADER.replace("metric,", "metrics,") + "\n" + ROWS["ttft"], "nearest: 'metrics'"),
        ("TPOT,TTFT\n1,2", "model is missing"),
        ("\x00\x01PNG\x02\n1,2", "binary, not text"),
        ("model,hardware,metric,value\nNobody-7B,H100 SXM 80GB,tpot,3", "names that resolve"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, monkeypatch, text, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, ["score", "bad.csv"])
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1 and says in result.stderr
    if "resolve" not in says:
        assert [p.name for p in tmp_path.iterdir()] == ["bad.csv"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.csv"], "No such file"),
        (["mine.csv", "--out", "no/such/folder.csv"], "--out"),
        (["mine.csv", "--out", "mine.csv"], "another file than the input"),
        (["mine.csv", "--out", "."], "--out"),
        (["mine.csv", "--plot", "no/such/folder.png"], "folder.png"),
        (["mine.csv", "--plot", "picture.doc"], "picture.doc"),
        (["mine.csv", "--group-by", "colour"], "--group-by = colour"),
        (["mine.csv", "--model", "oracle"], "model = oracle"),
        (["mine.csv", "--group-by", ","], "--group-by = empty"),
        (["."], "a folder"),
        (["/dev/null"], "a device"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_code_2(file, arguments, says):
    path = file(ROWS["ttft"])
    result = CliRunner().invoke(main, ["score", *arguments])
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1 and says in result.stderr
    assert [p.name for p in path.parent.iterdir()] == ["mine.csv"]


def test_a_folder_that_refuses_is_one_line_and_exit_code_2(file, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    path = file(ROWS["ttft"])
    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    result = CliRunner().invoke(main, ["score", str(path), "--out", "out.csv"])
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert "out.csv: file = Permission denied" in result.stderr
    assert [p.name for p in path.parent.iterdir()] == ["mine.csv"]


def test_a_late_fault_leaves_no_half_written_file(file, monkeypatch):
    monkeypatch.setattr(reading, "ROWS", 2)
    path = file(*[ROWS["ttft"]] * 5)
    out = path.with_name("kept.csv")
    out.write_text("old")

    def full(done, total):
        if done > 3:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        score_file(path, out=out, progress=full, force=True)
    assert out.read_text() == "old" and len(list(path.parent.iterdir())) == 2


def test_files_of_the_users_and_an_edited_output_are_kept_unless_forced(file):
    path = file(ROWS["tpot"])
    picture = path.with_name("mine.pred.png")
    picture.write_text("a photograph")
    command = ["score", path.name, "--model", "bounds"]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 2 and "mine.pred.png: --plot = a file not made by this program" in refused.stderr
    assert picture.read_text() == "a photograph" and len(list(path.parent.iterdir())) == 2
    picture.unlink()
    assert [CliRunner().invoke(main, command).exit_code for _ in range(2)] == [0, 0]
    made = path.with_name("mine.pred.csv")
    made.write_text("a remark of my own\n" + made.read_text())
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 2 and "mine.pred.csv: --out = a file changed since it was made" in refused.stderr
    assert made.read_text().startswith("a remark")
    assert CliRunner().invoke(main, [*command, "--force"]).exit_code == 0
    assert made.read_text().startswith("model,")


@pytest.mark.parametrize("limit", [0, 200, 10_000])
def test_a_full_disk_is_one_line_and_leaves_what_stood_there(file, limit):
    """A limit on the size of files stands for the disk: nothing fits, half of the rows, all but the picture."""
    path = file(*[ROWS["tpot"]] * 20)
    code = f"""
import resource
from tokenomics.cli import main
import tokenomics.scoring.plot
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
main(["score", {path.name!r}, "--model", "bounds"])
"""
    given = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=path.parent)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert f"mine.pred.{'png' if limit == 10_000 else 'csv'}: file = File too large" in done.stderr
    whole = {".tokenomics-files", "mine.csv", "mine.pred.csv"} if limit == 10_000 else {"mine.csv"}
    assert {each.name for each in path.parent.iterdir()} == whole and path.read_bytes() == given


def test_chunks_change_nothing_and_progress_is_told(file, monkeypatch):
    path = file(*ROWS.values())
    whole, expected = run(path)
    monkeypatch.setattr(reading, "ROWS", 1)
    told = []
    pieces, out = run(path, out=path.with_name("pieces.csv"), progress=lambda done, total: told.append((done, total)))
    assert sorted({done for done, _ in told}) == [0, 1, 2, 3, 4] and told[-1] == (4, 4)
    assert all(done <= total for done, total in told)
    pd.testing.assert_frame_equal(out, expected)
    pd.testing.assert_frame_equal(pieces.report, whole.report)


@pytest.mark.parametrize("kind", measurements.KINDS)
@pytest.mark.parametrize("model", ["bounds", "constant"])
def test_predictions_do_not_depend_on_any_answer(tmp_path, kind, model):
    """Scrambled and deleted answers give the same predictions."""
    path = paths.DATA / "measurements" / f"{kind}.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False).sample(300, random_state=1)
    answers = [name for name in measurements.ANSWER_COLUMNS[kind] if name in table]
    for number, name in enumerate(answers):
        mixed = np.random.default_rng(number).permutation(table[name].to_numpy())
        verdict = table["metric"] == "fits_in_memory"
        table[f"_{name}"] = mixed if name != "value" else np.where(verdict, "ok", "17.5")
    names = {"true": table, "mixed": table.drop(columns=answers).rename(columns=lambda c: c.removeprefix("_"))}
    names["without"] = table.drop(columns=answers)
    made = {}
    for name, each in names.items():
        each[[c for c in each if not c.startswith("_")]].to_csv(tmp_path / f"{name}.csv", index=False)
        made[name] = score.predict(inputs_of(tmp_path / f"{name}.csv"), model)
    assert (made["true"]["status"] == "ok").any() or (kind, model) == ("inference_energy", "bounds")
    pd.testing.assert_frame_equal(made["true"], made["mixed"])
    pd.testing.assert_frame_equal(made["true"], made["without"])


def test_a_model_sees_no_answer_column():
    shown = {*reading.TEXTS, *(name for each in reading.NUMBERS.values() for name in each)}
    assert not shown & {name for each in measurements.ANSWER_COLUMNS.values() for name in each}
    for kind in measurements.KINDS:
        first = next(reading.chunks(paths.DATA / "measurements" / f"{kind}.csv"))
        assert set(first.inputs) <= shown


def test_baseline_leaves_the_family_out(monkeypatch):
    device = catalogue.accelerator("H100-SXM-80GB")
    shared = {"metric": "tpot", "load": "static", "accelerator": device.name, "generation": device.generation}
    shared |= {"quantity": "tpot", "limit": constant.limit("tpot")}
    others = [{**shared, "model_family": "Mistral", "ratio": ratio} for ratio in (2.0, 3.0, 4.0)]
    own = [{**shared, "model_family": "Llama-2", "ratio": 1000.0}] * 50
    doctored = pd.DataFrame(others + own)
    assert constant.spread(doctored, "tpot", "static", device, "Llama-2")[1] == 3.0
    assert constant.spread(doctored, "tpot", "static", device, "Mistral")[1] == 1000.0
    assert family_of(catalogue.model("CodeLlama-34B")) == "Llama-2"
    renamed = dataclasses.replace(catalogue.model("Llama-3.1-8B"), name="mine", family="mine")
    assert family_of(renamed) == "Llama-3"
    assert family_of(dataclasses.replace(renamed, layers=31, full_layers=31, dense_layers=31)) == "mine"
    inputs = pd.DataFrame({name: ["" for _ in range(1)] for name in reading.TEXTS})
    inputs = inputs.assign(model="Llama-2-7B", hardware="H100 SXM 80GB", metric="tpot", load="static")
    inputs = inputs.assign(**dict.fromkeys(reading.NUMBERS["inference"], 1.0) | {"power_limit_w": np.nan})
    monkeypatch.setattr(constant, "ratios", lambda: doctored)
    constant.efficiency.cache_clear()
    bound, made = (score.predict(inputs, model).iloc[0] for model in ("bounds", "constant"))
    constant.efficiency.cache_clear()
    assert made["predicted"] == pytest.approx(3 * bound["predicted"])
    assert (made["low"], made["high"]) == pytest.approx((2.2 * bound["low"], 3.8 * bound["low"]))


def test_baseline_falls_back_step_by_step_and_never_crosses_the_bound():
    device = catalogue.accelerator("H100-SXM-80GB")
    row = {"metric": "tpot", "load": "static", "quantity": "tpot", "limit": constant.limit("tpot")}
    row |= {"model_family": "other", "accelerator": "H200-SXM-141GB", "generation": device.generation}
    table = pd.DataFrame(
        [row | {"ratio": 5.0}] * 3
        + [row | {"generation": "Ampere", "ratio": 7.0}] * 9
        + [row | {"metric": "e2e_latency", "quantity": "e2e_latency", "generation": "Ampere", "ratio": 9.0}] * 3
    )
    assert constant.spread(table, "tpot", "static", device, "mine")[1] == 5.0
    assert constant.spread(table.iloc[1:], "tpot", "static", device, "mine")[1] == 7.0
    assert constant.spread(table, "itl_p50", "static", device, "mine")[1] == 7.0
    assert constant.spread(table, "ttft", "static", device, "mine")[1] == 7.0
    assert np.isnan(constant.spread(table, "mfu", "training", device, "mine")[1])
    for kind in ("inference_latency", "training_runs"):
        inputs = inputs_of(paths.DATA / "measurements" / f"{kind}.csv")
        bound, made = score.predict(inputs), score.predict(inputs, "constant")
        both = (bound["status"] == "ok") & (made["status"] == "ok") & (inputs["metric"] != "fits_in_memory")
        bound, made = bound[both], made[both]
        for name in score.OUTPUT:
            assert not (made[name] < bound["low"] * (1 - 1e-9)).any()
            assert not (made[name] > bound["high"] * (1 + 1e-9)).any()
        assert (made["low"] <= made["predicted"]).all() and (made["predicted"] <= made["high"]).all()


def test_only_rows_fit_for_validation_teach_the_baseline():
    taught = set(constant.ratios()["case"])
    for kind in measurements.KINDS:
        table = measurements.read(kind)
        assert not taught & (set(table["case"]) - set(measurements.for_validation(table)["case"]))


def test_error_figures_by_hand():
    frame = pd.DataFrame(
        {
            "measured": [10.0, 10.0, 20.0, 40.0],
            "predicted": [11.0, 5.0, 20.0, np.nan],
            "low": [9.0, 4.0, 21.0, np.nan],
            "high": [12.0, 6.0, 25.0, np.nan],
            "verdict": False,
        }
    )
    found = report.measures(frame, width=0.5)
    assert found["n"] == 4 and found["predicted"] == 0.75
    assert found["mean_error"] == pytest.approx((0.1 + 0.5 + 0) / 3)
    assert found["median_error"] == pytest.approx(0.1)
    assert found["p90_error"] == pytest.approx(0.42)
    assert found["within_10"] == 0.5
    assert found["bias"] == pytest.approx((0.1 - 0.5) / 3)
    assert found["coverage"] == pytest.approx(1 / 3)
    assert found["half_width"] == pytest.approx(np.median([1.5 / 11, 1 / 5, 2 / 20]))
    scores = [np.log(12 / 9), np.log(6 / 4) + 10 * np.log(10 / 6), np.log(25 / 21) + 10 * np.log(21 / 20)]
    assert found["interval_score"] == pytest.approx(np.mean(scores))
    assert found["constant_width"] == pytest.approx(np.mean([1, 1 + 10 * (np.log(2) - 0.5), 1]))


def test_open_sides_hold_everything_and_have_no_interval_score():
    value, nan = np.array([5.0, 15.0]), np.full(2, np.nan)
    assert report.coverage(value, np.full(2, 10.0), nan) == 0.5
    assert report.coverage(value, nan, np.full(2, 10.0)) == 0.5
    assert np.isnan(report.coverage(value, nan, nan))
    assert np.isnan(report.interval_scores(value, np.full(2, 10.0), nan)).all()


def test_width_with_hindsight_holds_eighty_per_cent():
    frame = pd.DataFrame({"measured": np.exp(np.linspace(0, 1, 101)), "predicted": 1.0, "verdict": False})
    assert report.constant_width(frame) == pytest.approx(0.8)


def test_group_by_any_input_columns(file):
    outcome, _ = run(file(*ROWS.values()), group_by=["engine", "load"])
    assert outcome.report["group"].drop_duplicates().tolist() == ["x | static", "y | static", "all"]
    both = outcome.report[outcome.report["group"] == "all"].set_index("model")
    assert set(both.index) == {"bounds", "constant"} and (both["n"] == 4).all()
    result = CliRunner().invoke(main, ["score", "mine.csv", "--group-by", "engine,load", "--model", "constant"])
    assert result.exit_code == 0 and "x | static" in result.output and "bounds" not in result.output


def test_refused_rows_count_as_misses(file):
    outcome, _ = run(file(ROWS["oom"], ROWS["ttft"].replace("Llama-2-7B", "Nobody")), group_by=["load"])
    line = outcome.report.iloc[0]
    assert (line["n"], line["predicted"], line["within_10"]) == (2, 0.5, 0.5)


def test_offered_rate_caps_serving(file):
    row = "Llama-3.1-8B,H100 SXM 80GB,1,1,fp16,128,64,open,,2,serving_output_tok_s,tok/s,,"
    _, out = run(file(row, row.replace(",open,,2,", ",open,,inf,")))
    assert float(out.loc[0, "predicted"]) == 128
    assert float(out.loc[1, "predicted"]) > 128


def test_units_convert():
    columns = {"n_gpu": np.array([4.0]), "isl": np.array([100.0]), "osl": np.array([300.0])}

    def value(metric, name):
        return unit(metric, name).from_si(np.array([1200.0]), metric, columns)[0]

    assert value("output_throughput_total", "tok/s/GPU") == 300
    assert value("output_throughput_per_gpu", "tok/s/GPU") == 1200
    assert value("output_throughput_total", "requests/s") == 4
    assert value("total_throughput_in_plus_out", "samples/s") == 3
    assert value("ttft", "MS") == 1.2e6 and value("ttft", "min") == 20
    assert value("gpu_memory_used", "KiB") == 1200 / 1024
    assert value("mfu", "%") == 120_000 and value("gpu_hours", "") == pytest.approx(1 / 3)
    assert value("energy_per_output_token", "Wh/token") == pytest.approx(1 / 3)


def test_a_model_of_ones_own_is_a_mapping_of_predictors(file):
    seen = []

    def tpot(case):
        seen.append(set(case.columns))
        return Prediction(case["isl"] * 1e-3, low=case["isl"] * 0.5e-3, high=case["isl"] * 2e-3)

    made = score.predict(inputs_of(file(*ROWS.values())), {"tpot": Predictor(tpot, needs=("isl",))})
    assert made["status"].tolist() == ["metric not modelled", "ok", "metric not modelled", "metric not modelled"]
    assert made.loc[1, score.OUTPUT].tolist() == [1, 0.5, 2]
    assert seen == [set(reading.NUMBERS["inference"])]


def test_scoring_its_own_output_again_gives_the_same(file):
    path = file(*ROWS.values())
    first, out = run(path)
    _, same = run(shutil.copy(first.written[0], path.with_name("again.csv")))
    pd.testing.assert_frame_equal(out, same)


@pytest.mark.parametrize("kind", measurements.KINDS)
def test_raw_public_columns_are_read_verbatim(given_data, kind, tmp_path):
    lines = (given_data / "measurements" / f"{kind}.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    path = tmp_path / f"{kind}.csv"  # layouts that ran out of memory, gathered later, stand among the training runs
    later = [bool(found := re.match(r"run(\d+),", line)) and int(found[1]) >= 334 for line in lines]
    path.write_text("".join(line for line, late in zip(lines, later, strict=True) if not late), encoding="utf-8")
    chunk = next(reading.chunks(path, rows=10_000))
    made = score.predict(chunk.inputs, "constant")
    assert np.isfinite(chunk.measured).all() and (made["status"] == "ok").mean() > 0.7
    assert set(chunk.text) <= reading.known_columns()


@pytest.mark.parametrize(
    ("engine", "source", "batch"),
    [
        ("llama.cpp", "argonne-lcf/LLM-Inference-Bench@1 Plots/All_results.csv", 1),
        ("llama.cpp", "somebody/else@1", 16),
        ("vLLM", "argonne-lcf/LLM-Inference-Bench@1 Plots/All_results.csv", 16),
    ],
)
def test_prompt_chunks_of_llama_bench_are_no_batch(file, engine, source, batch):
    """As our own table has it in ``sequences``, which the raw rows lack; that column wins where it is given."""
    row = ROWS["rate"].replace(",y", f",{engine},{source}")
    assert inputs_of(file(row, header=f"{HEADER},source"))["batch"].tolist() == [batch]
    assert inputs_of(file(f"{row},4", header=f"{HEADER},source,sequences"))["batch"].tolist() == [4]


def test_raw_rows_and_our_table_get_like_errors(given_data):
    errors = []
    for folder in (given_data, paths.DATA):
        chunk = next(reading.chunks(folder / "measurements" / "inference_throughput.csv", rows=10_000))
        made = score.predict(chunk.inputs, "bounds")
        rate = (made["status"] == "ok") & (chunk.inputs["metric"] == "total_throughput_in_plus_out")
        errors.append((made["predicted"] / chunk.measured)[rate].median())
    assert errors[0] == pytest.approx(errors[1], rel=0.02)


def test_names_of_metrics_and_scorers_are_listed():
    result = CliRunner().invoke(main, ["list", "metrics"])
    assert "ttft ms" in result.output.splitlines() and len(result.output.splitlines()) == len(measurements.METRICS)
    assert CliRunner().invoke(main, ["list", "scorers"]).output.split() == ["best", "bounds", "constant", "inference"]
