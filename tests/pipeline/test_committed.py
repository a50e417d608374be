"""What counts as committed: git's commit and index, or without git the hashes that come with the project."""

import subprocess

import pytest

from tokenomics import outputs, paths
from tokenomics.pipeline import committed

NAME = "01_ubiquitous_llms"


def git(*arguments: str) -> None:
    names = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", *names, *arguments], cwd=paths.ROOT, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of one result with one file, and the hashes of it."""
    root = tmp_path / "a project"
    monkeypatch.setattr(paths, "ROOT", root)
    monkeypatch.setattr(paths, "RESULTS", root / "results")
    monkeypatch.setattr(committed, "SUMS", root / "results" / "SHA256SUMS")
    monkeypatch.setattr(committed, "KEPT", root / ".cache" / "committed")
    file = root / "results" / NAME / "tables" / "t.csv"
    file.parent.mkdir(parents=True)
    file.write_text("committed")
    committed.SUMS.write_text(committed.sums_text())
    return root


@pytest.fixture
def table(project):
    return project / "results" / NAME / "tables" / "t.csv"


def restored(tmp_path) -> tuple[str, dict, str | None]:
    against, gone = committed.restore([NAME], tmp_path / "x" / "results")
    found = tmp_path / "x" / "results" / NAME / "tables" / "t.csv"
    return against, gone[NAME], found.read_text() if found.exists() else None


def test_the_hashes_are_those_of_all_results():
    listed = outputs.read_sums(committed.SUMS)
    assert len(listed) > 300 and {name.split("/")[0] for name in listed} == set(committed.registry.NOTEBOOKS)


def test_with_git_the_last_commit_counts_whatever_lies_there(project, table, tmp_path):
    git("init", "-q")
    assert restored(tmp_path)[0] == "results/SHA256SUMS", "a repository without a commit has committed nothing"
    git("add", "-A")
    git("commit", "-q", "-m", "Add all")
    committed.SUMS.unlink()
    table.write_text("changed")
    against, gone, text = restored(tmp_path)
    assert against.startswith("commit ") and gone == {} and text == "committed"
    assert not outputs.hashes_of(table) & committed.hashes(NAME)["tables/t.csv"]
    git("add", "-A")
    assert outputs.hashes_of(table) & committed.hashes(NAME)["tables/t.csv"], "git's index keeps it too"
    assert restored(tmp_path)[2] == "committed"


def test_an_environment_of_another_repository_does_not_mislead(project, table, monkeypatch, tmp_path):
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "Add all")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert restored(tmp_path)[0].startswith("commit ")


def test_inputs_that_differ_from_the_commit_are_named(project):
    (project / "params").mkdir()
    for name in ("params/a.yaml", "params/b c.yaml"):
        (project / name).write_text("1")
    assert committed.changed_inputs() == []
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "Add all")
    (project / "params" / "b c.yaml").write_text("2")
    (project / "params" / "new.yaml").write_text("2")
    (project / "notes.txt").write_text("2")
    assert committed.changed_inputs() == ["params/b c.yaml", "params/new.yaml"]


def test_without_git_what_was_kept_counts_and_else_the_hash_alone(project, table, tmp_path):
    (digest,) = outputs.read_sums(committed.SUMS)[f"{NAME}/tables/t.csv"]
    committed.keep(NAME)
    table.write_text("changed")
    assert restored(tmp_path) == ("results/SHA256SUMS", {}, "committed")
    (committed.KEPT / digest).unlink()
    (tmp_path / "x" / "results" / NAME / "tables" / "t.csv").unlink()
    assert restored(tmp_path) == ("results/SHA256SUMS", {"tables/t.csv": digest}, None)


def test_without_a_git_program_the_hashes_count(project, table, monkeypatch, tmp_path):
    git("init", "-q")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert restored(tmp_path) == ("results/SHA256SUMS", {}, "committed")
