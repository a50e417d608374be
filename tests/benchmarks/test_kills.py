"""The kill test sees every kind of loss."""

import importlib.util

import pytest

from tokenomics import paths

SCRIPT = paths.ROOT / "benchmarks" / "pipeline" / "kills.py"
OLD, NEW = {"a": "1", "b": "1"}, {"a": "2", "b": "2", "c": "2"}


@pytest.fixture(scope="module")
def kills():
    spec = importlib.util.spec_from_file_location("kills", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("made", [OLD, NEW])
def test_an_output_may_be_the_old_or_the_new_one(kills, made):
    assert kills.lost({"x": "1"}, {"x": "1", "more": "1"}, [(OLD, NEW)], [made]) == []


@pytest.mark.parametrize("made", [{}, {"a": "1"}, {"a": "2", "b": "1"}, OLD | {"c": "2"}])
def test_a_mixture_is_a_loss(kills, made):
    assert "neither old nor new" in kills.lost({}, {}, [(OLD, NEW)], [made])[0]


def test_a_changed_and_a_missing_file_are_losses(kills):
    assert kills.lost({"x": "1", "y": "1"}, {"x": "2"}, [], []) == ["x is changed", "y is gone"]


def test_the_parameter_it_changes_and_the_commands_exist(kills):
    assert kills.WORDS[0] in (paths.ROOT / kills.PARAMETERS).read_text(encoding="utf-8")
    assert kills.commands(0).keys() == kills.commands(1).keys()
    assert all(kills.commands(0)[name] != kills.commands(1)[name] for name in ("score", "run --out"))


def test_files_are_seen_by_content_and_those_left_out_are_not(kills, tmp_path):
    for name in ("kept/a", "left/b", ".cache/c"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("")
    assert list(kills.tree(tmp_path, leave=("left",))) == ["kept/a"]
