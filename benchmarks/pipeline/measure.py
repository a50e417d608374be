"""Measure the pipeline: set-up, reproduce, no-op, one changed parameter, imports, site, byte identity.

    python benchmarks/pipeline/measure.py            (about four minutes; works on copies, touches nothing here)

Prints one Markdown table row a figure: wall seconds, command.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMPORT_RUNS = 7
CHANGE = ("task_answer_words: 250.0", "task_answer_words: 260.0")


def timed(command: str, folder: Path, **environment: str) -> float:
    """Wall seconds of a shell command that must succeed."""
    start = time.perf_counter()
    environment = os.environ | environment
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command} failed in {folder}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return time.perf_counter() - start


def copy(target: Path) -> Path:
    """What git would hand to somebody else, without git."""
    target.mkdir(parents=True)
    subprocess.run(f"git archive HEAD | tar -x -C '{target}'", shell=True, cwd=ROOT, check=True)
    return target


def digest(folder: Path) -> str:
    """One hash over names and bytes of all committed results."""
    sha = hashlib.sha256()
    for path in sorted(folder.glob("results/[0-9]*/**/*")):
        if path.is_file():
            sha.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return sha.hexdigest()[:16]


def row(what: str, value: str, command: str) -> None:
    """Print one row of the table."""
    print(f"| {what} | {value} | `{command}` |", flush=True)


def main() -> None:
    """Run all measurements."""
    with tempfile.TemporaryDirectory() as base:
        first, second = copy(Path(base) / "first copy"), copy(Path(base) / "second copy")
        cache = {"UV_CACHE_DIR": str(Path(base) / "uv"), "PIP_NO_CACHE_DIR": "1"}
        print("| what | measured | command |\n|---|---|---|")
        row("set-up, nothing cached", f"{timed('make setup', first, **cache):.1f} s", "make setup")
        row("set-up, packages cached", f"{timed('make setup', second, **cache):.1f} s", "make setup")
        row("set-up, already done", f"{timed('make setup', second):.2f} s", "make setup")
        row("rerun everything and compare", f"{timed('make reproduce', first):.1f} s", "make reproduce")
        timed("make reproduce", second)
        dvc = f"'{first}/.venv/bin/dvc' repro"
        path = {"PATH": f"{first}/.venv/bin:{os.environ['PATH']}"}
        row("nothing to do", f"{timed(dvc, first, **path):.2f} s", "dvc repro")
        same = digest(first) == digest(second)
        row("two reruns in two folders", "byte-identical" if same else "DIFFERENT", "make reproduce, twice")
        params = first / "params" / "01_ubiquitous_llms.yaml"
        text = params.read_text(encoding="utf-8")
        assert CHANGE[0] in text
        params.write_text(text.replace(*CHANGE), encoding="utf-8")
        row("one parameter changed", f"{timed(dvc, first, **path):.1f} s", "dvc repro")
        python = f"'{first}/.venv/bin/python'"
        for module in ("tokenomics", "tokenomics.compute.counts.parameters", "tokenomics.facts.catalogue"):
            code = f"{python} -c 'import {module}'"
            best = sorted(timed(code, first) for _ in range(IMPORT_RUNS))[IMPORT_RUNS // 2]
            what = f"import {module} (whole process, median of {IMPORT_RUNS})"
            row(what, f"{best:.2f} s", f"python -c 'import {module}'")
        row("the site", f"{timed('make site', second):.1f} s", "make site")
        shutil.rmtree(first, ignore_errors=True)


if __name__ == "__main__":
    main()
