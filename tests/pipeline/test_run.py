"""The runner and DVC together: each known pitfall of notebook pipelines shows the right behaviour here.

Every test works in its own copy of the project, in a path with a space, without git.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from tokenomics.parameters import generation
from tokenomics.sections import registry

NOTEBOOK = "01_ubiquitous_llms"
BIN = Path(sys.executable).parent
BEGIN = f"""from tokenomics.notebook import begin, report
from tokenomics.sections.s{NOTEBOOK}.parameters import Parameters
p = begin(Parameters, globals())"""
GOOD = 'report.metric("answer", p.frontier_rank + 0.5, "1", "an answer")\nprint(p.frontier_rank)\nobject()'
PATIENCE_S = 60


def write_notebook(root: Path, *cells: str) -> None:
    parameters = nbformat.v4.new_code_cell(generation.cell_source(registry.declared(NOTEBOOK)), id="parameters")
    parameters.metadata["tags"] = ["parameters"]
    code = [nbformat.v4.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate((BEGIN, *cells))]
    prose = nbformat.v4.new_markdown_cell("It is {{answer:.1f}}.", id="prose")
    notebook = nbformat.v4.new_notebook(cells=[parameters, *code, prose])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, root / "notebooks" / f"{NOTEBOOK}.ipynb")


def command(root: Path, *arguments: str) -> dict:
    environment = os.environ | {"TOKENOMICS_ROOT": str(root), "DVC_NO_ANALYTICS": "1"}
    environment["PATH"] = f"{BIN}{os.pathsep}{environment['PATH']}"
    return dict(args=[str(BIN / arguments[0]), *arguments[1:]], cwd=root, env=environment, text=True)


def call(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(**command(root, *arguments), capture_output=True, check=False, timeout=300)


def run(root: Path, *options: str) -> subprocess.CompletedProcess:
    return call(root, "tokenomics", "run", NOTEBOOK, *options)


def result(root: Path) -> Path:
    return root / "results" / NOTEBOOK


def state(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def kernels(root: Path) -> list[int]:
    """Processes (kernels and runners) that work for this project."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(root).encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def wait_until(condition, what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.1)


@pytest.fixture
def good(project):
    write_notebook(project, GOOD)
    done = run(project)
    assert done.returncode == 0, done.stderr
    return project


def test_success_leaves_a_filled_stable_notebook_and_nothing_else(good):
    executed = nbformat.read(result(good) / "notebook.ipynb", as_version=4)
    assert executed.cells[-1].source == "It is 10.5."
    assert any(cell.get("id") == "injected-parameters" for cell in executed.cells)
    first = state(result(good))
    assert run(good).returncode == 0
    assert state(result(good)) == first
    assert sorted(first) == ["metrics.json", "notebook.ipynb"]
    assert [p.name for p in (good / "results").iterdir() if not p.name.endswith(".lock")] == [NOTEBOOK]
    assert str(good).encode() not in b"".join(first.values())


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("frontier_rnak: 3", "frontier_rnak"),
        ('frontier_rank: "3"', "frontier_rank"),
        ("frontier_rank: yes", "frontier_rank"),
    ],
)
def test_bad_parameter_stops_before_a_kernel(good, line, key):
    before = state(result(good))
    path = good / "params" / f"{NOTEBOOK}.yaml"
    path.write_text(path.read_text().replace("frontier_rank: 10", line))
    start = time.monotonic()
    done = run(good)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1 and key in done.stderr and "allowed" in done.stderr
    assert time.monotonic() - start < PATIENCE_S and state(result(good)) == before


def test_broken_table_stops_before_a_kernel(good):
    before = state(result(good))
    (good / "data").unlink()
    subprocess.run(["cp", "-r", Path(__file__).parents[2] / "data", good / "data"], check=True)
    table = good / "data" / "catalogue" / "accelerators.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, lines[1]]) + "\n")
    done = run(good)
    assert done.returncode == 2 and f"accelerators.csv, line {len(lines) + 1}" in done.stderr
    assert state(result(good)) == before


def test_raising_cell_keeps_the_last_good_result_and_the_failed_copy(good):
    before = state(result(good))
    write_notebook(good, 'raise ValueError("a wrong cell")')
    done = run(good)
    assert (
        done.returncode == 2
        and "ValueError: a wrong cell" in done.stderr
        and "Traceback" not in done.stderr.splitlines()[-1]
    )
    assert state(result(good)) == before
    assert (good / "results" / "failed" / NOTEBOOK / "notebook.ipynb").exists()


