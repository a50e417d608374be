"""``python -m tokenomics.experiment [full | tiny | tiny:FOLDER]``: all stages in order, going on where a run ended."""

from tokenomics.experiment import stages
from tokenomics.experiment.settings import Settings
from tokenomics.experiment.stages import corpus, evaluate, index, latency, tune


def run(settings: Settings) -> None:
    """Every stage; finished pieces of an interrupted run are kept in ``settings.work``."""
    for stage in (corpus, index, tune, evaluate, latency):
        stage.run(settings)


if __name__ == "__main__":
    stages.main(run)
