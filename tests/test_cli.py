"""The command line and the Python functions of the same names: one contract, two doors."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

import tokenomics
import tokenomics.errors
from tokenomics import paths
from tokenomics.cli import main

EXAMPLE = {"rate": 20, "prompt": 1500, "output": 300, "tpot_ms": 50}
SIZE = ["size", "--model", "Llama-3.1-70B", "--xpu", "H100-SXM-80GB"]
STATED = ["--rate", "20", "--prompt", "1500", "--output", "300", "--tpot-ms", "50"]
PREDICTED = {
    *("devices", "replicas", "usd_per_month", "usd_per_mtok", "utilisation"),
    *("ttft_p50_ms", "ttft_p95_ms", "tpot_p50_ms", "tpot_p95_ms"),
}


def told(*words: str) -> dict:
    result = CliRunner().invoke(main, [*words, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_size_answers_with_value_interval_unit_assumptions_and_sources():
    found = told(*SIZE, *STATED)
    assert found.keys() >= PREDICTED | {"layout", "limit", "price_date", "assumed", "sources"}
    for key in PREDICTED:
        each = found[key]
        assert set(each) == {"value", "low", "high", "unit", "assumed", "sources"}
        assert each["low"] <= each["value"] <= each["high"] and each["low"] < each["high"]


def test_both_doors_give_the_same():
    assert told(*SIZE, *STATED) == tokenomics.size("Llama-3.1-70B", "H100-SXM-80GB", **EXAMPLE).as_dict()
    assert told("show", "model", "Llama-3.1-8B") == tokenomics.show("model", "Llama-3.1-8B").as_dict()
    other = tokenomics.against("Llama-3.1-70B", "H100-SXM-80GB", "L40S", **EXAMPLE).as_dict()
    assert told(*SIZE, "--against", "L40S", *STATED) == other
    every = tokenomics.rank("Llama-3.1-70B", **EXAMPLE).as_dict()
    assert told("size", "--model", "Llama-3.1-70B", "--any", *STATED) == every


def test_text_is_what_print_gives_and_the_read_me_shows():
    result = CliRunner().invoke(main, [*SIZE, *STATED])
    assert result.output.rstrip("\n") == str(tokenomics.size("Llama-3.1-70B", "H100-SXM-80GB", **EXAMPLE))
    answer, _, _ = result.output.partition("\nassumed:")
    assert f"```\n{answer}\n```" in (paths.ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*SIZE, *STATED, "--tpot-ms", "5"], "nearest: TTFT"),
        ([*SIZE, "--prompt", "10", "--output", "10"], "rate, users_per_day = neither"),
        (["size", "--model", "Llama-3.1-70B", *STATED], "xpu = missing"),
        ([*SIZE, "--any", *STATED], "or --any"),
        (["size", "--model", "Llama-9", "--xpu", "H100-SXM-80GB", *STATED], "a known model; nearest"),
        (["show", "xpu", "H1000"], "a known accelerator; nearest"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_2(words, said, capfd):
    result = CliRunner().invoke(main, words)
    line = result.stderr if result.stderr else capfd.readouterr().err
    assert result.exit_code == 2 and line.startswith("error: ") and said in line and line.count("\n") == 1


def test_list_and_score_answer_the_same_from_both_doors(tmp_path):
    assert told("list", "metrics") == tokenomics.list("metrics").as_dict()
    assert told("list", "metrics")["metrics"][0].keys() == {"name", "units", "better", "kind", "per"}
    for kind in ("models", "xpus", "scorers", "notebooks"):
        assert [each["name"] for each in told("list", kind)[kind]] == list(tokenomics.list_names(kind))
    text = CliRunner().invoke(main, ["list", "metrics"]).output
    assert text.rstrip("\n") == str(tokenomics.list("metrics"))
    with pytest.raises(tokenomics.errors.DataError, match="nearest: models"):
        tokenomics.list("model")
    path = tmp_path / "mine.csv"
    path.write_text("model,hardware,metric,n_gpu,isl,osl,load,batch\nLlama-3.1-8B,L40S,tpot,1,512,64,static,1\n")
    out = ("--out", str(tmp_path / "out.csv"))
    found = tokenomics.score(path, out=tmp_path / "out.csv")
    assert told("score", str(path), *out) == found.as_dict()
    assert CliRunner().invoke(main, ["score", str(path), *out]).output.rstrip("\n") == str(found)


def test_help_says_what_an_answer_does():
    assert tokenomics.size.__doc__.startswith("How many accelerators serve a model")
    assert set(dir(tokenomics)) >= {"size", "show", "rank", "against"}
    with pytest.raises(AttributeError, match="has no attribute 'cost'"):
        _ = tokenomics.cost


@pytest.mark.parametrize("words", [["show", "xpu", "H100-SXM-80GB"], [*SIZE, *STATED]])
def test_an_answer_loads_neither_pandas_nor_scipy(words):
    code = f"import sys; from tokenomics.cli import main; main({words!r}, standalone_mode=False)\n"
    code += "print(*[m for m in ('pandas', 'pandera', 'scipy', 'pydantic') if m in sys.modules], file=sys.stderr)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stderr.split() == []


def test_scoring_has_a_function_of_its_own(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("model,hardware,metric,n_gpu,isl,osl,load,batch\nLlama-3.1-8B,L40S,tpot,1,512,64,static,1\n")
    outcome = tokenomics.score(path, out=tmp_path / "out.csv", plot=tmp_path / "out.png")
    assert outcome.statuses == {"ok": 1} and "1 rows: ok 1" in outcome.text


RESULTS = paths.ROOT / "tests" / "rows" / "formats" / "data"


def test_convert_writes_what_the_python_function_gives(tmp_path):
    result = CliRunner().invoke(
        main, ["convert", str(RESULTS / "llama_bench.md"), "--xpu", "RTX-4090-24GB", "--tp", "1"]
    )
    table = tokenomics.convert(RESULTS / "llama_bench.md", xpu="RTX-4090-24GB", tp=1)
    assert result.exit_code == 0 and result.stdout == table.to_csv(index=False, lineterminator="\n")
    out = tmp_path / "mine.csv"
    words = ["convert", str(RESULTS / "optimum.json"), "--kind", "energy", "--out", str(out)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0 and not result.stdout and "rows of inference" in result.stderr
    assert out.read_text(encoding="utf-8").splitlines()[1].endswith(",optimum.json")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["llama_bench.md"], "llama_bench.md does not state the accelerator and the layout: tokenomics convert "),
        (["llama_bench.md", "--tp", "0"], "tp = 0; allowed: a whole number > 0"),
        (["vllm_serve.json", "--kind", "banana"], "kind = banana; allowed: inference, energy, training"),
        (["README.md"], "file = of no known format"),
        (["none.json"], "file = No such file or directory"),
    ],
)
def test_convert_refuses_in_one_line(words, said, capfd):
    result = CliRunner().invoke(main, ["convert", str(RESULTS / words[0]), *words[1:]])
    line = result.stderr if result.stderr else capfd.readouterr().err
    assert result.exit_code == 2 and line.startswith("error: ") and said in line and line.count("\n") == 1


def test_convert_writes_over_no_file_unless_forced(tmp_path, capfd):
    path = tmp_path / "mine.log"
    path.write_bytes((RESULTS / "llama_bench.log").read_bytes())
    result = CliRunner().invoke(main, ["convert", str(path), "--out", str(path)])
    assert result.exit_code == 2 and "or --force" in (result.stderr or capfd.readouterr().err)
    assert path.read_bytes() == (RESULTS / "llama_bench.log").read_bytes()
    result = CliRunner().invoke(main, ["convert", str(path), "--out", str(path), "--force"])
    assert result.exit_code == 0 and path.read_text(encoding="utf-8").startswith("model,hardware,")


def test_options_of_result_files_are_those_that_conversion_takes():
    from tokenomics.cli import RESULT_OPTIONS
    from tokenomics.rows.formats.options import OPTIONS

    assert {name.replace("-", "_"): kind for name, (kind, _) in RESULT_OPTIONS.items()} == {
        name: kind for name, (_, kind) in OPTIONS.items()
    }
