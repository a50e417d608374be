"""A small random model in place of the real one; its tests need torch (`make experiment-setup`), else are skipped."""

import pytest

SIZES = {"layers": 3, "width": 24, "heads": 6, "kv_heads": 2, "rope_base": 1e4, "norm_epsilon": 1e-5, "context": 64}
WORDS = 60


@pytest.fixture
def model(monkeypatch):
    torch = pytest.importorskip("torch", reason="torch is not installed: make experiment-setup")
    from tokenomics.experiment import llama

    torch.set_num_threads(1)
    shape = llama.Shape(**SIZES)
    made = llama.Model(shape, _weights(torch, shape))
    monkeypatch.setattr(llama, "load", lambda: made)
    return made


def _weights(torch, shape):
    draw = torch.Generator().manual_seed(0)
    kv = shape.kv_heads * shape.head_width
    rows = {"attn_q": (24, 24), "attn_k": (kv, 24), "attn_v": (kv, 24), "attn_output": (24, 24)}
    rows |= {"ffn_gate": (40, 24), "ffn_up": (40, 24), "ffn_down": (24, 40)}
    made = {"token_embd": torch.randn(WORDS, 24, generator=draw), "output_norm": torch.ones(24)}
    for layer in range(shape.layers):
        made |= {f"blk.{layer}.{name}": torch.randn(size, generator=draw) / 5 for name, size in rows.items()}
        made |= {f"blk.{layer}.{name}_norm": torch.ones(24) for name in ("attn", "ffn")}
    return made


@pytest.fixture
def parts():
    """Tokens of three prompts."""
    return [[1, 2, 3, 4, 5], [6, 7], [8, 9, 10]]


@pytest.fixture
def output():
    """What all layers make of prompts read together: a function of a model and the prompts' tokens."""
    pytest.importorskip("torch", reason="torch is not installed: make experiment-setup")
    from tokenomics.experiment import generation, llama

    def run(model, parts, start=0, **given):
        flat, owner, position = generation.laid_out(parts, start)
        return llama.run_layers(model, llama.embed(model, flat), owner, position, **given)

    return run


@pytest.fixture
def extra():
    """Skips where a package of the extra is missing."""
    from tokenomics.errors import RunError
    from tokenomics.experiment import packages

    try:
        packages.require()
    except RunError as missing:
        pytest.skip(str(missing))
