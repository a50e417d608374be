"""Recipes are short, and hand what a user gives to the command line unchanged through make and the shell."""

import os
import re
import shutil
import subprocess

import pytest

from tokenomics import paths

MAKEFILE = paths.ROOT / "Makefile"
STAND_IN = """#!/bin/sh
for each; do printf '%s\\n' "[$each]"; done
"""


@pytest.fixture
def make(tmp_path):
    """Call a target in a folder where ``tokenomics`` prints its arguments, one a line; nothing is set up there."""
    shutil.copy(MAKEFILE, tmp_path)
    command = tmp_path / "bin" / "tokenomics"
    command.parent.mkdir()
    command.write_text(STAND_IN)
    command.chmod(0o755)
    environment = os.environ | {"PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}

    def call(*words: str) -> subprocess.CompletedProcess:
        line = ["make", "-s", "-o", "setup", *words]
        return subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return call


@pytest.mark.parametrize(
    "given",
    [
        'models=["a b","c"] first_year=2020',
        "own_model='it is mine' seed=2",
        "own_model=my folder/config.json",
        'a=`touch oops` b=(1; 2) c="x & y" d=*',
        "a=[1,\n 2]",
        "",
    ],
)
@pytest.mark.parametrize("target", [["run", "NB=01_x"], ["figure", "FIG=01_y"], ["paper"]])
def test_parameters_arrive_as_they_were_given(make, tmp_path, target, given):
    done = make(*target, f"SET={given}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"[--sets]\n[{given}]\n")
    assert not (tmp_path / "oops").exists()


def test_a_figure_has_a_format(make):
    assert "[04_pareto]\n[--format]\n[pdf]" in make("figure", "FIG=04_pareto").stdout
    assert "[04_pareto]\n[--format]\n[svg]" in make("figure", "FIG=04_pareto", "FORMAT=svg").stdout


@pytest.mark.parametrize(("target", "said"), [("run", "NB="), ("figure", "FIG="), ("score", "FILE=")])
def test_what_is_missing_is_named(make, target, said):
    done = make(target)
    assert done.returncode == 2 and said in done.stdout


def test_recipes_have_at_most_three_lines_and_help_names_each_target():
    text = MAKEFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    recipes = re.findall(r"^([a-z-]+):[^=\n]*\n((?:\t.*\n)+)", text, re.MULTILINE)
    assert len(recipes) > 15
    for name, recipe in recipes:
        assert recipe.count("\n\t") < 3, name
        assert re.search(rf"^{name}:.*##", text, re.MULTILINE), name
