import pytest

from tokenomics.compute.inference.server import server
from tokenomics.facts import catalogue


@pytest.fixture(scope="module")
def replica():
    return server(catalogue.model("Llama-3.1-8B"), catalogue.accelerator("H100-SXM-80GB"), engine="vLLM 0.19")
