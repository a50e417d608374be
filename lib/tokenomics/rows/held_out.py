"""Which rows are predicted with their model family held out: those in the conditions of a published measurement.

Engine profiles and intervals are fitted to published rows, once with all and once without each model family. A row in
the conditions of a published one is predicted by the fit without its family, any other by the fit to all rows.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tokenomics.facts import catalogue, measurements
from tokenomics.facts.models import Model
from tokenomics.rows import reading
from tokenomics.rows.case import Case
from tokenomics.rows.predict import record

KINDS = ("inference_throughput", "inference_latency")
"""Measurement tables that engine profiles are learned from."""
NUMBERS = ("n_gpu", "isl", "osl", "batch")
Condition = tuple[object, ...]
"""Metric, load, model family, accelerator and :data:`NUMBERS`, -1 where not stated."""


def published(case: Case) -> NDArray[np.bool_]:
    """Whether each row's conditions, known by its inputs alone, are those of a published measurement."""
    shared = (case.metric, case.load, case.model.family, case.device.name)
    numbers = np.stack([case.known(name, -1.0) for name in NUMBERS], axis=1)
    known = _published_conditions() if catalogue.holds(case.device) else frozenset()
    return np.array([(*shared, *row) in known for row in numbers.tolist()], dtype=bool)


@cache
def _published_conditions() -> frozenset[Condition]:
    conditions: set[Condition] = set()
    for kind in KINDS:
        inputs = reading.published(kind).inputs
        numbers = inputs[list(NUMBERS)].fillna(-1.0).to_numpy(float).tolist()
        texts = zip(inputs["metric"], inputs["load"], inputs["model"], inputs["hardware"], strict=True)
        for (metric, load, model, hardware), row in zip(texts, numbers, strict=True):
            architecture, device = record("model", model), record("accelerator", hardware)
            if architecture is not None and device is not None:
                conditions.add((metric, load, architecture.family, device.name, *row))
    return frozenset(conditions)


@cache
def family_of(model: Model) -> str:
    """The fold of a model, as ``data/measurements/folds.csv`` names it.

    It is found by the name or shape of the model, or by a catalogued model with the same numbers (a user's own file may
    rename one). A model without any match is a family of its own.
    """
    twins = [each for each in catalogue.models().values() if _numbers(each) == _numbers(model)]
    folds = measurements.folds()
    for each in (model, *twins):
        same = folds[(folds["model"] == each.name) | (folds["model_shape"] == each.family)]["model_family"]
        if len(same):
            return same.iloc[0]
    return model.family


def _numbers(model: Model) -> tuple:
    return model.layers, model.d_model, model.heads, model.kv_heads, model.d_ff, model.expert_width, model.experts
