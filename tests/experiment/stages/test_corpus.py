"""Facts and questions survive their tables."""

import pytest

from tokenomics.errors import DataError
from tokenomics.experiment import corpus, settings
from tokenomics.experiment.stages import corpus as corpus_stage


def test_survives_its_tables(tmp_path):
    given = settings.tiny(tmp_path)
    corpus_stage.run(given)
    assert corpus_stage.read(given) == corpus.make(given.corpus_seed, given.families)


def test_a_missing_table_names_the_stage(tmp_path):
    with pytest.raises(DataError, match="file = missing; allowed: the output of an earlier stage"):
        corpus_stage.read(settings.tiny(tmp_path))
