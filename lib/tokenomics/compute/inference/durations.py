"""What a request sees: prefill, decode, static batches, closed loops. What a replica delivers: :mod:`.saturation`.

Everything is put together from steps (:mod:`.steps`) as :class:`tokenomics.compute.inference.engines.Work`,
whose duration an engine's profile gives; how many sequences run at a time follows from memory
(:mod:`.memory`). Arguments are numbers or arrays and are broadcast. Intervals are in
``inference.intervals``.

Left out: preemption, beginnings that some prompts share and others do not. Adapters and images are in :mod:`.adapters`
and :mod:`.vision`; how many tokens to draft, in :mod:`.speculation`.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference import memory
from tokenomics.compute.inference.engines import Profile, Work
from tokenomics.compute.inference.steps import Parts, device_seconds
from tokenomics.errors import DataError

STRETCHES = 4
"""Points at which a growing context is looked at; a step's time is nearly linear in it."""
LADDER = np.geomspace(1, 4096, 49)
"""Concurrencies between which open loads are interpolated."""


def unread(on: Deployment, prompt: ArrayLike) -> tuple[NDArray, NDArray]:
    """New tokens of whole prompts, and those that the prefix cache knows; at least one token is read."""
    prompt = np.asarray(prompt, dtype=float)
    known = np.where(prompt > on.known_tokens, float(on.known_tokens), 0.0)
    return prompt - known, known


def prefill(on: Deployment, batch: ArrayLike, prompt: ArrayLike, cached: ArrayLike | None = None) -> Work:
    """Reading ``batch`` prompts of ``prompt`` new tokens, after ``cached`` ones each, until all have a first token;
    where ``None``, of ``prompt`` tokens of which the engine's prefix cache knows some.

    Whole prompts are packed into steps of as many tokens as the settings allow; with pipeline stages the batch goes
    through in as many parts as there are stages.
    """
    batch = np.asarray(batch, dtype=float)
    prompt, cached = unread(on, prompt) if cached is None else (np.asarray(prompt, dtype=float), cached)
    together = np.clip(np.floor(on.settings.max_num_batched_tokens / np.maximum(prompt, 1)), 1, np.maximum(batch, 1))
    count = batch / together
    one = device_seconds(on, new=together * prompt, past=cached, prompts=together).total
    stages = on.layout.pp
    filling = (1 + (count - 1) * on.stage_share) / count if stages > 1 else 1.0
    chunks = np.maximum(np.ceil(prompt / on.settings.max_num_batched_tokens), 1.0)
    return Work(prefill_s=count * one * filling, prefill_steps=count * chunks, layers_together=on.layers_together)


def decode_step(on: Deployment, batch: ArrayLike, context: ArrayLike, tokens: ArrayLike | None = None) -> Work:
    """One token for each of ``batch`` sequences whose context, the new token included, is ``context``: where the engine
    drafts, its part of a step that drafts and verifies; or a whole step that verifies ``tokens`` of each."""
    drafts = on.settings.drafts
    if tokens is None and drafts:
        context, length = np.asarray(context, dtype=float), float(drafts.tokens)
        step = decode_step(on, batch, context + length, length + 1)
        step = step + drafting(on, batch, context, length, drafts.by)
        return step.times(1 / expected_tokens(drafts.acceptance, length))
    tokens = 1 if tokens is None else tokens
    seconds = decode_parts(on, batch, context, tokens).total
    batch = np.asarray(batch, dtype=float)
    return Work(decode_s=seconds, decode_steps=1.0, sequence_steps=batch, layers_together=on.layers_together)


def drafting(on: Deployment, batch: ArrayLike, context: ArrayLike, length: ArrayLike, by: Deployment | float) -> Work:
    """Drafting ``length`` tokens for each of ``batch`` sequences: steps of a draft model, which pay the host once a
    step but not once a sequence, or a share of the device time of as many decode steps."""
    length = np.asarray(length, dtype=float)
    middle = context + np.maximum(length - 1, 0) / 2  # a step's time is nearly linear in the context
    if isinstance(by, Deployment):
        return replace(decode_step(by, batch, middle, 1), sequence_steps=0.0).times(length)
    return Work(decode_s=by * np.asarray(decode_step(on, batch, middle, 1).decode_s)).times(length)


def expected_tokens(acceptance: ArrayLike, length: ArrayLike) -> NDArray[np.float64]:
    """Tokens that a step yields on average: ``1 + a + ... + a^length``, the model's own token among them
    (Leviathan et al. 2023, arXiv:2211.17192, equation 1).

    Args:
        acceptance: probability that a drafted token is accepted, 0 to 1.
        length: drafted tokens.

    Returns:
        Tokens, in the broadcast shape of both.

    Raises:
        DataError: an acceptance outside 0 to 1, or a negative length.
    """
    acceptance, length = np.asarray(acceptance, dtype=float), np.asarray(length, dtype=float)
    if not np.all((acceptance >= 0) & (acceptance <= 1)):
        raise DataError("expected_tokens", "acceptance", acceptance.tolist(), "0 to 1")
    if not np.all(length >= 0):
        raise DataError("expected_tokens", "length", length.tolist(), ">= 0")
    below = np.where(acceptance < 1, acceptance, 0.0)
    return np.where(acceptance < 1, (1 - below ** (length + 1)) / (1 - below), length + 1)


def tokens_of_step(on: Deployment) -> float:
    """Tokens that a step of decodes yields of each sequence, on average: 1 where nothing is drafted."""
    drafts = on.settings.drafts
    return float(expected_tokens(drafts.acceptance, drafts.tokens)) if drafts else 1.0


