"""A notebook that is run in a browser ends with its own answer and takeaway, and leaves results/ alone."""

import json
import shutil
from types import SimpleNamespace

import nbformat
import pytest
from nbclient import NotebookClient

from tokenomics import paths
from tokenomics.notebook import by_hand

NOTEBOOK = "01_ubiquitous_llms"
KNOWN = {"growth": {"value": 2.4, "low": 2.0}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A checkout of its own, with one notebook and a committed result; no variable of the pipeline is set."""
    (tmp_path / "notebooks").mkdir()
    shutil.copy(paths.NOTEBOOKS / f"{NOTEBOOK}.ipynb", tmp_path / "notebooks")
    for name in ("data", "lib", "params", "requirements", "dvc.yaml"):
        (tmp_path / name).symlink_to(paths.ROOT / name)
    (tmp_path / "results" / NOTEBOOK).mkdir(parents=True)
    monkeypatch.setenv("TOKENOMICS_ROOT", str(tmp_path))
    monkeypatch.delenv("TOKENOMICS_OUT", raising=False)
    return tmp_path


def run_all(project, change=None):
    """As a browser does: every cell in a kernel that starts in notebooks/; ``change`` edits the parameters' cell."""
    notebook = nbformat.read(project / "notebooks" / f"{NOTEBOOK}.ipynb", as_version=4)
    parameters = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    parameters.source += f"\n{change or ''}"
    again = next(cell for cell in notebook.cells if "figures.save" in cell.source)
    notebook.cells.insert(notebook.cells.index(again), nbformat.v4.new_code_cell(again.source))  # run a cell twice
    place = {"metadata": {"path": str(project / "notebooks")}}
    NotebookClient(notebook, resources=place, timeout=300, kernel_name="python3").execute()
    return notebook


def summaries(notebook) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output["data"]["text/markdown"] for output in outputs if "text/markdown" in output.get("data", {})]
    return [text for text in shown if "**Answer.**" in text]


def test_a_run_by_hand_ends_with_its_own_answer_and_takeaway(project):
    notebook = run_all(project, "frontier_rank = 5\nbootstrap_samples = 100")
    first, last = summaries(notebook)
    ending = [cell for cell in notebook.cells if cell.cell_type == "code"][-1].outputs[-1]
    assert first == last == ending["data"]["text/markdown"]
    assert "**Answer.** Among models" in last and "> **Takeaway.**" in last
    assert "{{" not in last and by_hand.PENDING not in last
    assert f"](../results/{NOTEBOOK}/notebook.ipynb)" in last
    record = json.loads((project / "scratch" / NOTEBOOK / "metrics.json").read_text())
    growth = record["metrics"]["compute_growth"]
    assert f"{growth['value']:.1f} a year ({growth['low']:.1f} to {growth['high']:.1f})" in last
    assert list((project / "results" / NOTEBOOK).iterdir()) == []
    assert sorted(each.name for each in (project / "notebooks").iterdir()) == [f"{NOTEBOOK}.ipynb"]


def test_what_is_not_recorded_yet_is_pending():
    text = "**Answer.** {{growth:.1f}} ({{growth.low}}), then {{later:.2f}}."
    so_far = by_hand.summary(text, KNOWN, "nb")
    assert so_far.startswith("**Answer.** 2.4 (2), then ….\n\n*Numbers of this run so far; …")
    done = by_hand.summary(text, {**KNOWN, "later": {"value": 1}}, "nb")
    assert done.startswith("**Answer.** 2.4 (2), then 1.00.\n\n*Numbers of this run. [The committed run")


def test_a_number_that_does_not_exist_is_said_to_be_missing():
    lacking = {"value": None, "meaning": "the price", "reason": "no rent"}
    text = "**Answer.** Growth is {{growth:.1f}}. It costs {{price:.2f}} a year. Later {{later}}."
    said = by_hand.summary(text, {**KNOWN, "price": lacking}, "nb")
    assert said.startswith("**Answer.** Growth is 2.4. *Not known here: the price (no rent).* Later ….")


@pytest.mark.parametrize(
    ("info", "same"),
    [
        ({"cell_id": "last", "raw_cell": "other"}, True),
        ({"cell_id": "first", "raw_cell": "x = 1"}, False),
        ({"cell_id": None, "raw_cell": "x = 1\n"}, True),
        ({"raw_cell": "x = 2"}, False),
    ],
)
def test_the_last_cell_is_known_by_its_id_or_its_text(info, same):
    assert by_hand.is_cell(SimpleNamespace(**info), {"id": "last", "source": "x = 1"}) is same


def test_every_notebook_has_an_answer_a_takeaway_and_a_last_cell():
    for source in sorted(paths.NOTEBOOKS.glob("*.ipynb")):
        text, last = by_hand.template(source)
        assert text.startswith("**Answer.**") and "\n\n> **Takeaway.**" in text and "{{" in text, source.stem
        assert last["source"]


def test_outside_a_kernel_nothing_is_shown(capsys):
    by_hand.follow(paths.NOTEBOOKS / f"{NOTEBOOK}.ipynb", dict)
    assert capsys.readouterr().out == ""
