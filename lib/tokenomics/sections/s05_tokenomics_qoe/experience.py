"""Latency, experience and price of a replica against its load: closed forms beside the simulation.

Latency = TTFT + TPOT (N - 1) is exact for each request; the closed forms take constants for its two times. Every
measure of :mod:`tokenomics.service.qoe` comes from one timeline of tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenomics.economics import cost
from tokenomics.estimate import Estimate, from_ends
from tokenomics.notebook import units
from tokenomics.notebook.report import Metric, cell, extreme
from tokenomics.sections.s05_tokenomics_qoe.case import Case
from tokenomics.service import qoe, workload
from tokenomics.service.simulator import Outcome, Requests, Rules, StepTable, simulate
from tokenomics.service.timeline import Timeline, quantiles

MILLI = 1e3
BINS = 8
"""Groups of like replies in which simulated latency is averaged."""
CONCURRENCY = np.geomspace(1, 4096, 241)
GOOD = 0.9
"""Share above which a measure of experience counts as kept."""


def case_metrics(case: Case, reader: "Reader", rate_rps: Estimate, bound_tok_per_s: float) -> dict[str, Metric]:
    """The replica that the notebook follows: its requests, what it bears, and what its tokens cost.

    Args:
        rate_rps: highest rate within the reader's objective.
        bound_tok_per_s: upper bound of the replica's output.

    An objective that is kept at no load leaves its rate and price without a value.
    """
    kept, never = float(rate_rps.value) > 0, never_kept(case, reader.slo)
    within = rate_rps if kept else rate_rps.map(lambda rate: np.full_like(rate, np.nan))
    on, devices, rent = case.server.on, case.server.devices, case.usd_per_device_hour
    price_bound = cost.usd_per_mtoken(rent, bound_tok_per_s, devices)
    price = cost.usd_per_mtoken(rent, case.saturated_tok_per_s, devices)
    return {
        "own_model": Metric(on.model.name, "text", "model followed through the notebook"),
        "own_accelerator": Metric(on.device.name, "text", "accelerator followed through the notebook"),
        "own_devices": Metric(devices, "1", "devices of the own replica"),
        "prompt_tokens": Metric(case.prompt, "tok", "mean prompt of the workload"),
        "output_tokens": Metric(case.output, "tok", "mean reply of the workload"),
        "rent": Metric.of(rent, "USD/h", "rent of a device"),
        "reading_pace": Metric(reader.tok_per_s, "tok/s", "pace of silent reading, English"),
        "listening_pace": Metric(reader.aloud_tok_per_s, "tok/s", "pace of reading aloud, English"),
        "price_bound": Metric.of(price_bound, "USD/Mtok", "rent over the upper bound of output"),
        "saturated": Metric.of(case.saturated_tok_per_s, "tok/s", "output of the saturated replica, simulated"),
        "saturated_rps": Metric(case.saturated_rps, "request/s", "requests a second of that"),
        "replica_rps": Metric.of(within, "request/s", "highest rate that keeps the objective", never),
        "replica_share": Metric(
            float(within.value) / case.saturated_rps, "1", "that over the saturated rate", reason=never
        ),
        "price_saturated": Metric.of(price, "USD/Mtok", "price of output tokens, saturated"),
        "price_slo": Metric.of(
            case.usd_per_mtok(rate_rps), "USD/Mtok", "price of output tokens, at the objective", never
        ),
    }


def never_kept(case: Case, slo: qoe.Slo) -> str:
    """Why an objective has no rate and no price, in words."""
    limits = f"{slo.ttft_s:g} s to the first token and {MILLI * slo.tpot_s:g} ms for later ones"
    return f"{case.name} keeps {limits} for {slo.share:.0%} of requests at no load"


def closed(case: Case, rates: Sequence[float]) -> pd.DataFrame:
    """Mean TTFT and TPOT of the closed form at open loads: the number of requests in flight ``a`` of a closed loop that
    finishes requests at the rate, ``rate = a / E2E(a)`` (Little's law); below one in flight, those of a request alone.

    Returns:
        ``rate_rps, concurrency, ttft_s, tpot_ms, e2e_s``; missing where no number that fits the replica is so fast.
    """
    server, prompt, output = case.server, case.prompt, case.output
    most = min(float(server.capacity(prompt + output / 2)), case.max_num_seqs)
    flight = CONCURRENCY[max(most, 1.0) >= CONCURRENCY]
    ttft = server.loaded_ttft(flight, prompt, output).value
    tpot = server.loaded_tpot(flight, prompt, output).value
    leaves = np.maximum.accumulate(flight / (ttft + tpot * (output - 1)))
    at = np.asarray(rates, dtype=float)
    found = np.interp(at, leaves, flight, left=1.0, right=np.nan)
    rows = {"rate_rps": at, "concurrency": np.where(at < leaves[0], at / leaves[0], found)}
    rows |= {"ttft_s": np.interp(found, flight, ttft), "tpot_ms": MILLI * np.interp(found, flight, tpot)}
    return pd.DataFrame(rows).assign(e2e_s=lambda x: x["ttft_s"] + x["tpot_ms"] / MILLI * (output - 1))


def alone(case: Case) -> tuple[float, float]:
    """TTFT and TPOT in seconds of a mean request on an idle replica: the constants of the formula."""
    ttft = case.server.ttft(case.prompt).value
    return float(ttft), float(case.server.tpot(1, case.prompt + case.output / 2).value)


def against_load(case: Case, shares: Sequence[float]) -> pd.DataFrame:
    """Simulated latency beside both closed forms at shares of the saturated rate.

    Returns:
        A row a share: simulated means and 99 % quantiles; ``constants_e2e_s`` with the constants of an idle replica,
        ``loop_e2e_s`` with those of the closed loop, and simulated means over each; ``p99_stretch_ratio``: what the
        slowest in a hundred wait over what a reply of their length takes on an idle replica.
    """
    ttft, tpot = alone(case)
    rates = np.asarray(shares) * case.saturated_rps
    loop = closed(case, rates)
    rows = []
    for share, rate in zip(shares, rates, strict=True):
        done = case.run(rate)
        row = {"share": share, "rate_rps": rate, "ttft_s": np.nanmean(done.ttft_s)}
        row |= {"tpot_ms": MILLI * np.nanmean(done.tpot_s), "e2e_s": done.e2e_s.mean()}
        own = case.server.ttft(done.requests.prompt).value + tpot * (done.requests.output - 1)
        row["e2e_p99_s"] = float(quantiles(done.e2e_s, 0.99))
        rows.append(row | {"p99_stretch_ratio": float(quantiles(done.e2e_s / own, 0.99))})
    table = pd.DataFrame(rows)
    table["constants_e2e_s"] = ttft + tpot * (case.output - 1)
    table["loop_ttft_s"], table["loop_tpot_ms"], table["loop_e2e_s"] = loop["ttft_s"], loop["tpot_ms"], loop["e2e_s"]
    table["over_constants_ratio"] = table["e2e_s"] / table["constants_e2e_s"]
    table["over_loop_ratio"] = table["e2e_s"] / table["loop_e2e_s"]
    return table


def latency_metrics(by_load: pd.DataFrame, low: float, high: float) -> dict[str, Metric]:
    """How far off the constants are at a low and at a high load, and the closed loop at the highest that it answers.

    Args:
        by_load: as :func:`against_load` gives it.
        low, high: loads of the table, shares of the saturated rate.
    """
    at = by_load.set_index("share")
    answered = at["over_loop_ratio"].dropna()
    beyond = "the closed loop answers at none of these loads"
    error = at.loc[low, "over_constants_ratio"] - 1
    ratio, tail = at.loc[high, "over_constants_ratio"], at.loc[high, "p99_stretch_ratio"]
    loop_load = answered.index.max()
    return {
        "load_low": Metric(low, "1", "low load"),
        "low_error": Metric(error, "1", "mean latency over idle constants, less 1, low load"),
        "load_high": Metric(high, "1", "high load"),
        "high_ratio": Metric(ratio, "1", "mean latency over idle constants, high load"),
        "tail_ratio": Metric(tail, "1", "slowest in a hundred over an idle replica's time, high load"),
        "loop_load": Metric(loop_load, "1", "highest of these loads at which the closed loop answers", reason=beyond),
        "loop_ratio": Metric(
            answered.get(loop_load), "1", "mean latency over the closed loop's at that load", reason=beyond
        ),
    }


def against_length(case: Case, shares: Sequence[float]) -> pd.DataFrame:
    """Mean simulated latency of replies of like length, and both closed forms for that length and its prompts.

    Returns:
        ``share, output_tok, e2e_s, constants_e2e_s, loop_e2e_s``, a row a share and group of replies.
    """
    ttft, tpot = alone(case)
    loop = closed(case, np.asarray(shares) * case.saturated_rps)
    output = case.stream.output_tokens
    edges = np.unique(np.quantile(output, np.linspace(0, 1, BINS + 1)))
    group = np.clip(np.searchsorted(edges, output, side="right") - 1, 0, len(edges) - 2)
    size = np.bincount(group)
    length = np.bincount(group, output) / size
    found = []
    for row, share in zip(loop.itertuples(), shares, strict=True):
        e2e = np.bincount(group, case.run(row.rate_rps).e2e_s) / size
        both = {"constants_e2e_s": ttft + tpot * (length - 1)}
        both["loop_e2e_s"] = row.ttft_s + row.tpot_ms / MILLI * (length - 1)
        found.append(pd.DataFrame({"share": share, "output_tok": length, "e2e_s": e2e} | both))
    return pd.concat(found, ignore_index=True)


@dataclass(frozen=True)
class Wait:
    """Mean seconds that prompts waited, and what M/D/1 says."""

    waited_s: float
    formula_s: float


def single_queue(count: int, load: float, seed: int) -> Wait:
    """Prompts of one size, one at a time, Poisson arrivals: the simulated mean wait beside ``load S / (2 (1 - load))``
    (Pollaczek and Khinchine, constant service time ``S``)."""
    service_s = 0.1
    table = StepTable(decode_s=np.zeros((2, 2)), linear_s=np.array([0.0, *[service_s] * 64]))
    arrivals = workload.arrival_times(workload.Poisson(load / service_s), count, seed=seed)
    done = simulate(Requests(arrivals, 16, 1), table, Rules(policy="prefill", max_batch=1))
    return Wait(float(done.queue_s.mean()), load * service_s / (2 * (1 - load)))


@dataclass(frozen=True)
class Reader:
    """What somebody expects: an objective, and the tokens a second that are read, silently and aloud."""

    slo: qoe.Slo
    tok_per_s: float
    aloud_tok_per_s: float

    @classmethod
    def of(cls, slo: qoe.Slo, tokenizer: str) -> "Reader":
        """A reader of English text as a tokenizer cuts it."""
        aloud = qoe.tokens_per_s(qoe.ALOUD_WPM, tokenizer=tokenizer)
        return cls(slo, qoe.tokens_per_s(tokenizer=tokenizer), aloud)

    def measures(self, of: Timeline, duration_s: float) -> dict[str, float]:
        """Shares of what could be had, all 1 at best: Andes' QoE and the fluidity index (means over requests), requests
        that keep the objective, and smooth goodput over the tokens wanted; and, counting what came within
        ``duration_s``, goodput in requests and tokens a second and smooth goodput in tokens a second."""
        ttft_s, pace = self.slo.ttft_s, self.tok_per_s
        smooth = qoe.smooth_goodput(of, ttft_s, pace, duration_s)
        came = until(of, duration_s)
        kept = qoe.attained(came, self.slo)
        return {
            "andes_share": float(qoe.andes(of, ttft_s, pace).mean()),
            "fluidity_share": float(qoe.fluidity(of, ttft_s, 1 / pace).mean()),
            "attained_share": float(qoe.attained(of, self.slo).mean()),
            "smooth_share": smooth * duration_s / float(of.wanted.sum()),
            "goodput_rps": float(kept.sum() / duration_s),
            "goodput_tok_per_s": float(came.count[kept].sum() / duration_s),
            "smooth_tok_per_s": qoe.smooth_goodput(came, ttft_s, pace, duration_s),
        }

    def sees(self, done: Outcome, *levels: int) -> dict[str, float]:
        """Quantiles of TTFT and TPOT in per cent (``ttft_p95_s``, ``tpot_p95_ms``), ITL that 99 % stay below, mean time
        of a request, and :meth:`measures`, of a simulation that kept its tokens."""
        of = done.timeline()
        row = {f"ttft_p{level}_s": float(quantiles(of.ttft(), level / 100)) for level in levels}
        row |= {f"tpot_p{level}_ms": MILLI * float(quantiles(of.tpot(), level / 100)) for level in levels}
        row |= {"itl_p99_ms": MILLI * float(quantiles(of.itl(), 0.99)), "e2e_mean_s": float(done.e2e_s.mean())}
        return row | self.measures(of, float(done.requests.arrival_s[-1]))


def until(of: Timeline, end_s: float) -> Timeline:
    """The tokens that came up to a time; what came later counts as not delivered."""
    came = of.token_s <= end_s
    count = np.bincount(of.owner, came, minlength=len(of.count)).astype(np.int64)
    return Timeline(of.arrival_s, of.token_s[came], count, of.wanted)


def sweep(case: Case, rates: Sequence[float], reader: Reader) -> pd.DataFrame:
    """A row a load: quantiles of TTFT and TPOT with the ends of the step times, measures of experience, and the price
    as simulated beside the closed form ``C_sat / U``.

    Measures at a load that grows a queue depend on how long it has grown: here for as long as the requests last.
    """
    rows = []
    for rate in rates:
        done = case.run(rate, tokens=True)
        row = {"rate_rps": rate, "share": rate / case.saturated_rps, "stable": bool(done.load().stable)}
        row |= _times(case, rate, done) | reader.sees(done)
        rows.append(row | {"achieved_tok_per_s": cost.achieved(done)} | _prices(case, rate, done))
    return pd.DataFrame(rows).drop(columns="e2e_mean_s")


def _times(case: Case, rate: float, done: Outcome) -> dict[str, float]:
    """Quantiles at the ends of the step times; requests of a single token have no TPOT."""
    others = {"value": done} | {end: case.run(rate, end) for end in ("low", "high")}

    def quantile(name: str, q: float) -> Estimate:
        seconds = {end: getattr(each, name) for end, each in others.items()}
        return from_ends(lambda end: float(quantiles(seconds[end][~np.isnan(seconds[end])], q)))

    found: dict[str, float] = {}
    for level in (50, 99):
        found |= units.columns(f"ttft_p{level}_s", quantile("ttft_s", level / 100))
        found |= units.columns(f"tpot_p{level}_ms", quantile("tpot_s", level / 100), MILLI)
    return found


def _prices(case: Case, rate: float, done: Outcome) -> dict[str, float]:
    """USD per million output tokens, in two ways that share nothing but rent and lengths: simulated, and the closed
    form ``C_sat / U`` with the output rate of a saturated closed loop and ``U`` the offered over that, at most 1."""
    devices, prompt, output, rent = case.server.devices, case.prompt, case.output, case.usd_per_device_hour
    saturated = case.server.output_rate(prompt, output, case.max_num_seqs)
    used = min(rate * output / float(saturated.value), 1.0)
    prices = units.columns("simulated_usd_per_mtok", cost.simulated(done, rent, devices))
    price = cost.usd_per_mtoken(rent, float(saturated.value), devices)
    return prices | {"closed_usd_per_mtok": float(cost.effective(price, used).value), "closed_used_share": used}


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of :func:`sweep` that readers see as a table."""
    columns = ["rate_rps", "share", "stable", "ttft_p50_s", "ttft_p99_s", "tpot_p50_ms", "tpot_p99_ms", "itl_p99_ms"]
    columns += ["andes_share", "fluidity_share", "attained_share", "smooth_share", "goodput_rps", "achieved_tok_per_s"]
    price = "simulated_usd_per_mtok"
    columns += [price, units.end_of(price, units.LOW), units.end_of(price, units.HIGH)]
    return table[[*columns, "closed_usd_per_mtok", "closed_used_share"]]


def at_share(table: pd.DataFrame, share: float) -> float:
    """Simulated price at a share of the saturated load: between loads price times load is taken as straight."""
    paid = np.interp(share, table["share"], table["simulated_usd_per_mtok"] * table["share"])
    return float(paid / share)


def knee(table: pd.DataFrame, column: str, share: float) -> float:
    """The load up to which a column of shares stays at ``share`` or above, requests a second."""
    return qoe.highest_rate(table["rate_rps"], table[column].clip(0, 1), share)


def experience_metrics(table: pd.DataFrame, case: Case) -> dict[str, Metric]:
    """Loads at which measures of experience break and goodput is highest, and the price at a tenth of saturation."""
    metrics = {}
    for key in ("attained", "fluidity", "andes"):
        meaning = f"load over saturated up to which {key} stays above nine tenths"
        metrics[f"knee_{key}"] = Metric(knee(table, f"{key}_share", GOOD) / case.saturated_rps, "1", meaning)
    for key in ("smooth", "goodput"):
        best = extreme(table, f"{key}_tok_per_s")
        metrics[f"{key}_peak"] = cell(best, "share", f"load over saturated with the highest {key}", "1")
    saturated = cost.usd_per_mtoken(case.usd_per_device_hour, case.saturated_tok_per_s, case.server.devices)
    ratio = at_share(table, 0.1) / float(saturated.value)
    return metrics | {"tenth_ratio": Metric(ratio, "1", "price at a tenth of the saturated load over saturated price")}
