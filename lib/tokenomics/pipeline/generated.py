"""Files that are written from others: the text of each. Tests compare them, ``make fix`` writes them."""

from collections.abc import Callable
from pathlib import Path

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.facts import tables, yaml_file
from tokenomics.parameters import generation
from tokenomics.parameters.loading import COMMON_FILE
from tokenomics.parameters.types import Common
from tokenomics.pipeline import committed
from tokenomics.sections import registry

ENVIRONMENT = """\
# Generated from pyproject.toml by `make fix`. Every package comes hash-pinned from the lock that `make setup` uses too.
# After `conda env create -f environment.yml`: conda activate tokenomics-lab && pip install --no-deps -e .
name: tokenomics-lab
dependencies:
  - python{python}
  - pip
  - pip:
      - -r requirements/full.lock
"""


def files() -> dict[Path, Callable[[], str]]:
    """Each generated file with the function that gives its text."""
    made: dict[Path, Callable[[], str]] = {
        paths.ROOT / "environment.yml": environment_text,
        paths.DATA / "DICTIONARY.md": dictionary_text,
        committed.SUMS: committed.sums_text,
    }
    for name, declared in declarations().items():
        path = paths.PARAMS / f"{name}.yaml"
        made[path] = lambda name=name, declared=declared, path=path: generation.yaml_text(name, declared, _in_use(path))
        made[paths.PARAMS / "schema" / f"{name}.json"] = lambda declared=declared: generation.schema_text(declared)
    for name in registry.NOTEBOOKS:
        path = paths.NOTEBOOKS / f"{name}.ipynb"
        made[path] = lambda name=name, path=path: notebook_text(path, name)
    return made


def declarations() -> dict[str, type[Common]]:
    """Parameter file stem to declaration, the common file first."""
    return {COMMON_FILE: Common} | {name: registry.declared(name) for name in registry.NOTEBOOKS}


def _in_use(path: Path) -> dict:
    try:
        return yaml_file.read(path)
    except DataError:
        return {}


def environment_text() -> str:
    """``environment.yml``: Python's range from pyproject, everything else from the lock."""
    import tomllib

    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return ENVIRONMENT.format(python=project["requires-python"])


def dictionary_text() -> str:
    """``data/DICTIONARY.md``: every table with its description, size and columns."""
    lines = ["# Data dictionary", "", "Generated from the `.meta.yaml` beside each table by `make fix`.", ""]
    for path in tables.all_tables():
        meta, table = tables.read_meta(path), tables.read(path)
        lines += [f"## {meta.title}", "", f"`{paths.shown(path)}`, {len(table)} rows, key: {', '.join(meta.key)}", ""]
        lines += [
            " ".join(meta.description.split()),
            "",
            "| column | type | unit | meaning | filled |",
            "|---|---|---|---|---|",
        ]
        for name, column in meta.columns.items():
            filled = f"{table[name].notna().mean():.0%}"
            lines.append(f"| `{name}` | {column['type']} | {column.get('unit', '')} | {column['meaning']} | {filled} |")
        lines.append("")
    return "\n".join(lines)


def notebook_text(path: Path, name: str) -> str:
    """A source notebook as it is committed: declared parameters in their cell, no outputs, minimal metadata."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = {"tags": tags} if tags else {}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if "parameters" in tags:
            cell.source = generation.cell_source(registry.declared(name))
    return nbformat.writes(notebook) + "\n"
