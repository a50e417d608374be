"""Jobs in their order, and files written whole or not at all."""

from dataclasses import replace

import pytest

from tokenomics import paths
from tokenomics.experiment import jobs, settings
from tokenomics.experiment.jobs import read_part, read_table, write_part, write_table


def test_whole_or_not_at_all(tmp_path):
    write_table(tmp_path / "a" / "t.csv", ("x", "y"), [{"x": 1 / 3, "y": True}])
    assert read_table(tmp_path / "a" / "t.csv") == [{"x": "0.333333", "y": "true"}]
    with pytest.raises(KeyError):
        write_table(tmp_path / "a" / "t.csv", ("x", "z"), [{"x": 1}])
    assert read_table(tmp_path / "a" / "t.csv") == [{"x": "0.333333", "y": "true"}]
    write_part(tmp_path / "p.json", [1])
    assert read_part(tmp_path / "p.json") == [1] and read_part(tmp_path / "q.json") is None


def test_a_table_elsewhere_takes_its_description_along(tmp_path):
    write_table(tmp_path / "losses.csv", ("recipe",), [])
    committed = paths.DATA / "experiments" / "losses.meta.yaml"
    assert (tmp_path / "losses.meta.yaml").read_bytes() == committed.read_bytes()


def note(given, job, slot):
    """A job that writes the order in which it was done."""
    with (given.work / "order").open("a") as file:
        file.write(f"{job[0]}\n")
    if job[0] == "bad":
        raise ValueError(job[0])


def test_a_job_waits_for_the_one_it_needs(tmp_path):
    given = replace(settings.tiny(), work=tmp_path, workers=2)
    needs = {("c",): ("b",), ("b",): ("a",), ("d",): ("e",)}
    jobs.run_all(note, given, [("c",), ("b",), ("a",), ("d",)], "test", after=needs)
    done = (tmp_path / "order").read_text().split()
    assert sorted(done) == ["a", "b", "c", "d"] and [job for job in done if job != "d"] == ["a", "b", "c"]


def test_an_error_ends_all(tmp_path):
    given = replace(settings.tiny(), work=tmp_path, workers=2)
    with pytest.raises(ValueError, match="bad"):
        jobs.run_all(note, given, [("bad",), ("then",)], "test", after={("then",): ("bad",)})
    assert "then" not in (tmp_path / "order").read_text()
