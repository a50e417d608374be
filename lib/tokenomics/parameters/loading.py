"""Read, override and check parameters before anything runs."""

import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.facts import yaml_file
from tokenomics.parameters.types import Common

COMMON_FILE = "00_common"
OVERRIDE = re.compile(r"[A-Za-z_]\w*[ \t]*=")


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
        refuse_unknown(found, fields, paths.shown(path), path.stem)
        values |= found
        origin |= dict.fromkeys(found, paths.shown(path))
    given = dict(parse_override(text) for text in overrides)
    refuse_unknown(given, set(declared.model_fields), "--set", declared.notebook)
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
    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier():
        raise DataError("--set", "override", text, "name=value")
    try:
        return name.strip(), yaml_file.value(value, "--set")
    except DataError as error:
        raise DataError("--set", name, value, f"a YAML 1.2 value; {error.value}") from None


def split_overrides(text: str) -> list[str]:
    """The overrides of one text, such as ``'models=["a b", c] first_year=2020'``.

    An override begins with a name and ``=`` at the text's start or after white space, outside quotes and brackets, and
    reaches to the next one: values may hold spaces, and lists need no care.
    """
    starts, quote, depth, before = [], "", 0, ""
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'" and before in ("", *"=[{,:"):  # as in YAML, a quote opens only where a value begins
            quote = letter
        else:
            depth += (letter in "[{") - (letter in "]}")
        if not quote and depth <= 0 and (at == 0 or text[at - 1].isspace()) and OVERRIDE.match(text, at):
            starts.append(at)
        before = before if letter.isspace() else letter
    if text.strip() and (not starts or text[: starts[0]].strip()):
        starts.insert(0, 0)
    return [text[start:end].strip() for start, end in itertools.pairwise([*starts, len(text)])]


def refuse_unknown(found: Mapping[str, Any], fields: set[str], where: str, notebook: str) -> None:
    """Refuse a parameter that is none of ``fields``.

    Raises:
        DataError: names the nearest, or the parameter's new name in this notebook.
    """
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
