"""Requests that a model's context does not hold are not served."""

import pytest

from tokenomics.errors import DataError
from tokenomics.sections.s05_tokenomics_qoe import case


def test_requests_beyond_the_context_are_replaced_by_others():
    whole, short = (case.drawn("azure_conversation_2023", 500, 1, context) for context in (None, 2048))
    total = short.input_tokens + short.output_tokens
    assert len(short) == len(whole) == 500 and total.max() <= 2048 < (whole.input_tokens + whole.output_tokens).max()
    kept = whole.input_tokens + whole.output_tokens <= 2048
    assert (short.input_tokens[kept] == whole.input_tokens[kept]).all()
    with pytest.raises(DataError, match="workload_name"):
        case.drawn("azure_conversation_2023", 50, 1, 2)
