"""What a reader of streamed replies experiences: every measure from one timeline of tokens.

A :class:`tokenomics.service.timeline.Timeline` holds when requests arrived, when their tokens were delivered and how
many were wanted; it gives TTFT, TPOT, ITL and E2E. Times are in seconds on one clock, rates in tokens per second.
Measures of a request come as arrays of shape (requests,).

Most published measures can be gamed, which their tests show: a later *last* token raises Andes' QoE of a late reply,
tokens held back and sent together raise the fluidity index, a late *first* token lowers TPOT, and goodput does not see
whether a late request was finished. Smooth goodput is built so that no token delivered later or not at all raises it.

Left out: tokens that mean more than others, text that is skimmed, the network between server and screen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.errors import is_number, positive, proportion, require
from tokenomics.service.timeline import Timeline, Values, positions, quantiles

SILENT_WPM, FICTION_WPM, ALOUD_WPM = 238.0, 260.0, 183.0
"""Words a minute of adults reading English silently (non-fiction, fiction) and aloud: Brysbaert 2019, 190 studies."""
PATIENCE_S = 10.0
"""Stall after which a token is worth 1/e: how long attention stays on a dialogue (Nielsen 1993)."""
CLOCK_S = 1e-9
"""Differences that are rounding of the clock."""


@dataclass(frozen=True)
class Slo:
    """A service-level objective: time to first token and per later token in seconds, and the share that must keep it.

    Raises:
        DataError: a limit that is not positive, or a share outside (0, 1].
    """

    ttft_s: float
    tpot_s: float
    share: float = 0.9
    name: str = ""

    def __post_init__(self):
        for key in ("ttft_s", "tpot_s"):
            limit = getattr(self, key)
            require(is_number(limit) and limit > 0, "SLO", key, limit, "a number > 0")
        proportion("SLO", "share", self.share, without=[0])


MLPERF = {
    each.name: each
    for each in (
        Slo(2.0, 0.2, 0.99, "Llama-2-70B server"),
        Slo(2.0, 0.2, 0.99, "Mixtral-8x7B server"),
        Slo(0.45, 0.04, 0.99, "Llama-2-70B interactive"),
        Slo(6.0, 0.175, 0.99, "Llama-3.1-405B server"),
        Slo(2.0, 0.1, 0.99, "Llama-3.1-8B server"),
        Slo(0.5, 0.03, 0.99, "Llama-3.1-8B interactive"),
    )
}
"""Limits of MLPerf Inference (v4.1, v5.0, v5.1): the 99th percentile of each time must be within its limit."""


def tokens_per_s(words_per_minute: float = SILENT_WPM, *, tokenizer: str, language: str = "English") -> float:
    """Pace of a reader or listener in tokens per second.

    The paces known are those of English; German words are longer and are read more slowly, which is left out.

    Raises:
        DataError: a pace that is not positive; a tokenizer or language without a count of tokens per word.
    """
    from tokenomics.facts.tokenizers import tokens_per_word

    positive("pace", "words_per_minute", words_per_minute)
    return words_per_minute / 60.0 * tokens_per_word(tokenizer, language)


def attained(of: Timeline, slo: Slo) -> NDArray[np.bool_]:
    """Whether each request was finished, with TTFT and TPOT within the limits."""
    within = (of.ttft() <= slo.ttft_s + CLOCK_S) & (of.tpot() <= slo.tpot_s + CLOCK_S)
    return within & (of.count == of.wanted)


def meets(of: Timeline, slo: Slo) -> bool:
    """Whether the share's quantile of TTFT and that of TPOT are each within the limit, as MLPerf asks."""
    ttft, tpot = (float(quantiles(times, slo.share)) for times in (of.ttft(), of.tpot()))
    return ttft <= slo.ttft_s + CLOCK_S and tpot <= slo.tpot_s + CLOCK_S


def goodput(of: Timeline, slo: Slo, duration_s: float) -> float:
    """Requests a second that keep the objective (Zhong et al., DistServe, arXiv:2401.09670), over ``duration_s``.

    Raises:
        DataError: a duration that is not positive.
    """
    positive("goodput", "duration_s", duration_s)
    return float(attained(of, slo).sum() / duration_s)


def highest_rate(rates: ArrayLike, shares: ArrayLike, share: float = 0.9) -> float:
    """The load up to which ``share`` of requests keep the objective: DistServe's goodput of a system.

    Args:
        rates: loads that were tried, rising; requests per second.
        shares: share of requests that kept the objective at each.
        share: the share asked.

    Returns:
        Interpolated between the last load that holds and the first that does not; 0 where the least does not hold, the
        highest load tried where all hold.

    Raises:
        DataError: other lengths, loads that do not rise, shares outside 0 to 1.
    """
    rates, shares = np.asarray(rates, dtype=float), np.asarray(shares, dtype=float)
    require(rates.shape == shares.shape and rates.size > 0, "highest_rate", "shares", shares.size, f"{rates.size}")
    require(bool((np.diff(rates) > 0).all() and rates[0] > 0), "highest_rate", "rates", rates.tolist(), "rising, > 0")
    inside = bool(((shares >= 0) & (shares <= 1)).all()) and 0 < share <= 1
    require(inside, "highest_rate", "shares", shares.tolist(), "0 to 1")
    fails = np.flatnonzero(shares < share)
    if not len(fails):
        return float(rates[-1])
    first = fails[0]
    if first == 0:
        return 0.0
    part = (shares[first - 1] - share) / (shares[first - 1] - shares[first])
    return float(rates[first - 1] + part * (rates[first] - rates[first - 1]))


