"""The null model and other tools on the same measured rows."""

import pandas as pd

from tokenomics.calibration.engines.profiles import INPUTS
from tokenomics.facts import measurements, tables
from tokenomics.rows import predict as score
from tokenomics.scoring import report
from tokenomics.sections.s08_validation.rows import KEY, KINDS, all_inputs

OWN, NULL = "this model", "constant"
BORROWED = "this, accelerator left out"
COLUMNS = ["tool", *KEY, "source", "load", "measured", "predicted", "low", "high"]
ROW = ["table", "case"]


def asked(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Held-out rows that the other tools were asked for too, with every tool's answer in the row's own unit.

    Rows with a doubt of any kind are left out, early software included.

    Args:
        frames: held-out rows by ``family`` and ``accelerator``.

    Returns:
        :data:`COLUMNS`, one line a tool and row; ``predicted`` is NaN where a tool has no answer.
    """
    others = tables.read("peers/predictions")
    sound = [measurements.for_validation(measurements.read(kind)).assign(table=kind)[ROW] for kind in KINDS]
    common = others[ROW].drop_duplicates().merge(pd.concat(sound))
    rows = frames["family"].merge(common, on=ROW)
    published = all_inputs().merge(rows[ROW], on=ROW)
    values = published[[*ROW, "value"]].rename(columns={"value": "published"})
    about = rows[[*KEY, "source", "load"]].merge(values, on=ROW)
    parts = [
        _own(frames["family"], about, OWN),
        _own(frames["accelerator"], about, BORROWED),
        about.merge(_null(published), on=ROW).assign(tool=NULL),
    ]
    for name, answers in others.groupby("peer"):
        parts.append(about.merge(answers[[*ROW, "predicted"]], on=ROW, how="left").assign(tool=name))
    found = pd.concat(parts, ignore_index=True).rename(columns={"published": "measured"})
    return found[COLUMNS].assign(verdict=False, error=found["predicted"] / found["measured"] - 1)


def _own(frame: pd.DataFrame, about: pd.DataFrame, name: str) -> pd.DataFrame:
    """Our predictions in published units: ours are in seconds, or rates as published."""
    found = about.merge(frame[[*KEY, "measured", "predicted", "low", "high"]], on=KEY)
    scale = found["published"] / found.pop("measured")
    return found.assign(tool=name, **{each: found[each] * scale for each in ("predicted", "low", "high")})


def _null(published: pd.DataFrame) -> pd.DataFrame:
    made = score.predict(published[INPUTS], NULL)
    return published[ROW].assign(**made[["predicted", "low", "high"]])


def paired(answers: pd.DataFrame) -> pd.DataFrame:
    """Lines of the rows that every tool answers."""
    tools = answers["tool"].nunique()
    return answers[answers.groupby(ROW)["predicted"].transform("count") == tools].reset_index(drop=True)


def errors(answers: pd.DataFrame) -> pd.DataFrame:
    """One line a tool over the same rows: the measures of :func:`tokenomics.scoring.report.measures`."""
    frames = dict(iter(answers.groupby("tool", sort=True)))
    made = {tool: report.measures(frame, report.constant_width(frame)) for tool, frame in frames.items()}
    kept = ["n", "median_error", "mean_error", "p90_error", "within_10", "bias", "coverage"]
    table = pd.DataFrame(made).T[kept].rename_axis("tool").reset_index()
    return table.sort_values(["median_error", "tool"]).reset_index(drop=True)


def one_by_one(answers: pd.DataFrame) -> pd.DataFrame:
    """Each tool on the rows that it answers, with its share of all rows and our median error on its rows."""
    own = answers[answers["tool"] == OWN].set_index(KEY)["error"].abs()
    null = answers[answers["tool"] == NULL].set_index(KEY)["error"].abs()
    lines = []
    for tool, rows in answers.groupby("tool", sort=True):
        done = rows.dropna(subset=["predicted"])
        keys = pd.MultiIndex.from_frame(done[KEY])
        medians = (done["error"].abs().median(), own[keys].median(), null[keys].median())
        lines.append((tool, len(rows), len(done) / len(rows), *medians))
    return pd.DataFrame(lines, columns=["tool", "rows", "predicted", "median_error", "own_median", "null_median"])
