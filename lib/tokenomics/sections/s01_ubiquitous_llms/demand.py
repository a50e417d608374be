"""From users to tokens, accelerators and megawatts: one chain of factors, each a parameter.

What is left out: memory, which decides the speed of decoding and is part of the share of the peak that a service uses;
training; other kinds of content than text; accelerators that wait for failures or for growth.
"""

import numpy as np
import pandas as pd

from tokenomics.compute.counts.parameters import parameters
from tokenomics.errors import DataError
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model
from tokenomics.notebook.report import Metric
from tokenomics.sections.s01_ubiquitous_llms.parameters import Parameters

SECONDS_PER_DAY = 86_400
FLOP_PER_PARAMETER = 2
NODE_DEVICES = 8
STEPS = [
    ("messages", 1, "1/s"),
    ("tokens", 1e6, "Mtok/s"),
    ("flop", 1e18, "EFLOP/s"),
    ("least", 1, "1"),
    ("installed", 1e3, "thousand"),
    ("mw", 1, "MW"),
]
"""Key of each step of the chain in prose, and the scale and unit in which it is said there."""


def flop_per_s(tokens_per_s: float, active_parameters: float) -> float:
    """FLOP/s of the multiplications with a model's active parameters, prompt and reply alike; a lower bound."""
    return FLOP_PER_PARAMETER * active_parameters * tokens_per_s


def peak(device: Accelerator) -> float:
    """The dense 16-bit peak in FLOP/s; NaN where none is published."""
    try:
        return float(device.peak_flop_per_s("bf16"))
    except DataError:
        return float("nan")


def chain(p: Parameters, model: Model, device: Accelerator) -> pd.DataFrame:
    """The chain as a table of steps: what, its number and unit, and from what it follows.

    Args:
        p: users, their messages, tokens, and how well accelerators are used.
        model: what answers; its active parameters are counted.
        device: what it runs on; its 16-bit peak and its power.
    """
    active, top, watts = parameters(model).active, peak(device), float(device.tdp_w or np.nan)
    messages = p.users * p.messages_per_user_and_day / SECONDS_PER_DAY
    tokens = messages * (p.message_prompt_tokens + p.message_reply_tokens)
    flop = flop_per_s(tokens, active)
    least = flop / top
    installed = least / p.peak_share * p.busiest_over_mean
    power = installed * watts * p.server_over_accelerator * p.pue
    steps = [
        ("messages", messages, "1/s", "users × messages a day / 86,400 s"),
        ("tokens", tokens, "tok/s", "messages × (prompt + reply)"),
        ("arithmetic", flop, "FLOP/s", "tokens × 2 × active parameters"),
        ("accelerators, at least", least, "1", "arithmetic / 16-bit peak"),
        ("accelerators, installed", installed, "1", "at least / share of the peak in use × busiest hour over mean"),
        ("power of the site", power / 1e6, "MW", "installed × power of one × server over accelerator × PUE"),
    ]
    return pd.DataFrame(steps, columns=["step", "value_number", "unit", "follows_from"])


def metrics(
    table: pd.DataFrame, p: Parameters, model: Model, device: Accelerator, first_users: float
) -> dict[str, Metric]:
    """The steps, the factors behind them, and the power for the users that the survey's opening names, for prose.

    Args:
        table: of :func:`chain`.
        first_users: people who used such a service two months after it began.
    """
    reason = f"{device.name} has no published 16-bit peak or power"
    power = table["value_number"].iloc[-1]
    per_user = p.messages_per_user_and_day * (p.message_prompt_tokens + p.message_reply_tokens)
    scaled = {
        "users": (p.users / 1e6, "million", "weekly users"),
        "active": (parameters(model).active / 1e9, "billion", "active parameters of the model"),
        "peak": (peak(device) / 1e12, "TFLOP/s", "16-bit peak of the accelerator"),
        "watts": (device.tdp_w, "W", "power of the accelerator"),
        "tokens_per_user": (per_user, "tok", "tokens of a user a day"),
        "watts_per_user": (power * 1e6 / p.users, "W", "power of the site per user"),
        "first_mw": (power * first_users / p.users, "MW", "power of the site for the users of the first two months"),
    }
    for (key, scale, unit), row in zip(STEPS, table.itertuples(), strict=True):
        scaled[key] = (row.value_number / scale, unit, row.step)
    return {f"demand_{key}": Metric(*each, reason=reason) for key, each in scaled.items()}


def used_share(published: pd.Series, active_parameters: float, device: Accelerator) -> float:
    """Share of the 16-bit peak that a large service used over a day, by what its operator published.

    Args:
        published: tokens a day and nodes, by the keys ``deepseek_*`` of ``catalogue/published_figures``.
        active_parameters: parameters that one token of its model passes.
        device: its accelerators; eight are a node.
    """
    computed = published["deepseek_input"] * (1 - published["deepseek_cached"]) + published["deepseek_output"]
    nodes = published["deepseek_nodes"] * NODE_DEVICES
    return flop_per_s(computed / SECONDS_PER_DAY, active_parameters) / (nodes * peak(device))
