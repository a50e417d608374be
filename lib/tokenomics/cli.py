"""The command line: ``tokenomics run | score | reproduce | list``."""

from pathlib import Path
from typing import Any

import click

from tokenomics.errors import one_line


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--debug", is_flag=True, help="show the traceback of an error")
@click.version_option(package_name="tokenomics-lab")
@click.pass_context
def main(context: click.Context, debug: bool) -> None:
    """What does a token take, cost, feel like and emit?"""
    context.obj = debug


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
