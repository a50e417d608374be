"""What is committed in ``results/``: by git, or in a copy without it by the hashes that come with the project."""

import os
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path

from tokenomics import outputs, paths
from tokenomics.sections import registry

SUMS = paths.RESULTS / "SHA256SUMS"
"""Hashes of all results: ``cd results && sha256sum -c SHA256SUMS``. Written by ``make fix``, never by a run."""
KEPT = paths.ROOT / ".cache" / "committed"
"""Without git: committed results as they were first seen, each file under its hash, to compare numbers with."""

INPUTS = ("params", "notebooks", "data", "lib", "requirements", "dvc.yaml")
"""What results are made from."""


def sums_text() -> str:
    """``results/SHA256SUMS`` as it has to be: every file of each notebook's results."""
    lines = []
    for name in registry.NOTEBOOKS:
        for line in outputs.sums(paths.RESULTS / name).splitlines():
            digest, _, file = line.partition("  ")
            lines.append(f"{digest}  {name}/{file}\n")
    return "".join(lines)


def hashes(notebook: str) -> dict[str, set[str]]:
    """Under which hashes git (its last commit or its index) or :data:`SUMS` has the files of one notebook's results."""
    found, folder = _listed(notebook), f"results/{notebook}/"
    form = "--format=%(objectname) %(path)"
    asked = [("ls-tree", "-r", "-z", form, "HEAD", folder), ("ls-files", "-z", form, folder)] if _head() else []
    for arguments in asked:
        for entry in (_git(*arguments) or b"").decode().split("\0")[:-1]:
            digest, _, path = entry.partition(" ")
            found.setdefault(path.removeprefix(folder), set()).add(digest)
    return found


def restore(notebooks: list[str], folder: Path) -> tuple[str, dict[str, dict[str, str]]]:
    """Write what is committed of each notebook's results to ``folder/NN_name``; the folder is called ``results``.

    Returns:
        What was taken as committed, in words, and by notebook the SHA-256 of each file whose content is no longer here
        (in a copy without git whose results were changed before :func:`keep` saw them).
    """
    if head := _head():
        for name in notebooks:
            if packed := _git("archive", "--format=zip", "HEAD", f"results/{name}"):
                with zipfile.ZipFile(BytesIO(packed)) as archive:
                    archive.extractall(folder.parent)
        return f"commit {head}", {name: {} for name in notebooks}
    gone: dict[str, dict[str, str]] = {name: {} for name in notebooks}
    for name in notebooks:
        for file, digests in _listed(name).items():
            kept, target = _kept(paths.RESULTS / name / file, min(digests)), folder / name / file
            if kept is None:
                gone[name][file] = min(digests)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(kept.read_bytes())
    return paths.shown(SUMS), gone


def keep(notebook: str) -> None:
    """Without git, put the committed results aside before a run replaces them (see :data:`KEPT`)."""
    if not _head():
        for file, digests in _listed(notebook).items():
            _kept(paths.RESULTS / notebook / file, min(digests))


def changed_inputs() -> list[str]:
    """Files that results are made from and that differ from the commit; none where there is no git."""
    listed = _git("status", "--porcelain", "-z", "--no-renames", "--", *INPUTS) if _head() else None
    return [entry[3:] for entry in (listed or b"").decode().split("\0")[:-1]]


def _listed(notebook: str) -> dict[str, set[str]]:
    listed, start = outputs.read_sums(SUMS), f"{notebook}/"
    return {name.removeprefix(start): digests for name, digests in listed.items() if name.startswith(start)}


def _kept(result: Path, digest: str) -> Path | None:
    """A file with the committed content: the result itself, which is then kept for later, or what was kept of it."""
    kept = KEPT / digest
    if not kept.exists() and result.is_file() and digest in outputs.hashes_of(result):
        KEPT.mkdir(parents=True, exist_ok=True)
        draft = kept.with_name(f"{digest}.{os.getpid()}")
        draft.write_bytes(result.read_bytes())
        draft.replace(kept)
    return kept if kept.exists() else None


def _head() -> str:
    """The short name of the commit that is checked out; empty without git, its folder or a commit."""
    return (_git("rev-parse", "--short", "HEAD") or b"").decode().strip() if (paths.ROOT / ".git").exists() else ""


def _git(*arguments: str) -> bytes | None:
    """What git prints in the project, or ``None`` where there is no git or it refuses."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=paths.ROOT, env=environment, capture_output=True, check=False, timeout=600
        )
    except OSError:
        return None
    return None if done.returncode else done.stdout
