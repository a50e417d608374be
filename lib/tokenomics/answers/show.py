"""What is known of a model or an accelerator: the catalogue's row with what follows from it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tokenomics import paths
from tokenomics.answers.question import PRICE_LIST
from tokenomics.errors import require
from tokenomics.facts import catalogue, tables

KINDS = {"model": "model", "xpu": "accelerator"}
"""What ``tokenomics show`` calls each kind of the catalogue."""


FORMATS = ("bf16", "fp8", "int4 g128")
"""Formats whose bytes are told beside those of the published one."""
BAR = 48
"""Signs of the bar of memory."""


@dataclass(frozen=True)
class Facts:
    """Facts of one thing; ``print`` them, or take them by name from ``values``.

    Attributes:
        values: numbers, words and dates by name, empty ones left out; ``sources`` are keys of ``data/sources.csv``
            (or a user's file), and ``verified`` says whether the values were read there.
        units: of the numbers that have one.
        drawn: lines of text after the values when printed: the bar of a model's memory.
    """

    values: Mapping[str, Any]
    units: Mapping[str, str]
    drawn: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {key: str(each) if isinstance(each, dt.date) else each for key, each in self.values.items()}

    def __str__(self) -> str:
        wide = max(map(len, self.values))
        lines = [f"{key:<{wide}}  {_shown(each, self.units.get(key, ''))}" for key, each in self.values.items()]
        return "\n".join([*lines, self.drawn] if self.drawn else lines)


def _shown(value: Any, unit: str) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text = f"{value:,.12g}" if number else str(value)
    return f"{text} {unit}" if unit and unit != "1" else text


def show(kind: str, name: str) -> Facts:
    """What is known of a model or an accelerator (``kind`` ``"model"`` or ``"xpu"``), with its sources.

    Of a model also what is counted from its shapes: parameters by part and those that a token uses, bytes of the
    weights as published and in other formats, of the cache that a token takes at 16 bits, and of the state of a
    sequence. Of an accelerator the memory that its driver gives, whether its operators were measured or whose stand in,
    and the median on-demand rent of the notebooks' list.

    >>> from tokenomics import show
    >>> show("xpu", "H100-SXM-80GB").values["memory_bytes"]
    80000000000

    Args:
        name: a name, an alias, or the path of a file: a ``config.json`` or ``params.json``, a YAML of our columns.

    Raises:
        DataError: another kind, a name that nobody knows (the nearest are listed), or a file that is refused.
    """
    require(kind in KINDS, "show", "kind", kind, ", ".join(KINDS))
    record = catalogue.model(name) if kind == "model" else catalogue.accelerator(name)
    known = not str(name).endswith(catalogue.FILE_ENDINGS)
    given = catalogue.rows(KINDS[kind])[record.name] if known else asdict(record) | {"verified": False}
    values = {key: each for key, each in given.items() if each is not None and key != "source"}
    meta = tables.read_meta(paths.DATA / f"{catalogue.TABLES[KINDS[kind]]}.csv").columns
    units = {key: column["unit"] for key, column in meta.items() if "unit" in column}
    last = {key: values.pop(key) for key in ("locator", "verified", "unverified_columns", "note") if key in values}
    more, more_units, drawn = (_counted if kind == "model" else _offered)(record)
    sources = catalogue.sources_of(KINDS[kind], record.name) if known else [str(name)]
    return Facts({**values, **more, "sources": sources, **last}, units | more_units, drawn)


def _counted(model: Any) -> tuple[dict[str, Any], dict[str, str], str]:
    from tokenomics.compute.counts import parameters as counts
    from tokenomics.compute.counts.precision import parse, stored

    count, (form, _) = counts.parameters(model), stored(model)
    parts = ("embedding", "attention", "mlp", "experts", "norm", "head")
    values = {"parameters_total": count.total, "parameters_active": count.active}
    values |= {f"parameters_{part}": getattr(count, part) for part in parts if getattr(count, part)}
    values |= {"format": form, "weight_bytes": float(counts.weight_bytes(model, parse(form).weights))}
    for each in FORMATS:
        values[f"weight_bytes_{each.split()[0]}"] = float(counts.weight_bytes(model, parse(each).weights))
    values["kv_bytes_per_token"] = float(counts.kv_bytes_per_token(model))
    values["state_bytes_per_sequence"] = float(counts.state_bytes(model))
    if model.context_tokens:
        values["kv_bytes_at_context"] = float(counts.kv_bytes(model, model.context_tokens, state_bits=0))
    units = {key: "byte" for key in values if "bytes" in key}
    return values, units, _memory_bar(values, model.context_tokens, model.tower_parameters or 0.0)


def _memory_bar(values: Mapping[str, float], context: int | None, tower: float) -> str:
    """Memory of the weights, and of one sequence as long as the context, to scale."""
    parts = {
        "weights": values["weight_bytes"] + 2 * tower,
        f"cache of {context:,} tokens at 16 bit" if context else "cache": values.get("kv_bytes_at_context", 0.0),
        "state": values["state_bytes_per_sequence"],
    }
    total = sum(parts.values())
    signs = "".join(sign * round(BAR * each / total) for sign, each in zip("#=+", parts.values(), strict=True))
    told = zip("#=+", parts.items(), strict=True)
    words = ", ".join(f"{sign} {key} {each / 1e9:,.3g} GB" for sign, (key, each) in told if each)
    return f"memory of one sequence  [{signs}]  {words}"


def _offered(device: Any) -> tuple[dict[str, Any], dict[str, str], str]:
    from tokenomics.answers.size import price_date
    from tokenomics.compute.operators.fitted import parameters
    from tokenomics.compute.operators.selection import WIDE, completed
    from tokenomics.economics.cost.hourly import rent
    from tokenomics.facts.prices import listed_by

    fitted = parameters(completed(device), "gemm", WIDE)
    own = fitted.relation == "own"
    values = {"driver_memory_bytes": device.driver_memory_bytes, "operators": "measured" if own else "not measured"}
    if not own:
        values["operators_of"] = f"{fitted.accelerator} ({fitted.relation})"
    units, offers = {"driver_memory_bytes": "byte"}, listed_by(PRICE_LIST)
    found = rent(device, offers)
    if found is not None:
        values |= {"usd_per_hour": float(found.value), "usd_per_hour_source": PRICE_LIST}
        values |= {"usd_per_hour_date": price_date(device.name, offers)}
        units["usd_per_hour"] = "USD/h"
    return values, units, ""
