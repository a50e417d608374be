"""The locks satisfy pyproject.toml, pin by hash, and name no address."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tokenomics import paths

PROJECT = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = sorted((paths.ROOT / "requirements").glob("*.lock"))


def pins(path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


def wanted() -> list[str]:
    extras = PROJECT["optional-dependencies"]
    return [*PROJECT["dependencies"], *extras["dev"], *extras["site"]]


@pytest.mark.parametrize("text", wanted())
def test_every_requirement_is_pinned_within_its_range(text):
    requirement = Requirement(text)
    versions = pins(paths.LOCK_FILE).get(canonicalize_name(requirement.name), [])
    assert versions, f"{requirement.name} is not in the lock: run `make lock`"
    assert all(requirement.specifier.contains(version) for version in versions)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_hashes_and_no_address(path):
    text = path.read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text and "--index" not in text


def test_both_locks_pin_the_same_installer():
    bootstrap, full = (pins(paths.ROOT / "requirements" / f"{name}.lock") for name in ("bootstrap", "full"))
    assert all(full[name] == versions for name, versions in bootstrap.items())
