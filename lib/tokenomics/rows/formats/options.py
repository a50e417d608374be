"""What a user states of runs that their files do not: options, what is asked for, and the line to type."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from tokenomics.errors import TokenomicsError, require
from tokenomics.rows.formats.run import STATIC, Run

OPTIONS = {
    "model": ("model", str),
    "xpu": ("hardware", str),
    "n_gpu": ("n_gpu", int),
    "tp": ("tp", int),
    "pp": ("pp", int),
    "dp": ("dp", int),
    "ep": ("ep", int),
    "precision": ("precision", str),
    "kv_precision": ("kv_precision", str),
    "engine": ("engine", str),
    "prompt": ("isl", float),
    "output": ("osl", float),
    "batch": ("batch", int),
    "rate": ("rate_qps", float),
}
"""Options by name: the column each fills and its type."""
ASKED = {
    "model": ("the model", "--model NAME"),
    "hardware": ("the accelerator", "--xpu NAME"),
    "n_gpu": ("the number of devices", "--n-gpu N"),
    "tp": ("the layout", "--tp N"),
    "precision": ("the precision", "--precision bf16"),
    "isl": ("the prompts' length", "--prompt N"),
    "osl": ("the answers' length", "--output N"),
    "load": ("the load", "--batch N"),
    "batch": ("the batch", "--batch N"),
}
"""What is asked for: in words, and the option to type."""
REPLACED = ("model", "hardware", "precision", "kv_precision", "engine")
"""Columns in which an option replaces what a file states: names, which files spell in their own way."""
NOT_OF_TRAINING = ("isl", "osl", "batch", "rate_qps", "kv_precision")


def columns_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options that are given, by column.

    Raises:
        DataError: an unknown option, or a number that is none.
    """
    columns = {}
    for name, value in given.items():
        require(name in OPTIONS, "convert", "option", name, ", ".join(OPTIONS))
        if value is None:
            continue
        column, kind = OPTIONS[name]
        if kind is not str:
            good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
            whole = kind is float or (good and value == int(value))
            require(good and whole, "convert", name, value, "a whole number > 0" if kind is int else "a number > 0")
        columns[column] = value
    return columns


def fill(run: Run, columns: Mapping[str, Any]) -> dict[str, Any]:
    """State what options give: names in place of the file's, numbers where the file gives none; then what follows.

    Returns:
        Numbers of the file that an option contradicts.
    """
    state = run.conditions
    wanted = {name: value for name, value in columns.items() if name not in _without_use(run)}
    against = {
        name: state[name]
        for name, value in wanted.items()
        if name not in REPLACED and name in state and state[name] != value
    }
    run.state(**{name: value for name, value in wanted.items() if name not in against})
    if "load" not in state and run.kind == "inference":
        run.state(load="open" if "rate_qps" in state else "closed" if "batch" in state else None)
    if "n_gpu" not in state and "tp" in state:
        state["n_gpu"] = state["tp"] * state.get("pp", 1) * state.get("dp", 1)
    if "tp" not in state and state.get("n_gpu") == 1:
        state["tp"] = 1
    return against


def _without_use(run: Run) -> tuple[str, ...]:
    """Columns that say nothing of a run: lengths of training, a rate or a batch under another load."""
    if run.kind == "training":
        return NOT_OF_TRAINING
    load = run.conditions.get("load")
    return (*("rate_qps",) * (load not in (None, "open")), *("batch",) * (load not in (None, "closed", STATIC)))


def ask(found: Sequence[tuple[str, Run]], typed: Sequence[Any], given: Mapping[str, Any]) -> None:
    """Refuse runs whose conditions are not all stated, with the line to type: what was typed, and what is missing.

    Args:
        found: runs with the name of their file.
        typed: the command and its files.
        given: its options.

    Raises:
        TokenomicsError: something that the runs need is missing.
    """
    missing = {column for _, run in found for column in run.needs if column not in run.conditions}
    asked = [words for column, words in ASKED.items() if column in missing]
    if not asked:
        return
    names = list(dict.fromkeys(name for name, run in found if not set(run.needs) <= run.conditions.keys()))
    who = f"{names[0]} does" if len(names) == 1 else f"{names[0]} and {len(names) - 1} more do"
    *words, last = (word for word, _ in asked)
    listed = f"{', '.join(words)} and {last}" if words else last
    options = [f"--{name.replace('_', '-')} {_quoted(value)}" for name, value in given.items() if value is not None]
    line = ["tokenomics", *map(_quoted, typed), *options, *dict.fromkeys(option for _, option in asked)]
    raise TokenomicsError(f"{who} not state {listed}: {' '.join(line)}")


def _quoted(word: Any) -> str:
    return shlex.quote(str(word))
