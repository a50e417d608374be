"""The command line: ``tokenomics show | size | list | score | convert | run | figure | paper | reproduce``."""

import json
from pathlib import Path
from typing import Any

import click

from tokenomics.errors import one_line, require


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--debug", is_flag=True, help="show the traceback of an error")
@click.version_option(package_name="tokenomics-lab")
@click.pass_context
def main(context: click.Context, debug: bool) -> None:
    """What does a token take, cost, feel like and emit?"""
    context.obj = debug


def _tell(found: Any, as_json: bool) -> None:
    click.echo(json.dumps(found.as_dict(), indent=1, allow_nan=False, ensure_ascii=False) if as_json else found)


FORCE = click.option("--force", is_flag=True, help="also replace what this program did not make, or what was changed")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="numbers with interval, unit, assumptions, sources")


@main.command()
@click.argument("kind", type=click.Choice(["model", "xpu"]))
@click.argument("name")
@AS_JSON
@click.pass_obj
def show(debug: bool, kind: str, name: str, as_json: bool) -> None:
    """What is known of a model or an accelerator, with its source.

    \b
    tokenomics show model Llama-3.1-70B
    tokenomics show xpu H100-SXM-80GB --json
    """
    with one_line(debug):
        from tokenomics.answers.show import show as facts

        _tell(facts(kind, name), as_json)


SIZE_OPTIONS = {
    "rate": (float, "requests a second, all the time"),
    "users-per-day": (float, "users a day instead of --rate; the busiest hour is served"),
    "requests-per-user": (float, "of a user a day  [assumed: 10]"),
    "day-swing": (float, "peak of a day over its mean, less one  [assumed: 0.5]"),
    "prompt": (int, "tokens of a prompt"),
    "output": (int, "tokens of a reply"),
    "workload": (str, "lengths of a workload of data/workloads instead"),
    "ttft-ms": (float, "limit on the time to the first token"),
    "tpot-ms": (float, "limit on the time per later token"),
    "attain": (float, "share of requests that must keep each limit  [default: 0.9]"),
    "engine": (str, "with its version  [assumed: vLLM 0.19]"),
    "format": (str, "of weights: bf16, fp8, nvfp4, AWQ ...  [assumed: as published, or bf16]"),
    "kv-format": (str, "of the cache  [assumed: as the engine keeps it]"),
    "tp": (int, "devices that share a layer; searched where not given"),
    "pp": (int, "pipeline stages; searched where not given"),
    "spares": (int, "replicas that may fail  [default: 0]"),
    "price-list": (str, "rents: a key of data/sources.csv  [default: skypilot_catalog]"),
}


def _size_options(command: Any) -> Any:
    for name, (kind, text) in reversed(SIZE_OPTIONS.items()):
        command = click.option(f"--{name}", type=kind, help=text)(command)
    return command


@main.command()
@click.option("--model", required=True, help="name, alias or file")
@click.option("--xpu", help="accelerator: name, alias or file")
@click.option("--any", "every", is_flag=True, help="rank all accelerators of the catalogue instead")
@click.option("--against", "other", metavar="XPU", help="how probably --xpu is cheaper than another accelerator")
@_size_options
@AS_JSON
@click.pass_obj
def size(
    debug: bool, *, model: str, xpu: str | None, every: bool, other: str | None, as_json: bool, **given: Any
) -> None:
    """How many accelerators serve a model within an objective, and what do they cost?

    \b
    tokenomics size --model Llama-3.1-70B --xpu H100-SXM-80GB --rate 20 --prompt 1500 --output 300 --tpot-ms 50
    tokenomics size --model Llama-3.1-70B --any --rate 20 --prompt 1500 --output 300 --tpot-ms 50
    """
    with one_line(debug):
        options = {key: value for key, value in given.items() if value is not None}
        one = (xpu is not None) != every and not (every and other)
        require(one, "size", "xpu", xpu or "missing", "--xpu, with --against or without, or --any")
        if every or other:
            from tokenomics.answers import rank

            found = rank.rank(model, **options) if every else rank.against(model, xpu, other, **options)
        else:
            from tokenomics.answers.size import size as answer

            found = answer(model, xpu, **options)
        _tell(found, as_json)


SET = click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help="override a parameter (repeatable)")
SETS = click.option(
    "--sets", default="", metavar="TEXT", help="several in one text: 'models=[\"a b\", c] first_year=2020'"
)


