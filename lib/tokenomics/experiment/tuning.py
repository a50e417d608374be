"""Tuning on the knowledge base: adapters or all weights, without chunks or with them, resumable at every checkpoint.

Low-rank adapters (Hu et al., arXiv:2106.09685) on the seven projections of the upper layers. Without chunks
(*closed*) the model learns facts; with chunks (*aware*, after Zhang et al., arXiv:2403.10131) it learns to read: half
of the examples hold changed values, so that only the chunks can tell, most hold distractors, some lack the answer. A
model can learn facts first and go on to read: then what it learned is right where no chunk answers.
Loss on answer tokens only. Left out: dropout, weight decay, warm-up, early stopping.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

from tokenomics.experiment import llama
from tokenomics.experiment.examples import Example, Recipe
from tokenomics.experiment.generation import laid_out


@dataclass(frozen=True)
class Tuned:
    """What a run leaves: tensors by name, the mean loss of each pass, CPU-seconds, tokens read."""

    tensors: dict[str, torch.Tensor]
    losses: list[float]
    cpu_s: float
    tokens: int


def tune(
    recipe: Recipe,
    seed: int,
    passes: Sequence[Sequence[Example]],
    kept: Path,
    *,
    progress: Callable[[int, float], None] = lambda done, loss: None,
    start: Mapping[str, torch.Tensor] | None = None,
) -> Tuned:
    """Train; an interrupted run goes on from its last finished pass and ends with the same bits.

    Args:
        recipe: what is trained and how.
        seed: draws the adapters; the order of examples comes with ``passes``.
        passes: the examples of each pass, in order.
        kept: file of the checkpoint.
        progress: called after each step with its share of examples done and its loss.
        start: what an earlier run left, see :class:`Tuned`, to go on from; new adapters by default.
    """
    model, state = llama.load(), State(recipe, seed, start)
    state.resume(kept)
    batches = [_batches(each, recipe.batch_tokens) for each in passes]
    total = sum(len(each) for each in batches)
    lower = _Lower(model, recipe)
    for number in range(len(state.losses), len(passes)):
        clock, seen, summed = time.process_time(), 0, 0.0
        for batch in batches[number]:
            state.set_rate(recipe.rate * (1 - state.steps / total))
            loss = _step(model, recipe, state, lower, batch)
            seen, summed = seen + len(batch), summed + loss * len(batch)
            progress(len(batch), loss)
        state.tokens += sum(len(example.prompt) + len(example.answer) for batch in batches[number] for example in batch)
        state.losses.append(summed / seen)
        state.cpu_s += time.process_time() - clock
        state.keep(kept)
    return Tuned(state.tensors(), state.losses, state.cpu_s, state.tokens)


class State:
    """Trained tensors, optimizer and progress, as a checkpoint holds them."""

    def __init__(self, recipe: Recipe, seed: int, start: Mapping[str, torch.Tensor] | None = None):
        self.recipe, self.losses, self.cpu_s, self.tokens, self.steps = recipe, [], 0.0, 0, 0
        self.parameters = _initial(recipe, seed)
        self._copy({name: t / recipe.scale if name.endswith(".b") else t for name, t in (start or {}).items()})
        self.optimizer = torch.optim.AdamW(list(self.parameters.values()), lr=recipe.rate, weight_decay=0.0)

    def set_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def keep(self, path: Path) -> None:
        """Write the checkpoint; a kill while writing leaves the one before."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        told = {name: getattr(self, name) for name in ("losses", "cpu_s", "tokens", "steps")}
        torch.save({"parameters": self.parameters, "optimizer": self.optimizer.state_dict(), "told": told}, draft)
        draft.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint, where there is one."""
        if not path.is_file():
            return
        kept = torch.load(path, weights_only=True)
        self._copy(kept["parameters"])
        self.optimizer.load_state_dict(kept["optimizer"])
        for name, value in kept["told"].items():
            setattr(self, name, value)

    def _copy(self, values: Mapping[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in values.items():
                self.parameters[name].copy_(tensor)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Trained tensors, detached; of adapters the scale is in B."""
        scale = self.recipe.scale
        return {n: (t.detach() * scale if n.endswith(".b") else t.detach()).clone() for n, t in self.parameters.items()}


