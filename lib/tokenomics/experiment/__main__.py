"""``python -m tokenomics.experiment [full | tiny | tiny:FOLDER]``: all stages in order, going on where a run ended."""

from dataclasses import replace

from tokenomics.experiment import stages
from tokenomics.experiment.settings import Settings
from tokenomics.experiment.stages import corpus, evaluate, index, latency, tune


def run(settings: Settings) -> None:
    """Every stage; finished pieces of an interrupted run are kept in ``settings.work``.

    Untuned arms come first, then tuning and evaluation seed by seed, with tables written after each; tuning of all
    weights comes with the last seed.
    """
    corpus.run(settings)
    index.run(settings)
    evaluate.run(replace(settings, recipes=()))
    adapters = tuple(recipe for recipe in settings.recipes if recipe.rank)
    for count in range(1, len(settings.seeds) + 1):
        recipes = settings.recipes if count == len(settings.seeds) else adapters
        some = replace(settings, seeds=settings.seeds[:count], recipes=recipes)
        tune.run(some)
        evaluate.run(some)
        if count == 1:
            latency.run(some)


if __name__ == "__main__":
    stages.main(run)
