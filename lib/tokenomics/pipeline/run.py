"""The one way a notebook is executed.

Parameters and tables are checked before a kernel starts; the run writes to a folder beside its target and takes its
place only on success, so that a failure of any kind leaves the last good result as it was.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from tokenomics import outputs, paths
from tokenomics.errors import RunError
from tokenomics.facts import tables
from tokenomics.notebook import figures, rounding
from tokenomics.notebook.context import OUT_VARIABLE, STRICT_VARIABLE
from tokenomics.parameters import loading
from tokenomics.parameters.types import Common
from tokenomics.pipeline import committed, environment, executed, parent, stages
from tokenomics.sections import registry

KERNEL = "python3"
REASON = 100
"""Characters of somebody else's reason in a message."""
START_FAILURES = ("Kernel died before replying", "Address already in use")


def run(
    notebook: str,
    out: Path | None = None,
    params: Path | None = None,
    overrides: Iterable[str] = (),
    *,
    formats: Iterable[str] = (),
    force: bool = False,
) -> Path:
    """Execute a notebook and swap its output folder in.

    Args:
        notebook: ``NN_name``.
        out: target folder; default ``results/NN_name``, or ``runs/NN_name`` when anything is overridden.
        params: folder of parameter files instead of ``params/``.
        overrides: ``name=value`` texts.
        formats: of figures (``svg``, ``pdf``) and tables (``tex``) beside PNG and CSV; not in ``results/``.
        force: replace whatever the target folder holds.

    Returns:
        The folder that now holds ``notebook.ipynb``, ``metrics.json``, ``figures/`` and ``tables/``.

    Raises:
        DataError: a parameter, a table or the target is not allowed (see :func:`tokenomics.outputs.check_folder`);
            nothing was started.
        RunError: the notebook failed; the last good result is untouched and the failed copy kept aside. Or there is no
            checkout.
    """
    paths.need_checkout(f"run {notebook}")
    overrides, formats = list(overrides), figures.check_formats(formats)
    declared = registry.declared(notebook)
    check_notebook(paths.NOTEBOOKS / f"{notebook}.ipynb")
    check_tables(notebook)
    parameters = loading.load(declared, params, overrides)
    overridden = bool(overrides or params or formats)
    out = out or (paths.RUNS if overridden else paths.RESULTS) / notebook
    target = Path(os.path.realpath(out))  # a link that leads to itself is refused with the other links
    strict = target.is_relative_to(paths.RESULTS)
    if overridden and strict:
        raise RunError(
            f"{paths.shown(out)}: results/ holds committed parameters and formats only; choose another --out"
        )
    parent.end_with_parent()
    own, known = paths.RESULTS / notebook, {}
    if target == own.resolve():
        committed.keep(notebook)
        known = committed.hashes(notebook)
    with outputs.folder(out, force=force, known=known, own=own, failed=paths.FAILED / notebook) as fresh:
        complaints = _execute(notebook, parameters, fresh, formats, strict=strict)
    if complaints:
        lines = [f"{len(complaints)} warnings, listed at the end of the notebook and in metrics.json:", *complaints]
        print("\n  ".join(lines), file=sys.stderr)
    return out


def changed(parameters: Common) -> list[str]:
    """Names of the parameters whose values are not those of ``params/``."""
    usual = loading.load(type(parameters))
    return [key for key in type(parameters).model_fields if getattr(parameters, key) != getattr(usual, key)]


def check_notebook(path: Path) -> None:
    """Read a notebook before a kernel starts.

    Raises:
        RunError: no file, a truncated one, or one that is no notebook.
    """
    import nbformat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", nbformat.warnings.DuplicateCellId)
            nbformat.validate(nbformat.read(path, as_version=nbformat.current_nbformat))
    except OSError as error:
        raise RunError(f"{paths.shown(path)}: {error.strerror}") from None
    except (
        nbformat.ValidationError,
        Warning,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:
        reason = str(error).partition("\n")[0][:REASON]
        raise RunError(f"{paths.shown(path)}: no notebook that can be read ({reason})") from None


def check_tables(notebook: str) -> None:
    """Read every table that the notebook's stage depends on, so that a broken row is found before a kernel starts.

    Raises:
        DataError: the first value that breaks its column's description.
    """
    if notebook in stages.stages():
        for table in stages.declared_tables(notebook):
            tables.read(table)


def _execute(notebook: str, parameters: Common, out: Path, formats: Iterable[str], *, strict: bool) -> list[str]:
    told = {OUT_VARIABLE: str(out), figures.FORMATS_VARIABLE: ",".join(formats), STRICT_VARIABLE: "1" if strict else ""}
    environment.apply(told)
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
    complaints = [*record.get("warnings", []), *leaks]
    if complaints:
        record["warnings"] = complaints
    record["parameters"] = parameters.model_dump(mode="json")
    record["environment"] = environment.signature()
    rounding.write_json(record, out / "metrics.json")
    return complaints


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

    bar = {"desc": source.stem, "unit": "cell", "mininterval": 1.0, "ncols": 80}
    for attempt in (1, 2):
        try:
            return papermill.execute_notebook(
                source,
                target,
                values,
                kernel_name=KERNEL,
                cwd=paths.NOTEBOOKS,
                progress_bar=bar if sys.stderr.isatty() else False,  # writing to a closed pipe, tqdm never ends
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
def _signals_raise() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that the kernel is shut down and the folder cleared on the way out."""

    def stop(number: int, _frame: object) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
