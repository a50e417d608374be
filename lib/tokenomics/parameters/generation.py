"""Parameter files and JSON schemas, written from the declarations."""

import json
from collections.abc import Mapping
from typing import Any

from tokenomics.parameters.loading import type_name
from tokenomics.parameters.types import Common


def _own_fields(declared: type[Common]) -> list[str]:
    common = set(Common.model_fields) if declared is not Common else set()
    return [name for name in declared.model_fields if name not in common]


def yaml_text(name: str, declared: type[Common], values: Mapping[str, Any] | None = None) -> str:
    """A parameter file: each value under a comment that gives unit and meaning.

    Args:
        values: values to keep instead of the defaults (those in use), by name.
    """
    title = (declared.__doc__ or "").strip().splitlines()[0]
    lines = [f"# yaml-language-server: $schema=schema/{name}.json", f"# {title}", ""]
    for key in _own_fields(declared):
        field = declared.model_fields[key]
        value = (values or {}).get(key, field.default)
        lines += [f"# {field.description}", f"{key}: {json.dumps(value)}"]
    return "\n".join(lines) + "\n"


def schema_text(declared: type[Common]) -> str:
    """The JSON schema of one parameter file (own fields only; unknown keys refused)."""
    schema = declared.model_json_schema()
    own = set(_own_fields(declared))
    schema["properties"] = {key: value for key, value in schema["properties"].items() if key in own}
    schema["required"] = sorted(own)
    schema["additionalProperties"] = False
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def cell_source(declared: type[Common]) -> str:
    """The ``parameters`` cell of a notebook: ``name = default  # type: T  # [unit] meaning``.

    One assignment a line, without annotations, is the only form that papermill recognises for every type.
    """
    lines = []
    for key, field in declared.model_fields.items():
        lines.append(f"{key} = {field.default!r}  # type: {type_name(field.annotation)}  # {field.description}")
    return "\n".join(lines)
