"""What a token costs at an API and an hour costs on a rented accelerator: records and the arithmetic on one of them."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from types import NoneType
from typing import Any, Self, TypeVar, get_args

import numpy as np

from tokenomics.errors import DataError

TOKENS_PER_MTOKEN = 1e6
RENTAL_KINDS = ("on_demand", "spot", "reserved", "assumed")


@dataclass(frozen=True)
class ApiPrice:
    """List price of one model at one provider, in USD per million tokens, as one row of ``prices_api.csv``.

    ``date`` is the day of the first list that shows the price and ``listed_until`` that of the last, not the days on
    which the provider changed it. ``reasoning_billed`` is True where hidden reasoning tokens are billed as output,
    False where the model has none, None where unknown. ``tokenizer`` is a key of ``tokenizers.csv``.
    Left out: dearer long prompts, batch discounts, cache writes and storage, per-request fees.
    """

    date: dt.date
    listed_until: dt.date
    provider: str
    model_id: str
    model: str
    usd_per_mtoken_input: float
    usd_per_mtoken_output: float
    usd_per_mtoken_cached_input: float | None
    context_tokens: int | None
    reasoning_billed: bool | None
    tokenizer: str | None
    usable: bool
    source: str
    verified: bool

    @classmethod
    def from_row(cls, row: Mapping[str, Any], where: str = "prices_api") -> Self:
        """A record from a table row, or from a user's mapping with the same keys; other keys are ignored.

        Raises:
            DataError: a missing key, a wrong type, or a price that is not positive.
        """
        return _from_row(cls, row, where)

    def usd(self, input_tokens, output_tokens, reasoning_tokens=0.0, cached_input_tokens=0.0):
        """Price of a request in USD.

        Args:
            input_tokens: tokens of the prompt, cached ones included; number or array.
            output_tokens: visible tokens of the reply.
            reasoning_tokens: hidden tokens, billed like the reply.
            cached_input_tokens: part of the prompt that is read from the provider's cache; full price where the
                list has no price for it.

        Raises:
            DataError: a negative number, more cached than input tokens, or reasoning tokens of a model without any.
        """
        where = f"price of {self.model_id}"
        counts = {"input_tokens": input_tokens, "output_tokens": output_tokens}
        counts |= {"reasoning_tokens": reasoning_tokens, "cached_input_tokens": cached_input_tokens}
        for key, value in counts.items():
            _require(~np.any(np.less(value, 0)), where, key, value, ">= 0")
        enough = np.all(np.less_equal(cached_input_tokens, input_tokens))
        _require(enough, where, "cached_input_tokens", cached_input_tokens, "at most input_tokens")
        none = self.reasoning_billed is False and np.any(np.greater(reasoning_tokens, 0))
        _require(not none, where, "reasoning_tokens", reasoning_tokens, "0 for a model without hidden reasoning")
        cached = self.usd_per_mtoken_cached_input
        cached = self.usd_per_mtoken_input if cached is None else cached
        usd_input = (input_tokens - cached_input_tokens) * self.usd_per_mtoken_input + cached_input_tokens * cached
        usd_output = (output_tokens + reasoning_tokens) * self.usd_per_mtoken_output
        return (usd_input + usd_output) / TOKENS_PER_MTOKEN

    def usd_per_task(self, input_words, output_words, tokens_per_word, reasoning_tokens=0.0):
        """Price in USD of a task given in words: the same text costs more where the tokenizer makes more tokens of it.

        Args:
            input_words, output_words: words read and written; number or array.
            tokens_per_word: of this model's tokenizer, from ``tokenizers.csv``.
            reasoning_tokens: hidden tokens, billed like the reply.

        Raises:
            DataError: as :meth:`usd`; ``tokens_per_word`` not positive.
        """
        positive = np.all(np.greater(tokens_per_word, 0))
        _require(positive, f"task on {self.model_id}", "tokens_per_word", tokens_per_word, "> 0")
        return self.usd(input_words * tokens_per_word, output_words * tokens_per_word, reasoning_tokens)


@dataclass(frozen=True)
class RentalPrice:
    """List price of one accelerator-hour in USD, as one row of ``prices_rental.csv``.

    ``date`` is None where the list has no known day. ``accelerator`` is the canonical name, None where the offer does
    not say which form factor it is. ``n_accelerators`` is the size of the instance; the price is per accelerator.
    """

    date: dt.date | None
    listed_until: dt.date | None
    provider: str
    instance: str | None
    accelerator_listed: str
    accelerator: str | None
    n_accelerators: int
    kind: str
    usd_per_accelerator_hour: float
    usable: bool
    source: str
    verified: bool

    def __post_init__(self):
        allowed = ", ".join(RENTAL_KINDS)
        _require(self.kind in RENTAL_KINDS, f"rental of {self.accelerator_listed}", "kind", self.kind, allowed)

    @classmethod
    def from_row(cls, row: Mapping[str, Any], where: str = "prices_rental") -> Self:
        """A record from a table row, or from a user's mapping with the same keys; other keys are ignored.

        Raises:
            DataError: a missing key, a wrong type, a price that is not positive, an unknown kind.
        """
        return _from_row(cls, row, where)


Price = TypeVar("Price", ApiPrice, RentalPrice)


def listed_by(price_list: str) -> list[RentalPrice]:
    """Rental offers of one list, by its key in ``data/sources.csv``."""
    return [offer for offer in rental_prices() if offer.source == price_list]


def listed_on(prices: Iterable[Price], day: dt.date) -> list[Price]:
    """The usable prices that lists showed from at or before ``day`` until at or after it, in the given order.

    Undated rows are left out. Lists are snapshots: between two of them the price is taken as unchanged.
    """
    return [p for p in prices if p.usable and p.date and p.listed_until and p.date <= day <= p.listed_until]


@cache
def api_prices() -> tuple[ApiPrice, ...]:
    """All rows of ``data/catalogue/prices_api.csv``, in file order."""
    from tokenomics.facts import tables

    return tuple(map(ApiPrice.from_row, tables.records("catalogue/prices_api")))


@cache
def rental_prices() -> tuple[RentalPrice, ...]:
    """All rows of ``data/catalogue/prices_rental.csv``, in file order."""
    from tokenomics.facts import tables

    return tuple(map(RentalPrice.from_row, tables.records("catalogue/prices_rental")))


def _from_row(cls, row: Mapping[str, Any], where: str):
    values = {}
    for field in fields(cls):
        _require(field.name in row, where, field.name, "missing", "a value, or empty where unknown")
        values[field.name] = _typed(row[field.name], field.type, where, field.name)
    return cls(**values)


def _typed(value: Any, annotation: Any, where: str, key: str):
    """``value`` as the annotated type; empty only where the annotation has None."""
    allowed = get_args(annotation) or (annotation,)
    if value is None or value == "":
        _require(NoneType in allowed, where, key, "empty", "a value")
        return None
    kind = allowed[0]
    if kind is dt.date:
        return _date(value, where, key)
    if kind is bool:
        _require(isinstance(value, bool | np.bool_), where, key, value, "true or false")
        return bool(value)
    if kind is str:
        _require(isinstance(value, str), where, key, value, "text")
        return value
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool) and np.isfinite(value)
    _require(number and value > 0, where, key, value, "a finite number > 0")
    _require(kind is float or value == int(value), where, key, value, "a whole number")
    return kind(value)


def _date(value: Any, where: str, key: str) -> dt.date:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise DataError(where, key, value, "a date, YYYY-MM-DD") from None


def _require(good: bool, where: str, key: str, value: Any, allowed: str) -> None:
    if not good:
        raise DataError(where, key, value, allowed)
