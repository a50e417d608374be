"""One task, told in full: at APIs with caches, batches, hidden reasoning and tokenizers of their own, and on a copy."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenomics.economics import cost
from tokenomics.facts import prices
from tokenomics.facts.prices import ApiPrice
from tokenomics.sections.s05_tokenomics_qoe.case import Case

CACHED, ALL = 0.5, 1.0


@dataclass(frozen=True)
class Task:
    """A request and how often somebody sends it.

    Attributes:
        prompt, output: tokens as ``tokenizer`` cuts them.
        thought: hidden tokens of a model that reasons.
        a_day: requests of a user.
    """

    prompt: float
    output: float
    thought: float
    a_day: float
    tokenizer: str


def chosen(products: Sequence[str], year: int, task: Task) -> list[ApiPrice]:
    """Of each product the offer of a year that is in the middle by what the task costs (of two, the cheaper)."""
    first, last = dt.date(year, 1, 1), dt.date(year, 12, 31)
    found = []
    for name in products:
        some = [p for p in prices.api_prices() if p.model == name and p.usable and p.verified]
        some = [p for p in some if p.date <= last and p.listed_until >= first]
        some.sort(key=lambda p: (float(p.usd(task.prompt, task.output)), p.provider, p.date))
        found += some[(len(some) - 1) // 2 : (len(some) + 1) // 2]
    return found


def table(case: Case, task: Task, offers: Sequence[ApiPrice], used: float) -> pd.DataFrame:
    """A row an offer, then two of the copy (full, and used to a share: the closed form ``C_sat / U``): USD of the task
    as it is, with half of its prompt cached, sent as a batch, with hidden thoughts, and of a user's month.

    The batch discount is taken as given everywhere. A batch costs a copy what a full copy costs, since it can wait
    until one is idle. Missing: thoughts of a model without any.
    """
    rows = [_offer(offer, task) for offer in offers]
    full = _own(case, task, 1.0)
    rows += [full | {"offer": "own copy, full"}, _own(case, task, used) | {"offer": f"own copy, used {used:.0%}"}]
    for row in rows[-2:]:
        row["batch_usd"] = full["task_usd"]
    month = [float(cost.per_user_month(row["task_usd"], task.a_day).value) for row in rows]
    return pd.DataFrame(rows).assign(user_usd_per_month=month)


def _offer(offer: ApiPrice, task: Task) -> dict:
    ratio = cost.tokenizer_ratio(offer.tokenizer, task.tokenizer) if offer.tokenizer else 1.0
    common = {"price": offer, "input_tokens": task.prompt, "output_tokens": task.output, "tokens_ratio": ratio}
    row = {"offer": f"{offer.model}, {offer.provider}", "date": str(offer.date), "tokens_ratio": ratio}
    row["task_usd"] = float(cost.api_usd(**common))
    row["cached_usd"] = float(cost.api_usd(**common, cached_share=CACHED))
    row["batch_usd"] = float(cost.api_usd(**common, batch_share=ALL))
    thinks = offer.reasoning_billed is True
    return row | {"thought_usd": float(cost.api_usd(**common, reasoning_tokens=task.thought)) if thinks else np.nan}


def _own(case: Case, task: Task, used: float) -> dict:
    made = cost.self_hosted(
        case.server, case.hour, task.prompt, task.output, concurrency=case.rules.max_batch, utilisation=used
    )
    whole = made.usd(task.prompt, task.output)
    row = {"date": "", "tokens_ratio": 1.0, "task_usd": float(whole.value)}
    row |= {"task_usd_low": float(whole.low), "task_usd_high": float(whole.high)}
    row["cached_usd"] = float(made.usd(task.prompt, task.output, 0.0, CACHED).value)
    return row | {"thought_usd": float(made.usd(task.prompt, task.output, task.thought).value)}