def _overrides(one_each: tuple[str, ...], together: str) -> list[str]:
    from tokenomics.parameters.loading import split_overrides

    return [*one_each, *split_overrides(together)]


def _comma(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


@main.command()
@click.argument("notebook")
@SET
@SETS
@click.option("--formats", default="", metavar="LIST", help="svg, pdf, tex (comma between) beside PNG and CSV")
@click.option("--params", type=click.Path(path_type=Path), help="folder of parameter files instead of params/")
@click.option(
    "--out", type=click.Path(path_type=Path), help="where to write; default results/, or runs/ with overrides"
)
@FORCE
@click.pass_obj
def run(
    debug: bool,
    *,
    notebook: str,
    overrides: tuple[str, ...],
    sets: str,
    formats: str,
    params: Path | None,
    out: Path | None,
    force: bool,
) -> None:
    """Execute NOTEBOOK (NN_name) with checked parameters.

    \b
    tokenomics run 01_ubiquitous_llms
    tokenomics run 01_ubiquitous_llms --set first_year=2020 --set task_answer_words=500
    """
    with one_line(debug):
        from tokenomics import paths
        from tokenomics.pipeline import run as runner

        given = _overrides(overrides, sets)
        click.echo(paths.shown(runner.run(notebook, out, params, given, formats=_comma(formats), force=force)))


@main.command()
@click.argument("name")
@click.option("--format", "kind", default="pdf", show_default=True, help="png | svg | pdf")
@SET
@SETS
@click.pass_obj
def figure(debug: bool, name: str, kind: str, overrides: tuple[str, ...], sets: str) -> None:
    """Draw the figure NAME (NN_slug, as in results/) anew, into runs/: its notebook is found and run.

    \b
    tokenomics figure 04_pareto --format svg --set own_accelerator=MI300X
    """
    with one_line(debug):
        from tokenomics import paths
        from tokenomics.pipeline import asked

        click.echo(paths.shown(asked.figure(name, kind, _overrides(overrides, sets))))


@main.command()
@SET
@SETS
@click.option("--formats", default="svg,pdf,tex", show_default=True, metavar="LIST", help="beside PNG and CSV")
@click.pass_obj
def paper(debug: bool, overrides: tuple[str, ...], sets: str, formats: str) -> None:
    """Run every notebook into runs/paper/, figures and tables as a paper takes them.

    An override goes to every notebook that has such a parameter.
    """
    with one_line(debug):
        from tokenomics import paths
        from tokenomics.pipeline import asked

        for folder in asked.paper(None, _comma(formats), _overrides(overrides, sets)):
            click.echo(paths.shown(folder))


@main.command()
@click.pass_obj
def reproduce(debug: bool) -> None:
    """Rerun the whole pipeline from scratch and compare with the committed results: exit code 1 where they differ.

    Committed is what git has; in a copy without git, what results/SHA256SUMS lists.
    """
    with one_line(debug):
        from tokenomics.pipeline.reproduce import reproduce as rerun

        raise SystemExit(rerun())


RESULT_OPTIONS = {
    "model": (str, "name of the language model"),
    "xpu": (str, "accelerator"),
    "n-gpu": (int, "devices in all, if not tp x pp x dp"),
    "tp": (int, "devices that share a layer"),
    "pp": (int, "pipeline stages"),
    "dp": (int, "data parallel groups"),
    "ep": (int, "devices that share the experts"),
    "precision": (str, "of weights and arithmetic: bf16, fp8, nvfp4, AWQ ..."),
    "kv-precision": (str, "of the cache"),
    "engine": (str, "with its version"),
    "prompt": (float, "mean tokens of a prompt"),
    "output": (float, "mean tokens of an answer"),
    "batch": (int, "requests in flight, or the size of a static batch"),
    "rate": (float, "requests a second"),
}


def _result_options(command: Any) -> Any:
    """Options that state what a benchmark tool's result file does not."""
    for name, (kind, text) in reversed(RESULT_OPTIONS.items()):
        command = click.option(f"--{name}", type=kind, help=f"result files: {text}")(command)
    return command


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="the table; default standard output")
@FORCE
@click.option("--kind", help="inference | energy | training, where files have rows of several")
@_result_options
@click.pass_obj
def convert(
    debug: bool, *, files: tuple[Path, ...], out: Path | None, force: bool, kind: str | None, **given: Any
) -> None:
    """Turn result files of benchmark tools into a table that `tokenomics score` reads.

    FILES are results of vLLM, SGLang, GuideLLM, AIPerf, GenAI-Perf, LLMPerf, llama-bench, trtllm-bench, TGI, MLPerf,
    InferenceX, optimum-benchmark or CodeCarbon, recognised by what they contain, or folders of such. What they do not
    state is asked for; a name given here replaces the file's, a number only fills what is missing.

    \b
    tokenomics convert serving.json --xpu H100-SXM-80GB --tp 1 --precision bf16 --out mine.csv
    tokenomics convert llama_bench.log --xpu RTX-4090-24GB
    """
    with one_line(debug):
        from tokenomics import outputs
        from tokenomics.rows.formats.convert import converted

        answer = converted(files, kind=kind, given=given)
        for note in answer.notes:
            click.echo(note, err=True)
        text = answer.table.to_csv(index=False, lineterminator="\n")
        if out is None:
            click.echo(text, nl=False)
            return
        with outputs.file(outputs.check_file(out, "--out", force=force), "--out", force=force) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


