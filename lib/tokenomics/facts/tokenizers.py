"""Tokens per word of catalogued tokenizers, by language."""

from tokenomics.errors import DataError

TEXTS = {"English": "prose_english", "German": "declaration_german"}
"""The measured text of each language; Chinese and code have no count of words."""


def tokens_per_word(tokenizer: str, language: str = "English") -> float:
    """Tokens that a tokenizer makes of a word, from ``data/catalogue/tokenizers.csv``.

    Args:
        tokenizer: name in that table, as in ``prices_api.tokenizer``.
        language: English or German; one short text each, so the last digits say little about other texts.

    Raises:
        DataError: an unknown tokenizer, or a language without a count of words.
    """
    from tokenomics.facts import tables

    if language not in TEXTS:
        raise DataError("tokenizers", "language", language, f"{', '.join(TEXTS)} (others have no count of words)")
    table = tables.read("catalogue/tokenizers")
    rows = table[table["text"] == TEXTS[language]].set_index("tokenizer")["tokens_per_word"]
    if tokenizer not in rows.index:
        raise DataError("tokenizers", "tokenizer", tokenizer, ", ".join(rows.index))
    return float(rows[tokenizer])
