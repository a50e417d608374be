"""Facts about serving engines, by period of development: ``data/catalogue/engines.csv`` as frozen records.

A profile is called ``engine``, ``engine period`` or ``engine period devices``: ``sglang``, ``vllm 2024``,
``vllm 2024 CDNA3``. Adding an engine is adding a row; no module depends on the name of an engine.
"""

import csv
import re
from dataclasses import dataclass, fields
from functools import cache

from tokenomics import paths
from tokenomics.errors import DataError

TABLE = paths.DATA / "catalogue" / "engines.csv"
GENERIC = "generic"
ENDLESS = (10**6, 0)
POLICIES = PREFILL, DECODE, CHUNKED = "prefill", "decode", "chunked"
"""``prefill``: waiting prompts go before decodes, whole, in steps of their own. ``decode``: a batch is filled only when
the last one has ended. ``chunked``: every step holds all decodes and as much of prompts as its tokens allow."""


@dataclass(frozen=True)
class ProfileName:
    """Name of an engine profile in its parts.

    Attributes:
        engine: first word.
        period: year, empty where the engine is not divided into periods.
        devices: generation of devices whose kernels were not measured, empty for those that were.
    """

    engine: str
    period: str
    devices: str

    @classmethod
    def parse(cls, name: str) -> "ProfileName":
        """From ``engine``, ``engine period``, ``engine devices`` or ``engine period devices``."""
        engine, *rest = name.split(" ")
        period = [word for word in rest if word.isdigit()]
        return cls(engine, " ".join(period), " ".join(word for word in rest if not word.isdigit()))

    @property
    def software(self) -> str:
        """The engine and, where it has any, its period."""
        return f"{self.engine} {self.period}".strip()

    def same_stack(self, other: "ProfileName") -> bool:
        """Whether another profile is of the same engine on the same devices, in whatever period."""
        return (self.engine, self.devices) == (other.engine, other.devices)


@dataclass(frozen=True)
class Reserve:
    """What an engine keeps back of the memory of each device.

    Attributes:
        usable: share of the device's memory that the engine may fill; of what the model leaves free with ``of_free``.
        of_free: what ``usable`` is a share of.
        runtime_bytes: context, kernels and libraries.
        buffer_bytes: communication buffers, for each device with peers.
        step_tokens: tokens of the largest step, for whose activations room is kept; ``None`` means the whole prompt
            batch at once.
        workspace: bytes of workspace over the bytes of activations.
        fills: the engine takes all usable memory for its cache at start.
        whole: a request runs only when its whole sequence fits beside those of the others, its output included.
    """

    usable: float = 0.9
    of_free: bool = False
    runtime_bytes: float = 1.5e9
    buffer_bytes: float = 0.5e9
    step_tokens: float | None = 8192
    workspace: float = 1.0
    fills: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Engine:
    """An engine in one period of its development; columns of the table, with the meaning given there."""

    name: str
    period: str
    pattern: str
    period_pattern: str
    first_version: tuple[int, int] | None
    below_version: tuple[int, int]
    unstated: bool
    policy: str
    kernels: str | None
    elementwise_kernels: str | None
    fuses: bool
    repeats_prompt: bool
    sliding_window: bool
    splits_layers: bool
    reserve: Reserve
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    prefix_cache: bool = False
    block_tokens: int | None = None

    @property
    def profile(self) -> str:
        """Name of the profile on the devices whose kernels were measured: engine and, where it has any, period."""
        return f"{self.name} {self.period}".strip()

    def has_version(self, version: tuple[int, int]) -> bool:
        """Whether a version falls into this period."""
        return self.first_version is not None and self.first_version <= version < self.below_version


@cache
def engines() -> tuple[Engine, ...]:
    """All engines and periods, in the order in which their name patterns are tried.

    Raises:
        DataError: a missing file or a cell that cannot be read.
    """
    try:
        with TABLE.open(encoding="utf-8", newline="") as file:
            return tuple(_engine(row) for row in csv.DictReader(file))
    except FileNotFoundError:
        raise DataError(paths.shown(TABLE), "file", "missing", "a readable CSV") from None
    except (KeyError, ValueError) as error:
        raise DataError(paths.shown(TABLE), "row", str(error), "columns as engines.meta.yaml describes them") from None


@cache
def published(text: str) -> Engine:
    """The engine and period that a published text means, such as ``TensorRT-LLM 0.9.0`` or ``vLLM``.

    A period is recognised by its own pattern (a benchmark's name for it), then by the version; a text without a version
    means the period that is marked for it. An unknown engine is the generic one.
    """
    text = text.strip().casefold()
    name = next((e.name for e in engines() if e.pattern and re.search(e.pattern, text)), GENERIC)
    periods = [each for each in engines() if each.name == name]
    for each in periods:
        if each.period_pattern and re.search(each.period_pattern, text):
            return each
    number = re.search(r"(?:llm|" + periods[0].pattern + r")\D{0,3}(\d+)\.(\d+)", text) if periods[0].pattern else None
    if number:
        version = int(number[1]), int(number[2])
        for each in periods:
            if each.has_version(version):
                return each
    return next((each for each in periods if each.unstated), periods[-1])


def known(text: str) -> Engine:
    """The engine and period that a text means; nothing means the generic one.

    Raises:
        DataError: an engine that no row knows.
    """
    found = published(text)
    if text and found.name == GENERIC != text:
        names = ", ".join(dict.fromkeys(each.name for each in engines() if each.name != GENERIC))
        raise DataError("deployment", "engine", text, f"one of {names}, with its version, or nothing")
    return found


@cache
def of_profile(name: str) -> Engine:
    """The engine and period of a profile; the engine's latest period where the named one has no row, else generic."""
    wanted = ProfileName.parse(name)
    periods = [each for each in engines() if each.name == wanted.engine]
    if not periods:
        return of_profile(GENERIC)
    return next((each for each in periods if each.period == wanted.period), periods[-1])


@cache
def measured_kernels() -> dict[str, str | None]:
    """Engines whose kernels were measured, in the order in which one stands in for another,
    and whose element-wise kernels each of them runs; ``None``: the nearest."""
    return {each.kernels: each.elementwise_kernels for each in engines() if each.kernels}


def _engine(row: dict[str, str]) -> Engine:
    first, below = row["first_version"], row["below_version"]
    return Engine(
        **{key: row[key] for key in ("name", "period", "pattern", "period_pattern", "policy")},
        **{key: _true(row[key]) for key in ("unstated", "fuses", "repeats_prompt", "sliding_window", "splits_layers")},
        first_version=_version(first) if first else None,
        below_version=_version(below) if below else ENDLESS,
        kernels=row["kernels"] or None,
        elementwise_kernels=row["elementwise_kernels"] or None,
        reserve=_reserve(row),
        prefix_cache=_true(row["prefix_cache"]),
        **{key: _whole(row[key]) for key in ("max_num_seqs", "max_num_batched_tokens", "block_tokens")},
    )


def _reserve(row: dict[str, str]) -> Reserve:
    numbers = {key: float(row[key]) for key in ("usable", "runtime_bytes", "buffer_bytes", "workspace")}
    flags = {each.name: _true(row[each.name]) for each in fields(Reserve) if each.type is bool}
    return Reserve(**numbers, **flags, step_tokens=float(row["step_tokens"]) if row["step_tokens"] else None)


def _true(cell: str) -> bool:
    return {"true": True, "false": False}[cell]


def _whole(cell: str) -> int | None:
    return int(cell) if cell else None


def _version(cell: str) -> tuple[int, int]:
    major, minor = cell.split(".")
    return int(major), int(minor)
