"""Arms, recipes and names of the full and the tiny experiment."""

import pytest

from tokenomics.errors import DataError
from tokenomics.experiment import jobs, settings


@pytest.mark.parametrize("made", [settings.full(), settings.tiny()])
def test_every_arm_can_be_run(made):
    recipes = {recipe.name for recipe in made.recipes}
    assert all(arm.recipe in {"", *recipes} for arm in made.arms)
    assert len({arm.name for arm in made.arms}) == len(made.arms)


def test_another_recipe_is_another_piece():
    first, *_ = settings.RECIPES
    assert jobs.digest(first) == jobs.digest(settings.Recipe(**vars(first))) != jobs.digest(settings.RECIPES[1])


def test_names():
    assert settings.named("tiny:/some/where").out.parent.name == "where"
    with pytest.raises(DataError, match="settings = huge; allowed: full, tiny"):
        settings.named("huge")


@pytest.mark.parametrize("made", [settings.full(), settings.tiny()])
def test_a_recipe_stands_after_the_one_it_starts_from(made):
    names = [recipe.name for recipe in made.recipes]
    starts = [(recipe.start, recipe.name) for recipe in made.recipes if recipe.start]
    assert starts and all(names.index(first) < names.index(then) for first, then in starts)
    assert [each.name for each in made.chain(starts[0][1])] == list(reversed(starts[0])) and made.chain("") == ()
    first, then = (made.recipe(name) for name in starts[0])
    assert (first.rank, first.layers) == (then.rank, then.layers)
