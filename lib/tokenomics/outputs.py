"""Files and folders that this program writes for a user.

Only what the program made itself, and nobody changed since, is replaced; an output is built beside its place and takes
it whole, so that it is never half there. What was made is recorded with SHA-256: of a folder in the folder, of files in
the folder that holds them.
"""

import contextlib
import ctypes
import errno
import hashlib
import itertools
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from tokenomics import paths
from tokenomics.errors import DataError, RunError

FOLDER_RECORD, FILE_RECORD = ".tokenomics-folder", ".tokenomics-files"
"""Names of the records: of a whole folder, and of single files beside them."""
Hashes = Mapping[str, set[str]]
"""Relative path to every hash under which a file counts as made here; see :func:`hashes_of`."""
NO_REPLACE, EXCHANGE, WORKING_FOLDER = 1, 2, -100
"""Flags of Linux' ``renameat2``, and its sign for the working directory."""


@contextlib.contextmanager
def folder(
    out: Path,
    option: str = "--out",
    *,
    force: bool = False,
    known: Hashes | None = None,
    own: Path | None = None,
    failed: Path | None = None,
) -> Iterator[Path]:
    """Yield an empty folder to fill, which takes the place of ``out`` when the block ends well.

    Args:
        out: the folder to make or replace; folders above it are made.
        option: how the user named it, for errors.
        force: replace whatever the folder holds.
        known: further hashes of files that may be replaced, such as committed ones.
        own: the one place in ``results/`` that this output may take.
        failed: where what there is is kept if the block raises, or under that name with a number if it is taken.

    Raises:
        DataError: see :func:`check_folder`; also if something was put into ``out`` meanwhile.
        RunError: another process is writing ``out``.
        OSError: the system refuses (full, read-only); ``out`` is as it was.
    """
    out = check_folder(out, option, force=force, known=known, own=own)
    with _named(out), _building(out, known) as fresh:
        fresh.mkdir()
        try:
            yield fresh
            (fresh / FOLDER_RECORD).write_text(sums(fresh), encoding="utf-8")
            _place(fresh, out, lambda place: None if force else _foreign(place, known), option)
        except BaseException:
            if failed is not None:
                _keep(fresh, failed)
            raise


@contextlib.contextmanager
def file(path: Path, option: str = "--out", *, force: bool = False) -> Iterator[Path]:
    """Yield a path to write, which takes the place of ``path`` when the block ends well and wrote it.

    Raises:
        DataError: see :func:`check_file`.
        RunError: another process is writing it.
        OSError: the system refuses (full, read-only); ``path`` is as it was.
    """
    path = check_file(path, option, force=force)
    with _named(path), _building(path) as fresh:
        fresh.mkdir()
        made = fresh / path.name
        yield made
        if made.exists():
            before = _recorded(path.parent / FILE_RECORD).get(path.name, set())
            _record_file(path, made, fresh)
            changed = (path, "a file changed while it was made anew")
            _place(made, path, lambda place: None if force or _is_known(place, before) else changed, option)


def check_folder(
    out: Path, option: str = "--out", *, force: bool = False, known: Hashes | None = None, own: Path | None = None
) -> Path:
    """``out`` with its links resolved, if it may be made or replaced; arguments as of :func:`folder`.

    Raises:
        DataError: a link, a file, a device; a folder that holds the working directory, the user's home or the project;
            a place in ``results/`` other than ``own``; a file that this program did not make or that was changed since
            (unless ``force``); no folder above that can be written.
    """
    out = _settled(out)
    kind = _kind(out)
    if kind not in ("", "a folder"):
        _refuse(out, option, kind, "a folder, or a new name")
    for held in (Path.cwd(), *_home(), paths.ROOT, paths.RESULTS, paths.DATA, paths.PACKAGE, paths.NOTEBOOKS):
        if held.resolve().is_relative_to(out):
            _refuse(out, option, f"a folder that is or holds {held}", "a folder of its own, also with --force")
    _outside_results(out, option, own)
    above = next(each for each in out.parents if os.path.lexists(each))
    if not above.is_dir() or not os.access(above, os.W_OK):
        _refuse(above, option, "no folder that can be written", "a folder below one that can be written")
    if kind and not force and (found := _foreign(out, known)):
        _refuse(found[0], option, found[1], "a new or empty folder, an output that nobody changed, or --force")
    return out


