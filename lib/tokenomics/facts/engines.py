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
from tokenomics.facts.accelerators import GIB, Accelerator

TABLE = paths.DATA / "catalogue" / "engines.csv"
GENERIC = "generic"
ENDLESS = (10**6, 0)
LATEST = "x"
"""What texts write for any minor version, as in ``1.x``."""
DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
POLICIES = PREFILL, DECODE, CHUNKED = "prefill", "decode", "chunked"
"""``prefill``: waiting prompts go before decodes, whole, in steps of their own. ``decode``: a batch is filled only when
the last one has ended. ``chunked``: every step holds all decodes and as much of prompts as its tokens allow."""
SMALL = "A100"
"""Devices that an engine treats as small whatever their memory (vLLM, pull request 17885)."""


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
        usable: share of the device's memory that the engine may fill; of what the model leaves free with ``of_free``,
            of what is free before the model is loaded with ``of_start``.
        of_free, of_start: what ``usable`` is a share of.
        held_bytes: what lowers the share besides, where no share is told.
        held_token_bytes, held_device_bytes: the same, for each token of the largest step and each device of a replica.
        runtime_bytes: driver, context, kernels and libraries.
        buffer_bytes: communication buffers, for each device with peers.
        one_step: the prompts of a whole batch are read in one step.
        workspace: bytes of workspace over the bytes of activations.
        logit_bytes: bytes of the sampler for each sequence and entry of the vocabulary.
        fills: the engine takes all usable memory for its cache at start.
        whole: a request runs only when its whole sequence fits beside those of the others, its output included.
    """

    usable: float = 0.9
    of_free: bool = False
    of_start: bool = False
    held_bytes: float = 0.0
    held_token_bytes: float = 0.0
    held_device_bytes: float = 0.0
    runtime_bytes: float = 1.5e9
    buffer_bytes: float = 0.5e9
    one_step: bool = False
    workspace: float = 1.0
    logit_bytes: float = 0.0
    fills: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Sliding:
    """What layers with a window keep of a sequence, in models that have other layers too.

    Attributes:
        share: of the whole context, at least.
        step: the tokens of a step beside the window.
    """

    share: float = 0.0
    step: bool = False


@dataclass(frozen=True)
class Engine:
    """An engine in one period of its development; columns of the table, with the meaning given there."""

    name: str
    period: str
    pattern: str
    period_pattern: str
    first_version: tuple[int, int] | None
    below_version: tuple[int, int]
    since: str
    policy: str
    kernels: str | None
    elementwise_kernels: str | None
    fuses: bool
    repeats_prompt: bool
    sliding_window: bool
    splits_layers: bool
    attention_dp: bool
    reserve: Reserve
    sliding: Sliding = Sliding()
    usable_since: tuple[tuple[int, int], float] | None = None
    seqs_by_gib: tuple[tuple[int, int], ...] = ()
    tokens_by_gib: tuple[tuple[int, int], ...] = ()
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    prefix_cache: bool = False
    block_tokens: int | None = None

    @property
    def profile(self) -> str:
        """Name of the profile on the devices whose kernels were measured: engine and, where it has any, period."""
        return f"{self.name} {self.period}".strip()

    def seqs(self, device: Accelerator) -> int | None:
        """Sequences that run together by default on a device; ``None`` where nothing is documented."""
        return _by_memory(self.seqs_by_gib, device, self.max_num_seqs)

    def tokens(self, device: Accelerator) -> int | None:
        """Tokens of a step for which room is kept by default on a device; ``None`` where nothing is documented."""
        return _by_memory(self.tokens_by_gib, device, None)

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

    A period is recognised by its own pattern (a benchmark's name for it), then by the version (``1.x``: the last of
    them), then by a day in the text, as :func:`dated` writes it: the newest that had begun. A text with neither means
    the newest period. An unknown engine is the generic one.
    """
    return _found(text)[0]


def version_told(text: str) -> bool:
    """Whether a text tells the engine's period, or the engine has one only; a day alone does not tell it."""
    engine, by_version = _found(text)
    return by_version or len([each for each in engines() if each.name == engine.name]) == 1


