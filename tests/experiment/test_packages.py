"""The order in which a CPU build of torch is looked for, without fetching anything; refusals."""

import importlib.util

import pytest

from tokenomics.errors import DataError, RunError
from tokenomics.experiment import packages


@pytest.fixture
def bare(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else real(name))


def test_what_is_there_stays(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    ran = []
    assert packages.install(lambda a: ran.append(a) or True, lambda r: [])[0] == "torch: already there"
    assert not any("torch" in part for arguments in ran for part in arguments)


def test_uv_comes_before_pip(bare):
    ran = []
    assert "by uv" in packages.install(lambda a: ran.append(a) or True, lambda r: [])[0]
    assert ran[0][:3] == ["uv", "pip", "install"] and "cpu" in ran[0]


def test_a_cuda_build_never_comes_unasked(bare):
    ran = []

    def run(arguments):
        ran.append(arguments)
        return arguments[0] != "uv"

    with pytest.raises(RunError, match="no CPU build of torch"):
        packages.install(run, lambda requirement: ["torch", "nvidia-cublas"])
    assert [arguments[0] for arguments in ran] == ["uv"]


def test_pip_may_bring_the_tested_version(bare):
    brings = {packages.TORCH: ["torch", "triton"], packages.TESTED: ["torch", "sympy"]}
    told = packages.install(lambda arguments: arguments[0] != "uv", brings.__getitem__)
    assert told[0] == f"torch: {packages.TESTED}, by pip"


def test_a_missing_package_names_the_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RunError, match="torch is not installed: make experiment-setup"):
        packages.require()


def test_another_model_file_is_refused(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"not the model")
    with pytest.raises(DataError, match="sha256 = [0-9a-f]{64}; allowed: b179"):
        packages.check(tmp_path / "model.gguf", packages.SHA256[packages.SMOLLM2])
