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


@dataclass(frozen=True)
class Facts:
    """Facts of one thing; ``print`` them, or take them by name from ``values``.

    Attributes:
        values: numbers, words and dates by name, empty ones left out; the names of sources are in ``source``, and
            ``verified`` says whether its values were read there.
        units: of the numbers that have one.
    """

    values: Mapping[str, Any]
    units: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {key: str(each) if isinstance(each, dt.date) else each for key, each in self.values.items()}

    def __str__(self) -> str:
        wide = max(map(len, self.values))
        return "\n".join(f"{key:<{wide}}  {_shown(each, self.units.get(key, ''))}" for key, each in self.values.items())


def _shown(value: Any, unit: str) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text = f"{value:,.12g}" if number else str(value)
    return f"{text} {unit}" if unit and unit != "1" else text


def show(kind: str, name: str) -> Facts:
    """What is known of a model or an accelerator (``kind`` ``"model"`` or ``"xpu"``), with its source.

    A model also has its counted parameters, those that a token uses, and the bytes of cache that a token takes at 16
    bits; an accelerator the median on-demand rent of the notebooks' list.

    >>> from tokenomics import show
    >>> show("xpu", "H100-SXM-80GB").values["memory_bytes"]
    80000000000

    Args:
        name: a name, an alias, or the path of a file.

    Raises:
        DataError: another kind, or a name that nobody knows (the nearest are listed).
    """
    require(kind in KINDS, "show", "kind", kind, ", ".join(KINDS))
    record = catalogue.model(name) if kind == "model" else catalogue.accelerator(name)
    row = catalogue.rows(KINDS[kind]).get(record.name)
    given = row or asdict(record) | {"source": str(name), "verified": False}
    values = {key: each for key, each in given.items() if each is not None}
    meta = tables.read_meta(paths.DATA / f"{catalogue.TABLES[KINDS[kind]]}.csv").columns
    units = {key: column["unit"] for key, column in meta.items() if "unit" in column}
    more, more_units = (_counted if kind == "model" else _rented)(record)
    last = {key: values.pop(key) for key in ("source", "locator", "verified", "note") if key in values}
    return Facts({**values, **more, **last}, units | more_units)


def _counted(model: Any) -> tuple[dict[str, Any], dict[str, str]]:
    from tokenomics.compute.counts.parameters import kv_bytes_per_token, parameters

    count = parameters(model)
    values = {"parameters": count.total, "parameters_active": count.active}
    values |= {"kv_bytes_per_token": float(kv_bytes_per_token(model))}
    return values, dict.fromkeys(values, "") | {"kv_bytes_per_token": "byte"}


def _rented(device: Any) -> tuple[dict[str, Any], dict[str, str]]:
    from tokenomics.answers.size import price_date
    from tokenomics.economics.cost.hourly import rent
    from tokenomics.facts.prices import listed_by

    offers = listed_by(PRICE_LIST)
    found = rent(device, offers)
    if found is None:
        return {}, {}
    values = {"usd_per_hour": float(found.value), "usd_per_hour_source": PRICE_LIST}
    return values | {"usd_per_hour_date": price_date(device.name, offers)}, {"usd_per_hour": "USD/h"}
