"""What an answer is worth: exact match, contains, token F1, abstention, grounding. Texts in, numbers out."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from tokenomics.experiment.wordings import UNKNOWN

UNITS = {"a", "an", "the", "watt", "watts", "w"}
ABSTAINED = ("unknown", "not stated", "not known", "no information", "do not know", "don't know", "not mentioned")


@lru_cache(maxsize=100_000)
def normalised(text: str) -> tuple[str, ...]:
    """Lower-case words and numbers without articles and units."""
    return tuple(word for word in re.findall(r"[a-z0-9]+", text.lower()) if word not in UNITS)


def exact(answer: str, right: str) -> bool:
    """Whether the answer is one of the right ones (``|`` between alternatives), after normalising."""
    return any(normalised(answer) == normalised(each) for each in right.split("|"))


def contains(answer: str, right: str) -> bool:
    """Whether the words of a right answer stand in the answer, in order and next to each other."""
    words = normalised(answer)
    for each in right.split("|"):
        wanted = normalised(each) or tuple(each.lower().split())
        if any(words[i : i + len(wanted)] == wanted for i in range(len(words) - len(wanted) + 1)):
            return True
    return False


def token_f1(answer: str, right: str) -> float:
    """Harmonic mean of precision and recall of words; the best of the right answers."""
    return max(_f1(normalised(answer), normalised(each)) for each in right.split("|"))


def abstains(answer: str) -> bool:
    """Whether the answer says that it does not know."""
    return any(phrase in answer.lower() for phrase in ABSTAINED)


def correct(answer: str, right: str) -> bool:
    """The one short-answer metric of all arms: right words are there, or it abstains where it should."""
    return abstains(answer) if right == UNKNOWN else contains(answer, right)


def grounded(answer: str, chunks: Sequence[str]) -> bool:
    """Whether the answer's words stand in one of the chunks that the model was given."""
    return bool(normalised(answer)) and any(contains(chunk, answer) for chunk in chunks)


def _f1(found: Sequence[str], wanted: Sequence[str]) -> float:
    shared = sum((Counter(found) & Counter(wanted)).values())
    return 2 * shared / (len(found) + len(wanted)) if shared else 0.0
