"""The one way a notebook is executed.

Parameters and tables are checked before a kernel starts; the run writes to a folder beside its target and takes its
place only on success, so that a failure of any kind leaves the last good result as it was.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.errors import DataError, RunError
from tokenomics.facts import tables
from tokenomics.notebook import rounding
from tokenomics.notebook.context import OUT_VARIABLE, STRICT_VARIABLE
from tokenomics.parameters import loading
from tokenomics.parameters.types import Common
from tokenomics.pipeline import environment, executed, stages
from tokenomics.sections import registry

KERNEL = "python3"
START_FAILURES = ("Kernel died before replying", "Address already in use")
OF_A_RUN = {"notebook.ipynb", "metrics.json", "figures", "tables"}
"""All that a run leaves in its folder."""


def run(notebook: str, out: Path | None = None, params: Path | None = None, overrides: Iterable[str] = ()) -> Path:
    """Execute a notebook and swap its output folder in.

    Args:
        notebook: ``NN_name``.
        out: target folder; default ``results/NN_name``, or ``runs/NN_name`` when anything is overridden.
        params: folder of parameter files instead of ``params/``.
        overrides: ``name=value`` texts.

    Returns:
        The folder that now holds ``notebook.ipynb``, ``metrics.json``, ``figures/`` and ``tables/``.

    Raises:
        DataError: a parameter or a table is not allowed; nothing was started.
        RunError: the notebook failed; the last good result is untouched and the failed copy kept aside. Or there is no
            checkout.
    """
    paths.need_checkout(f"run {notebook}")
    overrides = list(overrides)
    declared = registry.declared(notebook)
    check_tables(notebook)
    parameters = loading.load(declared, params, overrides)
    overridden = bool(overrides or params)
    out = out or (paths.RUNS if overridden else paths.RESULTS) / notebook
    if overridden and out.resolve().is_relative_to(paths.RESULTS):
        raise RunError(
            f"{paths.shown(out)}: results/ holds runs of the committed parameters only; choose another --out"
        )
    end_with_parent()
    strict = out.resolve().is_relative_to(paths.RESULTS)
    with _alone(out), _building(out) as fresh:
        try:
            warnings = _execute(notebook, parameters, fresh, strict=strict)
        except BaseException:
            _keep_failed(fresh, notebook)
            raise
        _swap(fresh, out)
    if warnings:
        lines = [f"{len(warnings)} warnings, listed at the end of the notebook and in metrics.json:", *warnings]
        print("\n  ".join(lines), file=sys.stderr)
    return out


def changed(parameters: Common) -> list[str]:
    """Names of the parameters whose values are not those of ``params/``."""
    committed = loading.load(type(parameters))
    return [key for key in type(parameters).model_fields if getattr(parameters, key) != getattr(committed, key)]


def check_out(out: Path) -> None:
    """Refuse an output folder whose replacement would delete what no run made, or that cannot be made.

    Raises:
        DataError: a file, a folder that holds other things, or a place that cannot be written.
    """
    held = {each.name for each in out.iterdir()} if out.is_dir() else set()
    if (out.exists() and not out.is_dir()) or held - OF_A_RUN:
        odd = f" (holds {min(held - OF_A_RUN)})" if held else ""
        raise DataError("run", "--out", f"{paths.shown(out)}{odd}", "a new or empty folder, or one that a run made")
    above = next(each for each in out.absolute().parents if each.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise DataError("run", "--out", paths.shown(out), "a folder below one that can be written")


def check_tables(notebook: str) -> None:
    """Read every table that the notebook's stage depends on, so that a broken row is found before a kernel starts.

    Raises:
        DataError: the first value that breaks its column's description.
    """
    if notebook in stages.stages():
        for table in stages.declared_tables(notebook):
            tables.read(table)


def _execute(notebook: str, parameters: Common, out: Path, *, strict: bool) -> list[str]:
    environment.apply({OUT_VARIABLE: str(out), STRICT_VARIABLE: "1" if strict else ""})
    source = paths.NOTEBOOKS / f"{notebook}.ipynb"
    target = out / "notebook.ipynb"
    with _signals_raise():
        result = _apart(lambda: _papermill(source, target, parameters.model_dump()))
    record = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    leaks = executed.finish(result, record, parameters.model_dump(), notebook, changed(parameters))
    if leaks and strict:
        raise RunError(leaks[0])
    import nbformat

    target.write_text(nbformat.writes(result) + "\n", encoding="utf-8")
    warnings = [*record.get("warnings", []), *leaks]
    if warnings:
        record["warnings"] = warnings
    record["parameters"] = parameters.model_dump(mode="json")
    record["environment"] = environment.signature()
    rounding.write_json(record, out / "metrics.json")
    return warnings


def _apart(work: Callable[[], Any]) -> Any:
    """Do ``work`` in a thread, so that signals reach this one: on any of them the kernels are killed until it ends.

    In the main thread nbclient takes SIGINT and SIGTERM for itself, and may then wait for a kernel that it has ended.
    """
    import psutil

    done: Future[Any] = Future()

    def fill() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        return done.result()
    except KeyboardInterrupt:
        while thread.is_alive():
            for kernel in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    kernel.kill()
            thread.join(0.1)
        raise


def _papermill(source: Path, target: Path, values: dict[str, Any]) -> Any:
    sys.modules.setdefault("rfc3987_syntax", None)  # its grammar costs 1.4 s at import and only checks IRIs
    import papermill
    from nbclient.exceptions import DeadKernelError

    for attempt in (1, 2):
        try:
            return papermill.execute_notebook(
                source,
                target,
                values,
                kernel_name=KERNEL,
                cwd=paths.NOTEBOOKS,
                progress_bar={"desc": source.stem, "unit": "cell", "mininterval": 1.0, "ncols": 80},
                raise_on_iopub_timeout=True,
            )
        except papermill.PapermillExecutionError as error:
            raise RunError(f"{source.stem}: cell {error.exec_count} raised {error.ename}: {error.evalue}") from None
        except DeadKernelError:
            raise RunError(f"{source.stem}: the kernel died (killed, or out of memory)") from None
        except (RuntimeError, OSError) as error:
            if attempt == 2 or not any(text in str(error) for text in START_FAILURES):
                raise RunError(f"{source.stem}: {error}") from None
    raise AssertionError("unreachable")


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the target's lock file: a second run of the same target stops at once with one line."""
    import fcntl

    out.parent.mkdir(parents=True, exist_ok=True)
    lock = out.with_name(f".{out.name}.lock")
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{paths.shown(out)}: another run is writing it; wait for it or stop it") from None
        yield


