"""What a saturated replica delivers: the time in which it serves as many requests as it runs at a time.

How prompts share the time with decodes is the engine's policy (:data:`tokenomics.facts.engines.POLICIES`): chunks are
read in steps that decode too, whole prompts in steps of their own, before anybody decodes on or when a whole batch has
ended. With pipeline stages as many steps are in flight, and none overtakes another.

Left out: preemption, prompts of unequal lengths; under ``decode`` also replies of unequal lengths,
which keep places of a batch empty until its longest reply ends.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference.durations import decode_step, in_flight, tokens_of_step, unread
from tokenomics.compute.inference.engines import Profile, Work
from tokenomics.compute.inference.steps import device_seconds
from tokenomics.facts.engines import CHUNKED, DECODE

SERIES = 256, 4
"""Steps of a pipeline that are looked at, and series of them."""
LONG_SERIES = 1024, 4
"""The same where steps of two kinds follow each other."""
BLOCK = 512
"""Requests that are looked at together, so that series of steps do not fill the memory."""
NEARLY_NONE = 1e-12
"""Stands for zero in a logarithm or a quotient, and for a chance that is left out."""
SELDOM = 0.03
"""Prompts that become due in a step of a series, at least: rarer ones are as far apart, and each costs the same."""


def saturated_cycle(
    on: Deployment, profile: Profile, prompt: ArrayLike, output: ArrayLike, most: ArrayLike = np.inf
) -> Work:
    """Time in which a saturated replica finishes as many as it runs at a time.

    Divide ``running x output`` by its seconds for output tokens a second.

    Args:
        on: the deployment, whose settings name the policy.
        profile: of the engine; how long stages wait for each other depends on it.
        prompt, output: tokens of a request.
        most: requests at a time.
    """
    prompt, output = np.asarray(prompt, dtype=float), np.asarray(output, dtype=float)
    running = in_flight(on, profile.name, most, prompt, output)
    decoded, policy = decode_step(on, running, prompt + output / 2), on.settings.policy
    given = np.broadcast_arrays(running, prompt, output)
    if policy == CHUNKED:
        return decoded.times(output) + _in_blocks(_read_beside_decodes, on, profile, *given)
    read = _read_a_batch if policy == DECODE else _read_before_decodes
    return decoded.times(np.maximum(output - 1, 0.0)) + _in_blocks(read, on, profile, *given)


def _in_blocks(read: Callable[..., Work], on: Deployment, profile: Profile, *given: NDArray) -> Work:
    """What reading adds, a block of requests at a time."""
    blocks = [np.array_split(each.ravel(), -(-each.size // BLOCK) or 1) for each in given]
    found = [read(on, profile, *block) for block in zip(*blocks, strict=True)]

    def joined(name: str) -> NDArray:
        parts = [np.broadcast_to(getattr(work, name), each.shape) for work, each in zip(found, blocks[0], strict=True)]
        return np.concatenate(parts).reshape(given[0].shape)

    return Work(joined("prefill_s"), joined("prefill_steps"), layers_together=on.layers_together)


def _reading(on: Deployment, prompts: NDArray, prompt: NDArray) -> Work:
    """A stage's step that reads so many whole prompts; no step at all reads none."""
    new, known = unread(on, prompt)
    parts = device_seconds(on, new=prompts * new, past=known, prompts=np.maximum(prompts, 1))
    seconds = parts.total * on.stage_share
    steps = (prompts > 0) / on.layout.pp
    return Work(prefill_s=np.where(prompts > 0, seconds, 0.0), prefill_steps=steps, layers_together=on.layers_together)


def _decoding(on: Deployment, sequences: NDArray, context: NDArray) -> Work:
    """A stage's step of decodes."""
    seconds = device_seconds(on, decode=sequences, context=context).total * on.stage_share
    steps = np.full(sequences.shape, 1 / on.layout.pp)
    return Work(decode_s=seconds, decode_steps=steps, sequence_steps=sequences, layers_together=on.layers_together)


def _whole_prompts(on: Deployment, sequences: NDArray, prompt: NDArray) -> NDArray:
    """Prompts of a step that reads whole ones: the first however long it is."""
    return np.clip(np.floor(on.settings.max_num_batched_tokens / unread(on, prompt)[0]), 1.0, sequences)


def _read_a_batch(on: Deployment, profile: Profile, running: NDArray, prompt: NDArray, output: NDArray) -> Work:
    """What reading the prompts of a batch takes that is decoded to its end before the next one begins.

    Stages fill and drain once a batch: all but one of them wait for a step of the longer kind to pass.
    """
    stages = on.layout.pp
    sequences = np.maximum(running / stages, 1.0)
    together = _whole_prompts(on, sequences, prompt)
    full = np.floor(running / together)
    one, last = _reading(on, together, prompt), _reading(on, running - full * together, prompt)
    longer = np.maximum(one.seconds(profile), _decoding(on, sequences, prompt + output / 2).seconds(profile))
    return one.times(full) + last + _waiting(profile, (stages - 1) * longer)


