"""Rows of the silicon sample that cannot serve a fit, known from the rows themselves and never from a prediction.

* *Layouts that cannot exist.* Tensor parallelism divides the attention heads. Where it does not in most rows of one
  campaign, its devices were counted over several servers, and no row of the campaign says how one server ran.
* *Drafted tokens.* Rows named DeepSeek-R1 include runs that draft tokens, which the sample does not say. A run that
  does takes 0.45 to 0.8 of the time per token of one at the same condition without drafts. The latter are rows that
  state so, or of the same shape under another name, which agree with these. Of several, the nearest in date is taken,
  since engines get faster. A run of one engine version and day is judged as a whole where a row has no counterpart.
"""

import numpy as np
import pandas as pd

from tokenomics.calibration.engines.campaigns import matches
from tokenomics.facts import catalogue

DRAFTED_MODEL = "DeepSeek-R1"
"""Of the sample's models the one whose rows mix runs with drafts and without."""
DRAFTED = 0.9
"""Share of the time per token without drafts below which a row drafts; software differs by less from run to run."""
FIT, LAYOUT = "", "tensor parallelism that divides no heads: devices of several servers"
DRAFTS = "drafted tokens"
RUN = ["accelerator", "engine_word", "version", "date", "bits"]
"""One engine version on one day, for weights of one width."""


def reasons(rows: pd.DataFrame, sample: pd.Series) -> pd.DataFrame:
    """Why each row is left out: ``reason`` (empty: it is not) and ``ratio`` of time per token to that without drafts.

    Args:
        rows: with the columns of :func:`tokenomics.calibration.engines.samples.examined`, of unique labels.
        sample: which of them are of the silicon sample; of no others is a row left out.
    """
    ratio = drafted_ratios(rows, sample)
    no_layout = _no_layout(rows, sample)
    reason = np.select([no_layout, ratio < DRAFTED], [LAYOUT, DRAFTS], FIT)
    return pd.DataFrame({"reason": reason, "ratio": ratio.where(~no_layout)}, index=rows.index)


def drafted_ratios(rows: pd.DataFrame, sample: pd.Series) -> pd.Series:
    """Time per token of rows that may draft over that of the nearest row without drafts; NaN where nobody knows.

    A row without counterpart takes the median of its run on as many devices, else of its run; first tokens take the
    ratio of their own operating point. Counterparts of equal time are the row itself under another name.
    """
    nothing = pd.Series(np.nan, rows.index)
    may = sample & (rows["canonical"] == DRAFTED_MODEL)
    plain = (rows["spec_method"] == "none") | (sample & ~may)
    per_token = rows["metric"] == "tpot_mean"
    pairs = matches(rows[may & per_token], rows[plain & per_token], also=("bits",))
    if pairs.empty:
        return nothing
    left, right = (rows.loc[pairs[side]].reset_index(drop=True) for side in ("left", "right"))
    pairs["ratio"] = left["seconds"] / right["seconds"]
    pairs["gap"] = (pd.to_datetime(left["date"]) - pd.to_datetime(right["date"])).abs()
    pairs["other"] = ~np.isclose(pairs["ratio"], 1.0, rtol=1e-6)
    own = pairs.sort_values(["other", "gap", "ratio"]).drop_duplicates("left").set_index("left")
    points = rows[may & per_token].assign(ratio=own["ratio"], judges=own["ratio"].where(own["other"].astype(bool)))
    points = points.fillna({"version": "", "date": ""})
    for group in ([*RUN, "n_gpu"], RUN):
        points["ratio"] = points["ratio"].fillna(points.groupby(group)["judges"].transform("median"))
    return nothing.where(~may, rows["case"].map(points.set_index("case")["ratio"]))


def _no_layout(rows: pd.DataFrame, sample: pd.Series) -> pd.Series:
    heads = rows["canonical"].map({name: model.heads for name, model in catalogue.models().items()})
    impossible = (heads % rows["tp"] != 0) & sample
    run = [rows[name].fillna("") for name in ("source", "accelerator", "engine_word", "version", "canonical")]
    return (impossible.groupby(run).transform("mean") > 0.5) & sample
