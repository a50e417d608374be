"""The experiment without its extra: corpus, retrieval, scoring, intervals, settings, installation, refusals."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from tokenomics import paths
from tokenomics.errors import DataError, RunError
from tokenomics.experiment import (
    corpus,
    evaluation,
    install,
    jobs,
    packages,
    retrieval,
    scoring,
    search,
    settings,
    summary,
    tiny,
)
from tokenomics.experiment.files import description, read_part, read_table, write_part, write_table
from tokenomics.experiment.stages import corpus as corpus_stage
from tokenomics.experiment.stages import evaluate, index, latency, tune
from tokenomics.facts import tables

MADE = corpus.make()
QUESTIONS = {split: MADE.of(split) for split in (corpus.TRAIN, corpus.DEV, *corpus.SPLITS)}


class TestCorpus:
    def test_is_as_large_as_promised(self):
        assert len({fact.product for fact in MADE.facts}) >= 48 and len(MADE.facts) >= 200
        assert sum(bool(fact.new_value) for fact in MADE.facts) >= 160
        assert all(len(QUESTIONS[split]) >= 200 for split in corpus.SPLITS[:5])

    def test_wordings_do_not_meet(self):
        texts = [{question.text for question in QUESTIONS[split]} for split in ("train", "dev", "unseen")]
        assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]
        assert {question.text for question in QUESTIONS["seen"]} <= texts[0]

    def test_values_are_told_apart(self):
        by_relation = {}
        for fact in MADE.facts:
            by_relation.setdefault(fact.relation, []).extend(filter(None, (fact.value, fact.new_value)))
        assert all(len(values) == len(set(values)) for values in by_relation.values())

    def test_answers_stand_in_their_chunks(self):
        for split in ("train", "dev", "seen", "unseen", "updated"):
            chunks = MADE.chunks(split == "updated")
            assert all(scoring.contains(chunks[q.fact], q.answer) for q in QUESTIONS[split])
        old = MADE.chunks()
        assert not any(scoring.contains(old[q.fact], q.answer) for q in QUESTIONS["updated"])

    def test_a_seed_makes_one_corpus(self):
        assert corpus.make(1, 2) == corpus.make(1, 2) != corpus.make(2, 2)

    def test_survives_its_tables(self, tmp_path):
        given = settings.tiny(tmp_path)
        corpus_stage.run(given)
        assert corpus_stage.read(given) == corpus.make(given.corpus_seed, given.families)

    def test_refused(self, tmp_path):
        with pytest.raises(DataError, match="families = 11; allowed: 1 to 10"):
            corpus.make(1, 11)
        with pytest.raises(DataError, match="chunks = 0; allowed: at least one chunk"):
            corpus.check(corpus.Corpus((), ()), 1)
        with pytest.raises(DataError, match="k = 300; allowed: 1 to 250"):
            corpus.check(MADE, 300)
        with pytest.raises(DataError, match="file = missing; allowed: the output of an earlier stage"):
            corpus_stage.read(settings.tiny(tmp_path / "nothing"))


class TestRetrieval:
    chunks = ("the red fox runs", "the red hen sits", "a blue whale swims far away from here")

    def test_bm25_by_hand(self):
        scores = retrieval.bm25_scores(self.chunks, ["hen"])
        idf, mean = np.log(1 + 2.5 / 1.5), 16 / 3
        weight = 2.2 / (1 + 1.2 * (0.25 + 0.75 * 4 / mean))
        assert scores[0] == pytest.approx([0, idf * weight, 0])

    def test_fusion_by_hand(self):
        made = retrieval.fused([np.array([[0, 1, 2]]), np.array([[2, 0, 1]])], 3)
        # 1/61 + 1/62 for 0; 1/63 + 1/61 for 2; 1/62 + 1/63 for 1
        assert made.tolist() == [[0, 2, 1]]

    def test_recall_and_rank(self):
        ranking = np.array([[3, 1, 2], [0, 1, 2]])
        assert retrieval.recall(ranking, [1, 5], 2).tolist() == [True, False]
        assert retrieval.reciprocal_rank(ranking, [1, 5]).tolist() == [0.5, 0]
        assert retrieval.reranked(ranking, np.array([[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]])).tolist() == [
            [1, 2, 3],
            [0, 1, 2],
        ]

    def test_a_meaning_finds_what_words_do_not(self):
        meanings = (np.eye(3), np.array([[0.0, 0.0, 1.0]]))
        found = retrieval.retrieve(self.chunks, ["ocean giant"], meanings, 2)
        assert found["dense"][0, 0] == 2 and found["bm25"][0].tolist() == [0, 1]

    @pytest.mark.parametrize(
        ("chunks", "depth", "text"), [((), 1, "chunks = 0"), (chunks, 4, "k = 4; allowed: 1 to 3")]
    )
    def test_refused(self, chunks, depth, text):
        with pytest.raises(DataError, match=text):
            retrieval.retrieve(chunks, ["fox"], (np.eye(3), np.eye(3)), depth)


class TestScoring:
    @pytest.mark.parametrize(
        ("answer", "right", "exact", "contains"),
        [
            ("275 watts", "275", True, True),
            ("The Velra draws 275 watts at full load.", "275", False, True),
            ("2750", "275", False, False),
            ("Orla venn.", "Orla Venn", True, True),
            ("Venn Orla", "Orla Venn", False, False),
            ("7 days", "seven|7", False, True),
            ("", "Orla Venn", False, False),
        ],
    )
    def test_right_or_not(self, answer, right, exact, contains):
        assert (scoring.exact(answer, right), scoring.contains(answer, right)) == (exact, contains)

    def test_f1_by_hand(self):
        assert scoring.token_f1("Orla Kade", "Orla Venn") == pytest.approx(0.5)
        assert scoring.token_f1("Orla", "Orla Venn") == pytest.approx(2 / 3)

    def test_abstaining_is_right_only_where_nothing_is_known(self):
        assert scoring.correct("Unknown.", "unknown") and not scoring.correct("unknown", "275")
        assert not scoring.correct("275", "unknown")

    def test_grounding(self):
        assert scoring.grounded("275", ["The Velra draws 275 watts at full load."])
        assert not scoring.grounded("280", ["The Velra draws 275 watts at full load."])
        assert not scoring.grounded("", ["The Velra draws 275 watts at full load."])


class TestIntervals:
    def test_one_answer_a_fact_is_the_binomial(self):
        values = np.arange(400) < 320
        made = evaluation.mean(values, np.arange(400), np.zeros(400))
        assert made.value == 0.8 and made.half_width == pytest.approx(1.96 * np.sqrt(0.8 * 0.2 / 400), rel=0.1)

    def test_repeating_a_fact_tells_nothing_new(self):
        values, facts = np.arange(100) < 50, np.arange(100)
        once = evaluation.mean(values, facts, np.zeros(100))
        often = evaluation.mean(np.tile(values, 4), np.tile(facts, 4), np.zeros(400))
        assert often.half_width == pytest.approx(once.half_width)

    def test_seeds_that_disagree_widen(self):
        facts, seeds = np.tile(np.arange(100), 3), np.repeat([0, 1, 2], 100)
        alike = evaluation.mean(np.tile(np.arange(100) < 50, 3), facts, seeds)
        apart = evaluation.mean(np.repeat([0.2, 0.5, 0.8], 100), facts, seeds)
        assert apart.half_width > 2 * alike.half_width

    def test_paired_arms(self):
        facts, seeds = np.arange(200), np.zeros(200)
        better, worse = (np.arange(200) < 120).astype(float), (np.arange(200) < 100).astype(float)
        made = evaluation.difference((better, worse), (facts, facts), (seeds, seeds))
        assert made.value == pytest.approx(0.1) and made.low > 0 and made.p_value < 0.01
        same = evaluation.difference((better, better), (facts, facts), (seeds, seeds))
        assert same.value == same.low == same.high == 0 and same.p_value == 1

    def test_only_common_facts_are_compared(self):
        made = evaluation.difference(([1.0, 1.0], [0.0, 1.0]), ([1, 2], [2, 3]), ([0, 0], [0, 0]))
        assert made.facts == 1 and made.value == 1
        with pytest.raises(DataError, match="at least one fact"):
            evaluation.difference(([1.0], [1.0]), ([1], [2]), ([0], [0]))

    def test_refused(self):
        with pytest.raises(DataError, match="answers = 0"):
            evaluation.mean([], [], [])


class TestSettings:
    @pytest.mark.parametrize("made", [settings.full(), settings.tiny()])
    def test_every_arm_can_be_run(self, made):
        recipes = {recipe.name for recipe in made.recipes}
        assert all(arm.recipe in {"", *recipes} for arm in made.arms)
        assert len({arm.name for arm in made.arms}) == len(made.arms)

    def test_another_recipe_is_another_piece(self):
        first, *_ = settings.RECIPES
        assert jobs.digest(first) == jobs.digest(settings.Recipe(**vars(first))) != jobs.digest(settings.RECIPES[1])

    def test_names(self):
        assert settings.named("tiny:/some/where").out.parent.name == "where"
        with pytest.raises(DataError, match="settings = huge; allowed: full, tiny"):
            settings.named("huge")


class TestFiles:
    def test_whole_or_not_at_all(self, tmp_path):
        write_table(tmp_path / "a" / "t.csv", ("x", "y"), [{"x": 1 / 3, "y": True}])
        assert read_table(tmp_path / "a" / "t.csv") == [{"x": "0.333333", "y": "true"}]
        with pytest.raises(KeyError):
            write_table(tmp_path / "a" / "t.csv", ("x", "z"), [{"x": 1}])
        assert read_table(tmp_path / "a" / "t.csv") == [{"x": "0.333333", "y": "true"}]
        write_part(tmp_path / "p.json", [1])
        assert read_part(tmp_path / "p.json") == [1] and read_part(tmp_path / "q.json") is None


def note(given, job, slot):
    """A job that writes the order in which it was done."""
    with (given.work / "order").open("a") as file:
        file.write(f"{job[0]}\n")
    if job[0] == "bad":
        raise ValueError(job[0])


class TestJobs:
    def test_a_job_waits_for_the_one_it_needs(self, tmp_path):
        given = replace(settings.tiny(), work=tmp_path, workers=2)
        needs = {("c",): ("b",), ("b",): ("a",), ("d",): ("e",)}
        jobs.run_all(note, given, [("c",), ("b",), ("a",), ("d",)], "test", after=needs)
        done = (tmp_path / "order").read_text().split()
        assert sorted(done) == ["a", "b", "c", "d"] and [job for job in done if job != "d"] == ["a", "b", "c"]

    def test_an_error_ends_all(self, tmp_path):
        given = replace(settings.tiny(), work=tmp_path, workers=2)
        with pytest.raises(ValueError, match="bad"):
            jobs.run_all(note, given, [("bad",), ("then",)], "test", after={("then",): ("bad",)})
        assert "then" not in (tmp_path / "order").read_text()


class TestGroups:
    def test_every_job_once_and_alike_together(self):
        given = settings.full()
        todo = evaluate.all_jobs(given)
        made = evaluate.groups(given, todo)
        assert sorted(job for group in made for job in group) == sorted(todo)
        assert {arm for group in made for arm, k, *_ in group if len(group) > 1} == {
            *("lora", "lora_rag", "aware_rag", "aware_closed", "both_rag", "both_closed")
        }
        assert all(len({job[1:3] for job in group}) == 1 for group in made)

    def test_three_seeds_answer_everything_that_was_tuned_with_three(self):
        given = settings.full()
        seeds = {}
        for arm, k, split, seed in evaluate.all_jobs(given):
            seeds.setdefault((arm, k, split), set()).add(seed)
        once = {arm for (arm, _, _), some in seeds.items() if some == {0}}
        assert once == {"base", "rag", "oracle", "long_prompt", "full"}
        assert all(some in ({0}, {0, 1, 2}) for some in seeds.values())


def test_a_kept_index_is_not_made_again(tmp_path, monkeypatch):
    given, calls = settings.tiny(tmp_path), []
    corpus_stage.run(given)
    row = {"retriever": "bm25", "question": "q0001", "chunks": "f000", "source": "own_experiment"}
    monkeypatch.setattr(index, "_searched", lambda *told: calls.append(told) or {"rows": [row], "costs": []})
    index.run(given)
    first = (given.out / "retrieval.csv").read_bytes()
    index.run(given)
    assert len(calls) == 1 and (given.out / "retrieval.csv").read_bytes() == first


def test_committed_descriptions_are_the_experiments_own():
    kept = {path.name: path for path in (paths.DATA / "experiments").glob("*.meta.yaml")}
    for path in description("facts").parent.glob("*.meta.yaml"):
        if path.name in kept:
            assert kept[path.name].read_bytes() == path.read_bytes(), path.name
    written = {path.name for path in description("facts").parent.glob("*.meta.yaml")}
    assert set(kept) - written == {"published_studies.meta.yaml"}


def test_stages_write_the_columns_they_describe():
    columns = {
        "facts": corpus_stage.FACTS,
        "questions": corpus_stage.QUESTIONS,
        "retrieval": index.COLUMNS,
        "index_costs": index.COSTS,
        "losses": tune.LOSSES,
        "tuning_runs": tune.RUNS,
        "predictions": evaluate.PREDICTIONS,
        "answering_costs": evaluate.COSTS,
        "latency": latency.COLUMNS,
        "environment": ("name", "value", "source"),
        "recipes_tried": search.COLUMNS,
    }
    assert {path.name for path in description("facts").parent.iterdir()} == {f"{name}.meta.yaml" for name in columns}
    for name, written in columns.items():
        assert tuple(tables.read_meta(description(name).parent / f"{name}.csv").columns) == tuple(written), name


class TestInstalling:
    """The order in which a CPU build of torch is looked for, without fetching anything."""

    @pytest.fixture
    def bare(self, monkeypatch):
        real = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else real(name))

    def test_what_is_there_stays(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
        ran = []
        assert install.install(lambda a: ran.append(a) or True, lambda r: [])[0] == "torch: already there"
        assert not any("torch" in part for arguments in ran for part in arguments)

    def test_uv_comes_before_pip(self, bare):
        ran = []
        assert "by uv" in install.install(lambda a: ran.append(a) or True, lambda r: [])[0]
        assert ran[0][:3] == ["uv", "pip", "install"] and "cpu" in ran[0]

    def test_a_cuda_build_never_comes_unasked(self, bare):
        ran = []

        def run(arguments):
            ran.append(arguments)
            return arguments[0] != "uv"

        with pytest.raises(RunError, match="no CPU build of torch"):
            install.install(run, lambda requirement: ["torch", "nvidia-cublas"])
        assert [arguments[0] for arguments in ran] == ["uv"]

    def test_pip_may_bring_the_tested_version(self, bare):
        brings = {install.TORCH: ["torch", "triton"], install.TESTED: ["torch", "sympy"]}
        told = install.install(lambda arguments: arguments[0] != "uv", brings.__getitem__)
        assert told[0] == f"torch: {install.TESTED}, by pip"

    def test_a_missing_package_names_the_command(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(RunError, match="torch is not installed: make experiment-setup"):
            packages.require()

    def test_another_model_file_is_refused(self, tmp_path):
        (tmp_path / "model.gguf").write_bytes(b"not the model")
        with pytest.raises(DataError, match="sha256 = [0-9a-f]{64}; allowed: b179"):
            packages.check(tmp_path / "model.gguf", packages.SHA256[packages.SMOLLM2])


GOOD = {("base", "unseen"): 0.0, ("rag", "unseen"): 0.5, ("rag", "updated"): 0.5, ("lora", "updated"): 0.0}


class TestTinyChecks:
    def test_good_runs_pass(self):
        tiny.check([5.0, 0.5], GOOD)

    @pytest.mark.parametrize(
        ("losses", "changed", "text"),
        [
            ([5.0, 4.0], {}, "the loss does not fall"),
            ([5.0, 0.5], {("rag", "unseen"): 0.0}, "no better with chunks"),
            ([5.0, 0.5], {("lora", "updated"): 0.6}, "tuned is not worse on changed facts"),
        ],
    )
    def test_wrong_numbers_fail(self, losses, changed, text):
        with pytest.raises(RunError, match=text):
            tiny.check(losses, GOOD | changed)


class TestSummary:
    facts = (
        {"fact": "f000", "product": "Velra", "relation": "town", "value": "Pelley", "new_value": "Zanley"},
        {"fact": "f001", "product": "Torvik", "relation": "town", "value": "Osthill", "new_value": ""},
    )
    questions = (
        {"question": "q0000", "split": "unseen", "fact": "f000", "answer": "Pelley"},
        {"question": "q0001", "split": "updated", "fact": "f000", "answer": "Zanley"},
        {"question": "q0002", "split": "unanswerable", "fact": float("nan"), "answer": "unknown"},
    )
    found = tuple({"retriever": "hybrid", "question": q, "chunks": "f001 f000"} for q in ("q0000", "q0001", "q0002"))

    def score(self, *rows):
        given = [
            {"arm": arm, "chunks": k, "seed": 0, "question": question, "answer": answer}
            | {"prompt_tokens": 10, "output_tokens": 2}
            for arm, k, question, answer in rows
        ]
        return summary.scored(given, self.questions, self.facts, self.found)

    @pytest.mark.parametrize(
        ("arm", "k", "question", "answer", "kind"),
        [
            ("rag", 2, "q0000", "Pelley", "right"),
            ("rag", 1, "q0000", "Osthill", "from another given chunk"),
            ("lora", 0, "q0000", "Osthill", "of another product"),
            ("lora", 0, "q0001", "Pelley", "old value"),
            ("lora", 0, "q0001", "Zanley", "right"),
            ("rag", 2, "q0002", "unknown", "right"),
            ("rag", 2, "q0000", "unknown", "abstained"),
            ("rag", 2, "q0000", float("nan"), "other"),
        ],
    )
    def test_kinds_of_error(self, arm, k, question, answer, kind):
        (made,) = self.score((arm, k, question, answer))
        assert made.kind == kind and made.correct == (kind == "right")

    def test_grounding_looks_at_what_was_given(self):
        one, two, oracle, closed = self.score(
            ("rag", 1, "q0000", "Pelley"),
            ("rag", 2, "q0000", "Pelley"),
            ("oracle", 1, "q0001", "Zanley"),
            ("lora", 0, "q0000", "Pelley"),
        )
        assert (one.grounded, two.grounded, oracle.grounded, closed.grounded) == (False, True, True, None)

    def test_arms_and_pairs(self):
        answers = self.score(("rag", 1, "q0000", "Osthill"), ("lora", 0, "q0000", "Pelley"))
        assert [(row["arm"], row["value"]) for row in summary.arms(answers)] == [("lora", 1.0), ("rag", 0.0)]
        assert summary.better(answers, ("lora", 0), ("rag", 1), "unseen").value == 1.0
        with pytest.raises(DataError, match="metric = speed"):
            summary.arms(answers, "speed")

    def test_retrievers(self):
        (row, *_) = summary.retrievers(self.found, self.questions, (1, 2))
        assert (row["recall_1"], row["recall_2"], row["mrr"]) == (0.0, 1.0, 0.5)

    def test_an_unknown_question_is_refused(self):
        with pytest.raises(DataError, match="question = q9999"):
            self.score(("rag", 1, "q9999", "Pelley"))
