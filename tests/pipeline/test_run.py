"""The runner and DVC together: each known pitfall of notebook pipelines shows the right behaviour here.

Every test works in its own copy of one small project that has run once, in a path with a space, without git.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from tokenomics import outputs, paths
from tokenomics.parameters import generation
from tokenomics.pipeline.reproduce import _drop_broken_lock
from tokenomics.sections import registry

NOTEBOOK = "01_ubiquitous_llms"
BIN = Path(sys.executable).parent
BEGIN = f"""from tokenomics.notebook import begin, report
from tokenomics.sections.s{NOTEBOOK}.parameters import Parameters
p = begin(Parameters, globals())"""
GOOD = 'report.metric("answer", p.frontier_rank + 0.5, "1", "an answer")\nprint(p.frontier_rank)\nobject()'
TABLE = "data/catalogue/accelerators"
STAGES = f"""stages:
  {NOTEBOOK}:
    cmd: exec tokenomics run {NOTEBOOK}
    params:
      - params/00_common.yaml:
      - params/{NOTEBOOK}.yaml:
    deps:
      - notebooks/{NOTEBOOK}.ipynb
      - {TABLE}.csv
    outs:
      - results/{NOTEBOOK}:
          cache: false
          persist: true
"""
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
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != outputs.FOLDER_RECORD]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def outdated(root: Path) -> str:
    return call(root, "dvc", "status").stdout


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


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    """A project of one notebook, its data and the library linked, that DVC has run once."""
    root = tmp_path_factory.mktemp("prepared") / "a project"
    (root / "notebooks").mkdir(parents=True)
    for name in ("params", "requirements", ".dvc"):
        shutil.copytree(paths.ROOT / name, root / name, ignore=shutil.ignore_patterns("tmp", "cache", "config.local"))
    for name in ("data", "lib"):
        (root / name).symlink_to(paths.ROOT / name)
    shutil.copy(paths.ROOT / ".dvcignore", root)
    (root / "dvc.yaml").write_text(STAGES)
    (root / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n")
    write_notebook(root, GOOD)
    done = call(root, "dvc", "repro")
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def good(prepared, tmp_path) -> Path:
    root = tmp_path / "a project"
    shutil.copytree(prepared, root, symlinks=True)
    return root


def test_success_leaves_a_filled_stable_notebook_and_nothing_else(good):
    executed = nbformat.read(result(good) / "notebook.ipynb", as_version=4)
    assert executed.cells[-1].source == "It is 3.5."
    assert any(cell.get("id") == "injected-parameters" for cell in executed.cells)
    first = state(result(good))
    assert run(good).returncode == 0
    assert state(result(good)) == first
    assert sorted(first) == ["metrics.json", "notebook.ipynb"]
    assert [p.name for p in (good / "results").iterdir()] == [NOTEBOOK]
    assert str(good.parent.parent).encode() not in b"".join(first.values())


def test_bad_parameter_stops_before_a_kernel(good):
    """Every other kind of bad parameter is refused by the same call (``tests/parameters/test_loading.py``)."""
    before = state(result(good))
    write_notebook(good, "open('started', 'w')")
    path = good / "params" / f"{NOTEBOOK}.yaml"
    path.write_text(path.read_text().replace("frontier_rank: 3", "frontier_rnak: 3"))
    done = run(good)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1 and "frontier_rnak" in done.stderr and "allowed" in done.stderr
    assert not (good / "notebooks" / "started").exists() and state(result(good)) == before


def test_broken_table_stops_before_a_kernel(good):
    before = state(result(good))
    (good / "data").unlink()
    (good / TABLE).parent.mkdir(parents=True)
    for name in ("data/sources.csv", f"{TABLE}.meta.yaml"):
        (good / name).symlink_to(paths.ROOT / name)
    lines = (paths.ROOT / f"{TABLE}.csv").read_text().splitlines()
    (good / f"{TABLE}.csv").write_text("\n".join([*lines, lines[1]]) + "\n")
    done = run(good)
    assert done.returncode == 2 and f"accelerators.csv, line {len(lines) + 1}" in done.stderr
    assert state(result(good)) == before


def test_raising_cell_keeps_the_last_good_result_and_the_failed_copy(good):
    before = state(result(good))
    write_notebook(good, 'raise ValueError("a wrong cell")')
    done = run(good)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 2 and "ValueError: a wrong cell" in done.stderr and "Traceback" not in last
    assert state(result(good)) == before
    assert (good / "results" / "failed" / NOTEBOOK / "notebook.ipynb").exists()


def test_killed_kernel_fails_and_a_result_between_two_renames_is_put_back(good):
    before = state(result(good))
    work = result(good).with_name(f".{NOTEBOOK}.tokenomics")
    work.mkdir()
    result(good).rename(work / "old")
    write_notebook(good, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    done = run(good)
    assert done.returncode == 2 and "kernel died" in done.stderr
    assert state(result(good)) == before


def test_output_on_stderr_fails_and_keeps_the_last_good_result(good):
    before = state(result(good))
    write_notebook(good, GOOD, "import warnings\nwarnings.warn('careless')")
    done = run(good)
    assert done.returncode == 2 and "careless" in done.stderr and state(result(good)) == before


def test_a_fresh_copy_may_be_run_by_the_name_of_its_folder_and_an_edited_notebook_only_by_force(good):
    """A fresh copy has no record of a run, only git or the hashes of what is committed."""
    before = state(result(good))
    (result(good) / outputs.FOLDER_RECORD).unlink()
    assert run(good, "--out", f"results/{NOTEBOOK}").returncode == 2
    git("init", "-q", folder=good)
    git("add", "-A", folder=good)
    git("commit", "-q", "-m", "Add all", folder=good)
    assert run(good, "--out", f"results/{NOTEBOOK}").returncode == 0
    executed = result(good) / "notebook.ipynb"
    executed.write_text(executed.read_text() + "\n")
    done = run(good)
    assert done.returncode == 2 and f"results/{NOTEBOOK}/notebook.ipynb: --out = a file changed" in done.stderr
    assert run(good, "--force").returncode == 0 and state(result(good)) == before


CAREFUL = """import sys
from tokenomics.notebook import checks, report
report.metric("answer", float("nan") if p.frontier_rank == 7 else 1.0, "1", "an answer")
checks.usual("rank", p.frontier_rank, low=2, high=4)
print("careless", file=sys.stderr) if p.frontier_rank == 7 else None"""


def test_what_ends_a_committed_run_is_a_list_of_warnings_elsewhere(good):
    write_notebook(good, CAREFUL)
    out = good / "äußerst lange Läufe" / ("ein Lauf " * 20).strip()
    done = run(good, "--set", "frontier_rank=7", "--out", str(out))
    assert done.returncode == 0, done.stderr
    record = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    told = (out / "notebook.ipynb").read_text(encoding="utf-8")
    assert len(record["warnings"]) == 3 and "3 warnings" in done.stderr
    for words in (
        "answer (an answer) has no finite value",
        "check 'rank' fails: 7",
        "a cell wrote to stderr: careless",
    ):
        assert any(words in each for each in record["warnings"]) and words in done.stderr and words in told
    assert "Not known here: an answer" in told and "This run has `frontier_rank = 7`" in told
    assert run(good).returncode == 0, "the committed parameters keep the range"
    kept = state(result(good))
    assert b"committed parameters" not in kept["notebook.ipynb"] and b"warnings" not in kept["metrics.json"]
    values = good / "params" / f"{NOTEBOOK}.yaml"
    values.write_text(values.read_text().replace("frontier_rank: 3", "frontier_rank: 7"))
    strict = run(good)
    assert strict.returncode == 2 and "no finite value" in strict.stderr and "--out" in strict.stderr
    assert state(result(good)) == kept


def test_overrides_never_land_in_results(good):
    before = state(result(good))
    done = run(good, "--set", "frontier_rank=4")
    assert done.returncode == 0 and state(result(good)) == before
    record = json.loads((good / "runs" / NOTEBOOK / "metrics.json").read_text())
    assert record["metrics"]["answer"]["value"] == 4.5 and record["parameters"]["frontier_rank"] == 4
    assert run(good, "--set", "frontier_rank=4", "--out", str(result(good))).returncode == 2
    assert state(result(good)) == before


def start_sleeping(root: Path, *arguments: str) -> subprocess.Popen:
    """A command under way whose notebook has begun and never ends by itself."""
    marker = root / "started"
    marker.unlink(missing_ok=True)
    write_notebook(root, GOOD, f"import pathlib, time\npathlib.Path({str(marker)!r}).touch()\ntime.sleep(600)")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(**command(root, *arguments), **quiet, start_new_session=True)
    wait_until(marker.exists, "the notebook to start")
    return process


def test_a_second_run_is_refused_and_an_interrupted_one_leaves_no_kernel_and_the_last_good_result(good):
    before = state(result(good))
    for how in (signal.SIGINT, signal.SIGTERM):
        process = start_sleeping(good, "tokenomics", "run", NOTEBOOK)
        if how == signal.SIGINT:
            second = run(good)
            assert second.returncode == 2 and "another run" in second.stderr
        process.send_signal(how)
        assert process.wait(PATIENCE_S) != 0
        wait_until(lambda: not kernels(good), "the kernel to end")
        assert state(result(good)) == before
    write_notebook(good, GOOD)
    assert run(good).returncode == 0


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


def test_dvc_notices_a_changed_parameter_a_changed_notebook_and_a_stray_file_which_nothing_deletes(good):
    before, lock = state(result(good)), (good / "dvc.lock").read_bytes()
    assert "up to date" in outdated(good)
    for name, old, new in (
        ("params/00_common.yaml", "seed: ", "seed: 1"),
        (f"notebooks/{NOTEBOOK}.ipynb", "object()", "print(1)"),
    ):
        text = (good / name).read_text()
        assert old in text
        (good / name).write_text(text.replace(old, new))
        assert NOTEBOOK in outdated(good)
        (good / name).write_text(text)
    (result(good) / "drawn").mkdir()
    stray = result(good) / "drawn" / "by_hand.svg"
    stray.write_text("mine")
    refused = call(good, "dvc", "repro")
    assert "Running stage" in refused.stdout and refused.returncode, refused.stdout
    assert f"results/{NOTEBOOK}/drawn/by_hand.svg: --out = a file not made by this program" in refused.stderr
    assert stray.read_text() == "mine"
    stray.unlink()
    assert call(good, "dvc", "repro").returncode == 0
    assert state(result(good)) == before and (good / "dvc.lock").read_bytes() == lock


def test_dvc_makes_a_missing_result_folder_again(good):
    before = state(result(good))
    shutil.rmtree(good / "results")
    assert call(good, "dvc", "repro").returncode == 0
    assert state(result(good)) == before


def test_killed_dvc_leaves_no_kernel_and_does_not_block_the_next(good, monkeypatch):
    before = state(result(good))
    for shell in filter(os.path.exists, ("/bin/sh", "/bin/bash")):
        monkeypatch.setenv("SHELL", shell)
        process = start_sleeping(good, "dvc", "repro")
        process.kill()
        process.wait(PATIENCE_S)
        wait_until(lambda: not kernels(good), "runner and kernel to end")
        assert state(result(good)) == before
    write_notebook(good, GOOD, "1 + 1")
    done = call(good, "dvc", "repro")
    assert done.returncode == 0, done.stderr


def test_killed_reproduce_leaves_no_process_and_does_not_block_the_next(good):
    before = state(result(good))
    process = start_sleeping(good, "tokenomics", "reproduce")
    process.kill()
    process.wait(PATIENCE_S)
    wait_until(lambda: not kernels(good), "dvc, runner and kernel to end")
    assert state(result(good)) == before
    write_notebook(good, GOOD, "1 + 1")
    _drop_broken_lock(good / ".dvc" / "tmp" / "rwlock")  # as the next reproduce does
    assert call(good, "dvc", "repro").returncode == 0


def test_a_list_of_locks_that_a_kill_cut_off_is_dropped(tmp_path):
    lock = tmp_path / "rwlock"
    _drop_broken_lock(lock)
    for text, kept in (("{}", True), ('{"a": ', False), ("", False)):
        lock.write_text(text)
        _drop_broken_lock(lock)
        assert lock.exists() == kept


def test_a_reader_that_has_gone_does_not_hold_up_a_run(good):
    """As in `make run | head -1`: what would be printed is lost, the result is not."""
    read, write = os.pipe()
    os.close(read)
    arguments = command(good, "tokenomics", "run", NOTEBOOK, "--out", "runs/x")
    process = subprocess.Popen(**arguments, stdout=write, stderr=write)
    os.close(write)
    process.wait(PATIENCE_S)
    assert (good / "runs" / "x" / "metrics.json").exists()


def git(*arguments: str, folder: Path) -> None:
    names = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def clone(good, tmp_path) -> Path:
    """A fresh clone of the project, with a frozen stage beside its notebook; DVC finds all of it up to date."""
    (good / ".dvc" / "config.local").unlink()
    (good / ".gitignore").write_text(".*.lock\n")
    stage = (
        "  table:\n    cmd: echo 1 > made.txt\n    deps:\n      - params/00_common.yaml\n"
        "    outs:\n      - made.txt:\n          cache: false\n"
    )
    git("init", "-q", folder=good)
    (good / "dvc.yaml").write_text(STAGES + stage)
    assert call(good, "dvc", "repro", "table").returncode == 0
    (good / "dvc.yaml").write_text(STAGES + stage.replace("    cmd:", "    frozen: true\n    cmd:"))
    git("add", "-A", "-f", "made.txt", ".", folder=good)
    git("commit", "-q", "-m", "Add all", folder=good)
    git("clone", "-q", str(good), str(tmp_path / "a fresh clone"), folder=tmp_path)
    return tmp_path / "a fresh clone"


def reproduce(root: Path) -> subprocess.CompletedProcess:
    return call(root, "tokenomics", "reproduce")


def set_rank(root: Path, old: int, new: int) -> None:
    path = root / "params" / f"{NOTEBOOK}.yaml"
    text = path.read_text()
    assert f"frontier_rank: {old}" in text
    path.write_text(text.replace(f"frontier_rank: {old}", f"frontier_rank: {new}"))


CHANGED = f"results/{NOTEBOOK}/metrics.json: metrics.answer.value: 3.5 became 10.5 (+2)"


def test_reproduce_reruns_all_in_a_fresh_clone_and_reports_what_differs(clone):
    """There `dvc repro` finds every committed result up to date and would reproduce nothing."""
    before = state(result(clone))
    assert "up to date" in call(clone, "dvc", "repro").stdout
    done = reproduce(clone)
    assert done.returncode == 0 and f"{NOTEBOOK}: done (1 of 1" in done.stdout, done.stdout + done.stderr
    assert "answer" in done.stdout and "as committed (compared with commit" in done.stdout
    assert "note:" not in done.stdout and state(result(clone)) == before

    metrics, made, params = result(clone) / "metrics.json", clone / "made.txt", clone / "params" / "00_common.yaml"
    metrics.write_text(metrics.read_text().replace("3.5", "10.5"))
    made.write_text("2\n")
    params.write_text(params.read_text() + "# changed\n")
    done = reproduce(clone)
    assert done.returncode == 1 and CHANGED in done.stdout
    assert f"results/{NOTEBOOK}/metrics.json: --out = a file changed since it was made" in done.stdout
    assert "table: frozen" in done.stdout and "note: not as committed: params/00_common.yaml" in done.stdout
    assert "note: table is frozen, and params/00_common.yaml changed since it ran" in done.stdout
    assert made.read_text() == "2\n", "a frozen stage must not run"
    assert "10.5" in metrics.read_text(), "what a user changed stays"

    git("checkout", "-q", "results", folder=clone)
    write_notebook(clone, GOOD, "raise ValueError('spoiled')")
    done = reproduce(clone)
    assert done.returncode == 1 and f"{NOTEBOOK}: its stage failed" in done.stdout and "spoiled" in done.stdout
    assert state(result(clone)) == before


def test_a_changed_parameter_is_told_each_time_until_it_is_committed(clone):
    set_rank(clone, 3, 10)
    for _ in range(2):
        done = reproduce(clone)
        assert done.returncode == 1 and CHANGED in done.stdout, done.stdout + done.stderr
        assert "notebook.ipynb: cells" in done.stdout and "10.5" in done.stdout
        assert f"note: not as committed: params/{NOTEBOOK}.yaml" in done.stdout
    git("commit", "-q", "-a", "-m", "Change the rank", folder=clone)
    assert reproduce(clone).returncode == 0


def test_without_git_results_are_compared_with_the_hashes_that_come_with_the_project(good):
    lines = [line.split("  ") for line in outputs.sums(result(good)).splitlines()]
    listed = "".join(f"{digest}  {NOTEBOOK}/{name}\n" for digest, name in lines)
    (good / "results" / "SHA256SUMS").write_text(listed)
    (result(good) / outputs.FOLDER_RECORD).unlink()  # as an unpacked archive is
    set_rank(good, 3, 10)
    assert call(good, "dvc", "repro").returncode == 0
    for _ in range(2):
        done = reproduce(good)
        assert done.returncode == 1 and CHANGED in done.stdout, done.stdout + done.stderr
        assert "compared with results/SHA256SUMS" in done.stdout
    shutil.rmtree(good / ".cache" / "committed")
    assert "metrics.json: bytes differ (the committed numbers are no longer here" in reproduce(good).stdout
    set_rank(good, 10, 3)
    assert reproduce(good).returncode == 0