def stalls(of: Timeline, ttft_s: ArrayLike, pace: ArrayLike) -> Values:
    """Seconds by which a reader is behind an undisturbed reading when each token is read, shape (tokens,).

    Undisturbed, token ``i`` is read at ``arrival + ttft_s + i / pace``; a reader reads no faster to catch up, so a
    stall lasts: the largest lateness of this and all earlier tokens.

    Args:
        ttft_s, pace: expected seconds to the first token and tokens read a second; a number or one a request.
    """
    start, pace = _expected(of, ttft_s, pace)
    late = np.zeros(len(of.token_s))
    worst = np.zeros(len(of.count))
    for position, request, token in positions(of):
        due = start[request] + position / pace[request]
        worst[request] = np.maximum(worst[request], of.token_s[token] - due)
        late[token] = worst[request]
    return np.where(late > CLOCK_S, late, 0.0)


def andes(of: Timeline, ttft_s: ArrayLike, pace: ArrayLike) -> Values:
    """QoE of Andes (Liu et al., arXiv:2404.16283): 1 - S_delay / S_whole, shape (requests,).

    S_whole is the area under the reading that was expected until the reply is read, S_delay what the reading that could
    take place is short of. Tokens flow evenly at ``pace``; a token never delivered is missing to the end.
    """
    speed, size = _expected(of, ttft_s, pace)[1], len(of.count)
    late, last, some = stalls(of, ttft_s, pace), np.zeros(size), of.count > 0
    last[some] = late[(of.start + of.count - 1)[some]]
    end = np.maximum(of.wanted / speed, last + of.count / speed)  # since reading was expected to start
    whole = of.wanted * end - of.wanted**2 / (2 * speed)
    read = of.count * end - of.count**2 / (2 * speed) - np.bincount(of.owner, late, minlength=size)
    return read / whole


def fluidity(of: Timeline, ttft_s: float, tbt_s: float) -> Values:
    """Fluidity index of Etalon (Agrawal et al., arXiv:2407.07000): share of token deadlines met, shape (requests,).

    The first token is due after ``ttft_s``, each later one ``tbt_s`` after the one before; time gained is kept. A token
    that is late misses its deadline and one more for every full ``tbt_s``, and deadlines start anew from it; a token
    never delivered is one miss.

    Raises:
        DataError: a limit that is not positive.
    """
    for key, value in (("ttft_s", ttft_s), ("tbt_s", tbt_s)):
        positive("fluidity", key, value)
    slack, met, missed = np.zeros((3, len(of.count)))
    before = of.arrival_s.copy()
    for position, request, token in positions(of):
        limit = tbt_s if position else ttft_s
        spare = slack[request] + limit - (of.token_s[token] - before[request])
        late = spare < -CLOCK_S
        slack[request] = np.where(late, 0.0, spare)
        met[request] += ~late
        missed[request] += np.where(late, np.floor(-spare / tbt_s + CLOCK_S) + 1, 0)
        before[request] = of.token_s[token]
    missed += of.wanted - of.count
    return met / (met + missed)


def smooth_goodput(
    of: Timeline, ttft_s: ArrayLike, pace: ArrayLike, duration_s: float, patience_s: float = PATIENCE_S
) -> float:
    """Tokens a second, each worth less the longer its reader was stalled: exp(-stall / patience).

    The framework is smooth goodput (Wang et al., arXiv:2410.14257): deadlines follow the reader's pace, a request earns
    by tokens read less a loss by idle time, over a fixed time. It leaves the loss open. This one is never a penalty, so
    that every token delivered earns something, and grows with each delay: neither trick pays.

    Args:
        ttft_s, pace: as for :func:`stalls`.
        duration_s: seconds of the observation; given, since dropped requests would shorten an observed one.
        patience_s: stall after which a token is worth 1/e.

    Raises:
        DataError: a duration or patience that is not positive.
    """
    positive("smooth_goodput", "duration_s", duration_s)
    positive("smooth_goodput", "patience_s", patience_s)
    return float(np.exp(-stalls(of, ttft_s, pace) / patience_s).sum() / duration_s)


def _expected(of: Timeline, ttft_s: ArrayLike, pace: ArrayLike) -> tuple[Values, Values]:
    wait, speed = (np.broadcast_to(np.asarray(each, dtype=float), of.arrival_s.shape) for each in (ttft_s, pace))
    require(bool((wait >= 0).all()), "experience", "ttft_s", float(wait.min()), "numbers >= 0")
    require(bool((speed > 0).all()), "experience", "pace", float(speed.min()), "tokens per second > 0")
    return of.arrival_s + wait, speed
