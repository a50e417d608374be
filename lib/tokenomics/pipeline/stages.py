"""What ``dvc.yaml`` declares: one stage per notebook, with every module and table it reads."""

import ast
from functools import cache
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.facts import yaml_file

PACKAGE = "tokenomics"
LIBRARY = Path("lib")


def stages() -> dict[str, dict[str, Any]]:
    """The stages by name."""
    return yaml_file.read(paths.DVC_FILE).get("stages", {})


def frozen_stages() -> list[str]:
    """Stages that never rerun by themselves; their committed outputs are checked by hash instead."""
    return [name for name, stage in stages().items() if stage.get("frozen")]


def declared_deps(stage: str) -> list[str]:
    """The declared dependencies of a stage, as project-relative paths."""
    return list(stages()[stage].get("deps", []))


def needed_deps(notebook: str, tables: set[str]) -> list[str]:
    """What a notebook's stage must declare: itself, the lock, each library module it reaches, each table it reads.

    Args:
        tables: project-relative paths of the tables the run opened.
    """
    source = paths.NOTEBOOKS / f"{notebook}.ipynb"
    modules = {module_file(name) for name in reached(imports_of_notebook(source))}
    runner = {module_file(name) for name in reached({"tokenomics.pipeline.run"})}
    files = {paths.shown(path) for path in modules | runner}
    return sorted({paths.shown(source), paths.shown(paths.LOCK_FILE), *files, *tables})


def module_deps(command: str, tables: list[str]) -> list[str]:
    """What a stage that runs ``python -m MODULE`` must declare: each library module it reaches, and its tables."""
    module = command.rsplit(" ", 1)[-1]
    started = {name for name in (module, f"{module}.__main__") if module_file(name).is_file()}
    files = {paths.shown(module_file(name)) for name in reached(started)}
    return sorted({*files, *tables})


def imports_of_notebook(path: Path) -> set[str]:
    """The library modules that a notebook's code cells import."""
    import nbformat

    cells = nbformat.read(path, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code" and not cell.source.startswith("%"))
    return _imported(ast.parse(code))


@cache
def imports_of_module(name: str) -> frozenset[str]:
    """The library modules that a library module imports, lazily inside functions or at its top."""
    return frozenset(_imported(ast.parse(module_file(name).read_text(encoding="utf-8"))))


def reached(names: set[str]) -> set[str]:
    """``names``, all modules they import in turn, and the packages they lie in."""
    found: set[str] = set()
    waiting = {PACKAGE, *names}
    while waiting:
        name = waiting.pop()
        found.add(name)
        parents = {name.rsplit(".", 1)[0]} if "." in name else set()
        waiting |= (set(imports_of_module(name)) | parents) - found
    return found


def module_file(name: str) -> Path:
    """The file of a library module or package."""
    base = paths.ROOT / LIBRARY / Path(*name.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _imported(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)  # a module that is named in a text is loaded by that name (registries)
    named = {name for name in found if name == PACKAGE or name.startswith(f"{PACKAGE}.")}
    return {name for name in named if " " not in name and module_file(name).is_file()}
