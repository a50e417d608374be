"""Names resolve however people write them; what cannot resolve says why."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.errors import DataError
from tokenomics.facts import catalogue, names, tables
from tokenomics.facts.names import fold

LARGEST_UNRESOLVED_SHARE = 0.05


@pytest.mark.parametrize(
    ("kind", "name", "canonical"),
    [
        ("model", "Llama 3.1 70B", "Llama-3.1-70B"),
        ("model", "meta-llama/Llama-3.1-70B", "Llama-3.1-70B"),
        ("model", "LLAMA3.1_405B", "Llama-3.1-405B"),
        ("model", "GPT-3 175B", "GPT-3-175B"),
        ("accelerator", "H100 SXM 80GB", "H100-SXM-80GB"),
        ("accelerator", "h100-sxm", "H100-SXM-80GB"),
        ("accelerator", "NVIDIA A100-SXM4-40GB", "A100-SXM-40GB"),
        ("accelerator", "NVIDIA H100 SXM", "H100-SXM-80GB"),
        ("accelerator", "NVIDIA GeForce RTX 4090", "RTX-4090"),
        ("accelerator", "NVIDIA RTX A6000", "RTX-A6000-48GB"),
        ("accelerator", "Google TPU v5p", "TPU-v5p"),
        ("accelerator", "Apple M2 Ultra 76-core", "Apple-M2-Ultra-76-core"),
    ],
)
def test_names_resolve(kind, name, canonical):
    assert getattr(catalogue, kind)(name).name == canonical


def test_unknown_name_lists_the_nearest():
    with pytest.raises(DataError, match="listed by `tokenomics list xpus`"):
        names.resolve("qqqqqqqq", "accelerator", ["H100-SXM-80GB"])
    with pytest.raises(DataError, match="nearest: .*H100"):
        catalogue.accelerator("H10O SXM")
    with pytest.raises(DataError, match=r"nearest: .*Llama-3\.1-70B"):
        catalogue.model("Llama 3.1 71B")


@pytest.mark.parametrize("kind", ["model", "accelerator"])
def test_every_canonical_name_and_alias_means_itself(kind):
    known = getattr(catalogue, f"{kind}s")()
    assert all(names.lookup(name, kind, known) == name for name in known)
    table = tables.read("catalogue/aliases")
    for alias, name in table.loc[table["kind"] == kind, ["alias", "name"]].to_numpy():
        assert names.lookup(alias, kind, known) == name
    assert names.lookup("nvidia", kind, known) is None and names.lookup("", kind, known) is None


def test_every_alias_has_a_target_and_no_rival():
    table = tables.read("catalogue/aliases")
    for kind, records in (("model", catalogue.models()), ("accelerator", catalogue.accelerators())):
        rows = table[table["kind"] == kind]
        assert set(rows["name"]) <= set(records)
        folded = {}
        for alias, name in zip(rows["alias"], rows["name"], strict=True):
            assert folded.setdefault(fold(alias), name) == name, f"{alias} has two targets"
        canonical = {fold(name): name for name in records}
        clash = {alias: name for alias, name in folded.items() if alias in canonical and canonical[alias] != name}
        assert not clash
        assert len(canonical) == len(records), "two canonical names fold alike"


def test_unresolved_names_do_not_resolve_and_say_why():
    table = tables.read("catalogue/unresolved_names")
    for kind, name in zip(table["kind"], table["name"], strict=True):
        with pytest.raises(DataError, match="stands for one"):
            getattr(catalogue, kind)(name)


def test_names_of_published_benchmarks_resolve(given_data):
    with (given_data / "measurements" / "names.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    unknown = []
    for row in rows:
        known = getattr(catalogue, f"{row['kind']}s")()
        try:
            names.resolve(row["name"], row["kind"], known)
        except DataError:
            unknown.append((row["kind"], row["name"]))
    listed = tables.read("catalogue/unresolved_names")
    assert set(unknown) <= set(zip(listed["kind"], listed["name"], strict=True))
    assert len(unknown) <= LARGEST_UNRESOLVED_SHARE * len(rows)


@given(st.text(max_size=40))
def test_any_text_resolves_or_gives_one_line(text):
    try:
        names.resolve(text, "model", catalogue.models())
    except DataError as error:
        assert "\n" not in str(error)


def test_folding_ignores_case_and_is_final():
    table = tables.read("catalogue/aliases")
    for name in [*catalogue.models(), *catalogue.accelerators(), *table["name"]]:
        assert fold(name.upper()) == fold(name) == fold(fold(name)) != ""
