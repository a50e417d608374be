"""Greedy answers of many prompts at once, with what they cost.

Prompts of similar length are read in packs and answered in groups; both are fixed by the prompts alone, so that two
runs give the same answers. All arms share the stop rule (end of turn or end of line) and the cap on output.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tokenomics.errors import DataError
from tokenomics.experiment import llama
from tokenomics.experiment.prompts import CAP, STOP, STOPS, USER, decode, encode, tokenizer

PACK_TOKENS = 512
"""Most tokens that are read at once."""
GROUP, GROUP_TOKENS = 48, 6000
"""Most prompts, and their tokens, whose answers are written together."""


@dataclass(frozen=True)
class Answer:
    """An answer with its tokens, and its share of the pack's CPU-seconds and wall-clock seconds."""

    text: str
    prompt_tokens: int
    output_tokens: int
    cpu_s: float
    wall_s: float


def read_prefix(model: llama.Model, text: str) -> llama.Cache | None:
    """Keys and values of a prefix that all prompts see; ``None`` for an empty one.

    Raises:
        DataError: a prefix longer than the context holds.
    """
    known = encode(text) if text else []
    if len(known) + CAP > model.shape.context:
        raise DataError("prefix", "tokens", len(known), f"at most {model.shape.context - CAP}")
    if not known:
        return None
    owner = torch.full((len(known),), llama.SHARED)
    cache = llama.Cache(owner)
    with torch.inference_mode():
        hidden = llama.embed(model, torch.tensor(known))
        llama.run_layers(model, hidden, owner, torch.arange(len(known)), keep=cache)
    return cache


def answers(
    model: llama.Model,
    prompts: Sequence[str],
    prefix: llama.Cache | None = None,
    *,
    cap: int = CAP,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Answer]:
    """The greedy answer of each prompt, in order.

    Args:
        model: weights, adapters already merged.
        prompts: texts up to where the answer starts.
        prefix: what stands before all of them.
        cap: most tokens of an answer.
        progress: called with the number of answers done since the last call.
    """
    return answers_of_each([model], prompts, prefix, cap=cap, progress=progress)[0]


def answers_of_each(
    models: Sequence[llama.Model],
    prompts: Sequence[str],
    prefix: llama.Cache | None = None,
    *,
    cap: int = CAP,
    progress: Callable[[int], None] = lambda done: None,
) -> list[list[Answer]]:
    """Answers to the same prompts by several models, which read once through the lower layers that they share.

    Each model's cost is what it would have spent alone: that of the shared layers is counted for each.
    """
    cut = [encode(prompt) for prompt in prompts]
    shared, before = llama.shared_layers(models), 0 if prefix is None else len(prefix.owner)
    made: list[dict[int, Answer]] = [{} for _ in models]
    for group in packs([len(each) for each in cut], GROUP_TOKENS, GROUP):
        parts, start = [cut[i] for i in group], _clocks()
        with torch.inference_mode():
            lower = _read(models[0], parts, prefix, shared)
            reading, start = _clocks() - start, _clocks()
            for model, found in zip(models, made, strict=True):
                written = _decode(model, lower, len(group), prefix, cap)
                spent, start = (reading + _clocks() - start) / len(group), _clocks()
                for i, out in zip(group, written, strict=True):
                    found[i] = Answer(decode(out).strip(), before + len(cut[i]), len(out), *spent.tolist())
                progress(len(group))
    return [[found[i] for i in range(len(prompts))] for found in made]


def likelihoods(model: llama.Model, question: str, chunks: Sequence[str]) -> list[float]:
    """Mean log-probability of a question's tokens after each chunk: how well the chunk leads to it, for a reranker."""
    asked = encode(f"{question}{STOP}")
    parts = [encode(f"{USER}{chunk}\n") + asked for chunk in chunks]
    flat, owner, position = laid_out(parts)
    with torch.inference_mode():
        hidden = llama.run_layers(model, llama.embed(model, flat), owner, position)
        ends = torch.tensor([len(part) for part in parts]).cumsum(0)
        places = torch.cat([torch.arange(int(end) - len(asked) - 1, int(end) - 1) for end in ends])
        found = llama.logits(model, hidden[places]).log_softmax(-1)
    wanted = torch.tensor(asked * len(parts))
    return found[torch.arange(len(wanted)), wanted].view(len(parts), -1).mean(1).tolist()


