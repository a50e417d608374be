"""The model ``best`` of the scorer: the most accurate model that predicts a row.

This is the calibrated model ``inference`` where it predicts the row, else the model ``constant`` (training, energy,
loads whose queue is not modelled yet).
"""

from collections.abc import Mapping

import numpy as np

from tokenomics.rows import constant, inference
from tokenomics.rows.case import Case, Prediction, Predictor


def _predict(case: Case) -> Prediction:
    baseline = constant.PREDICTORS[case.metric]
    if case.metric not in inference.PREDICTORS:
        return baseline.predict(case)
    first = inference.PREDICTORS[case.metric].predict(case)
    unanswered = np.isnan(np.broadcast_to(first.value, case["n_gpu"].shape))
    if not unanswered.any():
        return first
    last = baseline.predict(case)
    ends = (
        np.where(unanswered, getattr(last, name), getattr(first, name)) for name in ("value", "low", "high", "fits")
    )
    return Prediction(*ends)


PREDICTORS: Mapping[str, Predictor] = {
    metric: Predictor(_predict, inference.PREDICTORS.get(metric, baseline).needs)
    for metric, baseline in constant.PREDICTORS.items()
}
