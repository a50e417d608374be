"""From a Hugging Face ``config.json`` (or a mapping in our own column names) to a :class:`Model`.

A configuration states sizes; the rest is fixed in the code that reads it (:mod:`tokenomics.facts.huggingface.config`).
Only architectures that are known to be counted right are read (:mod:`tokenomics.facts.huggingface.architectures`); any
other needs our own columns. Approximated: sparse-attention patterns count as sparse in every layer.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.errors import DataError, require
from tokenomics.facts import tables, yaml_file
from tokenomics.facts.huggingface import architectures, native
from tokenomics.facts.huggingface.config import (
    CONTEXT,
    EXTRA_POSITIONS,
    LAYERS,
    TRAITS,
    VOCAB,
    WIDTH,
    Config,
)
from tokenomics.facts.huggingface.layers import attention, mixers, mlp
from tokenomics.facts.huggingface.stored import KEY, published_format
from tokenomics.facts.huggingface.switches import switched
from tokenomics.facts.huggingface.towers import tower_parameters
from tokenomics.facts.models import Model

TABLE = "catalogue/models"


def read_model(path: Path) -> Model:
    """A model from a user's ``config.json``, ``params.json`` or YAML file, named after the file.

    The first two are named after their folder.

    Raises:
        DataError: an unreadable file, or what :func:`model_from_mapping` refuses.
    """
    values = yaml_file.read(path)
    require(values, paths.shown(path), "file", "empty", "a config.json, or a YAML of our columns")
    stem = path.resolve().parent.name if path.stem in ("config", "params") else path.stem
    return model_from_mapping(values, values.get("name") or stem, paths.shown(path))


def model_from_mapping(values: Mapping[str, Any], name: str | None = None, where: str = "config.json") -> Model:
    """A model from a configuration of either kind.

    Args:
        values: a Hugging Face configuration, a ``params.json`` of Mistral or Meta, or our own columns (``layers``,
            ``d_model`` ...); of those, what a plain Llama leaves open may be left out.
        name: name of the model where ``values`` has none.
        where: the file to name in an error.

    Raises:
        DataError: a field is missing, wrong or beyond what ``models.meta.yaml`` allows, or the architecture is not
            known to be counted right.
    """
    if native.is_native(values):
        values = native.as_configuration(values, where)
    named = "model_type" in values or "architectures" in values
    read = _from_own_columns if not named and ("layers" in values or "d_model" in values) else from_config
    try:
        model = read(values, name, where)
    except DataError as error:
        raise DataError(where, error.key, error.value, error.allowed) from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # A list where a number belongs, text where a mapping belongs: too many ways to check one by one.
        raise DataError(where, "configuration", str(error), "the types that a configuration has") from None
    tables.check_record(TABLE, vars(model), where)
    return model


def _from_own_columns(values: Mapping[str, Any], name: str | None, where: str) -> Model:
    row = {**values, "name": name or values.get("name"), "family": values.get("family") or name or values.get("name")}
    tables.check_record(TABLE, values, where)
    for key in ("sliding_layers", "linear_layers", "moe_layers", "positions"):
        row.setdefault(key, 0)
    row.setdefault("full_layers", _minus(row, "layers", "sliding_layers", "linear_layers"))
    row.setdefault("dense_layers", _minus(row, "layers", "moe_layers"))
    row.setdefault("tied_embeddings", False)
    row.setdefault("kv_heads", row.get("heads"))
    if "head_dim" not in row and row.get("heads"):
        row["head_dim"] = row["d_model"] / row["heads"]
    return Model.from_row(row, where)


def _minus(row: Mapping[str, Any], first: str, *others: str) -> Any:
    try:
        return row[first] - sum(row[key] for key in others)
    except TypeError:
        return None  # reported by Model.from_row under the column's own name


def from_config(values: Mapping[str, Any], name: str | None = None, where: str = "config.json") -> Model:
    """A model from a Hugging Face configuration; arguments as for :func:`model_from_mapping`, which checks it."""
    config = Config(values, where)
    config.type = architectures.known_type(config)
    config.check_types()
    name = name or config.get("_name_or_path") or config.type
    return Model(name=name, family=name, **_fields(config))


def _fields(config: Config) -> dict[str, Any]:
    sizes = _sizes(config)
    tables.check_record(TABLE, sizes, config.where)  # before layers are walked one by one
    parts = {
        "tied_embeddings": False,
        **TRAITS[config.type],
        **sizes,
        **attention(config),
        **switched(config),
        **mlp(config),
    }
    if config.get("tie_word_embeddings") is not None:
        parts["tied_embeddings"] = bool(config.get("tie_word_embeddings"))
    parts["tower_parameters"] = tower_parameters(config)
    parts["published_format"] = published_format(config.get(KEY), config.where)
    return parts | mixers(config, parts)


def _sizes(config: Config) -> dict[str, Any]:
    context = config.get(*CONTEXT)
    positions = 0
    if config.type in EXTRA_POSITIONS:
        positions = config.number(*CONTEXT) + EXTRA_POSITIONS[config.type]
    table = config.get("word_embed_proj_dim", "embedding_size")
    return {
        "embedding_width": table if table != config.number(*WIDTH) else None,
        "layers": len(config.get("layers_block_type")) if config.get("layers_block_type") else config.number(*LAYERS),
        "d_model": config.number(*WIDTH),
        "vocab": config.number(*VOCAB),
        "positions": positions,
        "context_tokens": context,
    }
