"""Look up models and accelerators by any of their names, or read one of your own from a file."""

import contextlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.facts import huggingface, names, tables, yaml_file
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model
from tokenomics.facts.sources import keys_of

FILE_ENDINGS = (".json", ".yaml", ".yml")


TABLES = {"model": "catalogue/models", "accelerator": "catalogue/accelerators"}


@cache
def rows(kind: str) -> Mapping[str, Mapping[str, Any]]:
    """All columns of the catalogue by canonical name, for ``kind`` ``"model"`` or ``"accelerator"``."""
    return {row["name"]: row for row in tables.records(TABLES[kind])}


@cache
def models() -> Mapping[str, Model]:
    """All catalogued models by canonical name."""
    return {name: Model.from_row(row) for name, row in rows("model").items()}


@cache
def accelerators() -> Mapping[str, Accelerator]:
    """All catalogued accelerators by canonical name."""
    return {name: Accelerator.from_row(row) for name, row in rows("accelerator").items()}


def sources_of(kind: str, name: str) -> list[str]:
    """Keys of the sources of a catalogued model or accelerator; none of a user's own."""
    return keys_of(rows(kind)[name]["source"]) if name in rows(kind) else []


def model(name: str) -> Model:
    """A model by name, alias, or the path of a Hugging Face ``config.json`` or a YAML file.

    Raises:
        DataError: an unknown name (the nearest are listed) or a file that lacks a field.
    """
    if str(name).endswith(FILE_ENDINGS):
        return huggingface.read_model(_user_file(name))
    return models()[names.resolve(name, "model", models())]


def accelerator(name: str) -> Accelerator:
    """An accelerator by name, alias, or the path of a YAML or JSON file with the table's columns.

    Raises:
        DataError: an unknown name (the nearest are listed) or a file that lacks a field.
    """
    if str(name).endswith(FILE_ENDINGS):
        path = _user_file(name)
        return Accelerator.from_user(yaml_file.read(path), paths.shown(path))
    return accelerators()[names.resolve(name, "accelerator", accelerators())]


def holds(device: Accelerator) -> bool:
    """Whether a record is the catalogue's own. A user's device with the name of a catalogued one and other numbers is
    a different device: what was measured on the catalogued one does not hold for it."""
    return accelerators().get(device.name) == device


def portable(name: str) -> str:
    """``name`` if it is one, else the path of a user's file: relative to the project inside it, absolute elsewhere.

    Raises:
        DataError: no such file.
    """
    return paths.shown(_user_file(name).resolve()) if str(name).endswith(FILE_ENDINGS) else name


def _user_file(name: str) -> Path:
    """A user's file: absolute, or relative to the working directory, or relative to the project."""
    for base in (Path.cwd(), paths.ROOT):
        with contextlib.suppress(OSError):  # a name that the system refuses is no file
            if (base / name).is_file():
                return base / name
    raise DataError("catalogue", "file", str(name), "a file below the working directory or the project")
