"""Reference pages written from declarations: parameters, bibliography, the library's modules."""

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.facts.sources import sources
from tokenomics.parameters.loading import type_name
from tokenomics.parameters.types import Common
from tokenomics.pipeline import generated
from tokenomics.site import markdown

PACKAGE = "tokenomics"
LIBRARY = paths.ROOT / "lib"
BOUNDS = {
    "ge": "≥ {}",
    "gt": "\\> {}",
    "le": "≤ {}",
    "lt": "\\< {}",
    "min_length": "at least {} long",
    "max_length": "at most {} long",
}
UNIT = re.compile(r"\[([^\]]+)\]\s*(.*)", re.S)
LAYERS = (
    *("errors", "paths", "outputs", "facts", "parameters", "estimate", "compute", "service", "footprint", "economics"),
    *("routing", "answers", "rows", "calibration", "notebook", "scoring", "sections", "pipeline", "site", "cli"),
)
"""Packages of the library from the lowest layer up: a module imports from its own and from lower ones only."""
APART = "experiment"
"""The package outside the layers: it uses the two lowest only, and only a section reads what it measured."""
NOT_IN_API = ("errors", "paths", "outputs", "parameters", "pipeline", "site", "cli", "sections", APART)
"""Packages that readers of the reference do not need."""
TEX = str.maketrans({**{sign: f"\\{sign}" for sign in "&%#_${}"}, "~": r"\~{}", "\\": ""})
PARAMETERS_INTRODUCTION = """\
# Parameters

The values in use stand in `params/*.yaml` and are checked against these declarations before anything runs. Change one
for a run of your own with `make run NB=NN_name SET="name=value"`; such a run writes to `runs/` and leaves the results
alone.
"""
BIBLIOGRAPHY = """\
# Bibliography

Every source of every table, from `data/sources.csv`, with licence and day of access
([references.bib](/references.bib)). Facts keep the terms of their source.

```{bibliography}
:all:
```
"""


def parameters() -> str:
    """Every parameter: unit, bounds, default, meaning."""
    parts = [PARAMETERS_INTRODUCTION]
    common = set(Common.model_fields)
    for name, declared in generated.declarations().items():
        fields = declared.model_fields.items()
        rows = [_parameter(key, field) for key, field in fields if declared is Common or key not in common]
        title = (declared.__doc__ or "").strip().splitlines()[0]
        parts += [f"## {markdown.text(f'params/{name}.yaml')}\n", markdown.text(title) + "\n"]
        parts += [markdown.table(("parameter", "unit", "default", "allowed", "meaning"), rows)]
    return "\n".join(parts)


def _parameter(key: str, field: Any) -> list[str]:
    found = UNIT.match(field.description or "")
    unit, meaning = found.groups() if found else ("", field.description or "")
    given = [(item, name) for item in field.metadata for name in BOUNDS if hasattr(item, name)]
    bounds = [BOUNDS[name].format(_bound(getattr(item, name))) for item, name in given]
    allowed = ", ".join([markdown.text(type_name(field.annotation)), *bounds])
    default = f"`{json.dumps(field.default, ensure_ascii=False)}`"
    return [f"`{key}`", markdown.text(unit), default, allowed, markdown.text(meaning)]


def _bound(value: float) -> str:
    return markdown.number(value) if isinstance(value, float) else str(value)


def bibtex() -> str:
    """``data/sources.csv`` as BibTeX; authors are taken as they stand, not as first and last names."""
    return "\n".join(_entry(key, row) for key, row in sorted(sources().items()))


def _entry(key: str, row: Mapping[str, str]) -> str:
    terms = (
        f"{row['licence'].translate(TEX)}; accessed {row['accessed']}"
        if row["licence"]
        else f"accessed {row['accessed']}"
    )
    fields = {
        "author": "{" + row["author"].translate(TEX) + "}",
        "title": "{" + row["title"].translate(TEX) + "}",
        "year": row["year"],
        "note": terms,
        "url": row["url"],
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value.strip("{}")]
    return "\n".join([f"@misc{{{key},", *lines, "}", ""])


def files(package: str) -> dict[str, Path]:
    """Module name to file, for one part of the library: a package, or a single module."""
    root = LIBRARY / PACKAGE
    return {module_name(path): path for path in [*root.glob(f"{package}.py"), *sorted((root / package).rglob("*.py"))]}


def module_name(path: Path) -> str:
    """Dotted name of a library file."""
    return ".".join(path.relative_to(LIBRARY).with_suffix("").parts).removesuffix(".__init__")


def purpose(path: Path) -> str:
    """The first paragraph of a module's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def modules(package: str) -> dict[str, str]:
    """Module name to purpose, for a package of the reference; empty for others."""
    described = {} if package in NOT_IN_API else {name: purpose(path) for name, path in files(package).items()}
    return {name: words for name, words in described.items() if words}


def packages() -> str:
    """The packages of the library from the lowest layer up: what each contains, and which others it imports."""
    rows = []
    for package in (*LAYERS, APART):
        if not files(package):
            continue
        shown = f"[`{package}`](/api/{package})" if modules(package) else f"`{package}`"
        used = imported_packages(package)
        below = ", ".join(f"`{other}`" for other in LAYERS if other in used) or "–"
        rows.append([shown, markdown.text(purpose(next(iter(files(package).values())))), below])
    return markdown.table(("package", "what it contains", "imports from"), rows)


def imported_packages(package: str) -> set[str]:
    """The other packages that a package imports from, at the top of its modules or inside functions."""
    found = set()
    for path in files(package).values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
                named = [node.module] if node.module != PACKAGE else [f"{PACKAGE}.{each.name}" for each in node.names]
                found |= {name.split(".")[1] for name in named}
    return found - {package}


def layers() -> str:
    """The library at a glance: its packages from the lowest layer up, and what each module is for."""
    rows = [
        [f"`{package}`", f"[{name.split('.', 2)[-1]}](/api/{package})", markdown.text(words)]
        for package in LAYERS
        for name, words in modules(package).items()
        if name != f"{PACKAGE}.{package}" or len(modules(package)) == 1
    ]
    return markdown.table(("package", "module", "what it contains"), rows)


def api_pages() -> dict[str, str]:
    """Page name to reStructuredText, one a package, written by autodoc from docstrings."""
    pages = {}
    for package in LAYERS:
        parts = [_rst_title(package, "=")]
        for name in modules(package):
            short = name.removeprefix(f"{PACKAGE}.{package}").removeprefix(".")
            parts += [_rst_title(short, "-")] if short else []
            parts += [f".. automodule:: {name}\n   :members:\n"]
        if len(parts) > 1:
            pages[f"api/{package}"] = "\n".join(parts)
    return pages


def _rst_title(words: str, line: str) -> str:
    return f"{words}\n{line * len(words)}\n"