@main.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--out", type=click.Path(path_type=Path), help="predictions; default FILE's name with .pred.csv, here")
@click.option("--group-by", default="metric", show_default=True, metavar="COLUMNS", help="input columns, comma between")
@click.option("--plot", type=click.Path(path_type=Path), help="parity plot; default beside the predictions, .png")
@click.option("--scorer", help="best | inference | bounds | constant  [default: best]; --model takes these names too")
@_result_options
@FORCE
@AS_JSON
@click.pass_obj
def score(
    debug: bool,
    *,
    file: Path,
    group_by: str,
    as_json: bool,
    scorer: str | None,
    out: Path | None,
    plot: Path | None,
    force: bool,
    **given: Any,
) -> None:
    """Does it match MY benchmark? Predict each row of FILE without its value, and report the errors.

    FILE is a CSV (- is standard input) with columns model, hardware, metric and, as known, n_gpu, precision, isl, osl,
    load, batch, rate_qps, requests (training: seq_len, global_batch_seq, tokens_b ...), unit and value; extra columns
    are ignored, one that is nearly an input stops. Without `value` rows are only predicted. A row that cannot be
    predicted says why in `status`; what it leaves unsaid is filled as its engine would fill it and said in `assumed`.

    \b
    Layout      tp, pp, dp, ep, dp_attention (true: attention data parallel), redundant_experts
    Engine      engine, engine_version, date (the newest version of that day, where none is stated), kv_precision,
                max_num_seqs, max_num_batched_tokens, gpu_memory_utilization, prefix_cached_tokens, power_limit_w
    Drafts      spec_method (none, mtp), draft_tokens
    Requests    role (prefill, decode, both), length_spread (largest distance from the mean length, a share of it),
                expert_routing (skewed, balanced)
    Loads       static, closed (batch in flight), open (rate_qps), max, mlperf_offline, mlperf_server,
                mlperf_interactive, mlperf_singlestream
    Latencies   ttft, tpot, itl, e2e_latency, each alone or with _mean, _p50, _p90, _p95, _p99

    Names of launch commands are read too (tensor_parallel_size, input_len, concurrency, kv_cache_dtype ...).
    Metrics: `tokenomics list metrics`. Or FILE is a result file of a benchmark tool, or a folder of such, with the
    options of `tokenomics convert`.

    \b
    tokenomics score my_benchmark.csv
    tokenomics score my_benchmark.csv --out predictions.csv --group-by model,hardware,engine --plot parity.png
    tokenomics score serving.json --xpu H100-SXM-80GB --tp 1 --precision bf16
    tokenomics score data/measurements/training_runs.csv --scorer constant
    """
    with one_line(debug):
        from tokenomics.rows.predict import MODELS
        from tokenomics.scoring.files import score as score_any
        from tokenomics.scoring.progress import Progress

        if given["model"] in MODELS:
            scorer, given["model"] = scorer or given["model"], None
        options = {"group_by": _comma(group_by), "plot": plot, "model": scorer or "best", "force": force}
        with Progress() as progress:
            outcome = score_any(file, given=given, out=out, progress=progress, **options)
        _tell(outcome, as_json)


@main.command("list")
@click.argument("what", type=click.Choice(["models", "xpus", "metrics", "scorers", "notebooks"]))
@AS_JSON
@click.pass_obj
def list_(debug: bool, what: str, as_json: bool) -> None:
    """List the names that parameters may use."""
    with one_line(debug):
        from tokenomics.sections.listing import list_names

        _tell(list_names(what), as_json)
