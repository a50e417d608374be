"""``python -m tokenomics.experiment [full | tiny | tiny:FOLDER]``: all stages in order, going on where a run ended."""

from dataclasses import replace

from tokenomics.experiment import stages
from tokenomics.experiment.settings import Settings
from tokenomics.experiment.stages import corpus, evaluate, index, latency, tune


def run(settings: Settings) -> None:
    """Every stage; finished pieces of an interrupted run are kept in ``settings.work``.

    Untuned arms come first, then tuning and evaluation seed by seed, with tables written after each; tuning of all
    weights comes last.
    """
    corpus.run(settings)
    index.run(settings)
    evaluate.run(replace(settings, recipes=()))
    adapters = tuple(recipe for recipe in settings.recipes if recipe.rank)
    for count in range(1, len(settings.seeds) + 1):
        some = replace(settings, seeds=settings.seeds[:count], recipes=adapters)
        tune.run(some)
        evaluate.run(some)
        if count == 1:
            latency.run(some)
    if adapters != settings.recipes:
        tune.run(settings)
        evaluate.run(settings)


if __name__ == "__main__":
    stages.main(run)