def check_file(path: Path, option: str = "--out", *, force: bool = False) -> Path:
    """``path`` with its links resolved, if it may be made or replaced.

    Raises:
        DataError: a link, a folder, a device; a place in ``results/``; a file that this program did not make or that
            was changed since (unless ``force``); a folder that is missing or cannot be written.
    """
    path = _settled(path)
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        _refuse(path, option, "no folder that can be written", "a file in a folder that exists and can be written")
    kind = _kind(path)
    if kind not in ("", "a file"):
        _refuse(path, option, kind, "a file in a folder that exists and can be written")
    _outside_results(path, option, None)
    if kind and not force:
        recorded = _recorded(path.parent / FILE_RECORD).get(path.name)
        if not _is_known(path, recorded or set()):
            what = "changed since it was made" if recorded else "not made by this program"
            _refuse(path, option, f"a file {what}", "a new file, an output that nobody changed, or --force")
    return path


def sums(folder: Path) -> str:
    """SHA-256 and relative path of each file in a folder, sorted, as ``sha256sum -c`` reads them; records left out."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    kept = [name for name in names if Path(name).name != FOLDER_RECORD]
    return "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in kept)


def read_sums(path: Path) -> dict[str, set[str]]:
    """What :func:`sums` wrote, by relative path; nothing where there is no such file or it is no such list."""
    try:
        lines = [line.partition("  ") for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError):
        return {}
    found: dict[str, set[str]] = {}
    for digest, _, name in lines:
        found.setdefault(name, set()).add(digest)
    return found


def hashes_of(path: Path) -> set[str]:
    """The SHA-256 of a file, and the name under which git keeps it."""
    content = path.read_bytes()
    blob = b"blob %d\0" % len(content) + content
    return {hashlib.sha256(content).hexdigest(), hashlib.sha1(blob, usedforsecurity=False).hexdigest()}


def _settled(path: Path) -> Path:
    """Absolute and without links above; a link in its last place stays, to be refused."""
    if path.name in ("", ".."):
        return Path(os.path.realpath(path))
    return Path(os.path.realpath(path.parent)) / path.name


def _home() -> list[Path]:
    """The user's home; nothing where the system knows none."""
    with contextlib.suppress(RuntimeError):
        return [Path.home()]
    return []


def _kind(path: Path) -> str:
    """What stands at a path, in words; empty where nothing does."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a file" if stat.S_ISREG(mode) else "a device, pipe or socket"


def _refuse(path: Path, option: str, what: str, allowed: str) -> None:
    raise DataError(paths.shown(path), option, what, allowed)


def _outside_results(path: Path, option: str, own: Path | None) -> None:
    results = paths.RESULTS.resolve()
    if path.is_relative_to(results) and (own is None or path != own.resolve()):
        _refuse(path, option, "a place in results/", "another place: results/ holds each notebook's own")


def _foreign(folder: Path, known: Hashes | None) -> tuple[Path, str] | None:
    """The first entry of a folder, at any depth, that is no unchanged output of this program; and what it is."""
    recorded, known = _recorded(folder / FOLDER_RECORD), known or {}
    for above, folders, files in os.walk(folder, onerror=_raise):
        folders.sort()
        for path in (Path(above, name) for name in sorted([*folders, *files])):
            kind, name = _kind(path), path.relative_to(folder).as_posix()
            if kind == "a folder" or name == FOLDER_RECORD:
                continue
            hashes = recorded.get(name, set()) | known.get(name, set())
            if kind != "a file":
                return path, kind
            if not _is_known(path, hashes):
                return path, "a file changed since it was made" if hashes else "a file not made by this program"
    return None


def _raise(error: OSError) -> None:
    raise error


def _recorded(path: Path) -> dict[str, set[str]]:
    return read_sums(path) if _kind(path) == "a file" else {}


def _is_known(path: Path, hashes: set[str]) -> bool:
    return _kind(path) == "a file" and not hashes.isdisjoint(hashes_of(path))


def _record_file(path: Path, made: Path, aside: Path) -> None:
    """Record ``made`` under the name of ``path``, together with what stands there until it is replaced."""
    import fcntl

    place = path.parent / FILE_RECORD
    opened = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        recorded = _recorded(place)
        before = recorded.get(path.name, set())
        standing = before & hashes_of(path) if before and _kind(path) == "a file" else set()
        recorded[path.name] = standing | {hashlib.sha256(made.read_bytes()).hexdigest()}
        lines = [f"{digest}  {name}\n" for name, digests in sorted(recorded.items()) for digest in sorted(digests)]
        (aside / FILE_RECORD).write_text("".join(lines), encoding="utf-8")
        (aside / FILE_RECORD).replace(place)
    finally:
        os.close(opened)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Give an error of the system that names no file (a full disk), or one hidden beside it, the name of the output."""
    try:
        yield
    except OSError as error:
        hidden = any(
            Path(str(error.filename)).is_relative_to(each) for each in (_work(path), path.parent / FILE_RECORD)
        )
        if error.errno is not None and (hidden or error.filename is None):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


