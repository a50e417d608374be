"""The wheel works in an empty folder: it carries the tables, is small, and refuses what only a checkout can do."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tokenomics import paths
from tokenomics.facts import tables
from tokenomics.pipeline import wheel

MOST_MB = 2
BENCHMARK = """model,hardware,metric,n_gpu,isl,osl,load,batch,value
Llama-3.1-8B,H100-SXM-80GB,tpot,1,1024,128,closed,16,9
Mixtral-8x7B,MI300X,ttft,1,1024,128,closed,4,300
"""


def call(environment: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "tokenomics", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The wheel, built from a copy so that the checkout stays clean."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(paths.ROOT / name, source)
    for name in ("data", "lib"):
        ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "experiments")
        shutil.copytree(paths.ROOT / name, source / name, ignore=ignore)
    pip("wheel", "--no-build-isolation", "-w", str(out), str(source))
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> dict[str, str]:
    """The environment in which the wheel's package is imported, and no checkout is named."""
    target = tmp_path_factory.mktemp("installed")
    pip("install", "--no-index", "--target", str(target), str(built))
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TOKENOMICS_")}
    return kept | {"PYTHONPATH": str(target)}


def pip(verb: str, *arguments: str) -> None:
    options = ["-q", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", verb, *options, *arguments], check=True)


def test_it_is_small_and_holds_tables_with_their_metadata(built):
    names = set(zipfile.ZipFile(built).namelist())
    print(f"{built.name}: {built.stat().st_size / 1e6:.2f} MB")
    assert built.stat().st_size < MOST_MB * 1e6
    rooms = {name.split("/")[2] for name in names if name.startswith("tokenomics/data/")}
    assert rooms == {*wheel.ROOMS, "sources.csv"}
    for path in tables.all_tables():
        if path.parent.name in wheel.ROOMS:
            assert {f"tokenomics/{paths.shown(each)}" for each in (path, tables.meta_path(path))} <= names


def test_it_lists_and_scores_as_a_checkout_does(installed, tmp_path):
    assert {"Llama-3.1-8B", "gpt-oss-120b"} <= set(call(installed, tmp_path, "list", "models").stdout.splitlines())
    (tmp_path / "mine.csv").write_text(BENCHMARK)
    outcome = call(installed, tmp_path, "score", "mine.csv", "--out", "packaged.csv")
    assert outcome.returncode == 0 and "2 rows: ok 2" in outcome.stdout, outcome.stderr
    call(os.environ | {"TOKENOMICS_ROOT": str(paths.ROOT)}, tmp_path, "score", "mine.csv", "--out", "checkout.csv")
    assert (tmp_path / "packaged.csv").read_bytes() == (tmp_path / "checkout.csv").read_bytes()


def test_it_sizes_a_fleet_as_a_checkout_does(installed, tmp_path):
    asked = ("size", "--model", "Llama-3.1-8B", "--xpu", "L40S", "--rate", "2", "--prompt", "900", "--output", "200")
    packaged = call(installed, tmp_path, *asked, "--tpot-ms", "80", "--json")
    assert packaged.returncode == 0 and '"devices"' in packaged.stdout, packaged.stderr
    checkout = call(os.environ | {"TOKENOMICS_ROOT": str(paths.ROOT)}, tmp_path, *asked, "--tpot-ms", "80", "--json")
    assert packaged.stdout == checkout.stdout


@pytest.mark.parametrize("arguments", [("run", "01_ubiquitous_llms"), ("reproduce",)])
def test_what_needs_a_checkout_is_refused_in_one_line(installed, tmp_path, arguments):
    refused = call(installed, tmp_path, *arguments)
    assert refused.returncode == 2 and not any(tmp_path.iterdir())
    assert refused.stderr.count("\n") == 1 and "needs a checkout of the project" in refused.stderr


def test_a_checkout_above_the_working_directory_is_preferred(installed, tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "dvc.yaml").touch()
    command = [sys.executable, "-c", "from tokenomics import paths; print(paths.ROOT)"]
    found = subprocess.run(
        command, cwd=tmp_path / "notebooks", env=installed, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()) == tmp_path