@contextlib.contextmanager
def _building(out: Path) -> Iterator[Path]:
    """A fresh folder beside the target; what an earlier run that was killed left there is cleared or put back."""
    fresh, old = out.with_name(f".{out.name}.new"), out.with_name(f".{out.name}.old")
    if old.exists() and not out.exists():
        old.rename(out)
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, out: Path) -> None:
    """Put ``fresh`` in the place of ``out``: two renames, undone by the next run if killed in between."""
    old = out.with_name(f".{out.name}.old")
    if out.exists():
        out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _keep_failed(fresh: Path, notebook: str) -> None:
    """Keep the unfinished copy where nothing takes it for a result."""
    if not (fresh / "notebook.ipynb").exists():
        return
    kept = paths.FAILED / notebook
    shutil.rmtree(kept, ignore_errors=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(fresh, kept)
    print(f"the unfinished notebook is kept in {paths.shown(kept)}", file=sys.stderr)


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that the kernel is shut down and the folder cleared on the way out."""

    def stop(number: int, _frame: object) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def end_with_parent() -> None:
    """On Linux, ask for SIGTERM when the process that started this one (dvc, make) is killed: no orphaned kernels."""
    if sys.platform != "linux":
        return
    import ctypes

    pr_set_pdeathsig = 1
    parent = os.getppid()
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    if os.getppid() != parent:
        raise KeyboardInterrupt("the parent process ended")