def _waiting(profile: Profile, seconds: NDArray) -> Work:
    """Seconds in which stages wait, as work: no slowdown applies to them."""
    return Work(prefill_s=seconds / max(profile.prefill_slowdown, NEARLY_NONE))


def _read_before_decodes(on: Deployment, profile: Profile, running: NDArray, prompt: NDArray, output: NDArray) -> Work:
    """What reading the prompts of all ``running`` requests adds to a saturated replica that lets prompts go first.

    Each sequence of a step of decodes ends with a chance of ``1 / (output - 1)``; who takes the places of those that
    ended is read in the next step that can be launched, as many together as the settings allow. With stages, a series
    of such steps goes round (:func:`_time_of_pipeline`); its prompts share what it takes longer than its decodes.
    """
    stages = on.layout.pp
    sequences = np.maximum(running / stages, 1.0)
    steps = np.maximum((output - 1) / tokens_of_step(on), 1.0)
    ends = np.minimum(np.maximum(1 / steps, SELDOM / sequences), 1 - NEARLY_NONE)
    ended = _drawn(sequences, ends, SERIES if stages == 1 else LONG_SERIES)
    together = _whole_prompts(on, sequences, prompt)
    if stages == 1:
        full = np.floor(ended / together)
        most, rest = _by_count(on, np.where(full > 0, together, 0.0), prompt), _by_count(on, ended % together, prompt)
        return _summed(most.times(full) + rest).times(running / ended.sum(axis=(0, 1)))
    read = _prompts_of_steps(ended, together, stages)
    one, decoding = _by_count(on, read, prompt), _decoding(on, sequences, prompt + output / 2)
    seconds = np.where(read > 0, one.seconds(profile), decoding.seconds(profile))
    waits = _time_of_pipeline(stages, seconds).sum(axis=0) - seconds.sum(axis=(0, 1))
    return (_summed(one) + _waiting(profile, waits)).times(running / read.sum(axis=(0, 1)))


def _summed(work: Work) -> Work:
    """Reading in all steps of all series."""
    total = {name: np.sum(getattr(work, name), axis=(0, 1)) for name in ("prefill_s", "prefill_steps")}
    return Work(**total, layers_together=work.layers_together)


def _drawn(sequences: NDArray, ends: NDArray, series: tuple[int, int]) -> NDArray:
    """How many of a step's sequences end with it, binomial: shape (steps, series, requests)."""
    place, found = _places(series)[..., None], np.zeros((*series, sequences.size))
    chance = sequences * np.log1p(-ends)
    up_to = np.exp(chance)
    for count in range(int(np.ceil(np.nanmax(sequences, initial=1.0)))):
        found += (place > up_to) * np.clip(sequences - count, 0.0, 1.0)
        if np.all(up_to > 1 - NEARLY_NONE):
            break
        chance = chance + np.log(np.maximum(sequences - count, NEARLY_NONE) / (count + 1) * ends / (1 - ends))
        up_to = np.minimum(up_to + np.exp(chance), 1.0)
    return found


def _prompts_of_steps(ended: NDArray, most: NDArray, stages: int) -> NDArray:
    """Prompts that each step of a series reads, in the shape of ``ended``; a step that reads none decodes.

    A step is launched when the one ``stages`` before it has left, and reads where places are free.
    """
    read, free = np.zeros_like(ended), np.zeros(ended.shape[1:])
    for step in range(len(ended)):
        before = step - stages
        free = free + np.where(read[before] > 0, 0.0, ended[before]) * (before >= 0)
        read[step] = np.minimum(free, most)
        free = free - read[step]
    return read


def _by_count(on: Deployment, prompts: NDArray, prompt: NDArray) -> Work:
    """Steps that read so many prompts, linear between powers of two."""
    powers = 2.0 ** np.arange(int(np.ceil(np.log2(max(prompts.max(initial=1.0), 1.0)))) + 2)
    table = np.array([_reading(on, np.full(prompt.shape, count), prompt).prefill_s for count in powers])
    place = np.log2(np.maximum(prompts, 1.0)).astype(int)
    low, high = (np.take_along_axis(table[:, None], place + more, axis=0) for more in (0, 1))
    seconds = low + (high - low) * (prompts / 2.0**place - 1)
    reads = prompts > 0
    return Work(
        prefill_s=np.where(reads, seconds, 0.0), prefill_steps=reads / on.layout.pp, layers_together=on.layers_together
    )


