"""Where a model plugs into the scorer.

A predictor gets a :class:`Case`, some rows that share metric, load, model, accelerator and precision, and returns a
:class:`Prediction` for them, in SI units and vectorised::

    @register("operators", ["tpot", "itl_mean"], needs=["isl"])
    def tpot(case):
        seconds = step_seconds(case.deployment, case["batch"], case["isl"])
        return Prediction(seconds, low=0.9 * seconds, high=1.1 * seconds)

A new model is such a module and one line in :data:`MODULES`; ``tokenomics score --model operators`` then knows it.
A predictor never sees a measured value: the scorer hands over input columns only.
"""

import importlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.bounds import Deployment, Precision
from tokenomics.errors import DataError
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model

MODULES = {
    "bounds": "tokenomics.rows.bounds",
    "constant": "tokenomics.rows.constant",
    "inference": "tokenomics.rows.inference",
    "best": "tokenomics.rows.fallback",
}
"""Model name to the module that registers its predictors when imported."""


@dataclass(frozen=True)
class Case:
    """Rows that differ in numbers only.

    Attributes:
        metric: what is to be predicted, a key of ``facts.measurements.METRICS``.
        load: how requests arrive; empty for training.
        engine: the software as published, with its version where given; empty where not stated.
        model: the architecture.
        device: the accelerator.
        precision: storage and arithmetic.
        columns: numbers of the rows by column (``n_gpu``, ``isl``, ``batch`` ...), NaN where empty.
    """

    metric: str
    load: str
    engine: str
    model: Model
    device: Accelerator
    precision: Precision
    columns: Mapping[str, NDArray[np.float64]]

    def __getitem__(self, column: str) -> NDArray[np.float64]:
        return self.columns[column]

    def known(self, column: str, otherwise: float) -> NDArray[np.float64]:
        """A column with its empty cells filled."""
        return np.where(np.isnan(self[column]), otherwise, self[column])

    @cached_property
    def deployment(self) -> Deployment:
        """The model on all devices of each row."""
        return Deployment(self.model, self.device, self.precision, self["n_gpu"])


@dataclass(frozen=True)
class Prediction:
    """What a model says of a case's rows, in SI units (``fits_in_memory``: 1 fits, 0 does not).

    Attributes:
        value: central value.
        low: lower end of the interval; NaN where it is open.
        high: upper end; NaN where it is open.
        fits: whether the weights fit at all; a row that does not gets the status ``does not fit``.
    """

    value: ArrayLike
    low: ArrayLike = np.nan
    high: ArrayLike = np.nan
    fits: ArrayLike = True


Predictor = Callable[[Case], Prediction]


@dataclass(frozen=True)
class Entry:
    """A registered predictor and the columns without which it cannot work."""

    predict: Predictor
    needs: tuple[str, ...] = field(default=())


_registry: dict[str, dict[str, Entry]] = {}


def register(model: str, metrics: Collection[str], needs: Collection[str] = ()) -> Callable[[Predictor], Predictor]:
    """Plug a predictor of some metrics into a model; a second one for the same metric replaces the first."""

    def add(predict: Predictor) -> Predictor:
        for metric in metrics:
            _registry.setdefault(model, {})[metric] = Entry(predict, tuple(needs))
        return predict

    return add


def predictors(model: str) -> Mapping[str, Entry]:
    """A model's predictors by metric.

    Raises:
        DataError: an unknown model.
    """
    if model in MODULES:
        importlib.import_module(MODULES[model])
    if model not in _registry:
        raise DataError("score", "model", model, ", ".join(names()))
    return _registry[model]


def names() -> list[str]:
    """Models that ``--model`` accepts."""
    return sorted(MODULES)