def decode_parts(on: Deployment, batch: ArrayLike, context: ArrayLike, tokens: ArrayLike = 1) -> Parts:
    """Device seconds of a sequence's step by what they are spent on.

    With pipeline stages the batch is split into as many parts, each of which passes all stages, at the pace of the
    fullest.
    """
    batch = np.asarray(batch, dtype=float)
    waiting = np.maximum(1.0, np.minimum(batch, on.layout.pp) * on.stage_share)
    parts = device_seconds(on, decode=np.ceil(batch / on.layout.pp), context=context, queries=tokens)
    return parts.times(waiting)


def decode(on: Deployment, batch: ArrayLike, prompt: ArrayLike, steps: ArrayLike) -> Work:
    """``steps`` decode steps of ``batch`` sequences that start after ``prompt`` tokens."""
    prompt, steps = np.asarray(prompt, dtype=float), np.asarray(steps, dtype=float)
    total = Work(layers_together=on.layers_together)
    for stretch in range(STRETCHES):
        context = prompt + 1 + steps * (stretch + 0.5) / STRETCHES
        total = total + decode_step(on, batch, context).times(steps / STRETCHES)
    return total


def static_batch(on: Deployment, engine: str, batch: ArrayLike, prompt: ArrayLike, output: ArrayLike) -> Work:
    """A batch given all at once, from its start to its last token.

    A batch larger than what the engine admits at a time runs in waves; as engines refill a wave while it runs, the last
    one counts in part.
    """
    batch, prompt, output = (np.asarray(x, dtype=float) for x in (batch, prompt, output))
    most = np.minimum(np.maximum(memory.admitted(on, engine, prompt, output), 1.0), batch)
    return _wave(on, most, prompt, output).times(batch / most)


def _wave(on: Deployment, batch: ArrayLike, prompt: ArrayLike, output: ArrayLike) -> Work:
    return prefill(on, batch, prompt) + decode(on, batch, prompt, np.maximum(np.asarray(output) - 1, 0))


def in_flight(on: Deployment, engine: str, concurrency: ArrayLike, prompt: ArrayLike, output: ArrayLike) -> NDArray:
    """Requests that really run when ``concurrency`` are sent: as many as the engine admits into memory."""
    return np.clip(
        memory.admitted(on, engine, prompt, output),
        1.0,
        np.minimum(np.asarray(concurrency, dtype=float), on.settings.max_num_seqs),
    )


@dataclass(frozen=True)
class ClosedLoop:
    """A fixed number of requests in flight, in the broadcast shape of concurrency, prompt and output.

    Attributes:
        running: requests that memory lets run; the others wait.
        step: time per output token, the others' prefills included.
        ttft_s: seconds to the first token.
    """

    running: NDArray[np.float64]
    step: Work
    ttft_s: NDArray[np.float64]


def closed_loop(
    on: Deployment, profile: Profile, concurrency: ArrayLike, prompt: ArrayLike, output: ArrayLike
) -> ClosedLoop:
    """What requests see when ``concurrency`` are always in flight.

    A token: every request's prefill interrupts the others once, since while one produces ``output`` tokens each of the
    other running requests is replaced once. A first token: the engine's front end, the prompt, a share of the others'
    prompts (``burst``), half a step, and the queue of requests beyond what memory holds, who wait for a running one to
    end (Little's law). A prompt is read at the device's own pace: a profile's prefill slowdown says how far prefills
    hold up other requests' decoding.
    """
    prompt, output = np.asarray(prompt, dtype=float), np.asarray(output, dtype=float)
    running = in_flight(on, profile.name, concurrency, prompt, output)
    alone, one = decode_step(on, running, prompt + output / 2), prefill(on, 1, prompt)
    others = (running - 1) / on.layout.dp
    step = alone + one.times(others / output)
    waiting = np.maximum(np.asarray(concurrency, dtype=float) - running, 0.0)
    queued = waiting * output * step.seconds(profile) / running
    first = np.asarray(one.prefill_s) * (1 + profile.burst * others) + 0.5 * alone.seconds(profile) * tokens_of_step(on)
    return ClosedLoop(running, step, profile.wait_s + first + queued)


def open_loop_concurrency(
    on: Deployment, profile: Profile, rate: ArrayLike, prompt: ArrayLike, output: ArrayLike
) -> NDArray[np.float64]:
    """Requests in flight when ``rate`` arrive a second at random: the concurrency whose closed loop serves as many.

    Little's law on the closed loop at a ladder of concurrencies, interpolated; all that memory holds where more arrive
    than can be served. Bursts of random arrivals are left out, so that waits near saturation come out short.

    Returns:
        Requests of one replica, in the broadcast shape of the arguments.
    """
    rate, prompt, output = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (rate, prompt, output)))
    at = LADDER.reshape(-1, *[1] * rate.ndim)
    step = closed_loop(on, profile, at, prompt, output).step.seconds(profile)
    first = np.asarray(prefill(on, 1, prompt).prefill_s) + profile.wait_s
    served = at / (first + output * step)
    served, most = np.maximum.accumulate(served, axis=0), in_flight(on, profile.name, np.inf, prompt, output)
    found = np.empty(rate.shape)
    for place in np.ndindex(rate.shape):
        found[place] = np.exp(np.interp(rate[place], served[(slice(None), *place)], np.log(LADDER)))
    return np.minimum(found, most)
