"""The notebook that is running: where its output goes, its parameters, and what it has recorded so far.

The runner names the output folder in the environment; a notebook opened by hand writes to ``scratch/`` instead, so
that nothing but a run of the pipeline can touch ``results/``.
"""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.errors import RunError
from tokenomics.notebook import by_hand, prose, rounding, style
from tokenomics.parameters import loading
from tokenomics.parameters.types import Common

OUT_VARIABLE = "TOKENOMICS_OUT"
STRICT_VARIABLE = "TOKENOMICS_STRICT"
"""Set by the runner where results are committed; any other run ends with what it has, and with warnings."""
RECORDED = ("metrics", "checks", "figures", "tables")


@dataclass
class Context:
    """One run of one notebook."""

    name: str
    out: Path
    parameters: Common
    record: dict[str, Any] = field(default_factory=lambda: {key: {} for key in RECORDED})
    warnings: list[str] = field(default_factory=list)

    @property
    def strict(self) -> bool:
        """Whether this run is one of the committed ones: then a complaint ends it."""
        return bool(os.environ.get(STRICT_VARIABLE))

    @property
    def linked(self) -> bool:
        """Whether the executed notebook will lie beside its figures and links to them; else it embeds them."""
        return bool(os.environ.get(OUT_VARIABLE))

    @property
    def number(self) -> str:
        """The ``NN`` of ``NN_name``, the prefix of every figure and table."""
        return self.name.split("_", 1)[0]

    @property
    def parameters_hash(self) -> str:
        """Short hash of the parameters, written beside every figure and table."""
        text = json.dumps(self.parameters.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def known(self) -> Mapping[str, Mapping[str, Any]]:
        """What prose may name so far: parameters and recorded metrics."""
        return prose.known(self.record["metrics"], self.parameters.model_dump())

    def add(self, kind: str, key: str, entry: Mapping[str, Any]) -> None:
        """Record an entry and write ``metrics.json``; by hand a cell may run again, in the pipeline a key stands once.

        Raises:
            RunError: the key stands already.
        """
        if self.linked and key in self.record[kind]:
            raise RunError(f"{self.name}: {kind} {key!r} is recorded twice")
        self.record[kind][key] = dict(entry)
        self.write()

    def complain(self, text: str) -> None:
        """End a committed run; let a reader's run go on, and list ``text`` among its warnings.

        For what would bother a reader without being wrong: a figure that is hard to read, a range that was made for
        the committed parameters, a number that does not exist for these ones.

        Raises:
            RunError: the run is a committed one.
        """
        if self.strict:
            raise RunError(f"{text} (a warning only, where --out is not in results/)")
        self.warnings.append(" ".join(text.split()))
        if not self.linked:
            print(f"warning: {self.warnings[-1]}", file=sys.stderr)
        self.write()

    def write(self) -> None:
        """Write everything recorded so far to ``metrics.json``, sorted and rounded."""
        entries = {"notebook": self.name, **self.record}
        if self.warnings:
            entries["warnings"] = self.warnings
        rounding.write_json(entries, self.out / "metrics.json")


_current: list[Context] = []


def begin(declared: type[Common], cell_values: Mapping[str, Any]) -> Common:
    """Start a notebook: check the values of its ``parameters`` cell and open its output folder.

    Args:
        declared: the ``Parameters`` of the notebook's section.
        cell_values: the notebook's ``globals()``; only declared parameters are looked at.

    Returns:
        The frozen, checked parameters.

    Raises:
        DataError: a value in the cell breaks its declaration.
    """
    name = declared.notebook
    values = {key: cell_values[key] for key in declared.model_fields if key in cell_values}
    parameters = loading.check(declared, values, f"notebooks/{name}.ipynb")
    out = Path(os.environ.get(OUT_VARIABLE) or paths.SCRATCH / name)
    for folder in ("figures", "tables"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    style.apply()
    _current[:] = [Context(name, out, parameters)]
    _current[0].write()
    if not _current[0].linked:
        by_hand.follow(paths.NOTEBOOKS / f"{name}.ipynb", _current[0].known)
    return parameters


def current() -> Context:
    """The running notebook.

    Raises:
        RunError: :func:`begin` was not called.
    """
    if not _current:
        raise RunError("no notebook has begun: call p = begin(Parameters, globals()) first")
    return _current[0]
