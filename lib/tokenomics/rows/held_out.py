"""Which conditions profiles and intervals were learned from: the published rows, known by their inputs alone."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tokenomics import paths
from tokenomics.facts import measurements
from tokenomics.rows import predict as score
from tokenomics.rows import reading
from tokenomics.rows.case import Case

KINDS = ("inference_throughput", "inference_latency")
NUMBERS = ("n_gpu", "isl", "osl", "batch")
Condition = tuple[object, ...]


def learned(case: Case) -> NDArray[np.bool_]:
    """Whether each row's conditions are those of a published measurement."""
    shared = (case.metric, case.load, case.model.family, case.device.name)
    numbers = np.stack([case.known(name, -1.0) for name in NUMBERS], axis=1)
    known = _published()
    return np.array([(*shared, *row) in known for row in numbers.tolist()], dtype=bool)


@cache
def _published() -> frozenset[Condition]:
    found: set[Condition] = set()
    for kind in KINDS:
        rows = len(measurements.read(kind))
        inputs = next(reading.chunks(paths.DATA / "measurements" / f"{kind}.csv", rows=rows)).inputs
        numbers = inputs[list(NUMBERS)].fillna(-1.0).to_numpy(float).tolist()
        texts = zip(inputs["metric"], inputs["load"], inputs["model"], inputs["hardware"], strict=True)
        for (metric, load, model, hardware), row in zip(texts, numbers, strict=True):
            architecture, device = score.record("model", model), score.record("accelerator", hardware)
            if architecture is not None and device is not None:
                found.add((metric, load, architecture.family, device.name, *row))
    return frozenset(found)
