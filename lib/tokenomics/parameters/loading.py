"""Read, override and check parameters before anything runs."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.facts import yaml_file
from tokenomics.parameters.types import Common

COMMON_FILE = "00_common"


def load(declared: type[Common], folder: Path | None = None, overrides: Iterable[str] = ()) -> Common:
    """The checked parameters of a notebook: common file, then its own file, then ``name=value`` overrides.

    Args:
        declared: the notebook's declaration.
        folder: where the YAML files stand; default ``params/``.
        overrides: texts such as ``"seed=7"`` or ``"years=[1, 2]"``; the value is read as YAML 1.2.

    Raises:
        DataError: the first thing that is wrong, naming file, key, value and what is allowed.
    """
    folder = folder or paths.PARAMS
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    common, own = folder / f"{COMMON_FILE}.yaml", folder / f"{declared.notebook}.yaml"
    for path, fields in (
        (common, set(Common.model_fields)),
        (own, set(declared.model_fields) - set(Common.model_fields)),
    ):
        found = yaml_file.read(path)
        _refuse_unknown(found, fields, paths.shown(path), path.stem)
        values |= found
        origin |= dict.fromkeys(found, paths.shown(path))
    given = dict(parse_override(text) for text in overrides)
    _refuse_unknown(given, set(declared.model_fields), "--set", declared.notebook)
    values |= given
    origin |= dict.fromkeys(given, "--set")
    missing = sorted(set(declared.model_fields) - set(values))
    if missing:
        path = common if missing[0] in Common.model_fields else own
        raise DataError(paths.shown(path), missing[0], "missing", _allowed(declared, missing[0]))
    return check(declared, values, origin)


def check(declared: type[Common], values: Mapping[str, Any], origin: Mapping[str, str] | str) -> Common:
    """``values`` as a frozen parameter object.

    Raises:
        DataError: the first value that breaks its declaration, or that others exclude; ``origin`` says where each value
            came from.
    """
    from pydantic import ValidationError

    try:
        return declared(**values)
    except DataError as error:
        where = origin if isinstance(origin, str) else origin.get(error.key, "parameters")
        raise DataError(where, error.key, error.value, error.allowed) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "parameters"
        name = str(first["loc"][0]) if first["loc"] else ""
        where = origin if isinstance(origin, str) else origin.get(name, "parameters")
        reason = first["msg"].removeprefix("Value error, ")
        raise DataError(where, key, first["input"], f"{_allowed(declared, name)}; {reason}") from None


def parse_override(text: str) -> tuple[str, Any]:
    """``"name=value"`` as a pair, the value read as YAML 1.2.

    Raises:
        DataError: no ``=``, no name, or a value that is no YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier():
        raise DataError("--set", "override", text, "name=value")
    try:
        return name.strip(), YAML(typ="safe", pure=True).load(value)
    except (YAMLError, ValueError, TypeError, RecursionError):
        raise DataError("--set", name, value, "a YAML 1.2 value") from None


def _refuse_unknown(found: Mapping[str, Any], fields: set[str], where: str, notebook: str) -> None:
    import difflib

    for key in found:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, 3, cutoff=0.5)
            allowed = f"nearest: {', '.join(near)}" if near else ", ".join(sorted(fields))
            new = _renamed(notebook).get(key)
            raise DataError(where, key, found[key], new or f"a known parameter; {allowed}")


def _renamed(notebook: str) -> dict[str, str]:
    """What to say of each name that a parameter of a notebook no longer has."""
    from tokenomics.facts import tables

    rows = tables.read("catalogue/renamed")
    mine = rows[(rows["kind"] == "parameter") & (rows["place"] == notebook)]
    return {row.old: f"{row.new}, its name since {row.since:%Y-%m-%d}" for row in mine.itertuples()}


def type_name(annotation: Any) -> str:
    """A type as it is written in a parameters cell: ``int``, ``list[str]``."""
    if hasattr(annotation, "__metadata__"):
        return type_name(annotation.__origin__)
    if get_origin(annotation):
        return f"{get_origin(annotation).__name__}[{', '.join(map(type_name, get_args(annotation)))}]"
    return getattr(annotation, "__name__", str(annotation))


def _allowed(declared: type[Common], name: str) -> str:
    field = declared.model_fields.get(name)
    if field is None:
        return "a known parameter"
    words = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    bounds = [
        f"{word} {getattr(each, key)}"
        for each in field.metadata
        for key, word in words.items()
        if getattr(each, key, None) is not None
    ]
    return ", ".join([type_name(field.annotation), *bounds, field.description or ""])
