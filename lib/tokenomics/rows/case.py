"""The input and the output of a scoring model: a :class:`Case` of rows, and a :class:`Prediction` for them.

A model is a mapping from metric to :class:`Predictor`. A predictor gets rows that share metric, load, model,
accelerator and precision, and answers for all of them at once, in SI units::

    def tpot(case):
        seconds = step_seconds(case.deployment, case["batch"], case["isl"])
        return Prediction(seconds, low=0.9 * seconds, high=1.1 * seconds)

    PREDICTORS = dict.fromkeys(("tpot", "itl_mean"), Predictor(tpot, needs=("isl",)))

:func:`tokenomics.rows.predict.predict` takes such a mapping. A predictor never sees a measured value: it is handed
input columns only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.bounds import IdealDevices, Precision
from tokenomics.compute.inference.engines import Profile
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model


@dataclass(frozen=True)
class Setting:
    """What a caller may set, to fit engine profiles, to hold an accelerator out or to try an assumption.

    Attributes:
        profile: use this profile for every row.
        left_out: predict every accelerator as if it had never been measured.
        plain: give the duration alone, without interval and without the limit of its bound.
        prompts: factor on the prompts of MLPerf's data sets, which its results do not state.
    """

    profile: Profile | None = None
    left_out: bool = False
    plain: bool = False
    prompts: float = 1.0


USUAL = Setting()


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
        setting: what the caller sets.
        role, spec_method, expert_routing: as in :mod:`tokenomics.rows.columns`; empty where not stated.
    """

    metric: str
    load: str
    engine: str
    model: Model
    device: Accelerator
    precision: Precision
    columns: Mapping[str, NDArray[np.float64]]
    setting: Setting = USUAL
    role: str = ""
    spec_method: str = ""
    expert_routing: str = ""

    def __getitem__(self, column: str) -> NDArray[np.float64]:
        return self.columns[column]

    def known(self, column: str, otherwise: float) -> NDArray[np.float64]:
        """A column with its empty cells filled; filled throughout where the rows come without it."""
        if column not in self.columns:
            return np.full_like(self["n_gpu"], otherwise)
        return np.where(np.isnan(self[column]), otherwise, self[column])

    def only(self, rows: NDArray[np.int64]) -> "Case":
        """Some of the rows."""
        return replace(self, columns={name: column[rows] for name, column in self.columns.items()})

    @cached_property
    def deployment(self) -> IdealDevices:
        """The model on all devices of each row."""
        return IdealDevices(self.model, self.device, self.precision, self["n_gpu"])


@dataclass(frozen=True)
class Prediction:
    """What a model predicts for the rows of a case, in SI units (``fits_in_memory``: 1 fits, 0 does not).

    Attributes:
        value: central value.
        low: lower end of the interval; NaN where it is open.
        high: upper end; NaN where it is open.
        fits: whether the weights fit at all; a row that does not is infeasible.
    """

    value: ArrayLike
    low: ArrayLike = np.nan
    high: ArrayLike = np.nan
    fits: ArrayLike = True


@dataclass(frozen=True)
class Predictor:
    """How a model predicts a metric, the columns that it needs, and whether it depends on how requests arrive."""

    predict: Callable[[Case], Prediction]
    needs: tuple[str, ...] = ()
    loaded: bool = True
