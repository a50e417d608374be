"""The command line: ``tokenomics show | size | list | score | run | reproduce``."""

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


@main.command()
@click.argument("notebook")
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help="override a parameter (repeatable)")
@click.option("--params", type=click.Path(path_type=Path), help="folder of parameter files instead of params/")
@click.option(
    "--out", type=click.Path(path_type=Path), help="where to write; default results/, or runs/ with overrides"
)
@click.pass_obj
def run(debug: bool, notebook: str, overrides: tuple[str, ...], params: Path | None, out: Path | None) -> None:
    """Execute NOTEBOOK (NN_name) with checked parameters.

    \b
    tokenomics run 01_ubiquitous_llms
    tokenomics run 01_ubiquitous_llms --set first_year=2020 --set task_answer_words=500
    """
    with one_line(debug):
        from tokenomics import paths
        from tokenomics.pipeline import run as runner

        if out:
            runner.check_out(out := out.resolve())
        click.echo(paths.shown(runner.run(notebook, out, params, overrides)))


@main.command()
@click.pass_obj
def reproduce(debug: bool) -> None:
    """Rerun the whole pipeline from scratch and compare with the committed results."""
    with one_line(debug):
        from tokenomics.pipeline.reproduce import reproduce as rerun

        raise SystemExit(rerun())


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="predictions; default FILE's name with .pred.csv, here")
@click.option("--group-by", default="metric", show_default=True, metavar="COLUMNS", help="input columns, comma between")
@click.option("--plot", type=click.Path(path_type=Path), help="parity plot; default beside the predictions, .png")
@click.option("--model", default="best", show_default=True, help="best | inference | bounds | constant")
@click.pass_obj
def score(debug: bool, file: Path, group_by: str, **options: Any) -> None:
    """Does it match MY benchmark? Predict each row of FILE without its value, and report the errors.

    FILE is a CSV with columns model, hardware, metric and, as known, n_gpu, precision, isl, osl, load, batch, rate_qps,
    requests (training: seq_len, global_batch_seq, tokens_b ...), unit and value; extra columns are ignored. Without
    `value` rows are only predicted. Metrics: `tokenomics list metrics`.

    \b
    tokenomics score my_benchmark.csv
    tokenomics score my_benchmark.csv --out predictions.csv --group-by model,hardware,engine --plot parity.png
    tokenomics score data/measurements/training_runs.csv --model constant
    """
    with one_line(debug):
        from tokenomics.scoring.run import score_file

        def progress(rows: int) -> None:
            click.echo(f"{rows:,} rows done", err=True)

        columns = [name.strip() for name in group_by.split(",") if name.strip()]
        click.echo(score_file(file, group_by=columns, progress=progress, **options).text)


@main.command("list")
@click.argument("what", type=click.Choice(["models", "xpus", "metrics", "scorers", "notebooks"]))
@click.pass_obj
def list_(debug: bool, what: str) -> None:
    """List the names that parameters may use."""
    with one_line(debug):
        from tokenomics.facts import catalogue, measurements
        from tokenomics.rows.predict import MODELS
        from tokenomics.sections.registry import NOTEBOOKS

        names = {
            "models": catalogue.models,
            "xpus": catalogue.accelerators,
            "metrics": lambda: [" ".join((name, *each.units)) for name, each in measurements.METRICS.items()],
            "scorers": lambda: MODELS,
            "notebooks": lambda: NOTEBOOKS,
        }
        click.echo("\n".join(names[what]()))
