"""What a change reruns: one notebook for a parameter or a section, no calibration for a style, nothing for a cache."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tokenomics import paths
from tokenomics.pipeline import reproduce, stages

BIN = Path(sys.executable).parent
ROOM = Path("lib/tokenomics")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "tmp", "cache", "config.local")


def dvc(root: Path, *arguments: str) -> str:
    environment = os.environ | {"DVC_NO_ANALYTICS": "1"}
    command = [BIN / "dvc", *arguments]
    return subprocess.run(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.fixture
def recorded(tmp_path, monkeypatch) -> Path:
    """A copy of the project, with a library of its own, in which every stage is recorded as it stands."""
    project = tmp_path / "a project"
    for name in ("lib", "params", "requirements", ".dvc"):
        shutil.copytree(paths.ROOT / name, project / name, ignore=NOT_COPIED)
    for name in ("data", "notebooks", "results"):
        (project / name).symlink_to(paths.ROOT / name)
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(paths.ROOT / name, project)
    (project / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    dvc(project, "commit", "-f", "-q")
    monkeypatch.setattr(paths, "ROOT", project)
    return project


def outdated_after(path: Path, old: str, new: str) -> set[str]:
    """The stages, frozen or not, of which a dependency differs while ``old`` is ``new`` in a file."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    assert old in text
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")
    changed = reproduce.changed(list(stages.stages()))
    path.write_text(text, encoding="utf-8")
    assert not any(outs for _, outs in changed.values())
    return {name for name, (deps, _) in changed.items() if deps}


def test_a_change_reruns_what_depends_on_it_and_nothing_else(recorded):
    notebooks = {name for name in stages.stages() if name not in stages.frozen_stages()}
    library = recorded / ROOM
    assert outdated_after(library / "compute" / "__pycache__" / "bounds.pyc", "", "compiled") == set()
    assert outdated_after(recorded / "params" / "03_training_xpus.yaml", "days: ", "days: 1") == {"03_training_xpus"}
    assert outdated_after(recorded / "params" / "00_common.yaml", "seed: ", "seed: 1") == notebooks
    section = library / "sections" / "s08_validation" / "errors.py"
    assert outdated_after(section, "", "# changed\n") == {"08_validation"}
    assert outdated_after(library / "notebook" / "style.py", "", "# changed\n") == notebooks
    assert {"calibrate", "learn"} < outdated_after(library / "compute" / "layout.py", "", "# changed\n")
    (library / "sections" / "s03_training_xpus" / "new.py").touch()
    assert list(json.loads(dvc(recorded, "status", "--json"))) == ["03_training_xpus"]


def test_the_lock_stays_small():
    assert (paths.ROOT / "dvc.lock").stat().st_size < 45_000
