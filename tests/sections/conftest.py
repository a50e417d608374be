"""What tests of several sections build once."""

import numpy as np
import pytest

from tokenomics.compute.deployment import Settings
from tokenomics.compute.inference import provision
from tokenomics.estimate import Estimate
from tokenomics.facts import catalogue
from tokenomics.sections.s05_tokenomics_qoe import case


@pytest.fixture(scope="session")
def own():
    """A small model on one device under 1000 requests, for notebook 05."""
    pool = case.drawn("azure_conversation_2023", 8000, 1)
    load = provision.Load(1150, 210, 32, "fp8", 16, "vLLM 0.19", settings=Settings(64, 2048))
    it = provision.replica_of(load, catalogue.model("Llama-3.1-8B"), catalogue.accelerator("H100-SXM-80GB"))
    rent = Estimate(*(np.asarray(each) for each in (2.0, 1.5, 3.0)))
    return case.Case(it, pool, 1000, rent)
