"""Shared fixtures. ``pytest --fix`` rewrites generated files instead of failing on them."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

sys.modules.setdefault("rfc3987_syntax", None)  # see tokenomics.pipeline.run

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser):
    parser.addoption("--fix", action="store_true", help="write generated files instead of comparing them")
    parser.addoption("--write-golden", action="store_true", help="record the numbers of tests/golden anew")


@pytest.fixture
def fix(request) -> bool:
    return request.config.getoption("--fix")


@pytest.fixture(scope="session")
def given_data() -> Path:
    """The folder of raw published measurements that may lie beside a checkout; tests that need it skip without it."""
    folder = Path(os.environ.get("TOKENOMICS_GIVEN_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"raw data not beside the project ({folder.name})")
    return folder
