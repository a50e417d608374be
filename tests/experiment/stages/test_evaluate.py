"""Every job of the evaluation once, those that read the same together."""

from tokenomics.experiment import settings
from tokenomics.experiment.stages import evaluate


def test_every_job_once_and_alike_together():
    given = settings.full()
    todo = evaluate.all_jobs(given)
    made = evaluate.groups(given, todo)
    assert sorted(job for group in made for job in group) == sorted(todo)
    assert {arm for group in made for arm, k, *_ in group if len(group) > 1} == {
        *("lora", "lora_rag", "aware_rag", "aware_closed", "both_rag", "both_closed")
    }
    assert all(len({job[1:3] for job in group}) == 1 for group in made)


def test_three_seeds_answer_everything_that_was_tuned_with_three():
    given = settings.full()
    seeds = {}
    for arm, k, split, seed in evaluate.all_jobs(given):
        seeds.setdefault((arm, k, split), set()).add(seed)
    once = {arm for (arm, _, _), some in seeds.items() if some == {0}}
    assert once == {"base", "rag", "oracle", "long_prompt", "full"}
    assert all(some in ({0}, {0, 1, 2}) for some in seeds.values())
