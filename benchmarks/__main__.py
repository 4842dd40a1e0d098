"""`python -m benchmarks`: commands that measure us beside others on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from core.cli.command import Sentences, Settings
from core.cli.studies import read_study
from core.cli.terminal import say

bench = typer.Typer(
    cls=Sentences,
    no_args_is_help=True,
    help="Measure this machine.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="Example: python -m benchmarks sweep --count 96",
)


@bench.command(epilog="Example: python -m benchmarks sweep nih-sample --count 96")
def sweep(
    study_file: Annotated[
        str, typer.Argument(metavar="STUDY.toml", help="Whose dataset to take images from.")
    ] = "nih-sample",
    settings: Settings = None,
    count: Annotated[int, typer.Option(min=2, help="How many images to push through.")] = 96,
    sparsities: Annotated[int, typer.Option(min=1, max=20, help="How many of the 20.")] = 20,
    image_size: Annotated[int, typer.Option(min=32, max=1024, help="Side in pixels.")] = 256,
) -> None:
    """Time our sweep of a ResNet-50 beside the published way, on the same X-rays, in one run."""
    from benchmarks.engine import SweepBench

    dataset = read_study(study_file, tuple(settings or ())).dataset
    grid = tuple(percent / 100 for percent in range(0, 100, 5))[-sparsities:]
    table = SweepBench(dataset, count, grid, image_size)(say)
    _show(f"ResNet-50, {count} images at {image_size} px, {len(grid)} sparsities", table, 4)


Runs = Annotated[int, typer.Option(min=1, max=99, help="Runs of the simulated study.")]
Sparsities = Annotated[int, typer.Option(min=2, max=20, help="Sparsities, dense included.")]
Images = Annotated[int, typer.Option(min=20, max=1_000_000, help="Test images.")]
Classes = Annotated[int, typer.Option(min=2, max=99, help='Classes, "No Finding" included.')]
Folder = Annotated[
    Path | None,
    typer.Option(help="Where the simulated study is kept or found; else below the cache folder."),
]
Keep = Annotated[bool, typer.Option("--keep", help="Leave the simulated study there.")]


@bench.command(epilog="Example: python -m benchmarks analysis --runs 4 --images 5000")
def analysis(
    runs: Runs = 30,
    sparsities: Sparsities = 20,
    images: Images = 25_596,
    classes: Classes = 20,
    folder: Folder = None,
    keep: Keep = False,
) -> None:
    """Time class metrics and agreement beside scikit-learn and pandas, on a simulated study.

    At full size it takes 1.7 GB of disk and some minutes.
    """
    from benchmarks.analysis import AnalysisBench, BenchStudy, bench_study, machine

    shape = BenchStudy(runs, sparsities, images, classes)
    with bench_study(shape, folder, keep, say) as made:
        table = AnalysisBench()(made, say)
    _show(f"{shape}; {machine()}", table, 4)


@bench.command(epilog="Example: python -m benchmarks pages --runs 4 --images 5000")
def pages(
    runs: Runs = 30,
    sparsities: Sparsities = 20,
    images: Images = 25_596,
    classes: Classes = 20,
    folder: Folder = None,
    keep: Keep = False,
    count: Annotated[int, typer.Option(min=2, help="How often each widget is changed.")] = 30,
    with_job: Annotated[
        bool, typer.Option("--with-job", help="While a worker trains networks all the time.")
    ] = False,
) -> None:
    """Time every page's answer to a changed slider, class, metric or subgroup."""
    from contextlib import nullcontext

    from benchmarks.analysis import BenchStudy, bench_study, machine
    from benchmarks.jobs import GOAL_MS, job_running, with_job_summary
    from benchmarks.pages import TABLE_GOAL, PagesBench

    shape = BenchStudy(runs, sparsities, images, classes)
    bench = PagesBench(count, goal=GOAL_MS if with_job else TABLE_GOAL)
    with (
        bench_study(shape, folder, keep, say) as made,
        job_running(say) if with_job else nullcontext(),
    ):
        table = bench(made, say)
    typer.echo(f"{shape}; {machine()}")
    typer.echo(table.to_string(index=False))
    if with_job:
        typer.echo(with_job_summary(table))


@bench.command(epilog="Example: python -m benchmarks browser --images 2000")
def browser(
    images: Images = 10_000,
    folder: Folder = None,
    keep: Keep = False,
    count: Annotated[int, typer.Option(min=2, max=12, help="Repetitions of each.")] = 8,
) -> None:
    """Time the PIE browser in a real Chromium: first grid, filters, opening an image, memory.

    Needs Playwright, see requirements-dev.txt. At full size it takes 0.7 GB of disk and some
    minutes.
    """
    from benchmarks.analysis import machine
    from benchmarks.browser import BrowserBench, BrowserStudy, browser_study

    shape = BrowserStudy(images=images)
    with browser_study(shape, folder, keep, say) as made:
        table = BrowserBench(count)(made, say)
    _show(f"{shape}; {machine()}", table, 3)


@bench.command(epilog="Example: python -m benchmarks dashboard --runs 4 --images 5000")
def dashboard(
    runs: Runs = 30,
    sparsities: Sparsities = 20,
    images: Images = 25_596,
    classes: Classes = 20,
    times: Annotated[
        int, typer.Option(min=1, max=100, help="That many times the images, made sparse.")
    ] = 1,
    folder: Folder = None,
    keep: Keep = False,
    rounds: Annotated[int, typer.Option(min=1, help="Visits of every page by one person.")] = 4,
    think: Annotated[
        float, typer.Option(min=0, help="Seconds that people at once look before they go on.")
    ] = 2.0,
    servers: Annotated[
        int, typer.Option(min=1, max=8, help="Server processes that people are spread over.")
    ] = 1,
) -> None:
    """Time every page and the widgets people change most, for one person and for eight at once.

    A real server answers real sessions; its memory and the worker's are measured too. At full size
    it takes 2.5 GB of disk and some minutes.
    """
    from benchmarks.analysis import machine
    from benchmarks.browser import browser_study
    from benchmarks.dashboard import DashboardBench, DashboardStudy, missed

    plain = DashboardStudy(runs=runs, sparsities=sparsities, images=images, classes=classes)
    shape = plain.times(times)
    with browser_study(shape, folder, keep, say) as made:
        answers, memory = DashboardBench(rounds, think=think, servers=servers)(made, say)
    typer.echo(f"{shape}; {machine()}")
    typer.echo(answers.to_string(index=False, float_format=lambda value: f"{value:.2f}"))
    typer.echo(memory.to_string(index=False, float_format=lambda value: f"{value:.0f}"))
    late = missed(answers, memory)
    typer.echo("\n".join(["Goals missed, the worst first:", *late]) if late else "Every goal met.")


def _show(what: str, table: pd.DataFrame, digits: int) -> None:
    typer.echo(what)
    typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.{digits}g}"))


if __name__ == "__main__":
    bench()
