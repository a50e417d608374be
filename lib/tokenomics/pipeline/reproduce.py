"""Rerun everything from scratch and say whether it comes out as committed.

Two result folders agree when they are equal byte for byte under one environment, else when numbers agree within 1e-5.
"""

import csv
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.errors import RunError
from tokenomics.pipeline import headlines, stages

DVC_ENVIRONMENT = {"DVC_NO_ANALYTICS": "1"}
RTOL = 1e-5
OUTPUT_TAIL = 4000
"""Characters of a failed stage's output that are shown."""
NOT_COMPARED_ELSEWHERE = {".png", ".svg", ".pdf", ".ipynb"}


def reproduce() -> int:
    """Force every live stage of ``dvc.yaml``, check frozen ones by hash, compare, and print the headline numbers.

    A frozen stage whose dependencies changed since it ran is a note and no failure: its outputs are still as committed.

    Returns:
        0 when every stage ran and every result agrees with the one that stood in ``results/`` before, else 1.

    Raises:
        RunError: there is no checkout.
    """
    paths.need_checkout("reproduce")
    without_git()
    frozen = changed(stages.frozen_stages())
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "results"
        notebooks = [name for name in stages.stages() if name not in frozen]
        for name in notebooks:
            if (paths.RESULTS / name).exists():
                shutil.copytree(paths.RESULTS / name, reference / name)
        failed = _rerun(notebooks)
        lines = [
            f"{name}: frozen, and its output {path} is not the one recorded in dvc.lock"
            for name, (_, outs) in frozen.items()
            for path in outs
        ]
        lines += [f"{name}: its stage failed (see above)" for name in failed]
        for name in notebooks:
            lines += [f"results/{name}/{line}" for line in _compared(reference / name, paths.RESULTS / name)]
    print(headlines.table())
    for name, (deps, _) in frozen.items():
        for path in deps:
            print(f"\nnote: {name} is frozen, and {path} changed since it ran: run its make target", end="")
    print("\n".join(["", *lines, f"differences: {len(lines)}"]) if lines else "\nall results are as committed")
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
    """Run this environment's dvc in the project, its programs first on the path; what it prints is kept."""
    binaries = Path(sys.executable).parent
    environment = os.environ | DVC_ENVIRONMENT | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    command, kept = [str(binaries / "dvc"), *arguments], {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(command, cwd=paths.ROOT, env=environment, text=True, check=False, **kept)


def _compared(reference: Path, fresh: Path) -> list[str]:
    if not fresh.exists():
        return [": no result"]
    if not reference.exists():
        return [": nothing was committed to compare with"]
    return differences(reference, fresh)


def differences(reference: Path, fresh: Path) -> list[str]:
    """What differs between two folders of one notebook's results, one line each; empty when they agree.

    Where both were made under the same environment (see :func:`tokenomics.pipeline.environment.signature`) bytes are
    compared; elsewhere pictures and the executed notebook are skipped, numbers may differ by 1e-5 of their value, and
    texts must be equal.
    """
    files = [
        {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        for folder in (reference, fresh)
    ]
    lines = [f"{name}: only in the committed results" for name in sorted(files[0] - files[1])]
    lines += [f"{name}: only in the new results" for name in sorted(files[1] - files[0])]
    exact = _environment(reference) == _environment(fresh)
    for name in sorted(files[0] & files[1]):
        first, second = reference / name, fresh / name
        if first.read_bytes() == second.read_bytes():
            continue
        if exact:
            lines.append(f"{name}: bytes differ")
        else:
            lines += [f"{name}: {text}" for text in _beyond_tolerance(first, second)]
    return lines


def _environment(folder: Path) -> Any:
    path = folder / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8")).get("environment") if path.exists() else None


def _beyond_tolerance(first: Path, second: Path) -> Iterator[str]:
    if first.suffix in NOT_COMPARED_ELSEWHERE:
        return
    if first.suffix == ".json":
        values = [json.loads(path.read_text(encoding="utf-8")) for path in (first, second)]
        for value in values:
            value.pop("environment", None)
        yield from _unequal("", *values)
    elif first.suffix == ".csv":
        rows = [list(csv.reader(path.open(encoding="utf-8", newline=""))) for path in (first, second)]
        yield from _unequal("", *rows)
    else:
        yield "texts differ"


def _unequal(where: str, first: Any, second: Any) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        for key in first:
            yield from _unequal(f"{where}.{key}", first[key], second[key])
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            yield from _unequal(f"{where}[{index}]", one, other)
    elif not _same(first, second):
        yield f"{where or 'value'}: {first!r} became {second!r}"


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, bool) or isinstance(second, bool) or first is None or second is None:
        return first is second
    try:
        return math.isclose(float(first), float(second), rel_tol=RTOL, abs_tol=0.0) or first == second
    except (TypeError, ValueError):
        return first == second
