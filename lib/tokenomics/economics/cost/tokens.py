"""From accelerator-hours to USD per million tokens, per task and per user-month, at saturation and below it.

Every published model of token cost is ``1e6 n p / (3600 r)``: ``n`` accelerators at ``p`` USD an hour that make ``r``
tokens a second together. They differ in ``r``. A simulated load has its idle time in ``r`` already (:func:`simulated`);
below saturation the closed form divides by a utilisation (:func:`effective`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tokenomics.compute.inference.server import Server
from tokenomics.economics.cost.amounts import DAYS_PER_MONTH, SECONDS_PER_HOUR, TOKENS, checked, share
from tokenomics.economics.cost.hourly import Hour, paid_usd
from tokenomics.errors import DataError
from tokenomics.estimate import Amount, Estimate, combine, total
from tokenomics.service.simulator import Outcome

WARMING = 0.2
"""Share of the time of arrivals that passes before tokens are counted: a replica starts empty."""
STEP_TOKENS = 8192.0
"""Prompt tokens that are read together when the price of reading is taken."""


@dataclass(frozen=True)
class TokenPrices:
    """USD per million tokens: read, read from a cache, written. Shapes are those of the arguments they came from."""

    input: Estimate
    cached: Estimate
    output: Estimate

    def usd(
        self,
        input_tokens: ArrayLike,
        output_tokens: ArrayLike,
        reasoning_tokens: ArrayLike = 0.0,
        cached_share: ArrayLike = 0.0,
    ) -> Estimate:
        """USD of a task.

        Args:
            input_tokens: of the prompt, cached ones included.
            output_tokens: seen by the user.
            reasoning_tokens: written and not seen; they cost like the others.
            cached_share: of the prompt that is known from an earlier request.

        Raises:
            DataError: a negative number, a share outside 0 to 1.
        """
        read, written, hidden = (
            checked("task", key, value, zero=True)
            for key, value in (
                ("input_tokens", input_tokens),
                ("output_tokens", output_tokens),
                ("reasoning_tokens", reasoning_tokens),
            )
        )
        known = share("task", "cached_share", cached_share, zero=True).value
        new = combine(lambda usd: usd * read.value * (1 - known) / TOKENS, [self.input])
        old = combine(lambda usd: usd * read.value * known / TOKENS, [self.cached])
        out = combine(lambda usd: usd * (written.value + hidden.value) / TOKENS, [self.output])
        return total([new, old, out])


def usd_per_mtoken(
    hour: Amount | Hour, tokens_per_s: Amount, devices: ArrayLike = 1.0, utilisation: Amount = 1.0
) -> Estimate:
    """USD per million tokens of ``devices`` accelerators that make ``tokens_per_s`` together while they are busy.

    Args:
        hour: USD per accelerator-hour.
        utilisation: share of that speed that is achieved, above 0 to 1 (see :func:`effective`).

    Raises:
        DataError: an amount that is not positive, a utilisation outside (0, 1].
    """
    usd = paid_usd("USD per Mtoken", hour)
    rate = checked("USD per Mtoken", "tokens_per_s", tokens_per_s)
    count = checked("USD per Mtoken", "devices", devices)
    used = share("USD per Mtoken", "utilisation", utilisation)
    return combine(lambda p, n, r, u: TOKENS * n * p / (SECONDS_PER_HOUR * r * u), [usd, count], [rate, used])


def utilisation(achieved: ArrayLike, saturated: Amount) -> Estimate:
    """Achieved over saturated output tokens a second at the same mix of lengths.

    Raises:
        DataError: not positive, or more achieved than the saturated server makes (a load beyond saturation).
    """
    made, most = checked("utilisation", "achieved", achieved), checked("utilisation", "saturated", saturated)
    over = made.value > most.value * (1 + 1e-12)
    if np.any(over):
        bound = float(np.min(np.broadcast_to(most.value, over.shape)[over]))
        first = float(np.broadcast_to(made.value, over.shape)[over].flat[0])
        raise DataError("utilisation", "achieved", first, f"at most {bound:.6g} tokens/s (saturated)")
    return combine(lambda a, s: np.minimum(a / s, 1.0), [made], [most])


def effective(saturated: Amount, used: Amount) -> Estimate:
    """C_eff = C_sat / U: the price of a server that is achieved only a share of what it could (arXiv:2606.11690).

    Not for a cost that a simulation gave: its idle time is in it already.

    Raises:
        DataError: a price that is not positive, a utilisation outside (0, 1].
    """
    price, part = checked("effective price", "saturated", saturated), share("effective price", "utilisation", used)
    return combine(lambda usd, u: usd / u, [price], [part])


def self_hosted(
    server: Server,
    hour: Amount | Hour,
    prompt: ArrayLike,
    output: ArrayLike,
    *,
    cached: ArrayLike | None = None,
    concurrency: ArrayLike = np.inf,
    utilisation: Amount = 1.0,
) -> TokenPrices:
    """What a server's tokens cost its operator, by kind, at saturation or a share of it.

    A request takes the time ``T`` in which the saturated server makes its output. Reading takes the part of it that its
    packed prompt does, the rest is writing, so that both prices add up to what the server costs. A cached token costs
    the attention that new ones pay to it; the memory that keeps it is left out. The ends of ``T`` go into all three
    alike; errors of the split do not.

    Args:
        server: one replica; prices do not depend on their number.
        hour: USD per accelerator-hour.
        prompt, output: tokens of a request.
        cached: tokens of the prompt that are known, where the price of cached tokens is taken; half by default.
        concurrency: requests in flight, at most; as many as fit by default.
        utilisation: share of the saturated output that is achieved.

    Raises:
        DataError: an amount that is not positive, more cached than prompt tokens, a utilisation outside (0, 1].
    """
    for key, value in (("prompt", prompt), ("output", output)):
        checked("self-hosted tokens", key, value)
    prompt, output = np.asarray(prompt, dtype=float), np.asarray(output, dtype=float)
    known = prompt / 2 if cached is None else np.asarray(cached, dtype=float)
    if np.any((known <= 0) | (known >= prompt)):
        raise DataError("self-hosted tokens", "cached", known.tolist(), "above 0, below the prompt")
    rate = server.output_rate(prompt, output, concurrency)
    per_token = usd_per_mtoken(hour, rate, server.devices, utilisation)
    whole = output / rate.value
    reading = np.minimum(_reading_s(server, prompt, 0.0), whole)
    past = _reading_s(server, prompt - known, known) - _reading_s(server, prompt - known, 0.0)

    def part(seconds, tokens):
        return combine(lambda usd: usd * output * seconds / whole / tokens, [per_token])

    cheap = np.clip(past / known, 0.0, reading / prompt)
    return TokenPrices(part(reading, prompt), part(cheap, 1.0), part(whole - reading, output))


def achieved(outcome: Outcome) -> float:
    """Output tokens a second of requests that ended between a fifth of the arrivals' time and the last arrival.

    So neither the filling at the start nor the emptying after the last arrival counts as idle time.

    Raises:
        DataError: nothing was finished in that time.
    """
    given = outcome.requests
    end = float(given.arrival_s[-1])
    begin = WARMING * end
    done = outcome.finished & (outcome.finish_s > begin) & (outcome.finish_s <= end)
    tokens = float(given.output[done].sum())
    if not (tokens > 0 and end > begin):
        raise DataError("achieved", "outcome", "no request finished", "one finished before the last arrival")
    return tokens / (end - begin)


def simulated(outcome: Outcome, hour: Amount | Hour, devices: ArrayLike = 1.0) -> Estimate:
    """USD per million output tokens of a simulated load; never to be divided by a utilisation, which is in it.

    Args:
        hour: USD per accelerator-hour.
        devices: accelerators paid all the time, of all replicas.

    Raises:
        DataError: an amount that is not positive, nothing finished.
    """
    usd = paid_usd("simulated cost", hour)
    count, rate = checked("simulated cost", "devices", devices), achieved(outcome)
    return combine(lambda p, n: TOKENS * n * p / (SECONDS_PER_HOUR * rate), [usd, count])


def per_user_month(usd_per_task: Amount, tasks_per_day: ArrayLike) -> Estimate:
    """USD of a user's month.

    Raises:
        DataError: a negative number.
    """
    price = checked("user-month", "usd_per_task", usd_per_task, zero=True)
    often = checked("user-month", "tasks_per_day", tasks_per_day, zero=True)
    return combine(lambda usd, n: usd * n * DAYS_PER_MONTH, [price, often])


def _reading_s(server: Server, tokens: ArrayLike, cached: ArrayLike) -> ArrayLike:
    """Seconds of the server per prompt, read together with as many others as a step holds."""
    together = np.maximum(np.floor(STEP_TOKENS / np.asarray(tokens)), 1.0)
    return server.ttft(tokens, together, cached).value / together
