"""Names as people write them: folding, aliases and the nearest known names when nothing fits."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

from tokenomics.errors import DataError
from tokenomics.facts import tables

NEAREST, LONGEST = 4, 100
"""How many near names are told, and how much of a name is compared with them."""
LISTED = {"model": "models", "accelerator": "xpus"}
"""What ``tokenomics list`` calls each kind."""
MAKER = re.compile(r"^(?:nvidia|amd|intel|aws|google|huawei|qualcomm)?(?:geforce|instinct|tesla)?")
"""What people put before the folded name of an accelerator, or leave out."""
CACHED = re.compile(r"models--([^/\\]+?)--([^/\\]+)")
"""A repository as the hub's cache calls its folder."""
STORED = re.compile(
    r"[-_. ](?:gguf|ggml|mlx|exl[23]|onnx|awq|gptq|unsloth|ud|imat|quantized|dynamic|static|block|marlin|autoround|hf|"
    r"(?:nv|mx)?fp(?:4|8|16)|bf16|f16|f32|int[48]|w\d+a\d+|g\d+|bnb|[2-8]bits?|(?:iq|tq|q)\d(?:[-_][0-9a-z]{1,2})*)$"
)
"""The last words of a checkpoint's name that say how its weights are stored."""
TUNED = re.compile(r"[-_. ](?:instruct|it|chat|base|pt|thinking|reasoning|latest)$")
"""The last word of a checkpoint's name that says how it was tuned."""
COUNTED = re.compile(r"^\d+ *[x×*] *(?=[a-z])|(?<=[a-z0-9]) +[x×*] *\d+$|[- ](?:tensor core )?(?:gpus?|accelerators?)$")
"""How many devices, before or after the name of one, and what they are."""


def fold(name: str) -> str:
    """A name without case, separators, leading ``org/`` and trailing ``-hf``: ``meta-llama/Llama-2-7b-hf`` and
    ``LLAMA 2 (7B)`` fold alike. Between two digits a separator stays: ``GPT-2-2B`` is not ``GPT-22B``."""
    name = name.strip().casefold()
    name = re.sub(r"^[\w.-]+/(?=[\w])", "", name)
    name = re.sub(r"[-_]hf$", "", name)
    name = re.sub(r"(?<=\d)(?:[^\w.+]|_)+(?=\d)", "~", name)
    return re.sub(r"[^\w.+~]|_", "", name)


@cache
def aliases(kind: str) -> Mapping[str, str]:
    """Folded alias to canonical name, for ``kind`` ``"model"`` or ``"accelerator"``."""
    rows = tables.records("catalogue/aliases")
    return {fold(row["alias"]): row["name"] for row in rows if row["kind"] == kind}


@cache
def unresolved(kind: str) -> Mapping[str, str]:
    """Folded names that occur in benchmarks and stand for no single catalogued thing, with the reason."""
    rows = tables.records("catalogue/unresolved_names")
    return {fold(row["name"]): row["reason"] for row in rows if row["kind"] == kind}


def lookup(name: str, kind: str, known: Iterable[str]) -> str | None:
    """The canonical name meant by ``name``; ``None`` where there is none.

    A model also by the folder of a hub's cache, by a file or repository of quantised weights (``-FP8``, ``-GGUF``,
    ``Q4_K_M.gguf``) or tuned ones (``-Instruct``), or as Ollama calls it (``llama3.1:8b``); an accelerator with or
    without its maker and a number of them (``8x H100 SXM``). A name that is known not to resolve does not.
    """
    canonical = {fold(each): each for each in known}
    for each in _readings(str(name), kind):
        if each in unresolved(kind):
            return None
        found = canonical.get(each) or aliases(kind).get(each)
        if found is not None:
            return found
    return None


def _readings(name: str, kind: str) -> Iterator[str]:
    """Folded readings of a name, the fullest first."""
    yield fold(name)
    name = name.strip().casefold()
    if kind == "accelerator":
        yield MAKER.sub("", fold(name))
        yield from _shortened(name, COUNTED, lambda each: MAKER.sub("", fold(each)))
        return
    cached = CACHED.search(name)
    name = "/".join(cached.groups()) if cached else name
    name = re.sub(r"^[~./].*/(?=[^/])", "", name.rstrip("/"))
    name = re.sub(r"(?:-\d{5}-of-\d{5})?\.(?:gguf|safetensors)$", "", name)
    yield fold(name)
    shorter = list(_shortened(name, STORED, fold))
    yield from shorter
    while STORED.search(name):
        name = STORED.sub("", name)
    for each in _shortened(name, TUNED, str):
        yield fold(each)
        yield from _shortened(each, STORED, fold)


def _shortened(name: str, ending: re.Pattern, read: Callable[[str], str]) -> Iterator[str]:
    """The name without one more ending each time, as long as it has one."""
    while ending.search(name):
        name = ending.sub("", name)
        yield read(name)


def resolve(name: str, kind: str, known: Iterable[str], where: str = "catalogue") -> str:
    """The canonical name meant by ``name``.

    Raises:
        DataError: unknown (the nearest known names are listed) or known not to resolve (with the reason).
    """
    known = list(known)
    found = lookup(name, kind, known)
    if found is not None:
        return found
    key = fold(str(name))
    if key in unresolved(kind):
        raise DataError(where, kind, name, f"a name that stands for one {kind}; {unresolved(kind)[key]}")
    folded = {fold(each): each for each in known}
    candidates = {**{fold(a): n for a, n in aliases(kind).items()}, **folded}
    near = difflib.get_close_matches(key[:LONGEST], candidates, NEAREST * 2, cutoff=0.5)
    nearest = list(dict.fromkeys(candidates[each] for each in near))[:NEAREST]
    hint = ", ".join(nearest) if nearest else f"a name listed by `tokenomics list {LISTED[kind]}`"
    raise DataError(where, kind, name, f"a known {kind}; nearest: {hint}")
