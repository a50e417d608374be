"""Step tables: as a deployment is modelled, at the ends of its intervals, and from measured points."""

import pytest

from tokenomics.compute.inference.server import server
from tokenomics.errors import DataError
from tokenomics.facts import catalogue
from tokenomics.service.simulator import step_tables


@pytest.fixture(scope="module")
def deployment():
    return server(catalogue.model("Llama-3.1-8B"), catalogue.accelerator("H100-SXM-80GB"), engine="vLLM 0.19")


def test_modelled_steps_are_the_servers(deployment):
    table = step_tables.modelled(deployment, max_batch=64)
    for decodes, context in ((1, 128), (37, 1000), (24, 16000)):
        assert table(decodes, decodes * context) == pytest.approx(deployment.tpot(decodes, context).value, rel=1e-4)
    for prompt, before in ((100, 0), (512, 2048), (8000, 0)):
        expected = deployment.ttft(prompt, cached=before).value
        assert table(0, 0, [(prompt, before)]) == pytest.approx(expected, rel=1e-3)
    alone, mixed = table(0, 0, [(448, 0)]), table(64, 64_000, [(448, 0)])
    assert table(64, 64_000) < mixed < table(64, 64_000) + alone
    blocks = step_tables.cache_blocks(deployment)
    assert blocks * 16 == pytest.approx(deployment.capacity(16384) * 16384, rel=0.2)


def test_measured_points_come_back():
    decode_s = [[0.010, 0.012], [0.014, 0.020]]
    table = step_tables.measured([1, 8], [100, 1100], decode_s, tokens=[64, 512], prefill_s=[0.02, 0.10])
    assert table(1, 100) == pytest.approx(0.010) and table(8, 8 * 1100) == pytest.approx(0.020)
    assert table(1, 2100) == pytest.approx(0.014) and table(1, 10) == pytest.approx(0.010)
    assert table(0, 0, [(512, 0)]) == pytest.approx(0.10) and table(0, 0, [(5, 0)]) == pytest.approx(0.02)
    assert table(0, 0, [(960, 0)]) == pytest.approx(0.18)
    assert table(8, 800, [(504, 0)]) == pytest.approx(0.014 + 0.08)
    with pytest.raises(DataError, match="numbers that rise"):
        step_tables.measured([8, 1], [100, 1100], decode_s, [64, 512], [0.02, 0.1])
    with pytest.raises(DataError, match="shape"):
        step_tables.measured([1, 8], [100, 1100], decode_s, [64, 512, 600], [0.02, 0.1])
