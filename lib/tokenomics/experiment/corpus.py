"""A seeded knowledge base of products that do not exist, its questions, and what changes afterwards.

Fifty products in ten look-alike families, five facts each, one chunk a fact. A model cannot know them, so what it
answers it was given or taught. Left out: documents longer than a sentence, contradictions, prose around facts.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tokenomics.errors import DataError
from tokenomics.experiment import wordings
from tokenomics.experiment.wordings import RELATIONS, UNKNOWN

TRAIN, DEV = "train", "dev"
SPLITS = ("seen", "unseen", "updated", "unanswerable", "two_hop", "general")
"""What results are reported on; ``dev`` is only for choosing recipes."""


@dataclass(frozen=True)
class Fact:
    """A property of a product, before and after the change; ``new_value`` is empty where nothing changes."""

    fact: int
    product: str
    relation: str
    value: str
    new_value: str

    def chunk(self, updated: bool) -> str:
        """The sentence that states the fact in the knowledge base, as it stands before or after the change."""
        value = self.new_value if updated and self.new_value else self.value
        return sentence(self.relation, self.product, value)


@dataclass(frozen=True)
class Question:
    """A question with its answer.

    Attributes:
        question: number, in the order of the table.
        split: train, dev or one of :data:`SPLITS`.
        fact: the fact it asks for; -1 where no chunk holds the answer by itself.
        wording: which of the split's wordings.
        text: the question.
        answer: what counts as right; ``|`` between alternatives.
    """

    question: int
    split: str
    fact: int
    wording: int
    text: str
    answer: str


@dataclass(frozen=True)
class Corpus:
    """Facts and questions; chunk ``i`` states fact ``i``."""

    facts: tuple[Fact, ...]
    questions: tuple[Question, ...]

    def chunks(self, updated: bool = False) -> list[str]:
        """Every chunk of the knowledge base, before or after the change."""
        return [fact.chunk(updated) for fact in self.facts]

    def of(self, split: str) -> list[Question]:
        """The questions of a split, in order.

        Raises:
            DataError: a split without questions.
        """
        found = [question for question in self.questions if question.split == split]
        if not found:
            raise DataError("corpus", "split", split, ", ".join(sorted({q.split for q in self.questions})))
        return found


def sentence(relation: str, product: str, value: str) -> str:
    """How the knowledge base states a value.

    Raises:
        DataError: an unknown relation.
    """
    return _relation(relation).sentence.format(p=product, v=value)


def make(seed: int = 1, families: int = 10) -> Corpus:
    """The corpus of a seed.

    Args:
        seed: draws values and changes.
        families: of five products each; fewer make a smaller corpus.

    Raises:
        DataError: a number of families that is not 1 to 10.
    """
    if not 1 <= families <= len(wordings.FAMILIES):
        raise DataError("corpus", "families", families, f"1 to {len(wordings.FAMILIES)}")
    draw = random.Random(seed)
    products = [f + v for f in wordings.FAMILIES[:families] for v in wordings.VARIANTS]
    values = {relation.name: draw.sample(pool(relation.name), 2 * len(products)) for relation in RELATIONS}
    facts = []
    for number, product in enumerate(products):
        kept = draw.randrange(len(RELATIONS))
        for place, relation in enumerate(RELATIONS):
            old, new = values[relation.name][number], values[relation.name][number + len(products)]
            facts.append(Fact(len(facts), product, relation.name, old, "" if place == kept else new))
    return Corpus(tuple(facts), tuple(_questions(facts, draw)))


def pool(relation: str) -> list[str]:
    """All values that a relation can have, in a fixed order.

    Raises:
        DataError: an unknown relation.
    """
    _relation(relation)
    pools = {
        "power": [f"{watts}" for watts in range(105, 1000, 5)],
        "town": _joined(wordings.TOWN_PARTS, ""),
        "designer": _joined((wordings.FIRST_NAMES, wordings.SURNAMES), " "),
        "alloy": _joined(wordings.ALLOY_PARTS, ""),
        "firmware": list(wordings.CODE_NAMES),
    }
    return pools[relation]


def check(corpus: Corpus, k: int) -> None:
    """Refuse a corpus that cannot be searched for ``k`` chunks.

    Raises:
        DataError: an empty corpus, or more chunks asked for than it holds.
    """
    if not corpus.facts:
        raise DataError("corpus", "chunks", 0, "at least one chunk")
    if not 1 <= k <= len(corpus.facts):
        raise DataError("retrieval", "k", k, f"1 to {len(corpus.facts)}, the chunks of the corpus")


def _joined(parts: tuple[Sequence[str], Sequence[str]], between: str) -> list[str]:
    return [first + between + second for first in parts[0] for second in parts[1]]


def _relation(name: str) -> wordings.Relation:
    for relation in RELATIONS:
        if relation.name == name:
            return relation
    raise DataError("corpus", "relation", name, ", ".join(each.name for each in RELATIONS))


def _questions(facts: Sequence[Fact], draw: random.Random) -> Iterable[Question]:
    rows = [*_asked(facts), *_updated(facts), *_unanswerable(facts, draw), *_two_hop(facts)]
    rows += [("general", -1, 0, text, answer) for text, answer in wordings.GENERAL]
    return [Question(number, *row) for number, row in enumerate(rows)]


def _asked(facts: Sequence[Fact]) -> Iterable[tuple]:
    for fact in facts:
        relation = _relation(fact.relation)
        groups = ((TRAIN, relation.train), (DEV, (relation.dev,)), ("unseen", relation.test))
        for split, texts in groups:
            for wording, text in enumerate(texts):
                yield split, fact.fact, wording, text.format(p=fact.product), fact.value
        seen = fact.fact % len(relation.train)
        yield "seen", fact.fact, seen, relation.train[seen].format(p=fact.product), fact.value


def _updated(facts: Sequence[Fact]) -> Iterable[tuple]:
    for fact in facts:
        if fact.new_value:
            texts = _relation(fact.relation).test
            wording = fact.fact % len(texts)
            yield "updated", fact.fact, wording, texts[wording].format(p=fact.product), fact.new_value


def _unanswerable(facts: Sequence[Fact], draw: random.Random) -> Iterable[tuple]:
    products = list(dict.fromkeys(fact.product for fact in facts))
    for product in products:
        for wording, text in enumerate(wordings.ABSENT_RELATIONS):
            yield "unanswerable", -1, wording, text.format(p=product), UNKNOWN
    families = products[:: len(wordings.VARIANTS)]
    absent = [family + variant for family in families for variant in wordings.ABSENT_VARIANTS]
    for product in absent:
        for relation in RELATIONS:
            wording = draw.randrange(2)
            yield "unanswerable", -1, wording + 2, relation.test[wording].format(p=product), UNKNOWN


def _two_hop(facts: Sequence[Fact]) -> Iterable[tuple]:
    designers = {fact.product: fact.value for fact in facts if fact.relation == "designer"}
    for fact in facts:
        text = _relation(fact.relation).two_hop
        if text is not None:
            yield "two_hop", fact.fact, 0, text.format(d=designers[fact.product]), fact.value
