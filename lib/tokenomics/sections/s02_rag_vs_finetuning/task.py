"""The assumed task of notebook 02: parameters as a case, approaches to it, indexes, offers, tuning of one's own.

How often each approach is right is an input (:class:`Right`): the experiment's measured shares, a published study's, or
an assumption that says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenomics.compute.training.tuning import METHODS
from tokenomics.economics import adaptation, cost
from tokenomics.economics.adaptation import Approach, Index, QueryUsd, Reading
from tokenomics.errors import DataError
from tokenomics.estimate import Amount, Estimate, combine
from tokenomics.facts import prices
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model
from tokenomics.facts.prices import ApiPrice

LONG, RAG, TUNED, BOTH = "long prompt", "RAG", "tuned", "both"
APPROACHES = (LONG, RAG, TUNED, BOTH)
LORA = METHODS[1]


@dataclass(frozen=True)
class Right:
    """Share of right answers: on facts as they stood when the version was made, and on facts that changed since."""

    fresh: Amount
    changed: Amount


@dataclass(frozen=True)
class Case:
    """A task and its knowledge.

    Attributes:
        question, output: tokens of a question and of an answer.
        instruction: tokens that every prompt starts with.
        chunks, chunk: chunks given to a query, and tokens of each.
        knowledge: tokens of the whole knowledge base.
        context: most tokens of a prompt that the model reads.
        wordings, epochs: of each fact in the training set, and over that set.
        tuning_usd_per_mtoken: USD per million training tokens.
        tuned_factor: price of a tuned model's tokens over the listed ones.
        tuned_month_usd: of keeping a tuned model ready.
        tunable: most tokens of knowledge that tuning is taken to hold; beyond, a tuned model alone is not an option.
    """

    question: float = 25
    output: float = 80
    instruction: float = 100
    chunks: float = 5
    chunk: float = 200
    knowledge: float = 1e6
    context: float = 128e3
    wordings: float = 4
    epochs: float = 3
    tuning_usd_per_mtoken: float = 10.0
    tuned_factor: float = 1.5
    tuned_month_usd: float = 0.0
    tunable: float = np.inf

    @property
    def version_usd(self) -> float:
        """USD of tuning once."""
        return self.knowledge * self.wordings * self.epochs * self.tuning_usd_per_mtoken / 1e6


EQUAL = {name: Right(1.0, 0.0) for name in APPROACHES}
"""As if every approach were right on all that it knows, and on nothing that changed unnoticed."""


def case(p: Any) -> Case:
    """The task of the parameters."""
    names = {"question": "question_tokens", "output": "answer_tokens", "instruction": "instruction_tokens"}
    names |= {"chunks": "chunks_read", "chunk": "chunk_tokens", "knowledge": "knowledge_tokens"}
    names |= {"context": "context_tokens", "tunable": "tunable_tokens"}
    names |= {key: key for key in ("wordings", "epochs", "tuning_usd_per_mtoken", "tuned_factor", "tuned_month_usd")}
    return Case(**{key: float(getattr(p, name)) for key, name in names.items()})


def index(p: Any, kind: str = adaptation.GRAPH, chunks: Any = None) -> Index:
    """An index at the parameters' prices; by default of the task's knowledge."""
    return Index(
        kind,
        max(p.knowledge_tokens / p.chunk_tokens, 1.0) if chunks is None else chunks,
        usd_per_mtoken=p.embedding_usd_per_mtoken,
        usd_per_gb_month=p.usd_per_gb_month,
        usd_per_core_hour=p.usd_per_core_hour,
        comparisons_per_core_s=p.comparisons_per_core_s,
        chunk_tokens=p.chunk_tokens,
        usd_per_gb_month_disk=p.usd_per_gb_month_disk,
    )


def indexes(p: Any, chunks: np.ndarray) -> dict[str, Index]:
    """Each kind of index over numbers of chunks."""
    return {kind: index(p, kind, chunks) for kind in (adaptation.FLAT, adaptation.GRAPH, adaptation.CODES)}


def approaches(case: Case, right: Mapping[str, Right], index: Index) -> dict[str, Approach]:
    """The approaches that ``right`` knows.

    Both is tuned once, to read; updates touch its index. A long prompt is an option only where the context holds the
    knowledge, a tuned model only where its weights do.

    Raises:
        DataError: an approach that is not one of :data:`APPROACHES`.
    """
    start, given = case.instruction + case.question, case.chunks * case.chunk
    search = {"query_usd": index.query_usd(case.question), "month_usd": index.month_usd()}
    build = index.build_usd()
    tuned_tokens = {"token_factor": case.tuned_factor}
    kept = combine(lambda search, own: search + own, [search["month_usd"], case.tuned_month_usd])
    settings: dict[str, dict[str, Any]] = {
        LONG: {"query": Reading(start + case.knowledge, case.output, case.instruction + case.knowledge)},
        RAG: {"query": Reading(start + given, case.output, case.instruction), "version_usd": build} | search,
        TUNED: {"query": Reading(case.question, case.output), "version_usd": case.version_usd} | tuned_tokens,
        BOTH: {"query": Reading(case.question + given, case.output), "version_usd": build} | search | tuned_tokens,
    }
    settings[BOTH]["once_usd"] = case.version_usd
    settings[TUNED]["month_usd"], settings[BOTH]["month_usd"] = case.tuned_month_usd, kept
    made = {}
    for name, share in right.items():
        if name not in APPROACHES:
            raise DataError("approaches", "approach", name, ", ".join(APPROACHES))
        fits = {LONG: start + case.knowledge + case.output <= case.context, TUNED: case.knowledge <= case.tunable}
        if fits.get(name, True):
            made[name] = Approach(name, right=share.fresh, right_changed=share.changed, **settings[name])
    return made


def every_offer(year: int) -> list[ApiPrice]:
    """The newest usable, verified price of each offer first listed in a year."""
    newest: dict[tuple[str, str], ApiPrice] = {}
    some = [each for each in prices.api_prices() if each.usable and each.verified and each.date.year == year]
    for each in sorted(some, key=lambda offer: (offer.date, offer.model_id)):
        newest[each.model, each.provider] = each
    return [newest[key] for key in sorted(newest)]


def newest(product: str, year: int) -> ApiPrice:
    """The newest price of a product up to a year, of its offers the one that also prices cached tokens.

    Raises:
        DataError: none so early.
    """
    some = [each for each in prices.api_prices() if each.usable and each.verified and each.model == product]
    some = [each for each in some if each.date.year <= year]
    if not some:
        raise DataError("parameters", "products", product, f"a product with a verified price of {year} or before")
    return max(some, key=lambda each: (each.date, each.usd_per_mtoken_cached_input is not None, each.provider))


def priced_at(offer: ApiPrice) -> QueryUsd:
    """A query at an offer's list price."""
    return adaptation.at_prices(cost.listed(offer))


def own_tuning(p: Any, model: Model, device: Accelerator, rent: Estimate) -> Estimate:
    """USD of the accelerator-hours of tuning adapters once on devices of one's own."""
    tokens = p.knowledge_tokens * p.wordings
    setting = {"method": LORA, "sequence": p.chunk_tokens, "mfu": p.tuning_mfu, "epochs": p.epochs}
    return adaptation.tuning_usd(model, device, rent, tokens, **setting)