def test_killed_kernel_fails_and_keeps_the_last_good_result(good):
    before = state(result(good))
    write_notebook(good, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    done = run(good)
    assert done.returncode == 2 and "kernel died" in done.stderr
    assert state(result(good)) == before


def test_unknown_number_in_the_prose_fails(good):
    before = state(result(good))
    write_notebook(good, 'report.metric("other", 1.0, "1", "x")')
    done = run(good)
    assert done.returncode == 2 and "answer" in done.stderr and state(result(good)) == before


def test_output_on_stderr_fails(good):
    write_notebook(good, GOOD, "import warnings\nwarnings.warn('careless')")
    done = run(good)
    assert done.returncode == 2 and "careless" in done.stderr


def test_overrides_never_land_in_results(good):
    before = state(result(good))
    done = run(good, "--set", "frontier_rank=3")
    assert done.returncode == 0 and state(result(good)) == before
    record = json.loads((good / "runs" / NOTEBOOK / "metrics.json").read_text())
    assert record["metrics"]["answer"]["value"] == 3.5 and record["parameters"]["frontier_rank"] == 3
    assert run(good, "--set", "frontier_rank=3", "--out", str(result(good))).returncode == 2
    assert state(result(good)) == before


def sleeping(project) -> None:
    write_notebook(
        project,
        GOOD,
        "import pathlib, time\npathlib.Path(p_marker).touch()\ntime.sleep(600)".replace(
            "p_marker", repr(str(project / "started"))
        ),
    )


def start(project, *arguments: str) -> subprocess.Popen:
    process = subprocess.Popen(
        **command(project, *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    wait_until((project / "started").exists, "the notebook to start")
    return process


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_keeps_the_last_good_result_and_leaves_no_kernel(good, how):
    before = state(result(good))
    sleeping(good)
    process = start(good, "tokenomics", "run", NOTEBOOK)
    process.send_signal(how)
    assert process.wait(PATIENCE_S) != 0
    wait_until(lambda: not kernels(good), "the kernel to end")
    assert state(result(good)) == before
    write_notebook(good, GOOD)
    assert run(good).returncode == 0


def test_two_runs_at_once_the_second_says_so(good):
    sleeping(good)
    process = start(good, "tokenomics", "run", NOTEBOOK)
    second = run(good)
    assert second.returncode == 2 and "another run" in second.stderr
    process.send_signal(signal.SIGINT)
    process.wait(PATIENCE_S)


def test_run_killed_between_two_renames_is_mended_by_the_next(good):
    before = state(result(good))
    result(good).rename(result(good).with_name(f".{NOTEBOOK}.old"))
    write_notebook(good, 'raise ValueError("again")')
    assert run(good).returncode == 2
    assert state(result(good)) == before


def test_a_kernel_that_does_not_start_is_tried_once_more(monkeypatch):
    import papermill

    from tokenomics.errors import RunError
    from tokenomics.pipeline import run as runner

    tried = []

    def start(*arguments, **options):
        tried.append(arguments)
        if len(tried) < needed:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return "executed"

    monkeypatch.setattr(papermill, "execute_notebook", start)
    needed = 2
    assert runner._papermill(Path("a.ipynb"), Path("b.ipynb"), {}) == "executed" and len(tried) == 2
    tried, needed = [], 3
    with pytest.raises(RunError, match="Kernel died before replying"):
        runner._papermill(Path("a.ipynb"), Path("b.ipynb"), {})
    assert len(tried) == 2


@pytest.fixture
def dvc_project(good):
    (good / "dvc.yaml").write_text(
        f"stages:\n  {NOTEBOOK}:\n    cmd: exec tokenomics run {NOTEBOOK}\n    params:\n"
        f"      - params/00_common.yaml:\n      - params/{NOTEBOOK}.yaml:\n"
        f"    deps:\n      - notebooks/{NOTEBOOK}.ipynb\n"
        f"    outs:\n      - results/{NOTEBOOK}:\n          cache: false\n          persist: true\n"
    )
    assert call(good, "dvc", "config", "--local", "core.no_scm", "true").returncode == 0
    done = call(good, "dvc", "repro")
    assert done.returncode == 0, done.stderr
    return good


def test_dvc_reruns_on_a_changed_parameter_only(dvc_project):
    assert "up to date" in call(dvc_project, "dvc", "repro").stdout
    path = dvc_project / "params" / "00_common.yaml"
    path.write_text(path.read_text().replace("seed: ", "seed: 1"))
    assert "Running stage" in call(dvc_project, "dvc", "repro").stdout


def test_dvc_notices_a_stray_file_and_clears_it(dvc_project):
    (result(dvc_project) / "stale.svg").write_text("old")
    assert "Running stage" in call(dvc_project, "dvc", "repro").stdout
    assert not (result(dvc_project) / "stale.svg").exists()


def test_dvc_makes_a_missing_result_folder_again(dvc_project):
    before = state(result(dvc_project))
    subprocess.run(["rm", "-r", dvc_project / "results"], check=True)
    assert call(dvc_project, "dvc", "repro").returncode == 0
    assert state(result(dvc_project)) == before


def test_dvc_failure_keeps_the_last_good_result(dvc_project):
    before = state(result(dvc_project))
    write_notebook(dvc_project, 'raise ValueError("again")')
    assert call(dvc_project, "dvc", "repro").returncode != 0
    assert state(result(dvc_project)) == before


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_killed_dvc_leaves_no_kernel_and_does_not_block_the_next(dvc_project, monkeypatch, shell):
    if not Path(shell).exists():
        pytest.skip(f"no {shell} here")
    monkeypatch.setenv("SHELL", shell)
    before = state(result(dvc_project))
    sleeping(dvc_project)
    process = start(dvc_project, "dvc", "repro")
    process.kill()
    process.wait(PATIENCE_S)
    wait_until(lambda: not kernels(dvc_project), "runner and kernel to end")
    assert state(result(dvc_project)) == before
    write_notebook(dvc_project, GOOD)
    done = call(dvc_project, "dvc", "repro")
    assert done.returncode == 0, done.stderr


def test_reproduce_reports_a_result_that_was_changed_by_hand(dvc_project):
    done = call(dvc_project, "tokenomics", "reproduce")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answer" in done.stdout and "as committed" in done.stdout
    path = result(dvc_project) / "metrics.json"
    path.write_text(path.read_text().replace("10.5", "11.5"))
    done = call(dvc_project, "tokenomics", "reproduce")
    assert done.returncode == 1 and "metrics.json: bytes differ" in done.stdout
    write_notebook(dvc_project, GOOD, "raise ValueError('spoiled')")
    done = call(dvc_project, "tokenomics", "reproduce")
    assert done.returncode == 1 and f"{NOTEBOOK}: its stage failed" in done.stdout and "spoiled" in done.stdout


def git(*arguments: str, folder: Path) -> None:
    names = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True)


def test_reproduce_reruns_everything_in_a_fresh_clone(dvc_project, tmp_path):
    """There `dvc repro` finds every committed result up to date and would reproduce nothing."""
    (dvc_project / ".dvc" / "config.local").unlink()
    (dvc_project / ".gitignore").write_text(".*.lock\n")
    git("init", "-q", folder=dvc_project)
    git("add", "-A", folder=dvc_project)
    git("commit", "-q", "-m", "Add all", folder=dvc_project)
    clone = tmp_path / "a fresh clone"
    git("clone", "-q", str(dvc_project), str(clone), folder=tmp_path)
    assert "up to date" in call(clone, "dvc", "repro").stdout
    done = call(clone, "tokenomics", "reproduce")
    assert done.returncode == 0 and f"{NOTEBOOK}: done (1 of 1" in done.stdout, done.stdout + done.stderr
    assert state(result(clone)) == state(result(dvc_project))


def test_reproduce_checks_frozen_stages_by_hash(dvc_project):
    made = dvc_project / "made.txt"
    text = (dvc_project / "dvc.yaml").read_text()
    stage = (
        "  table:\n    cmd: echo 1 > made.txt\n    deps:\n      - params/00_common.yaml\n"
        "    outs:\n      - made.txt:\n          cache: false\n"
    )
    (dvc_project / "dvc.yaml").write_text(text + stage)
    assert call(dvc_project, "dvc", "repro", "table").returncode == 0
    (dvc_project / "dvc.yaml").write_text(text + stage.replace("    cmd:", "    frozen: true\n    cmd:"))
    done = call(dvc_project, "tokenomics", "reproduce")
    assert done.returncode == 0 and "note:" not in done.stdout
    params = dvc_project / "params" / "00_common.yaml"
    params.write_text(params.read_text() + "# changed\n")
    made.write_text("2\n")
    done = call(dvc_project, "tokenomics", "reproduce")
    assert done.returncode == 1 and "table: frozen" in done.stdout
    assert "note: table is frozen, and params/00_common.yaml changed since it ran" in done.stdout
    assert made.read_text() == "2\n", "a frozen stage must not run"


def test_dvc_notices_a_changed_dep_of_a_live_stage(dvc_project):
    write_notebook(dvc_project, GOOD, "print(1)")
    assert NOTEBOOK in call(dvc_project, "dvc", "status").stdout
