"""Rerun everything from scratch and say whether it comes out as committed."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tokenomics import paths
from tokenomics.errors import RunError
from tokenomics.facts import yaml_file
from tokenomics.pipeline import compare, headlines, stages

DVC_ENVIRONMENT = {"DVC_NO_ANALYTICS": "1"}


def reproduce() -> int:
    """Force every live stage of ``dvc.yaml``, check frozen ones by hash, compare, and print the headline numbers.

    Returns:
        0 when every stage ran and every result agrees with the one that stood in ``results/`` before, else 1.
    """
    without_git()
    changed = changed_frozen()
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "results"
        notebooks = [name for name in stages.stages() if name not in stages.frozen_stages()]
        for name in notebooks:
            if (paths.RESULTS / name).exists():
                shutil.copytree(paths.RESULTS / name, reference / name)
        code = dvc("repro", "--force", "--keep-going", "--single-item", *notebooks).returncode if notebooks else 0
        lines = [f"{name}: frozen, and its output is not the one recorded in dvc.lock" for name in changed]
        lines += ["dvc repro failed (see above)"] if code else []
        for name in notebooks:
            lines += [f"results/{name}/{line}" for line in _compared(reference / name, paths.RESULTS / name)]
    print(headlines.table())
    print("".join(f"\nnote: {line}" for line in outdated_frozen()), end="")
    print("\n".join(["", *lines, f"differences: {len(lines)}"]) if lines else "\nall results are as committed")
    return 1 if lines else 0


def _compared(reference: Path, fresh: Path) -> list[str]:
    if not fresh.exists():
        return [": no result"]
    if not reference.exists():
        return [": nothing was committed to compare with"]
    return compare.differences(reference, fresh)


def changed_frozen() -> list[str]:
    """Frozen stages whose outputs are missing or not those recorded in ``dvc.lock``."""
    frozen = stages.frozen_stages()
    if not frozen:
        return []
    status = json.loads(dvc("status", "--json", *frozen, capture=True).stdout or "{}")
    return sorted(
        name
        for name, changes in status.items()
        if any("changed outs" in change for change in changes if isinstance(change, dict))
    )


def outdated_frozen() -> list[str]:
    """Frozen stages that would have to run again, one line a dependency that is not the one in ``dvc.lock``.

    DVC itself says nothing of a frozen stage's dependencies. Their outputs are still as committed: a note, no failure.
    """
    frozen = stages.frozen_stages()
    recorded = yaml_file.read(paths.ROOT / "dvc.lock")["stages"] if frozen else {}
    deps = [(name, dep) for name in frozen for dep in recorded.get(name, {}).get("deps", [])]
    return [
        f"{name} is frozen, and {dep['path']} changed since it ran: run its make target"
        for name, dep in deps
        if _md5(paths.ROOT / dep["path"]) != dep["md5"]
    ]


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() if path.is_file() else "missing"


def without_git() -> None:
    """Let DVC work in a copy without git (an unpacked archive), by its own local setting."""
    inside = (paths.ROOT / ".git").exists()
    if not inside and dvc("config", "--local", "core.no_scm", "true").returncode:
        raise RunError("dvc could not be configured for a folder without git")


def dvc(*arguments: str, capture: bool = False) -> subprocess.CompletedProcess:
    """Run this environment's dvc in the project, its programs first on the path."""
    binaries = Path(sys.executable).parent
    environment = os.environ | DVC_ENVIRONMENT | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    command = [str(binaries / "dvc"), *arguments]
    return subprocess.run(command, cwd=paths.ROOT, env=environment, capture_output=capture, text=True, check=False)
