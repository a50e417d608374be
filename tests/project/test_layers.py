"""Imports only go down the layers, the light ones stay light, and the pipeline's stages declare all that they reach."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest

from tokenomics import paths
from tokenomics.pipeline import stages
from tokenomics.sections.registry import NOTEBOOKS
from tokenomics.site.reference import LAYERS

APART = "experiment"
"""Outside the layers: uses the two lowest, and nothing but sections uses it."""
LIBRARY = paths.ROOT / "lib"
MODULES = {
    ".".join(path.relative_to(LIBRARY).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((LIBRARY / "tokenomics").rglob("*.py"))
}


def imported(code: str) -> set[str]:
    """The library modules that a text of Python imports, at its top or inside functions, or names in a registry."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant):
            found.add(node.value)
    return found & MODULES.keys()


@cache
def imports_of_module(module: str) -> set[str]:
    return imported(MODULES[module].read_text(encoding="utf-8"))


def imports_of_notebook(name: str) -> set[str]:
    cells = nbformat.read(paths.NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    return imported("\n".join(cell.source for cell in cells if cell.cell_type == "code" and cell.source[:1] != "%"))


def reached(modules: set[str]) -> set[Path]:
    """Project-relative files of modules, of all that they import in turn, and of the packages these lie in."""
    found, waiting = set(), set(modules)
    while waiting:
        module = waiting.pop()
        found.add(module)
        parent = {module.rpartition(".")[0]} & MODULES.keys()
        waiting |= (imports_of_module(module) | parent) - found
    return {MODULES[module].relative_to(paths.ROOT) for module in found}


def reached_by(stage: str) -> set[Path]:
    if stage in NOTEBOOKS:
        return reached(imports_of_notebook(stage) | {"tokenomics.pipeline.run"})
    module = stages.stages()[stage]["cmd"].split()[-1]
    return reached({module, f"{module}.__main__"} & MODULES.keys())


@pytest.mark.parametrize("stage", stages.stages())
def test_a_stage_declares_every_module_it_reaches_and_no_other_package(stage):
    declared = [Path(dep) for dep in stages.declared_deps(stage) if dep.startswith("lib/")]
    files = reached_by(stage)
    missing = [str(file) for file in files if not any(file.is_relative_to(dep) for dep in declared)]
    assert not missing, f"add to the deps of {stage} in dvc.yaml, or the packages they lie in: {sorted(missing)}"
    idle = [str(dep) for dep in declared if not any(file.is_relative_to(dep) for file in files)]
    assert not idle, f"{stage} declares packages that it does not reach: {idle}"


@pytest.mark.parametrize("stage", [name for name in stages.stages() if name not in NOTEBOOKS])
def test_what_is_calibrated_or_measured_depends_on_no_drawing(stage):
    apart = ("lib/tokenomics/notebook", "lib/tokenomics/sections", "lib/tokenomics/parameters", "params/", "notebooks/")
    assert not [dep for dep in stages.declared_deps(stage) if dep.startswith(apart)]


def part(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def layer(module: str) -> int:
    return LAYERS.index(part(module)) if part(module) else -1


@pytest.mark.parametrize("module", [m for m in MODULES if part(m) == APART])
def test_the_experiment_stands_apart(module):
    used = {part(name) for name in imports_of_module(module)}
    assert used <= {"", "errors", "paths", APART}, f"{module} imports from {sorted(used)}"


@pytest.mark.parametrize("module", [m for m in MODULES if part(m) not in ("", "__main__", APART)])
def test_imports_go_down(module):
    used = {name for name in imports_of_module(module) if part(name) != APART}
    upward = {name for name in used if layer(name) > layer(module)}
    assert not upward, f"{module} imports from a layer above: {sorted(upward)}"


def test_only_sections_read_the_experiment():
    readers = {m for m in MODULES if any(part(name) == APART for name in imports_of_module(m))}
    assert {part(m) for m in readers} <= {APART, "sections"}


def section(module: str) -> str:
    """The section that a module belongs to, ``""`` for what all of them share."""
    found = re.match(r"tokenomics\.sections\.(s\d\d_\w+)", module)
    return found[1] if found else ""


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_section_stands_alone(name):
    own = f"s{name}"
    files = [imports_of_module(m) for m in MODULES if section(m) == own]
    used = {section(each) for names in [*files, imports_of_notebook(name)] for each in names}
    assert used <= {"", own}, f"{name} imports from other sections: {sorted(used - {'', own})}"


def test_every_module_lies_in_a_layer():
    assert {part(m) for m in MODULES if part(m)} <= {*LAYERS, APART, "__main__"}


@pytest.mark.parametrize("module", [m for m in MODULES if m != "tokenomics.__main__"])
def test_modules_and_functions_stay_short(module):
    text = MODULES[module].read_text(encoding="utf-8")
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
        ("tokenomics.compute.counts.parameters", ["pandas", "matplotlib", "papermill", "scipy", "pydantic"]),
        ("tokenomics.service.workload", ["pandas", "matplotlib", "papermill", "scipy", "pydantic"]),
        ("tokenomics.economics.cost", ["pandas", "matplotlib", "papermill", "scipy", "pydantic", "numba"]),
        ("tokenomics.economics.frontier", ["pandas", "matplotlib", "papermill", "scipy", "pydantic"]),
        (
            "tokenomics.economics.adaptation",
            ["pandas", "matplotlib", "papermill", "scipy", "pydantic", "numba"],
        ),
        ("tokenomics.experiment.prompts", ["torch", "tokenizers", "gguf", "xllamacpp", "pandas", "matplotlib"]),
        ("tokenomics.experiment.summary", ["torch", "tokenizers", "gguf", "xllamacpp", "pandas", "matplotlib"]),
        ("tokenomics.service.qoe", ["pandas", "matplotlib", "papermill", "scipy", "pydantic", "numba"]),
        ("tokenomics.cli", ["numpy", "pandas", "matplotlib", "papermill"]),
    ],
)
def test_nothing_heavy_is_imported(module, not_loaded):
    code = f"import sys, {module}; print(*[m for m in {not_loaded!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []
