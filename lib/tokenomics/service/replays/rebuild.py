"""Writes ``data/serving``: what others report of their requests, and what our simulator makes of the same requests."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from tokenomics import paths
from tokenomics.errors import RunError
from tokenomics.facts import tables
from tokenomics.service.replays import engines, vidur
from tokenomics.service.simulator import Outcome

TABLES = paths.DATA / "serving"
LEVELS = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99)
WHOLE, REST = "whole", "rest"
LARGEST = "largest_difference"
Row = dict[str, object]


def rebuild(folder: Path, out: Path = TABLES) -> None:
    """Rewrite both tables; the same streams and calibration give the same bytes.

    Args:
        folder: holds ``simulator_reference`` and ``serving_runs``.
        out: where the tables and their metadata stand.

    Raises:
        RunError: a folder that is missing.
    """
    for name in (vidur.FOLDER, engines.FOLDER):
        if not (folder / name).is_dir():
            raise RunError(f"{name} is not in the folder; data/sources.csv says where its files come from")
    others, ours = [*_simulated(folder)], [*_measured(folder)]
    tables.write_rows(out / "replays.csv", [row for _, rows in (*others, *ours) for row in rows], _key(out, "replays"))
    tables.write_rows(out / "replayed_runs.csv", [run for run, _ in (*others, *ours)], _key(out, "replayed_runs"))


def _key(out: Path, name: str) -> tuple[str, ...]:
    return tuple(tables.read_meta(out / f"{name}.csv").key)


def _simulated(folder: Path) -> Iterator[tuple[Row, list[Row]]]:
    known = vidur.configs(folder)
    for name, whose, rows, done in vidur.replayed(folder):
        config = known[name]
        layout = config["tensor_parallel"], config["pipeline_parallel"]
        about = _about(name, whose, rows, vidur.SOURCE) | {
            "kind": "simulator",
            "model": vidur.MODELS[config["layers"]],
            "accelerator": vidur.DEVICE,
            "tp": layout[0],
            "pp": layout[1],
            "scheduler": f"{config['scheduler']}, {vidur.rules_of(config).max_tokens} tokens a pass",
            "rate_qps": float(config["qps"]),
            "decode_factor": 1.0,
            "prompt_factor": 1.0,
        }
        yield about, [*_rows(about, rows, done, slice(None), WHOLE)]


def _measured(folder: Path) -> Iterator[tuple[Row, list[Row]]]:
    for run, how, factors, done in engines.replayed(folder):
        span = float(np.ptp(run.rows["queued_s"]))
        about = _about(run.name, how, run.rows, engines.SOURCE) | {
            "kind": "engine",
            "model": run.replica.server.on.model.name,
            "accelerator": run.replica.server.on.device.name,
            "tp": run.replica.server.on.layout.tp,
            "pp": 1,
            "scheduler": f"{engines.ENGINE}, {run.replica.server.on.settings.max_num_batched_tokens} tokens a pass",
            "rate_qps": (len(run.rows) - 1) / span,
            "decode_factor": factors[0],
            "prompt_factor": factors[1],
        }
        yield about, [*_rows(about, run.rows, done, slice(run.first, None), REST)]


def _about(name: str, times: str, rows: pd.DataFrame, source: str) -> Row:
    means = {f"{side}_mean": float(rows[side].mean()) for side in ("isl", "osl")}
    return {"run": name, "times": times, "requests": len(rows), **means, "source": source}


def _rows(about: Row, reported: pd.DataFrame, done: Outcome, part: slice, named: str) -> Iterator[Row]:
    """Mean and quantiles of each metric over some requests, reported and replayed, and their largest difference."""
    for metric in engines.METRICS:
        theirs, ours = reported[metric].to_numpy(float)[part], getattr(done, metric)[part]
        pairs = {"mean": (np.nanmean(theirs), np.nanmean(ours)), LARGEST: (0.0, np.nanmax(np.abs(ours - theirs)))}
        for level in LEVELS:
            pairs[f"p{level:02d}"] = tuple(np.nanpercentile(each, level) for each in (theirs, ours))
        for statistic, (reported_s, replayed_s) in pairs.items():
            key = {name: about[name] for name in ("run", "times", "source")}
            numbers = {"reported_s": float(reported_s), "replayed_s": float(replayed_s), "requests": len(theirs)}
            yield {**key, "metric": metric, "statistic": statistic, "part": named, **numbers}
