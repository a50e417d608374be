"""The model ``best`` of the scorer: what the project knows best of each row.

The calibrated model of inference where it has an answer; else what a constant would do (training, energy, loads whose
queue nobody has modelled yet).
"""

import numpy as np

from tokenomics.rows.case import Case, Prediction, predictors, register

NAME, FIRST, LAST = "best", "inference", "constant"


def _best(case: Case) -> Prediction:
    known = predictors(FIRST).get(case.metric)
    if known is None:
        return predictors(LAST)[case.metric].predict(case)
    first = known.predict(case)
    lacks = np.isnan(np.broadcast_to(first.value, case["n_gpu"].shape))
    if not lacks.any():
        return first
    last = predictors(LAST)[case.metric].predict(case)
    ends = (np.where(lacks, getattr(last, name), getattr(first, name)) for name in ("value", "low", "high", "fits"))
    return Prediction(*ends)


for _metric, _entry in predictors(LAST).items():
    register(NAME, [_metric], predictors(FIRST).get(_metric, _entry).needs)(_best)
