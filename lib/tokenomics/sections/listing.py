"""The names that parameters, options and columns may use."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tokenomics.errors import one_of
from tokenomics.facts import catalogue
from tokenomics.facts.measurements import METRICS
from tokenomics.rows.predict import MODELS
from tokenomics.sections.registry import NOTEBOOKS

KINDS: Mapping[str, Callable[[], Any]] = {
    "models": catalogue.models,
    "xpus": catalogue.accelerators,
    "metrics": lambda: METRICS,
    "scorers": lambda: MODELS,
    "notebooks": lambda: NOTEBOOKS,
}


@dataclass(frozen=True)
class Names:
    """Names of one kind; iterate over them, or ``print`` them, one a line.

    Attributes:
        kind: of what.
        names: in the catalogue's order.
        facts: what is known of each, by name: of metrics their units (the usual one first), which direction is better,
            their kind, and what one value stands for. Empty for other kinds, of which ``show`` tells.
    """

    kind: str
    names: tuple[str, ...]
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: one object a name."""
        rows = [{"name": name, **self.facts.get(name, {})} for name in self.names]
        return {self.kind: [{**row, "units": list(row["units"])} if "units" in row else row for row in rows]}

    def __str__(self) -> str:
        return "\n".join(" ".join((name, *self.facts.get(name, {}).get("units", ()))) for name in self.names)


def list_names(kind: str) -> Names:
    """The names that parameters may use: ``models``, ``xpus``, ``metrics``, ``scorers`` or ``notebooks``.

    >>> from tokenomics import list_names
    >>> "H100-SXM-80GB" in list_names("xpus")
    True

    Raises:
        DataError: another kind.
    """
    one_of("list", "kind", kind, KINDS)
    known = KINDS[kind]()
    facts = {name: asdict(each) for name, each in known.items()} if kind == "metrics" else {}
    return Names(kind, tuple(known), facts)
