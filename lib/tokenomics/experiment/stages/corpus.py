"""Stage 1: facts and questions."""

from tokenomics.experiment import corpus
from tokenomics.experiment.jobs import read_table, write_table
from tokenomics.experiment.settings import Settings
from tokenomics.experiment.stages import main

FACTS = ("fact", "product", "relation", "value", "new_value", "chunk", "source")
QUESTIONS = ("question", "split", "fact", "wording", "text", "answer", "source")
SOURCE = "own_experiment"


def fact_key(number: int) -> str:
    """``f007``; empty where there is none."""
    return f"f{number:03d}" if number >= 0 else ""


def question_key(number: int) -> str:
    """``q0042``."""
    return f"q{number:04d}"


def run(settings: Settings) -> None:
    """Write ``facts.csv`` and ``questions.csv``."""
    made = corpus.make(settings.corpus_seed, settings.families)
    facts = [vars(fact) | {"fact": fact_key(fact.fact), "chunk": fact.chunk(False)} for fact in made.facts]
    questions = [
        vars(question) | {"question": question_key(question.question), "fact": fact_key(question.fact)}
        for question in made.questions
    ]
    write_table(settings.out / "facts.csv", FACTS, [row | {"source": SOURCE} for row in facts])
    write_table(settings.out / "questions.csv", QUESTIONS, [row | {"source": SOURCE} for row in questions])


def read(settings: Settings) -> corpus.Corpus:
    """The corpus as the stage wrote it.

    Raises:
        DataError: it has not been run, or holds nothing.
    """

    def number(key: str) -> int:
        return int(key[1:]) if key else -1

    facts = [
        corpus.Fact(number(row["fact"]), row["product"], row["relation"], row["value"], row["new_value"])
        for row in read_table(settings.out / "facts.csv")
    ]
    questions = [
        corpus.Question(
            number(row["question"]),
            row["split"],
            number(row["fact"]),
            int(row["wording"]),
            row["text"],
            row["answer"],
        )
        for row in read_table(settings.out / "questions.csv")
    ]
    made = corpus.Corpus(tuple(facts), tuple(questions))
    corpus.check(made, 1)
    return made


if __name__ == "__main__":
    main(run)
