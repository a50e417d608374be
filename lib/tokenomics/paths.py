"""Where things live. The only module that knows folder names."""

import os
from pathlib import Path

from tokenomics.errors import RunError


def _find_root() -> Path:
    """The checkout that holds this library (editable install), or the nearest one above the working directory."""
    named = os.environ.get("TOKENOMICS_ROOT")
    starts = [Path(named)] if named else [Path(__file__).resolve().parent, Path.cwd()]
    for start in starts:
        for folder in (start, *start.parents):
            if (folder / "dvc.yaml").is_file() and (folder / "notebooks").is_dir():
                return folder
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


def shown(path: Path | str) -> str:
    """``path`` relative to the project where it lies inside, so that messages and files name no machine."""
    path = Path(path)
    return path.relative_to(ROOT).as_posix() if path.is_absolute() and path.is_relative_to(ROOT) else str(path)
