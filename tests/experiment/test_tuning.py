"""Tuning of a small model learns, repeats, resumes and goes on."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: make experiment-setup")

from tokenomics.experiment import llama, tuning  # noqa: E402
from tokenomics.experiment.examples import Example, Recipe  # noqa: E402

RECIPE = Recipe("small", aware=False, rank=2, alpha=4.0, layers=2, rate=0.05, passes=3, batch_tokens=20)


def passes() -> list[list[Example]]:
    return [[Example([i, i + 1, i + 2], [40 + i, 3]) for i in range(5, 12)]] * RECIPE.passes


@pytest.mark.parametrize(
    "recipe", [RECIPE, Recipe(**vars(RECIPE) | {"rank": 0, "rate": 0.01})], ids=["adapters", "all"]
)
def test_tuning_learns_and_repeats(model, tmp_path, recipe):
    first = tuning.tune(recipe, 0, passes(), tmp_path / "a")
    again = tuning.tune(recipe, 0, passes(), tmp_path / "b")
    assert first.losses[-1] < first.losses[0]
    assert llama.digest(first.tensors) == llama.digest(again.tensors)
    other = tuning.tune(Recipe(**vars(recipe) | {"rate": recipe.rate / 2}), 0, passes(), tmp_path / "c")
    assert llama.digest(first.tensors) != llama.digest(other.tensors)


def test_an_interrupted_run_ends_with_the_same_bits(model, tmp_path):
    whole = tuning.tune(RECIPE, 0, passes(), tmp_path / "whole")
    steps = []

    def stop(done, loss):
        steps.append(done)
        if len(steps) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuning.tune(RECIPE, 0, passes(), tmp_path / "cut", progress=stop)
    resumed = tuning.tune(RECIPE, 0, passes(), tmp_path / "cut")
    assert llama.digest(resumed.tensors) == llama.digest(whole.tensors) and resumed.losses == whole.losses


def test_a_run_goes_on_from_another_ones_adapters(model, tmp_path):
    first = tuning.tune(RECIPE, 0, passes(), tmp_path / "first")
    still = Recipe(**vars(RECIPE) | {"rate": 0.0})
    kept = tuning.tune(still, 0, passes(), tmp_path / "still", start=first.tensors)
    assert llama.digest(kept.tensors) == llama.digest(first.tensors) and kept.losses[0] < first.losses[0]
    assert kept.losses[0] != tuning.tune(still, 0, passes(), tmp_path / "fresh").losses[0]


def test_what_was_tuned_is_applied(model, tmp_path, output, parts):
    done = tuning.tune(RECIPE, 0, passes(), tmp_path / "a")
    applied = tuning.applied(model, done.tensors)
    assert set(tuning.adapters(done.tensors)) == {f"blk.{i}.{name}" for i in (1, 2) for name in llama.PROJECTIONS}
    assert not torch.allclose(output(applied, parts), output(model, parts))
    assert torch.equal(applied.weights["blk.0.attn_q"], model.weights["blk.0.attn_q"])
