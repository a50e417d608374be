"""Numbers stay what they are while code moves: bit for bit on the kind of machine that recorded them."""

import importlib.util
import io
import math
from pathlib import Path

import pandas as pd
import pytest

FOLDER = Path(__file__).parent
RTOL = 1e-5
"""On another kind of processor, whose sums round otherwise."""


@pytest.fixture(scope="session")
def record():
    spec = importlib.util.spec_from_file_location("golden_record", FOLDER / "record.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["deployments", "simulations", "statuses"])
def test_numbers_are_the_recorded_ones(record, name, request):
    path, machine = FOLDER / f"{name}.csv", FOLDER / "machine.txt"
    text = record.table(record.TABLES[name]())
    if request.config.getoption("--write-golden"):
        path.write_text(text, encoding="utf-8")
        machine.write_text(record.machine(), encoding="utf-8")
    recorded = path.read_text(encoding="utf-8")
    if machine.read_text(encoding="utf-8") == record.machine():
        assert text == recorded, differing(recorded, text)
    else:
        assert not differing(recorded, text)


def differing(recorded: str, made: str) -> list[str]:
    """Cells that differ by more than rounding, at most ten; digests are not compared."""
    before, after = (pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False) for text in (recorded, made))
    if list(before) != list(after) or len(before) != len(after):
        return [f"{before.shape} became {after.shape}, {list(before)} became {list(after)}"]
    found = []
    for column in before:
        for row, (old, new) in enumerate(zip(before[column], after[column], strict=True)):
            if not same(old, new):
                found.append(f"row {row}, {column}: {old} became {new}")
    return found[:10]


def same(old: str, new: str) -> bool:
    if old == new or (len(old) == 16 and old.isalnum()):
        return True
    try:
        return math.isclose(float(old), float(new), rel_tol=RTOL)
    except ValueError:
        return False
