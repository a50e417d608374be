"""What the survey and others claim, and which cell computes it (``data/catalogue/paper_claims.csv``)."""

from tokenomics.errors import DataError
from tokenomics.facts import tables


def claim(key: str) -> float:
    """The stated number, in the unit of its row of ``data/catalogue/paper_claims.csv``.

    Raises:
        DataError: no such claim, one without a number, or one that was not read in a source.
    """
    table = tables.read("catalogue/paper_claims").set_index("key")
    if key not in table.index:
        raise DataError("catalogue/paper_claims", "key", key, ", ".join(table.index))
    if not table.loc[key, "verified"]:
        raise DataError("catalogue/paper_claims", key, "unverified", "a claim that was read in its source")
    if table["stated"].isna()[key]:
        raise DataError("catalogue/paper_claims", key, "no number", "a claim that states one")
    return float(table.loc[key, "stated"])