def adapters(tensors: dict[str, torch.Tensor], scale: float = 1.0) -> llama.Adapters:
    """Adapters by weight name, of tensors named ``WEIGHT.a`` and ``WEIGHT.b``."""
    names = [name.removesuffix(".a") for name in tensors if name.endswith(".a")]
    return {name: (tensors[f"{name}.a"], tensors[f"{name}.b"] * scale) for name in names}


def applied(model: llama.Model, tensors: dict[str, torch.Tensor]) -> llama.Model:
    """The model with what a run trained: adapters added, or whole weights in place of the old ones."""
    whole = {name: tensor for name, tensor in tensors.items() if name in model.weights}
    return llama.merged(llama.Model(model.shape, model.weights | whole), adapters(tensors))


def _initial(recipe: Recipe, seed: int) -> dict[str, torch.Tensor]:
    model = llama.load()
    layers = range(model.shape.layers - recipe.layers, model.shape.layers)
    names = [f"blk.{layer}.{name}" for layer in layers for name in llama.PROJECTIONS]
    if recipe.rank == 0:
        return {name: model.weights[name].clone().requires_grad_() for name in names}
    draw, made = torch.Generator().manual_seed(seed), {}
    for name in names:
        outputs, inputs = model.weights[name].shape
        first = torch.randn(recipe.rank, inputs, generator=draw) / inputs**0.5
        made[f"{name}.a"] = first.requires_grad_()
        made[f"{name}.b"] = torch.zeros(outputs, recipe.rank).requires_grad_()
    return made


def _batches(examples: Sequence[Example], most_tokens: int) -> list[list[Example]]:
    made: list[list[Example]] = [[]]
    room = most_tokens
    for example in examples:
        size = len(example.prompt) + len(example.answer) - 1
        if made[-1] and size > room:
            made.append([])
            room = most_tokens
        made[-1].append(example)
        room -= size
    return made


class _Lower:
    """Output of the frozen layers; of examples that come again it is kept."""

    def __init__(self, model: llama.Model, recipe: Recipe):
        self.model, self.top, self.keep = model, model.shape.layers - recipe.layers, recipe.repeats
        self.known: dict[tuple, torch.Tensor] = {}

    def output(self, parts: list[list[int]]) -> torch.Tensor:
        new = list(dict.fromkeys(tuple(part) for part in parts if tuple(part) not in self.known))
        if new:
            flat, owner, position = laid_out(new)
            with torch.no_grad():
                hidden = llama.run_layers(self.model, llama.embed(self.model, flat), owner, position, last=self.top)
            self.known |= dict(zip(new, hidden.split([len(part) for part in new]), strict=True))
        found = torch.cat([self.known[tuple(part)] for part in parts])
        if not self.keep:
            self.known.clear()
        return found


def _step(model: llama.Model, recipe: Recipe, state: State, lower: _Lower, batch: Sequence[Example]) -> float:
    parts = [example.prompt + example.answer[:-1] for example in batch]
    _, owner, position = laid_out(parts)
    changed, added = model, {}
    if recipe.rank:
        added = adapters(state.parameters, recipe.scale)
    else:
        changed = llama.Model(model.shape, model.weights | state.parameters)
    hidden = llama.run_layers(changed, lower.output(parts), owner, position, first=lower.top, adapters=added)
    starts = torch.tensor([0, *[len(part) for part in parts]]).cumsum(0)
    asked = [int(s) + len(e.prompt) - 1 + i for s, e in zip(starts, batch, strict=False) for i in range(len(e.answer))]
    wanted = torch.tensor([token for example in batch for token in example.answer])
    loss = functional.cross_entropy(llama.logits(model, hidden[torch.tensor(asked)]), wanted)
    state.optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.parameters.values(), recipe.clip)
    state.optimizer.step()
    state.steps += 1
    return loss.item()
