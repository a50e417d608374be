"""Which candidates were tried and taken."""

from dataclasses import replace

import pytest

from tokenomics.errors import DataError
from tokenomics.experiment import search, settings
from tokenomics.experiment.jobs import read_table, write_part, write_table


def test_every_recipe_was_tried():
    given = settings.full()
    taken = [
        {c.name for c in settings.CANDIDATES if search.is_taken(replace(given, recipes=(r,)), "recipe", c.name)}
        for r in given.recipes
    ]
    assert all(taken), [recipe.name for recipe in given.recipes]


def test_trying_one_more_leaves_the_rows_of_others(tmp_path, monkeypatch):
    given = replace(settings.full(), out=tmp_path, work=tmp_path / "work")
    scores = {
        "exact": 0.5,
        "correct": 0.5,
        "questions": 4,
        "loss": 0.1,
        "tuning_cpu_s": 1.0,
        "what": "x",
        "source": "s",
    }
    rows = [{"kind": "recipe", "candidate": name, "chunks": 1, "changed": False} | scores for name in ("both-c", "old")]
    ran = []

    def run_all(work, settings, todo, what, after):
        ran.extend(todo)
        for kind, name in todo:
            write_part(search._part(given, kind, name), [row for row in rows if row["candidate"] == name])

    monkeypatch.setattr(search.jobs, "run_all", run_all)
    write_table(tmp_path / search.TABLE, search.COLUMNS, [row | {"taken": True} for row in rows[1:]])
    search.run(given, ["both-c"])
    found = {row["candidate"]: row["taken"] for row in read_table(tmp_path / search.TABLE)}
    assert ran == [("recipe", "both-c")] and found == {"both-c": "true", "old": "false"}
    with pytest.raises(DataError, match="candidate = both-z; allowed: lora-g, "):
        search.run(given, ["both-z"])


def test_what_was_taken():
    given = settings.full()
    styles = {s.name for s in settings.CANDIDATE_STYLES if search.is_taken(given, "prompt", s.name)}
    assert styles == {"shown", "asked_first_5"}
