"""Where things live. The only module that knows folder names."""

import os
from pathlib import Path

from tokenomics.errors import RunError

PACKAGE = Path(__file__).resolve().parent


def _is_checkout(folder: Path) -> bool:
    return (folder / "dvc.yaml").is_file() and (folder / "notebooks").is_dir()


def _find_root() -> Path:
    """The checkout that holds this library (editable install), or the nearest one above the working directory; without
    one, the installed package itself, which then holds the tables."""
    named = os.environ.get("TOKENOMICS_ROOT")
    starts = [Path(named)] if named else [PACKAGE, Path.cwd()]
    for start in starts:
        for folder in (start, *start.parents):
            if _is_checkout(folder):
                return folder
    if not named and (PACKAGE / "data").is_dir():
        return PACKAGE
    raise RunError(f"no project folder (dvc.yaml beside notebooks/) found above {starts[-1]}; set TOKENOMICS_ROOT")


ROOT = _find_root()
DATA = ROOT / "data"
NOTEBOOKS = ROOT / "notebooks"
PARAMS = ROOT / "params"
RESULTS = ROOT / "results"
FAILED = RESULTS / "failed"
RUNS = ROOT / "runs"
SCRATCH = ROOT / "scratch"
IPYTHON = ROOT / ".cache" / "ipython"
DVC_FILE = ROOT / "dvc.yaml"
LOCK_FILE = ROOT / "requirements" / "full.lock"


def need_checkout(what: str) -> None:
    """Refuse what needs notebooks, parameters and pipeline, which an installed package does not hold.

    Args:
        what: what was asked for, named in the error.

    Raises:
        RunError: there is no checkout.
    """
    if not _is_checkout(ROOT):
        raise RunError(f"{what}: needs a checkout of the project; run it inside one, or set TOKENOMICS_ROOT to it")


def shown(path: Path | str) -> str:
    """``path`` relative to the project where it lies inside, so that messages and files name no machine."""
    path = Path(path)
    return path.relative_to(ROOT).as_posix() if path.is_absolute() and path.is_relative_to(ROOT) else str(path)
