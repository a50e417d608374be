"""Stage 2: which chunks each retriever finds for each question, before and after the change, and what that costs."""

import time

from tokenomics.experiment import jobs, retrieval
from tokenomics.experiment.corpus import DEV, SPLITS, TRAIN, Corpus, Question
from tokenomics.experiment.jobs import read_part, read_table, write_part, write_table
from tokenomics.experiment.settings import MAIN, Settings
from tokenomics.experiment.stages import corpus as corpus_stage
from tokenomics.experiment.stages import main

COLUMNS = ("retriever", "question", "chunks", "source")
COSTS = ("step", "items", "cpu_s", "wall_s", "source")
HYBRID, RERANKED = "hybrid", "reranked"


def run(settings: Settings) -> None:
    """Write ``retrieval.csv`` (training questions only with the fused ranking) and ``index_costs.csv``."""
    made = corpus_stage.read(settings)
    part = settings.work / f"index-{jobs.digest(made, settings.rerank)}.json"
    if not part.is_file():
        write_part(part, _searched(settings, made))
    found = read_part(part)
    write_table(settings.out / "retrieval.csv", COLUMNS, found["rows"])
    write_table(settings.out / "index_costs.csv", COSTS, found["costs"])


def _searched(settings: Settings, made: Corpus) -> dict[str, list[dict]]:
    """Rows of both tables."""
    import torch

    from tokenomics.experiment import minilm

    torch.set_num_threads(1)
    minilm.vectors(["warm up"])
    rows, costs = [], []
    of_chunks = {changed: _timed(costs, "embed_chunks", made.chunks(changed)) for changed in (False, True)}
    for split in (TRAIN, DEV, *SPLITS[:5]):
        questions, changed = made.of(split), split == "updated"
        texts, chunks = [question.text for question in questions], made.chunks(changed)
        meanings = (of_chunks[changed], _timed(costs, "embed_questions", texts))
        found = retrieval.retrieve(chunks, texts, meanings, min(retrieval.DEPTH, len(chunks)))
        if settings.rerank and split in MAIN:
            found[RERANKED] = _reranked(costs, texts, chunks, found[HYBRID][:, : settings.rerank])
        for name in (HYBRID,) if split == TRAIN else found:
            rows += [_row(name, *each) for each in zip(questions, found[name].tolist(), strict=True)]
    rows.sort(key=lambda row: (row["retriever"], row["question"]))
    return {"rows": rows, "costs": _summed(costs)}


def _row(retriever: str, question: Question, ranking: list[int]) -> dict[str, str]:
    listed = " ".join(corpus_stage.fact_key(chunk) for chunk in ranking)
    key = corpus_stage.question_key(question.question)
    return {"retriever": retriever, "question": key, "chunks": listed, "source": corpus_stage.SOURCE}


def read(settings: Settings, retriever: str = HYBRID) -> dict[int, list[int]]:
    """Chunk numbers by rank for each question that a retriever was asked."""
    return {
        int(row["question"][1:]): [int(key[1:]) for key in row["chunks"].split()]
        for row in read_table(settings.out / "retrieval.csv")
        if row["retriever"] == retriever
    }


def _timed(costs: list[tuple], step: str, texts: list[str]):
    """Vectors of texts; what they cost is noted."""
    from tokenomics.experiment import minilm

    cpu, wall = time.process_time(), time.perf_counter()
    made = minilm.vectors(texts)
    costs.append((step, len(texts), time.process_time() - cpu, time.perf_counter() - wall))
    return made


def _reranked(costs: list[tuple], texts: list[str], chunks: list[str], ranking):
    """The ranking in the order of the language model; what it costs is noted."""
    import numpy as np

    from tokenomics.experiment import generation, llama

    model, cpu, wall = llama.load(), time.process_time(), time.perf_counter()
    scores = [
        generation.likelihoods(model, text, [chunks[number] for number in row])
        for text, row in zip(texts, ranking, strict=True)
    ]
    costs.append(("rerank", ranking.size, time.process_time() - cpu, time.perf_counter() - wall))
    return retrieval.reranked(ranking, np.round(scores, 6))


def _summed(costs: list[tuple]) -> list[dict]:
    rows = []
    for step in sorted({name for name, *_ in costs}):
        items, cpu, wall = (sum(each) for each in zip(*(rest for name, *rest in costs if name == step), strict=True))
        rows.append({"step": step, "items": items, "cpu_s": cpu, "wall_s": wall, "source": corpus_stage.SOURCE})
    return rows


if __name__ == "__main__":
    main(run)
