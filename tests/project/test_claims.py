"""Every claim of the survey has a cell that computes it, or stands in the list of those that still lack one."""

import json

import pytest

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.facts import tables
from tokenomics.facts.claims import claim
from tokenomics.sections.registry import NOTEBOOKS

CLAIMS = tables.read("catalogue/paper_claims").set_index("key")
WITHOUT_CELL = {
    "survey_carbon",
    "survey_hybrid",
    "survey_rag_stores",
    "survey_tables",
    "survey_weights_factor",
}
"""Claims that no notebook computes yet; whoever adds the cell takes the claim out of this list."""


def test_no_other_claim_lacks_a_cell():
    assert set(CLAIMS.index[CLAIMS["cell"].isna()]) == WITHOUT_CELL
    assert (CLAIMS.loc[list(WITHOUT_CELL), "verdict"] == "open").all()


@pytest.mark.parametrize("key", sorted(set(CLAIMS.index) - WITHOUT_CELL))
def test_cell_and_metric_exist(key):
    row = CLAIMS.loc[key]
    assert row["notebook"] in NOTEBOOKS
    cells = json.loads((paths.NOTEBOOKS / f"{row['notebook']}.ipynb").read_text(encoding="utf-8"))["cells"]
    assert row["cell"] in {cell["id"] for cell in cells if cell["cell_type"] == "code"}
    recorded = json.loads((paths.RESULTS / row["notebook"] / "metrics.json").read_text(encoding="utf-8"))["metrics"]
    assert "metric" not in row.dropna() or row["metric"] in recorded


def test_a_condition_stands_where_one_is_needed():
    assert (CLAIMS["condition"].notna() == (CLAIMS["verdict"] == "holds when")).all()


def test_only_numbers_that_were_read_are_compared_with():
    assert claim("gpt3_v100_years") == 355
    for key, words in (("nothing", "allowed"), ("survey_balance", "no number"), ("survey_hybrid", "unverified")):
        with pytest.raises(DataError, match=words):
            claim(key)
