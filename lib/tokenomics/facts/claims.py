"""Numbers that others state and that a notebook recomputes."""

from tokenomics.errors import DataError
from tokenomics.facts import tables


def claim(key: str) -> float:
    """The stated number, in the unit of its row of ``data/catalogue/claims.csv``.

    Raises:
        DataError: no such claim, or one that was not read in a source.
    """
    table = tables.read("catalogue/claims").set_index("key")
    if key not in table.index:
        raise DataError("catalogue/claims", "key", key, ", ".join(table.index))
    if not table.loc[key, "verified"]:
        raise DataError("catalogue/claims", key, "unverified", "a claim that was read in its source")
    return float(table.loc[key, "value"])