@contextlib.contextmanager
def _building(out: Path, known: Hashes | None = None) -> Iterator[Path]:
    """A name beside ``out`` to build under, while no other process writes ``out``.

    It lies in a hidden folder that holds a lock too; what a killed process left there is cleared or put back.
    """
    work = _work(out)
    with _locked(work, out):
        try:
            _recover(work, out, known)
            try:
                yield work / f"new-{os.getpid()}"
            finally:
                _recover(work, out, known)
        finally:
            (work / "lock").unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # something that cannot be put back or cleared: the error names it
                work.rmdir()


def _work(out: Path) -> Path:
    return out.with_name(f".{out.name}.tokenomics")


def _locked(work: Path, out: Path) -> TextIO:
    """The open lock file of an output; closed, it lets others write the output again."""
    import fcntl

    lock = work / "lock"
    while True:
        work.mkdir(parents=True, exist_ok=True)
        if _kind(work) != "a folder":
            raise RunError(f"{paths.shown(work)}: {_kind(work)}, where {out.name} is to be built; remove it")
        with contextlib.suppress(FileNotFoundError):  # removed by its last holder meanwhile
            file = lock.open("a")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                    return file
            except BlockingIOError:
                file.close()
                raise RunError(f"{paths.shown(out)}: another run is writing it; wait for it or stop it") from None
            file.close()


def _recover(work: Path, out: Path, known: Hashes | None) -> None:
    old = work / "old"
    if os.path.lexists(old) and not os.path.lexists(out):
        old.rename(out)
    for left in [old, *work.glob("new-*")]:
        if (left / FOLDER_RECORD).exists() and (found := _foreign(left, known)):
            raise RunError(f"{paths.shown(found[0])}: {found[1]}, left by a run that was killed; move it elsewhere")
        _remove(left)


def _remove(path: Path) -> None:
    if _kind(path) == "a folder":
        shutil.rmtree(path)
    elif _kind(path):
        path.unlink()


def _place(fresh: Path, out: Path, judge: Callable[[Path], tuple[Path, str] | None], option: str) -> None:
    """Put ``fresh`` in the place of ``out`` in one step, and look once more at what stood there: nobody reaches it now.

    Where the system cannot exchange two names, two renames do it, undone by the next run if killed in between.
    """
    if not os.path.lexists(out):
        if not _renameat2(fresh, out, NO_REPLACE):
            fresh.rename(out)
        return
    exchanged = _renameat2(fresh, out, EXCHANGE)
    aside = fresh
    if not exchanged:
        aside = _work(out) / "old"
        out.rename(aside)
    if found := judge(aside):
        if exchanged:
            _renameat2(fresh, out, EXCHANGE)
        else:
            aside.rename(out)
        place = out / found[0].relative_to(aside) if found[0].is_relative_to(aside) else found[0]
        _refuse(place, option, found[1], "an output that nobody changes while it is made anew")
    if not exchanged:
        fresh.rename(out)
    _remove(aside)


def _renameat2(first: Path, second: Path, flag: int) -> bool:
    """Linux' system call of that name; whether the system has it (and did it)."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    if call(WORKING_FOLDER, os.fsencode(first), WORKING_FOLDER, os.fsencode(second), flag) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(second))


def _keep(fresh: Path, place: Path) -> None:
    """Keep an unfinished folder where nothing takes it for a result, beside earlier ones that somebody changed."""
    if not any(path.is_file() for path in fresh.rglob("*")):
        return
    names = itertools.chain([place], (place.with_name(f"{place.name}-{number}") for number in itertools.count(2)))
    with contextlib.suppress(OSError):
        kept = next(each for each in names if _kind(each) in ("", "a folder") and not _changed(each))
        shutil.rmtree(kept, ignore_errors=True)
        (fresh / FOLDER_RECORD).write_text(sums(fresh), encoding="utf-8")
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(fresh, kept)
        print(f"the unfinished output is kept in {paths.shown(kept)}", file=sys.stderr)


def _changed(folder: Path) -> bool:
    return folder.exists() and _foreign(folder, None) is not None