def _read_beside_decodes(on: Deployment, profile: Profile, running: NDArray, prompt: NDArray, output: NDArray) -> Work:
    """What reading the prompts of all ``running`` requests adds to a saturated replica while each of them is served.

    As many steps as stages are in flight, each with its share of the requests. Each of them ends with a chance of
    ``1 / output`` and is replaced by one whose prompt is read beside the decodes, so that a step reads a binomial
    number of prompts, and no more than the settings allow. A step that reads takes longer in every stage and none
    overtakes another: where every step reads as much, stages overlap and a prompt counts once; where prompts are rare,
    all other steps wait for one in every stage.

    If all stages moved on together, the steps in flight would go round at the pace of the slowest: the mean of the
    largest of as many draws as stages, exact for one and two stages. With more, a step waits only for the step before
    it and for its own way through the stage before (:func:`_over_in_step`). Left out: prompts of unequal lengths.
    """
    return Work(prefill_s=_seconds_read(on, running, prompt, output), layers_together=on.layers_together)


def _seconds_read(on: Deployment, running: NDArray, prompt: NDArray, output: NDArray) -> NDArray:
    """Device seconds of :func:`_read_beside_decodes`; shape (requests,), as each of its arguments."""
    stages = on.layout.pp
    sequences, ends = np.maximum(running / stages, 1.0), 1 / np.maximum(output / tokens_of_step(on), 1 + NEARLY_NONE)
    most = np.minimum(sequences, np.maximum(on.settings.max_num_batched_tokens / unread(on, prompt)[0], 1.0))
    chance, place, each = sequences * np.log1p(-ends), _places(SERIES)[..., None], 0.0
    up_to, mean, slowest = np.exp(chance), np.zeros(most.shape), np.zeros(most.shape)
    read = np.zeros((*SERIES, most.size) if stages > 2 else 0)
    for count in range(int(np.ceil(np.nanmax(most, initial=1.0)))):
        if count & (count - 1) == 0:
            each = _seconds_of_one_more(on, sequences, prompt, prompt + output / 2, count)
        more = np.clip(most - count, 0.0, 1.0)
        mean, slowest = mean + more * (1 - up_to), slowest + more * each * (1 - up_to**stages)
        if stages > 2:
            read += (place > up_to) * more * each
        if np.all(up_to > 1 - NEARLY_NONE):
            break
        chance = chance + np.log(np.maximum(sequences - count, NEARLY_NONE) / (count + 1) * ends / (1 - ends))
        up_to = np.minimum(up_to + np.exp(chance), 1.0)
    return running * slowest / mean * (_over_in_step(stages, read) if stages > 2 else 1.0)


def _seconds_of_one_more(on: Deployment, decode: NDArray, prompt: NDArray, context: NDArray, count: int) -> NDArray:
    """Device seconds that one more prompt takes in a stage's step of decodes that reads ``count``, as a mean over the
    next ones up to twice as many."""
    new, known = unread(on, prompt)
    least, most = (
        device_seconds(on, decode=decode, context=context, new=n * new, past=known, prompts=max(n, 1)).total
        for n in (count, 2 * count or 1)
    )
    return (most - least) / max(count, 1) * on.stage_share


def _over_in_step(stages: int, read: NDArray) -> NDArray:
    """Time of a pipeline over that of one whose stages all move on together, for a series of steps' times (as in
    :func:`_time_of_pipeline`): at most 1, in the shape of ``read`` without steps and series."""
    behind = np.arange(stages)
    together = sum(read[(time - behind) % len(read)].max(axis=0) for time in range(len(read))).sum(axis=0)
    took = _time_of_pipeline(stages, read).sum(axis=0)
    return np.where(together > 0, took / np.maximum(together, NEARLY_NONE), 1.0)


def _time_of_pipeline(stages: int, seconds: NDArray) -> NDArray:
    """Time in which a series of steps goes through a pipeline, one after another and again from the beginning.

    A step enters a stage when it has left the stage before and the step before it has left this one; a sequence's next
    step enters the first stage when its last has left the last.

    Args:
        stages: of the pipeline.
        seconds: of each step in a stage; shape (steps, series, ...).

    Returns:
        Seconds, in the shape of ``seconds`` without steps.
    """
    left, behind = np.zeros((stages, *seconds.shape[1:])), np.arange(stages)
    for time in range(len(seconds)):
        left = np.maximum(left, np.roll(left, 1, axis=0)) + seconds[(time - behind) % len(seconds)]
    return left.max(axis=0)


@cache
def _places(series: tuple[int, int]) -> NDArray:
    """Quantiles of steps in a few fixed series without order: each holds every one of them once."""
    steps, series = series
    order = np.random.default_rng(0).permuted(np.tile(np.arange(steps), (series, 1)), axis=1)
    return (order.T + 0.5) / steps