def packs(lengths: Sequence[int], most_tokens: int, most_prompts: int) -> list[list[int]]:
    """Groups of similar length, shortest first, each of at most so many tokens (or one prompt) and prompts."""
    made: list[list[int]] = []
    room = 0
    for i in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if not made or lengths[i] > room or len(made[-1]) == most_prompts:
            made.append([])
            room = most_tokens
        made[-1].append(i)
        room -= lengths[i]
    return made


def laid_out(parts: Sequence[Sequence[int]], start: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens, owner and position (T each) of prompts one after another; positions count from ``start``."""
    flat = torch.tensor([token for part in parts for token in part])
    owner = torch.repeat_interleave(torch.arange(len(parts)), torch.tensor([len(part) for part in parts]))
    position = torch.cat([torch.arange(start, start + len(part)) for part in parts])
    return flat, owner, position


@dataclass(frozen=True)
class _Pack:
    """Prompts read together through the lowest layers: their places in the group, and what came out."""

    places: list[int]
    hidden: torch.Tensor
    position: torch.Tensor
    cache: llama.Cache
    layers: int


def _read(model: llama.Model, group: list[list[int]], prefix: llama.Cache | None, layers: int) -> list[_Pack]:
    found = []
    for places in packs([len(part) for part in group], PACK_TOKENS, GROUP):
        start = 0 if prefix is None else len(prefix.owner)
        flat, within, position = laid_out([group[i] for i in places], start)
        owner = torch.tensor(places)[within]
        own = llama.Cache(owner)
        hidden = llama.embed(model, flat)
        hidden = llama.run_layers(model, hidden, owner, position, last=layers, before=prefix, keep=own)
        found.append(_Pack(places, hidden, position, own, layers))
    return found


def _decode(model: llama.Model, read: list[_Pack], count: int, prefix: llama.Cache | None, cap: int) -> list[list[int]]:
    """The prompts are read to the end pack by pack, then all answers of the group are written together."""
    following, position, cache = _read_on(model, read, prefix)
    live = list(range(count))
    written: list[list[int]] = [[] for _ in live]
    for step in range(cap):
        kept = [row for row, token in enumerate(following.tolist()) if not _stops(token)]
        for row in kept:
            written[live[row]].append(int(following[row]))
        if not kept or step == cap - 1:
            break
        rows = torch.tensor(kept)
        live, position, new = [live[row] for row in kept], position[rows] + 1, following[rows]
        hidden = llama.run_layers(
            model, llama.embed(model, new), torch.tensor(live), position, before=cache, keep=cache
        )
        following = llama.logits(model, hidden).argmax(-1)
    return written


def _read_on(model: llama.Model, read: list[_Pack], prefix: llama.Cache | None) -> tuple:
    """First answer token and position of the last prompt token of each prompt, and the cache of all."""
    start = 0 if prefix is None else len(prefix.owner)
    cache = prefix or llama.Cache(torch.empty(0, dtype=torch.long))
    following, places, order = [], [], []
    for pack in read:
        owner = pack.cache.owner[start:]
        own = llama.Cache(pack.cache.owner, dict(pack.cache.keys), dict(pack.cache.values))
        hidden = llama.run_layers(model, pack.hidden, owner, pack.position, first=pack.layers, before=prefix, keep=own)
        ends = torch.cat([owner[1:] != owner[:-1], torch.tensor([True])]).nonzero()[:, 0]
        following.append(llama.logits(model, hidden[ends]).argmax(-1))
        places.append(pack.position[ends])
        cache, order = llama.joined(cache, own, start), order + pack.places
    back = torch.tensor(order).argsort()
    return torch.cat(following)[back], torch.cat(places)[back], cache


def _clocks() -> np.ndarray:
    """CPU-seconds and wall-clock seconds so far."""
    return np.array([time.process_time(), time.perf_counter()])


def _stops(token: int) -> bool:
    text = tokenizer().decode([token], skip_special_tokens=False)
    return any(stop in text for stop in (*STOPS, "<|endoftext|>"))
