"""A run replaces its own earlier output and nothing else."""

import pytest
from click.testing import CliRunner

from tokenomics.cli import main
from tokenomics.errors import DataError
from tokenomics.pipeline import run

NOTEBOOK = "01_ubiquitous_llms"


def test_new_empty_and_earlier_output_may_be_replaced(tmp_path):
    run.check_out(tmp_path / "new" / "deep")
    run.check_out(tmp_path)
    (tmp_path / "metrics.json").touch()
    (tmp_path / "figures").mkdir()
    run.check_out(tmp_path)


@pytest.mark.parametrize("name", [".", "thesis.txt", "thesis.txt/below"])
def test_files_of_the_user_are_never_replaced(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "thesis.txt").write_text("years of work")
    result = CliRunner().invoke(main, ["run", NOTEBOOK, "--out", name])
    assert result.exit_code == 2 and result.stderr.count("\n") == 1 and "--out" in result.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work" and len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(DataError, match="can be written"):
        run.check_out(tmp_path / "out")
