"""Fits compact statistics to a trace: what ``data/workloads`` ships instead of the trace."""

from dataclasses import asdict, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tokenomics.errors import require
from tokenomics.service.workload.arrivals import Constant, Gamma, Modulated, Process
from tokenomics.service.workload.conversations import Ties
from tokenomics.service.workload.fidelity import dispersion, prefix_statistics, silent_share, statistics
from tokenomics.service.workload.lengths import Lengths
from tokenomics.service.workload.published import Workload
from tokenomics.service.workload.stream import Stream

SHORT_S, LONG_S = 10.0, 60.0
"""Windows whose count dispersion is reproduced."""
LEAST_BUSY_SHARE = 0.02
SILENT_SHARE = 0.1
"""With more short windows empty than this, a quiet spell is silence."""
TIE_DRAWS, TIE_ROUNDS = 3, 4
DIGITS = 6
Record = TypeVar("Record", Constant, Ties)


def measured(trace: Stream, name: str, tick_s: float = 0.0) -> Workload:
    """The workload of a trace: lengths, arrivals and, where it has blocks, sessions; numbers to six digits.

    Args:
        trace: requests with true arrival times, or rounded to ticks.
        name: of the workload.
        tick_s: seconds to which the trace's log rounds; 0: none.
    """
    lengths = Lengths.measured(trace.input_tokens, trace.output_tokens)
    times = (trace.spread(tick_s) if tick_s else trace).arrival_s
    fitted = Workload(name, lengths, _rounded(fit_arrivals(times)), None, tick_s)
    return fitted if trace.blocks is None else replace(fitted, ties=_rounded(fit_ties(trace, fitted)))


def _rounded(record: Record) -> Record:
    """A record with its fractions as the tables keep them."""
    return replace(record, **{k: float(f"{v:.{DIGITS}g}") for k, v in asdict(record).items() if isinstance(v, float)})


def fit_arrivals(arrival_s: NDArray[np.float64]) -> Process:
    """A two-state modulated Poisson process with the trace's rate and its count dispersion at 10 s and 60 s.

    The dispersion of such a process in windows of t is 1 + (2 v / s) (1 - (1 - exp(-s t)) / (s t)), with v the
    variance of the rate over its mean and s the sum of the two switching rates (Fischer and Meier-Hellstern, "The
    Markov-modulated Poisson process cookbook", 1993). Two windows give v and s, corrected for the variance that a
    sample does not see (that of its own mean). The share of time that is busy is free; it comes from the skewness of
    the rate, or, where many short windows are empty, from quiet spells being silent. Where the trace cannot be told
    from a Poisson process at 60 s (two standard errors) gamma gaps carry the little that is left.

    Raises:
        DataError: a trace shorter than ten minutes.
    """
    total_s = float(arrival_s[-1] - arrival_s[0])
    require(total_s >= 600, "fit_arrivals", "duration_s", total_s, ">= 600 s of arrivals")
    rate = len(arrival_s) / total_s
    short, long = dispersion(arrival_s, SHORT_S), dispersion(arrival_s, LONG_S)
    if long < 1 + 2 * np.sqrt(2 * LONG_S / total_s):
        unseen = [1 - window / total_s for window in (SHORT_S, LONG_S)]
        return Gamma(rate, float(np.sqrt(np.mean(np.array([short, long]) / unseen))))
    low, high = 1 / total_s, 10.0
    for _ in range(60):
        switching = np.sqrt(low * high)
        variance = (short - 1 + SHORT_S / total_s) / _seen(switching, SHORT_S, total_s)
        too_flat = 1 - LONG_S / total_s + variance * _seen(switching, LONG_S, total_s) < long
        low, high = (low, switching) if too_flat else (switching, high)
    level = variance / rate
    most = 1 / (1 + level)
    silent = silent_share(arrival_s, SHORT_S) > SILENT_SHARE
    busy = most if silent else float(np.clip(_busy_share(arrival_s, switching), LEAST_BUSY_SHARE, most))
    quiet = max(0.0, 1 - np.sqrt(level * busy / (1 - busy)))
    return Modulated(rate, busy, float(quiet), float(1 / (switching * busy * (1 - busy))))


def _excess(switching: float, window_s: float) -> float:
    """(Dispersion - 1) / v of a two-state process in windows of ``window_s``."""
    x = switching * window_s
    return 2 / switching * (1 + np.expm1(-x) / x)


def _seen(switching: float, window_s: float, total_s: float) -> float:
    """:func:`_excess` less what a sample of ``total_s`` loses by subtracting its own mean: the same of the total."""
    return _excess(switching, window_s) - window_s / total_s * _excess(switching, total_s)


def _busy_share(arrival_s: NDArray[np.float64], switching: float) -> float:
    """Share of time in the upper of two states with the skewness of the rate seen through short windows.

    Factorial cumulants of the counts are cumulants of the integrated rate.
    """
    window_s = float(np.clip(0.3 / switching, 1, 30))
    since = arrival_s - arrival_s[0]
    counts = np.bincount((since // window_s).astype(np.int64))[:-1].astype(float)
    centred = counts - counts.mean()
    second = np.mean(centred**2) - counts.mean()
    third = np.mean(centred**3) - 3 * np.mean(centred**2) + 2 * counts.mean()
    skewness = third / second**1.5
    return 0.5 * (1 - skewness / np.sqrt(4 + skewness**2))


def fit_ties(trace: Stream, untied: Workload) -> Ties:
    """Sessions with the trace's prefix hits and its median wait of a block for reuse.

    Mean turns by bisection and gaps by proportion, in turn, on streams as long as the trace. Blocks that more than half
    of all requests have count as shared by all.
    """
    found = statistics(trace)
    shared = int(np.sum(np.bincount(trace.blocks.ids) > len(trace) / 2))
    drawn = [untied.draw(duration_s=trace.duration_s, seed=seed) for seed in range(TIE_DRAWS)]
    ties = Ties(2.0, found["reuse_gap_p50_s"] / np.log(2), shared, trace.blocks.tokens)
    for _ in range(TIE_ROUNDS):
        low, high = 1.0, 100.0
        for _ in range(12):
            ties = replace(ties, turns=float(np.sqrt(low * high)))
            few = _mean("prefix_hit_share", ties, drawn) < found["prefix_hit_share"]
            low, high = (ties.turns, high) if few else (low, ties.turns)
        longer = found["reuse_gap_p50_s"] / _mean("reuse_gap_p50_s", ties, drawn)
        ties = replace(ties, gap_s=float(ties.gap_s * longer))
    return ties


def _mean(name: str, ties: Ties, drawn: list[Stream]) -> float:
    return float(np.mean([prefix_statistics(ties.tie(each))[name] for each in drawn]))
