"""Imports go down the floors only, and the light ones stay light."""

import subprocess
import sys

import pytest

from tokenomics import paths
from tokenomics.pipeline.stages import imports_of_module
from tokenomics.site.reference import FLOORS

APART = "experiment"
"""Stands beside the floors: uses the two lowest, and nothing uses it."""
LIBRARY = paths.ROOT / "lib"
MODULES = sorted(
    ".".join(path.relative_to(LIBRARY).with_suffix("").parts).removesuffix(".__init__")
    for path in (LIBRARY / "tokenomics").rglob("*.py")
)


def part(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def floor(module: str) -> int:
    return FLOORS.index(part(module)) if part(module) else -1


@pytest.mark.parametrize("module", [m for m in MODULES if part(m) == APART])
def test_the_experiment_stands_apart(module):
    used = {part(name) for name in imports_of_module(module)}
    assert used <= {"", "errors", "paths", APART}, f"{module} imports from {sorted(used)}"


@pytest.mark.parametrize("module", [m for m in MODULES if part(m) not in ("", "__main__", APART)])
def test_imports_go_down(module):
    upward = {name for name in imports_of_module(module) if floor(name) > floor(module)}
    assert not upward, f"{module} imports from a floor above: {sorted(upward)}"


def test_every_module_lies_on_a_floor():
    assert {part(m) for m in MODULES if part(m)} <= {*FLOORS, APART, "__main__"}


@pytest.mark.parametrize("module", [m for m in MODULES if m != "tokenomics.__main__"])
def test_modules_and_functions_stay_short(module):
    import ast

    from tokenomics.pipeline.stages import module_file

    text = module_file(module).read_text(encoding="utf-8")
    assert text.count("\n") <= 400, f"{module} is too long"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.end_lineno - node.lineno + 1
            doc = ast.get_docstring(node)
            assert body - (doc.count("\n") + 1 if doc else 0) <= 40, f"{module}.{node.name} is too long"


@pytest.mark.parametrize(
    ("module", "not_loaded"),
    [
        ("tokenomics", ["numpy", "pandas", "pydantic", "matplotlib", "papermill", "dvc"]),
        ("tokenomics.compute.counts.parameters", ["pandas", "pandera", "matplotlib", "papermill", "scipy", "pydantic"]),
        ("tokenomics.service.workload", ["pandas", "pandera", "matplotlib", "papermill", "scipy", "pydantic"]),
        ("tokenomics.economics.cost", ["pandas", "pandera", "matplotlib", "papermill", "scipy", "pydantic", "numba"]),
        ("tokenomics.economics.frontier", ["pandas", "pandera", "matplotlib", "papermill", "scipy", "pydantic"]),
        (
            "tokenomics.economics.adaptation",
            ["pandas", "pandera", "matplotlib", "papermill", "scipy", "pydantic", "numba"],
        ),
        ("tokenomics.experiment.evaluation", ["torch", "tokenizers", "gguf", "xllamacpp", "pandas", "matplotlib"]),
        ("tokenomics.experiment.scoring", ["torch", "tokenizers", "gguf", "xllamacpp", "pandas", "matplotlib"]),
        ("tokenomics.service.qoe", ["pandas", "pandera", "matplotlib", "papermill", "scipy", "pydantic", "numba"]),
        ("tokenomics.cli", ["numpy", "pandas", "matplotlib", "papermill"]),
    ],
)
def test_nothing_heavy_is_imported(module, not_loaded):
    code = f"import sys, {module}; print(*[m for m in {not_loaded!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []
