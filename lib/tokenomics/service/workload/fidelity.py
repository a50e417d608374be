"""How like its trace a drawn stream is: the same statistics of both, side by side."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from tokenomics.service.workload.arrivals import Constant
from tokenomics.service.workload.published import Workload
from tokenomics.service.workload.stream import Stream

QUANTILES = (10, 25, 50, 75, 90, 95, 99)
WINDOWS_S = (1, 10, 60, 300)
DRAWS = 100
TOLERANCES = {
    **{f"{side}_p{q}": 0.03 for side in ("input", "output") for q in QUANTILES},
    "input_mean": 0.02,
    "output_mean": 0.02,
    "length_correlation": 0.03,
    "rank_correlation": 0.02,
    "rate_rps": 0.05,
    "dispersion_10s": 0.10,
    "dispersion_60s": 0.10,
    "silent_share_10s": 0.10,
    "prefix_hit_share": 0.02,
}
"""How far a derived workload may be off: relative; absolute for correlations and shares. Others are not promised."""
DIFFERENCES = ("length_correlation", "rank_correlation", "silent_share_10s", "prefix_hit_share")
TIMED = ("rate_rps", "gap_cv", *(f"dispersion_{window}s" for window in WINDOWS_S), "silent_share_10s")


def statistics(stream: Stream) -> dict[str, float]:
    """What characterises a stream, by name.

    Mean and quantiles of both lengths in tokens, their correlation (plain and of ranks), requests per second,
    coefficient of variation of the gaps, dispersion of counts in whole windows of 1, 10, 60 and 300 s from the first
    arrival (variance over mean; one: Poisson), share of 10 s windows without a request, and, where there are blocks,
    the share that a prefix cache without limit would find and how many seconds such blocks had waited (median, p90).
    Windows longer than half the stream are left out.
    """
    found = {}
    for side, tokens in (("input", stream.input_tokens), ("output", stream.output_tokens)):
        found[f"{side}_mean"] = float(tokens.mean())
        values = np.percentile(tokens, QUANTILES)
        found |= {f"{side}_p{q}": float(value) for q, value in zip(QUANTILES, values, strict=True)}
    found["length_correlation"] = _correlation(stream.input_tokens, stream.output_tokens)
    found["rank_correlation"] = _correlation(*map(_mid_ranks, (stream.input_tokens, stream.output_tokens)))
    found["rate_rps"] = stream.rate_rps
    gaps = np.diff(stream.arrival_s)
    found["gap_cv"] = float(gaps.std() / gaps.mean()) if gaps.any() else 0.0
    for window in WINDOWS_S:
        if stream.duration_s >= 2 * window:
            found[f"dispersion_{window}s"] = dispersion(stream.arrival_s, window)
    if stream.duration_s >= 20:
        found["silent_share_10s"] = silent_share(stream.arrival_s, 10)
    return found if stream.blocks is None else found | prefix_statistics(stream)


def prefix_statistics(stream: Stream) -> dict[str, float]:
    """The part of :func:`statistics` that is about blocks."""
    waits = _reuse_gaps(stream)
    quantiles = np.percentile(waits, [50, 90]) if waits.size else (0.0, 0.0)
    gaps = {f"reuse_gap_p{q}_s": float(value) for q, value in zip((50, 90), quantiles, strict=True)}
    return {"prefix_hit_share": stream.blocks.hit_share()} | gaps


def silent_share(arrival_s: NDArray[np.float64], window_s: float) -> float:
    """Share of whole windows from the first arrival on without any arrival."""
    return float(np.mean(_counts(arrival_s, window_s) == 0))


def dispersion(arrival_s: NDArray[np.float64], window_s: float) -> float:
    """Variance over mean of the counts in whole windows from the first arrival on."""
    counts = _counts(arrival_s, window_s)
    return float(counts.var() / counts.mean()) if counts.any() else 0.0


def _counts(arrival_s: NDArray[np.float64], window_s: float) -> NDArray[np.int64]:
    since = arrival_s - arrival_s[0]
    windows = int(since[-1] // window_s)
    return np.bincount((since // window_s).astype(np.int64), minlength=windows)[:windows]


def compare(drawn_from: Workload, trace: Stream, draws: int = DRAWS) -> Iterator[dict[str, object]]:
    """Rows of ``data/workloads/fidelity.csv``: each statistic of the trace and of streams as long as it.

    ``derived`` is the mean over draws with seeds 0, 1, ...; ``derived_p5`` and ``derived_p95`` hold nine tenths of
    them: how much one such stretch differs from the next by chance alone.
    """
    own = drawn_from.arrivals is not None
    length = {"duration_s": trace.duration_s} if own else {"requests": len(trace), "arrivals": Constant(1.0)}
    drawn = [statistics(drawn_from.draw(seed=seed, **length)) for seed in range(draws)]
    for name, value in statistics(trace).items():
        if own or name not in TIMED:
            values = np.array([each[name] for each in drawn])
            low, high = np.percentile(values, [5, 95])
            yield {
                "workload": drawn_from.name,
                "statistic": name,
                "trace": float(value),
                "derived": float(values.mean()),
                "derived_p5": float(low),
                "derived_p95": float(high),
                "error": error(name, float(values.mean()), value),
                "tolerance": TOLERANCES.get(name),
            }


def error(name: str, derived: float, trace: float) -> float:
    """Relative error, or the plain difference of correlations and shares."""
    return derived - trace if name in DIFFERENCES else derived / trace - 1


def beyond(row: Mapping[str, object]) -> bool:
    """Whether a row of the table is further off than promised; half a token is always allowed."""
    if row["tolerance"] is None or row["tolerance"] != row["tolerance"]:
        return False
    tokens = str(row["statistic"]).startswith(("input_p", "output_p"))
    half = 0.5 / float(row["trace"]) if tokens else 0.0
    return abs(float(row["error"])) > max(float(row["tolerance"]), half)


def _correlation(a: NDArray, b: NDArray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) and np.ptp(b) else 0.0


def _mid_ranks(values: NDArray) -> NDArray[np.float64]:
    """Ranks, equal values sharing their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def _reuse_gaps(stream: Stream) -> NDArray[np.float64]:
    """Seconds since its last use, for every block that came before in the stream."""
    blocks = stream.blocks
    order = np.argsort(blocks.ids, kind="stable")
    owner = np.repeat(np.arange(len(stream)), np.diff(blocks.offsets))[order]
    again = np.diff(blocks.ids[order]) == 0
    return (stream.arrival_s[owner[1:]] - stream.arrival_s[owner[:-1]])[again]
