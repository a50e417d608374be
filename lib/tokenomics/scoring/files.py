"""``tokenomics score`` of what users have: a table, or the result files of a benchmark tool, converted first."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.errors import require
from tokenomics.rows.formats.convert import as_table
from tokenomics.scoring.run import Outcome, score_file


def score(
    path: str | Path, *, given: Mapping[str, Any] | None = None, out: Path | str | None = None, **options: Any
) -> Outcome:
    """Predict every row of a file, write the predictions and measure the errors.

    Args:
        path: a table in the public input format (``-`` is standard input), a result file of a benchmark tool, or a
            folder of such files.
        given: what a result file does not state, by option: see :func:`tokenomics.rows.formats.convert.convert`.
        out: where to write the predictions; default ``NAME.pred.csv`` in the working directory.
        options: of :func:`tokenomics.scoring.run.score_file`.

    Raises:
        DataError: bad input (one line each), or a path that cannot be written.
        TokenomicsError: a result file leaves something unsaid, with the line to type.
    """
    path = Path(path)
    other = out is None or os.path.realpath(out) != os.path.realpath(path)
    require(other, "score", "--out", paths.shown(out or path), "another file than the input")
    with as_table(path, given) as (table, notes):
        if table == path:
            return score_file(path, out=out, **options)
        outcome = score_file(table, out=out or Path.cwd() / f"{path.resolve().stem}.pred.csv", **options)
    return replace(outcome, notes=[*notes, *outcome.notes])
