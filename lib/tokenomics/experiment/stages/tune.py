"""Stage 3: every recipe with every seed; losses, costs and hashes are kept, weights stay in ``scratch/``.

Only the adapters of the first closed-book seed are committed, in 16 bits, for the latency of a tuned model.
"""

from pathlib import Path

from tokenomics.experiment import jobs
from tokenomics.experiment.jobs import read_part, write_part, write_table
from tokenomics.experiment.settings import CLOSED, Settings
from tokenomics.experiment.stages import corpus as corpus_stage
from tokenomics.experiment.stages import index as index_stage
from tokenomics.experiment.stages import main

LOSSES = ("recipe", "seed", "pass", "loss", "source")
RUNS = (
    "recipe",
    "seed",
    "start",
    "examples",
    "tokens",
    "cpu_s",
    "peak_bytes",
    "trained_parameters",
    "sha256",
    "source",
)
ADAPTER = "adapter_16bit.safetensors"


def run(settings: Settings) -> None:
    """Write ``losses.csv``, ``tuning_runs.csv`` and the committed adapter."""
    todo = [(recipe.name, seed) for recipe in settings.recipes for seed in settings.seeds_of(recipe.name)]
    awaited = {recipe.start for recipe in settings.recipes}
    todo.sort(key=lambda job: 0 if job[0] in awaited or not settings.recipe(job[0]).rank else 1 + job[1])
    starts = {(recipe.name, seed): (recipe.start, seed) for recipe in settings.recipes for seed in settings.seeds}
    jobs.run_all(tune_one, settings, todo, "tune", apart=settings.workers > 1, after=starts)
    parts = [read_part(_part(settings, *job)) for job in sorted(todo)]
    write_table(settings.out / "losses.csv", LOSSES, [row for part in parts for row in part["losses"]])
    write_table(settings.out / "tuning_runs.csv", RUNS, [part["run"] for part in parts])
    _commit_adapter(settings)


def weights_file(settings: Settings, recipe: str, seed: int) -> Path:
    """Where a run's tensors are kept."""
    return _part(settings, recipe, seed).with_suffix(".safetensors")


def tune_one(settings: Settings, job: tuple[str, int], slot: int) -> None:
    """One recipe with one seed, from its last checkpoint on."""
    name, seed = job
    part = _part(settings, name, seed)
    if part.is_file():
        return
    jobs.one_thread()
    from safetensors.torch import load_file, save_file
    from tqdm import tqdm

    from tokenomics.experiment import examples, llama, tuning

    recipe, made = settings.recipe(name), corpus_stage.read(settings)
    passes = examples.passes(recipe, seed, made, index_stage.read(settings))
    count = sum(len(each) for each in passes)
    with tqdm(**jobs.bar_options(slot, f"{name} {seed}", count)) as bar:
        checkpoint = part.with_suffix(".checkpoint")
        start = load_file(weights_file(settings, recipe.start, seed)) if recipe.start else None
        done = tuning.tune(recipe, seed, passes, checkpoint, progress=lambda n, loss: _tell(bar, n, loss), start=start)
    kept = weights_file(settings, name, seed)
    save_file(done.tensors, kept.with_suffix(".draft"))
    kept.with_suffix(".draft").replace(kept)
    key = {"recipe": name, "seed": seed, "source": corpus_stage.SOURCE}
    size = sum(tensor.numel() for tensor in done.tensors.values())
    spent = {"cpu_s": done.cpu_s, "peak_bytes": jobs.peak_bytes(), "trained_parameters": size}
    told = {"start": recipe.start, "examples": count, "tokens": done.tokens, "sha256": llama.digest(done.tensors)}
    losses = [key | {"pass": f"{number:02d}", "loss": loss} for number, loss in enumerate(done.losses, 1)]
    write_part(part, {"losses": losses, "run": key | spent | told})
    checkpoint.unlink(missing_ok=True)


def _tell(bar, done: int, loss: float) -> None:
    bar.set_postfix(loss=f"{loss:.2f}", refresh=False)
    bar.update(done)


def _part(settings: Settings, recipe: str, seed: int) -> Path:
    made_from = jobs.digest(settings.chain(recipe), corpus_stage.read(settings))
    return settings.work / "tune" / f"{recipe}-{seed}-{made_from}.json"


def _commit_adapter(settings: Settings) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    tensors = load_file(weights_file(settings, CLOSED, settings.seeds[0]))
    save_file({name: tensor.to(torch.float16) for name, tensor in tensors.items()}, settings.out / ADAPTER)


if __name__ == "__main__":
    main(run)
