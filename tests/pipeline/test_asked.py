"""A figure, or all of them, in the formats of a paper and for any parameters."""

import json

import pytest
from click.testing import CliRunner

from tokenomics import paths
from tokenomics.cli import main
from tokenomics.errors import DataError, RunError
from tokenomics.notebook import figures as drawn
from tokenomics.pipeline import asked, run
from tokenomics.sections import registry

FIGURE = "01_training_compute"


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Where runs go, outside the checkout."""
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    return tmp_path


@pytest.fixture
def called(monkeypatch):
    """What would be run: notebook, folder, overrides and formats."""
    calls = []

    def record(notebook, out, *, overrides, formats):
        calls.append((notebook, out, list(overrides), list(formats)))
        return out

    monkeypatch.setattr(run, "run", record)
    return calls


def test_a_figure_is_drawn_for_other_parameters_in_its_format(runs):
    words = ["figure", FIGURE, "--format", "pdf", "--sets", 'bootstrap_samples=100 task_models=["GPT-4", "o1"]']
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    file = runs / "01_ubiquitous_llms" / "figures" / f"{FIGURE}.pdf"
    assert result.stdout.strip() == str(file) and file.read_bytes().startswith(b"%PDF")
    assert {each.suffix for each in file.parent.iterdir()} == {".csv", ".json", ".pdf", ".png"}
    recorded = json.loads((runs / "01_ubiquitous_llms" / "metrics.json").read_text())["parameters"]
    assert (recorded["bootstrap_samples"], recorded["task_models"]) == (100, ["GPT-4", "o1"])


def test_every_committed_figure_knows_its_notebook():
    committed = {each.stem for name in registry.NOTEBOOKS for each in (paths.RESULTS / name / "figures").glob("*.png")}
    assert set(asked.figures()) == committed and committed
    assert all(name.startswith(notebook[:2]) for name, notebook in asked.figures().items())


@pytest.mark.parametrize("name", ["04_pareto", "04_pareto.png", "04_pareto.pdf"])
def test_a_figure_is_found_with_or_without_ending(name, called):
    with pytest.raises(RunError, match="does not draw it with these parameters"):
        asked.figure(name, "svg", ["batch=8"])
    assert called == [("04_inference_xpus", paths.RUNS / "04_inference_xpus", ["batch=8"], ["svg"])]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["figure", "04_pareto_"], "error: figure: name = 04_pareto_; allowed: nearest: 04_pareto"),
        (["figure", "pareto"], "nearest: 04_pareto"),
        (["figure", "qqq"], "allowed: 01_"),
        (["figure", "04_pareto", "--format", "gif"], "--format = gif; allowed: png, svg, pdf"),
        (["figure", "04_pareto", "--format", ""], "--format = ; allowed: png, svg, pdf"),
        (["figure", "04_pareto", "--set", "batch=none"], "--set: batch = none; allowed: int"),
        (["run", "01_ubiquitous_llms", "--formats", "svg,eps"], "--formats = eps; allowed: png, svg, pdf, tex"),
        (["run", "01_ubiquitous_llms", "--sets", "first_yaer=2020"], "nearest: first_year"),
        (["paper", "--sets", "first_yaer=2020"], "--set: first_yaer = 2020; allowed: a known parameter; nearest: "),
        (["paper", "--sets", "first_year=[1"], "--set: first_year = [1; allowed: a YAML 1.2 value"),
        (["paper", "--sets", "first_year=soon"], "--set: first_year = soon; allowed: int"),
        (["paper", "--formats", "docx"], "--formats = docx; allowed: png, svg, pdf, tex"),
    ],
)
def test_what_is_refused_is_one_line_and_starts_nothing(words, said, runs):
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert said in result.stderr
    assert not any(runs.iterdir())


def test_a_paper_gives_each_notebook_the_overrides_that_it_has(called, tmp_path):
    given = ("first_year=2020", "own_model=Llama-3.1-8B", "seed=7")
    folders = list(asked.paper(tmp_path, ["pdf"], given))
    assert folders == [tmp_path / name for name in registry.NOTEBOOKS]
    for notebook, _, overrides, formats in called:
        fields = registry.declared(notebook).model_fields
        assert overrides == [each for each in given if each.partition("=")[0] in fields]
        assert "seed=7" in overrides and formats == ["pdf"]


def test_results_take_no_further_formats():
    with pytest.raises(RunError, match="results/ holds"):
        run.run("01_ubiquitous_llms", paths.RESULTS / "01_ubiquitous_llms", formats=["pdf"])
    with pytest.raises(DataError, match="--formats = ps"):
        drawn.check_formats(["pdf", "ps"])
    assert drawn.check_formats(["pdf", "svg", "pdf"]) == ["pdf", "svg"] and set(drawn.METADATA) < set(drawn.FORMATS)
