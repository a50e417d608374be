"""Files and folders as one table that the scorer reads, one line for what cannot be read, and the users' own files."""

import csv
import json
import shlex

import pytest

import tokenomics
from tokenomics.errors import DataError, TokenomicsError
from tokenomics.facts.measurements import METRICS
from tokenomics.rows import reading, units
from tokenomics.rows.formats.convert import as_table, convert, converted

GIVEN = {"model": "Llama-3.1-8B", "xpu": "H100-SXM-80GB", "tp": 1, "precision": "bf16"}
GIVEN |= {"prompt": 220, "output": 190, "batch": 8}


@pytest.fixture
def cases(given_data):
    folder = given_data / "cases" / "result_files"
    if not folder.is_dir():
        pytest.skip("no result files beside the project")
    return folder


def test_python_and_the_names_of_the_answers_agree(data):
    assert tokenomics.convert is convert
    table = tokenomics.convert(data / "vllm_serve.json", xpu="H100-SXM-80GB", precision="bf16")
    assert list(table["metric"])[:2] == ["request_throughput", "output_throughput_total"] and set(table["n_gpu"]) == {
        "4"
    }
    assert set(table["locator"]) == {"vllm_serve.json"} and float(table["value"][0]) == 2.4


@pytest.mark.parametrize("kind", ["inference", "energy", "training"])
def test_every_row_is_read_by_the_scorer_with_its_unit(data, tmp_path, kind):
    """Also: a folder is one table, whatever lies in it."""
    answer = converted([data], given=GIVEN, kind=kind)
    path = tmp_path / "all.csv"
    answer.table.to_csv(path, index=False)
    (chunk,) = reading.chunks(path)
    assert len(chunk.inputs) == len(answer.table) and (chunk.measured > 0).all()
    assert {METRICS[metric].kind for metric in answer.table["metric"]} <= {kind, "memory"}
    for metric, unit in set(zip(answer.table["metric"], answer.table["unit"], strict=True)):
        assert units.unit(metric, unit).si > 0


def test_a_folder_names_what_it_does_not_read(data, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "good.json").write_bytes((data / "vllm_serve.json").read_bytes())
    (tmp_path / "broken.json").write_text('{"mean_ttft_ms": 1,', encoding="utf-8")
    (tmp_path / "notes.txt").write_text("nothing", encoding="utf-8")
    (tmp_path / ".hidden").write_text("{", encoding="utf-8")
    answer = converted([tmp_path], given=GIVEN)
    assert set(answer.table["locator"]) == {"good.json"}
    (note,) = (note for note in answer.notes if note.startswith("not read: "))
    assert "broken.json, line 1 (JSON = " in note and "notes.txt (file = of no known format)" in note
    for place in range(20):
        (tmp_path / f"log{place}").write_text("nothing", encoding="utf-8")
    (note,) = (note for note in converted([tmp_path], given=GIVEN).notes if note.startswith("not read: "))
    assert note.count(" = ") == 8 and note.endswith(", and 14 more")


def test_rows_of_other_kinds_are_left_out_and_named(data):
    answer = converted([data / "optimum.json"])
    assert "e2e_latency" not in set(answer.table["metric"]) and "ttft" in set(answer.table["metric"])
    assert answer.notes == ("left out: rows of energy, since a table has rows of one kind (convert --kind)",)
    energy = converted([data / "optimum.json"], kind="energy").table
    assert list(energy["metric"]) == ["energy_per_output_token"] and list(energy["avg_isl"]) == ["256"]


def test_a_number_that_a_file_states_is_kept_and_told(data):
    answer = converted([data / "aiperf.csv"], given=GIVEN)
    assert set(answer.table["isl"]) == {"3761.31"} and set(answer.table["model"]) == {"Llama-3.1-8B"}
    assert "isl as files state it: 3761.31 (aiperf.csv)" in answer.notes


def test_what_is_missing_is_asked_for(data):
    path = data / "llmperf_summary.json"
    with pytest.raises(TokenomicsError) as told:
        convert(path)
    line = f"tokenomics convert {shlex.quote(str(path))} --xpu NAME --tp N --precision bf16"
    assert (
        str(told.value) == f"llmperf_summary.json does not state the accelerator, the layout and the precision: {line}"
    )


def test_a_summary_takes_the_system_beside_it_or_the_one_given(data, tmp_path):
    beside = convert(data / "mlperf" / "mlperf_log_summary.txt", model="Llama-3.1-8B", precision="fp8")
    assert list(beside["n_gpu"]) == ["8"] and list(beside["hardware"]) == ["AMD Instinct MI325X 256GB HBM3e"]
    alone = data / "mlperf_server" / "mlperf_log_summary.txt"
    given = convert(alone, data / "mlperf" / "system.json", model="Llama-2-70B", precision="fp8")
    assert set(given["n_gpu"]) == {"8"} and len(given) == 11
    with pytest.raises(TokenomicsError, match="does not state the accelerator and the number of devices"):
        convert(alone, model="Llama-2-70B", precision="fp8")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "file = empty"),
        ('{"mean_ttft_ms": 1.5, "completed": 3, "itls": [[0.1', "ends early"),
        ('{"results": 1}', "JSON of another kind"),
        ("plain text", "file = of no known format"),
        ('{"mean_ttft_ms": null, "completed": 0}', "measurements = none"),
    ],
)
def test_a_file_alone_is_refused_in_one_line(tmp_path, text, said):
    path = tmp_path / "mine.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said) as told:
        convert(path)
    assert "\n" not in str(told.value) and "mine.json" in str(told.value)


def test_missing_keys_leave_the_rows_that_are_there(data, tmp_path):
    document = json.loads((data / "vllm_serve.json").read_text(encoding="utf-8"))
    path = tmp_path / "mine.json"
    kept = {"mean_ttft_ms", "p99_itl_ms", "max_concurrency", "request_rate"}
    path.write_text(json.dumps({key: value for key, value in document.items() if key in kept}), encoding="utf-8")
    table = convert(path, **GIVEN)
    assert list(table["metric"]) == ["ttft_mean", "itl_p99"] and set(table["batch"]) == {"64"}


def test_a_table_passes_as_it_is_and_takes_no_options(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("model,hardware,metric\nLlama-3.1-8B,H100,ttft\n", encoding="utf-8")
    with as_table(path) as (same, notes):
        assert same == path and notes == ()
    with pytest.raises(DataError, match="tp = 2; allowed: only with a result file"), as_table(path, {"tp": 2}):
        pass


def test_a_result_file_becomes_a_table_of_the_same_name(data):
    with as_table(data / "aiperf.csv", GIVEN) as (table, _):
        with table.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert table.name == "aiperf.csv" and len(rows) == 18
    assert not table.exists()


def test_every_file_that_users_gave_is_read(cases):
    counts = converted([cases], given=GIVEN).table["locator"].value_counts()
    training = converted([cases], given=GIVEN, kind="training").table["locator"].value_counts()
    expected = {path.name for path in cases.iterdir() if "system" not in path.name}
    assert set(counts.index) | set(training.index) == expected and counts.sum() == 66 and training.sum() == 2
