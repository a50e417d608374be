"""Every notebook runs on other parameters with only what its stage declares; its checks refuse wrong numbers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tokenomics import paths
from tokenomics.notebook.checks import SPOIL_VARIABLE
from tokenomics.pipeline import stages
from tokenomics.sections.registry import NOTEBOOKS

TOKENOMICS = Path(sys.executable).parent / "tokenomics"
OTHER = {
    "01_ubiquitous_llms": ["bootstrap_samples=100", "first_year=2019", "task_answer_words=500"],
    "02_rag_vs_finetuning": ["chunks_read=3", "updates=1", "knowledge_tokens=20000"],
    "03_training_xpus": ["days=14", "lora_rank=8"],
    "04_inference_xpus": ["weight_format=Q4_K_M", "batch=8"],
    "05_tokenomics_qoe": [
        "own_model=Llama-3.1-8B",
        "node_devices=1",
        "requests=1000",
        "slo_tpot_ms=30",
        "peak_replicas=2",
    ],
    "08_validation": ["least_rows=100", "far_factor=3"],
}


def run(notebook: str, out: Path, *options: str, **environment: str) -> dict:
    command = [TOKENOMICS, "run", notebook, "--out", out, *options]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads((out / "metrics.json").read_text(encoding="utf-8"))


def only_declared(notebook: str, root: Path) -> Path:
    """A project that holds the command line and what the notebook's stage declares, nothing else of library or data."""
    parameters = [name for entry in stages.stages()[notebook]["params"] for name in entry]
    for name in ("dvc.yaml", "lib/tokenomics/cli.py", *parameters, *stages.declared_deps(notebook)):
        link = root / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(paths.ROOT / name)
    return root


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_other_parameters_are_recorded_and_every_check_refuses_wrong_numbers(notebook, tmp_path):
    options = [part for pair in OTHER[notebook] for part in ("--set", pair)]
    root = only_declared(notebook, tmp_path / "project")
    environment = {"TOKENOMICS_ROOT": str(root), "PYTHONPATH": str(root / "lib"), SPOIL_VARIABLE: "1"}
    record = run(notebook, tmp_path / "out", *options, **environment)
    committed = json.loads((paths.RESULTS / notebook / "metrics.json").read_text(encoding="utf-8"))
    assert set(record["checks"]) == set(committed["checks"]) and len(record["checks"]) >= 4
    for pair in OTHER[notebook]:
        name, _, value = pair.partition("=")
        assert str(record["parameters"][name]) in (value, f"{value}.0")
        assert record["parameters"][name] != committed["parameters"][name]


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_committed_results_keep_the_contract(notebook):
    folder = paths.RESULTS / notebook
    record = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    for kind in ("figures", "tables"):
        stems = {path.stem for path in (folder / kind).glob("*.csv")}
        assert stems == set(record[kind])
        for stem in stems:
            beside = json.loads((folder / kind / f"{stem}.json").read_text(encoding="utf-8"))
            assert beside["caption"] and beside["units"] and beside["parameters"]
    for name in record["figures"]:
        assert (folder / "figures" / f"{name}.png").stat().st_size <= 150_000
    assert len(record["metrics"]) > 0


def test_committed_results_are_small():
    total = sum(
        path.stat().st_size for path in paths.RESULTS.rglob("*") if path.is_file() and "failed" not in path.parts
    )
    assert total <= 40e6
