"""Names as people write them: folding, aliases and the nearest known names when nothing fits."""

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import cache

from tokenomics.errors import DataError
from tokenomics.facts import tables

NEAREST, LONGEST = 4, 100
"""How many near names are told, and how much of a name is compared with them."""
LISTED = {"model": "models", "accelerator": "xpus"}
"""What ``tokenomics list`` calls each kind."""
MAKER = re.compile(r"^(?:nvidia|amd|intel|aws|google|huawei|qualcomm)?(?:geforce|instinct|tesla)?")
"""What people put before the folded name of an accelerator, or leave out."""


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
    """The canonical name meant by ``name``, an accelerator with or without its maker; ``None`` where there is none."""
    canonical = {fold(each): each for each in known}
    key = fold(str(name))
    for each in dict.fromkeys((key, MAKER.sub("", key) if kind == "accelerator" else key)):
        found = canonical.get(each) or aliases(kind).get(each)
        if found is not None:
            return found
    return None


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
