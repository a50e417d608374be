"""What an API charges, and from where on one's own accelerators are cheaper.

Cached prompts, batch discounts, hidden reasoning and other tokenizers are priced as listed.

Left out: dearer long prompts, fees for writing to or keeping a cache, commitments, free tiers. Discounts of cache and
batch are taken together; some providers give only one.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.economics.cost.amounts import SECONDS_PER_HOUR, checked, share
from tokenomics.economics.cost.hourly import Hour, paid_usd
from tokenomics.economics.cost.tokens import TokenPrices
from tokenomics.errors import DataError
from tokenomics.estimate import Amount, Estimate, combine
from tokenomics.facts.prices import ApiPrice

BATCH_DISCOUNT = 0.5
"""Share taken off requests that may wait for a day, as OpenAI, Anthropic and Google have listed it since 2024."""


def api_usd(
    price: ApiPrice,
    input_tokens: ArrayLike,
    output_tokens: ArrayLike,
    *,
    reasoning_tokens: ArrayLike = 0.0,
    cached_share: ArrayLike = 0.0,
    batch_share: ArrayLike = 0.0,
    batch_discount: float = BATCH_DISCOUNT,
    tokens_ratio: float = 1.0,
) -> NDArray[np.float64]:
    """USD of a task at an API.

    Args:
        price: as listed.
        input_tokens: of the prompt, cached ones included, as the reference tokenizer cuts it.
        output_tokens: seen by the user, as the reference tokenizer cuts them.
        reasoning_tokens: hidden and billed as output, in the model's own tokens.
        cached_share: of the prompt that the provider reads from its cache; full price where it lists none for it.
        batch_share: of tasks that are sent as a batch.
        batch_discount: what a batch takes off.
        tokens_ratio: tokens of this model's tokenizer per token of the reference, see :func:`tokenizer_ratio`.

    Raises:
        DataError: a negative number, a share outside 0 to 1, reasoning of a model that has none.
    """
    where = f"price of {price.model_id}"
    ratio = checked(where, "tokens_ratio", tokens_ratio).value
    read = checked(where, "input_tokens", input_tokens, zero=True).value * ratio
    written = checked(where, "output_tokens", output_tokens, zero=True).value * ratio
    known = share(where, "cached_share", cached_share, zero=True).value
    waits = share(where, "batch_share", batch_share, zero=True).value
    off = share(where, "batch_discount", batch_discount, zero=True).value
    return price.usd(read, written, reasoning_tokens, read * known) * (1 - waits * off)


def listed(price: ApiPrice, *, batch_discount: float = 0.0, tokens_ratio: float = 1.0) -> TokenPrices:
    """A list's prices per million tokens of the reference tokenizer, to set beside one's own; without ends.

    Raises:
        DataError: a discount outside 0 to 1, a ratio that is not positive.
    """
    where = f"price of {price.model_id}"
    factor = 1 - share(where, "batch_discount", batch_discount, zero=True).value
    factor = factor * checked(where, "tokens_ratio", tokens_ratio).value
    cached = price.usd_per_mtoken_cached_input
    cached = price.usd_per_mtoken_input if cached is None else cached
    usd = (price.usd_per_mtoken_input, cached, price.usd_per_mtoken_output)
    return TokenPrices(*(Estimate.of(each * factor) for each in usd))


def tokenizer_ratio(tokenizer: str, reference: str, language: str = "English") -> float:
    """Tokens that a tokenizer makes where the reference makes one, by the catalogued text of a language.

    Raises:
        DataError: an unknown tokenizer, or a language without a count of words.
    """
    from tokenomics.facts.tokenizers import tokens_per_word

    return tokens_per_word(tokenizer, language) / tokens_per_word(reference, language)


def breakeven_rate(
    hour: Amount | Hour, usd_per_task: Amount, devices: ArrayLike = 1.0, capacity: ArrayLike = np.inf
) -> Estimate:
    """Tasks a second from which ``devices`` accelerators kept all the time are no dearer than paying by the task.

    Args:
        hour: USD per accelerator-hour.
        usd_per_task: what the API takes for a task.
        capacity: tasks a second that the accelerators can do; where that is less, the answer is infinite.

    Raises:
        DataError: an amount that is not positive.
    """
    usd = paid_usd("break-even", hour)
    count, task = checked("break-even", "devices", devices), checked("break-even", "usd_per_task", usd_per_task)
    most = np.asarray(capacity, dtype=float)
    if not np.all(most > 0):
        raise DataError("break-even", "capacity", most.tolist(), "above 0")

    def rate(p, n, price):
        tasks = n * p / SECONDS_PER_HOUR / price
        return np.where(tasks <= most, tasks, np.inf)

    return combine(rate, [usd, count], [task])


def cheapest(usd: Mapping[str, ArrayLike]) -> NDArray[np.str_]:
    """The name of the least amount at each point of arrays that broadcast; equal amounts go to the first by name.

    Raises:
        DataError: no option, an amount that is negative or not a number.
    """
    if not usd:
        raise DataError("cheapest", "options", "none", "at least one")
    names = sorted(usd)
    amounts = np.broadcast_arrays(*(np.asarray(usd[name], dtype=float) for name in names))
    for name, amount in zip(names, amounts, strict=True):
        if not np.all(amount >= 0):
            raise DataError("cheapest", name, float(amount[~(amount >= 0)].flat[0]), "at least 0")
    return np.array(names)[np.argmin(np.stack(amounts), axis=0)]