def dated(text: str, version: str = "", day: str = "") -> str:
    """An engine's text with what stands beside it: its version where the text names none, else the day of the run.

    Args:
        text: as published.
        version: of the engine, empty where not stated.
        day: ``YYYY-MM-DD``, empty where not stated.
    """
    if not text.strip() or version_told(text):
        return text
    if version and version_told(f"{text} {version}"):
        return f"{text} {version}"
    return f"{text} {day}" if DAY.fullmatch(day) else text


def before(text: str) -> Engine | None:
    """The period before the one that a text means; ``None`` for the first."""
    engine = published(text)
    periods = [each for each in engines() if each.name == engine.name]
    place = periods.index(engine)
    return periods[place - 1] if place else None


@cache
def _found(text: str) -> tuple[Engine, bool]:
    """Engine and period of a text, and whether a pattern or a version told the period."""
    text = text.strip().casefold()
    name = next((e.name for e in engines() if e.pattern and re.search(e.pattern, text)), GENERIC)
    periods = [each for each in engines() if each.name == name]
    for each in periods:
        if each.period_pattern and re.search(each.period_pattern, text):
            return each, True
    if version := _version_in(text, periods[0].pattern):
        for each in periods:
            if each.has_version(version):
                return each, True
    if day := DAY.search(text):
        return [periods[0], *(each for each in periods if each.since <= day[0])][-1], False
    return periods[-1], False


def default_share(text: str) -> float | None:
    """The share of memory that the version in a text fills where it is told none; ``None``: as its period does."""
    engine = published(text)
    version = _version_in(text.strip().casefold(), engine.pattern)
    since = engine.usable_since
    return since[1] if since and version and version >= since[0] else None


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
        **{key: row[key] for key in ("name", "period", "pattern", "period_pattern", "policy", "since")},
        **{
            key: _true(row[key])
            for key in ("fuses", "repeats_prompt", "sliding_window", "splits_layers", "attention_dp")
        },
        first_version=_version(first) if first else None,
        below_version=_version(below) if below else ENDLESS,
        kernels=row["kernels"] or None,
        elementwise_kernels=row["elementwise_kernels"] or None,
        reserve=_reserve(row),
        sliding=Sliding(float(row["sliding_share"]), _true(row["sliding_step"])),
        usable_since=_since(row["usable_since"]),
        **{key: _pairs(row[key]) for key in ("seqs_by_gib", "tokens_by_gib")},
        prefix_cache=_true(row["prefix_cache"]),
        **{key: _whole(row[key]) for key in ("max_num_seqs", "max_num_batched_tokens", "block_tokens")},
    )


def _reserve(row: dict[str, str]) -> Reserve:
    read = {bool: _true, float: float}
    return Reserve(**{each.name: read[each.type](row[each.name]) for each in fields(Reserve)})


def _since(cell: str) -> tuple[tuple[int, int], float] | None:
    version, _, share = cell.partition("=")
    return (_version(version), float(share)) if cell else None


def _pairs(cell: str) -> tuple[tuple[int, int], ...]:
    return tuple((int(gib), int(number)) for gib, number in (each.split(":") for each in cell.split(";") if each))


def _by_memory(steps: tuple[tuple[int, int], ...], device: Accelerator, otherwise: int | None) -> int | None:
    """The number of the highest step that a device's memory reaches; an A100 counts as the smallest, as in vLLM."""
    gib = 0.0 if device.name.startswith(SMALL) else device.driver_memory_bytes / GIB
    return next((number for least, number in reversed(steps) if gib >= least), otherwise)


def _version_in(text: str, pattern: str) -> tuple[int, int] | None:
    """Major and minor version after an engine's name in a lower-case text."""
    number = re.search(r"(?:llm|" + pattern + r")\D{0,3}(\d+)\.(\d+|x\b)", text) if pattern else None
    return (int(number[1]), ENDLESS[0] if number[2] == LATEST else int(number[2])) if number else None


def _true(cell: str) -> bool:
    return {"true": True, "false": False}[cell]


def _whole(cell: str) -> int | None:
    return int(cell) if cell else None


def _version(cell: str) -> tuple[int, int]:
    major, minor = cell.split(".")
    return int(major), int(minor)
