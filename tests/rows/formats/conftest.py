"""The runs of a file under ``data``, which README.md there describes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tokenomics.rows.formats.content import Content
from tokenomics.rows.formats.registry import recognised
from tokenomics.rows.formats.run import Run

DATA = Path(__file__).parent / "data"


@pytest.fixture
def data() -> Path:
    return DATA


@pytest.fixture
def runs() -> Callable[[str], list[Run]]:
    """Runs of a file by its name under ``data``."""

    def read(name: str) -> list[Run]:
        content = Content(DATA / name)
        form, pieces = recognised(content)
        return list(form.read(pieces, content))

    return read


@pytest.fixture
def measured() -> Callable[[Run], dict[str, tuple[float, str]]]:
    """Values and units of a run by metric; no metric may stand there twice."""

    def of(run: Run) -> dict[str, tuple[float, str]]:
        found = {metric: (value, unit) for metric, value, unit in run.measured}
        assert len(found) == len(run.measured)
        return found

    return of
