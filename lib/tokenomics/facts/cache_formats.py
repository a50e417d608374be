"""What an engine keeps keys and values in where it is told nothing: ``data/catalogue/cache_formats.csv``."""

from functools import cache

from tokenomics.facts import tables

TABLE = "catalogue/cache_formats"
ANY, AS_WEIGHTS = "any", "weights"


@cache
def cache_bits(engine: str, weights: str, mla: bool, generation: str) -> float | None:
    """Bits of an element of the cache; ``None`` where they follow the weights.

    Args:
        engine: name in ``engines.csv``.
        weights: name of the weights' format in ``weight_formats.csv``.
        mla: whether the model's cache is compressed.
        generation: of the device.
    """
    wanted = {
        "engine": {engine},
        "weights": {weights},
        "generation": {generation},
        "attention": {"mla"} if mla else set(),
    }
    for row in tables.records(TABLE):
        if all(row[key] == ANY or values & set(row[key].split(";")) for key, values in wanted.items()):
            return None if row["bits"] == AS_WEIGHTS else float(row["bits"])
    return None
