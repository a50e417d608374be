"""Rerun everything from scratch and say whether it comes out as committed."""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.errors import RunError
from tokenomics.pipeline import committed, differences, headlines, parent, stages

DVC_ENVIRONMENT = {"DVC_NO_ANALYTICS": "1"}
OUTPUT_TAIL = 4000
"""Characters of a failed stage's output that are shown."""


def reproduce() -> int:
    """Force every live stage of ``dvc.yaml``, check frozen ones by hash, compare, and print the headline numbers.

    A frozen stage whose dependencies changed since it ran is a note and no failure: its outputs are still as committed.

    Returns:
        0 when every stage ran and every result agrees with the committed one (git's, or without git that of
        ``results/SHA256SUMS``; see :mod:`tokenomics.pipeline.committed`), else 1.

    Raises:
        RunError: there is no checkout.
    """
    paths.need_checkout("reproduce")
    without_git()
    frozen = changed(stages.frozen_stages())
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "results"
        notebooks = [name for name in stages.stages() if name not in frozen]
        against, gone = committed.restore(notebooks, reference)
        failed = _rerun(notebooks)
        lines = [
            f"{name}: frozen, and its output {path} is not the one recorded in dvc.lock"
            for name, (_, outs) in frozen.items()
            for path in outs
        ]
        inputs = committed.changed_inputs()
        lines += [
            f"{name}: frozen, and its output {path} is not the committed one"
            for name in frozen
            for path in stages.declared_outs(name)
            if path in inputs
        ]
        lines += [f"{name}: its stage failed (see above)" for name in failed]
        for name in notebooks:
            compared = _compared(reference / name, paths.RESULTS / name, gone[name])
            lines += [f"results/{name}/{line}" for line in compared]
    print(headlines.table())
    for name, (deps, _) in frozen.items():
        for path in deps:
            print(f"\nnote: {name} is frozen, and {path} changed since it ran: run its make target", end="")
    for path in inputs:
        print(f"\nnote: not as committed: {path}", end="")
    verdict = f"differences: {len(lines)}" if lines else "all results are as committed"
    print("\n".join(["", *lines, f"{verdict} (compared with {against})"]))
    return 1 if lines else 0


def _rerun(names: list[str]) -> list[str]:
    """Force stages, as many at a time as there are cores (each uses one), and return those that failed.

    What a stage prints is shown if it fails; for each one that is done there is a line.
    """
    failed, start = [], time.monotonic()
    with ThreadPoolExecutor(max(min(len(names), os.cpu_count() or 1), 1)) as pool:
        running = {pool.submit(dvc, "--wait-for-lock", "repro", "--force", "--single-item", n): n for n in names}
        try:
            for count, done in enumerate(as_completed(running), 1):
                name, result = running[done], done.result()
                ended = "failed" if result.returncode else "done"
                print(f"{name}: {ended} ({count} of {len(names)}, {time.monotonic() - start:.0f} s)", flush=True)
                if result.returncode:
                    failed.append(name)
                    print(result.stdout[-OUTPUT_TAIL:], flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return sorted(failed)


def changed(names: list[str]) -> dict[str, tuple[list[str], list[str]]]:
    """For each stage, its dependencies and its outputs that are not as ``dvc.lock`` records them.

    ``dvc status`` leaves out the dependencies of a frozen stage, so DVC is asked for each file and folder by itself.
    """
    from dvc.repo import Repo

    with Repo(str(paths.ROOT)) as repo:
        return {
            stage.name: (_changed(stage.deps), _changed(stage.outs))
            for stage in repo.index.stages
            if stage.name in names
        }


def _changed(entries: list[Any]) -> list[str]:
    return [entry.def_path for entry in entries if entry.status()]


def without_git() -> None:
    """Let DVC work in a copy without git (an unpacked archive), by its own local setting.

    Raises:
        RunError: the setting could not be written.
    """
    inside = (paths.ROOT / ".git").exists()
    if not inside and dvc("config", "--local", "core.no_scm", "true").returncode:
        raise RunError("dvc could not be configured for a folder without git")


def dvc(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this environment's dvc in the project, its programs first on the path; what it prints is kept.

    It ends with this process, and so does what it has started.
    """
    _drop_broken_lock(paths.ROOT / ".dvc" / "tmp" / "rwlock")
    binaries = Path(sys.executable).parent
    environment = os.environ | DVC_ENVIRONMENT | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", parent.__name__, str(binaries / "dvc"), *arguments]
    kept = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(command, cwd=paths.ROOT, env=environment, text=True, check=False, **kept)


def _drop_broken_lock(lock: Path) -> None:
    """Delete dvc's list of locks where a kill cut it off in mid-writing; dvc would refuse to start."""
    try:
        json.loads(lock.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except ValueError:
        lock.unlink()


def _compared(reference: Path, fresh: Path, gone: dict[str, str]) -> list[str]:
    if not fresh.exists():
        return [": no result"]
    if not reference.exists() and not gone:
        return [": nothing is committed to compare with"]
    return differences.differences(reference, fresh, gone)
