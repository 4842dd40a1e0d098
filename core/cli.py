"""The `prunescope` command. Every command is one call into core, imported where it is needed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from core.errors import InputError, WorkError

if TYPE_CHECKING:
    from core.progress import Report
    from core.study import StudyConfig

STUDY_FILES = Path(__file__).resolve().parents[1] / "data" / "studies"
SECONDS_BETWEEN_LINES = 10.0


class Sentences(TyperGroup):
    """Turns what a person can do something about into one sentence and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from error
        except WorkError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
        except OSError as error:
            place = f" {error.filename}" if error.filename else ""
            typer.echo(f"Cannot use{place}: {error.strerror or error}.", err=True)
            raise typer.Exit(2) from error
        except KeyboardInterrupt:
            typer.echo("stopped; run the same command again to go on", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=Sentences,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    epilog="Example: prunescope demo",
)
bench = typer.Typer(
    no_args_is_help=True,
    help="Measure this machine.",
    epilog="Example: prunescope bench sweep --count 96",
)
app.add_typer(bench, name="bench")

StudyFile = Annotated[str, typer.Argument(metavar="STUDY.toml", show_default=False)]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting of the study file."),
]
Host = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for the whole network.")]
Port = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Port; without it 8501 or the next free one."),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"prunescope {version('prunescope')}")
        raise typer.Exit


@app.callback()
def prunescope(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """PruneScope: what does pruning make a medical image classifier forget, on whose images?"""


@app.command(epilog="Example: prunescope demo --no-serve")
def demo(
    serve: Annotated[bool, typer.Option(help="Open the dashboard and work behind it.")] = True,
    host: Host = "127.0.0.1",
    port: Port = None,
) -> None:
    """Run the demonstration study on synthetic X-rays, and show it."""
    config = _read_study("demo", ())
    if serve:
        _submit(config)
        _serve(host, port)
    else:
        _run_here(config)


@app.command(epilog="Example: prunescope run demo --set study.name=quick --set training.epochs=2")
def run(
    study_file: StudyFile,
    settings: Settings = None,
    background: Annotated[
        bool, typer.Option("--background", help="Leave it to the worker of `prunescope serve`.")
    ] = False,
) -> None:
    """Run a study: train, prune, predict. What is finished already is skipped.

    STUDY.toml is a file, or the name of one of data/studies.
    """
    config = _read_study(study_file, tuple(settings or ()))
    if background:
        _submit(config)
        typer.echo("The worker of `prunescope serve` takes it up, now or once it runs.")
    else:
        _run_here(config)


@app.command(epilog="Example: prunescope studies")
def studies() -> None:
    """List the studies on disk and how far each is."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "name", "dataset", "model", "runs x sparsities", "state", box=None, pad_edge=False
    )
    for row in _study_rows():
        table.add_row(*row)
    if not table.row_count:
        typer.echo("There are no studies yet. Start one with: prunescope demo")
        return
    # Piped output keeps whole lines, so that grep and awk find what a person sees.
    width = None if sys.stdout.isatty() else 10_000
    Console(width=width, highlight=False, markup=False).print(table)


@app.command(epilog="Example: prunescope export demo class_metrics --out metrics.csv")
def export(
    study: Annotated[str, typer.Argument(help="Name, as in `prunescope studies`.")],
    table: Annotated[
        str,
        typer.Argument(
            help="Such as class_metrics, class_summary, class_pairs, correlations or pies; "
            "a wrong name lists them all."
        ),
    ],
    out: Annotated[Path, typer.Option(help="A .csv, .parquet or .json file.")],
    sparsity: Annotated[
        float | None,
        typer.Option(help="For the tables of PIEs: the pruned model's sparsity, 0.9 if not given."),
    ] = None,
) -> None:
    """Write a table of a study to a file."""
    from core.export import export as write

    typer.echo(f"{write(study, table, out, sparsity)} rows written to {out}")


@app.command(epilog="Example: prunescope report demo --out demo.html")
def report(
    study: Annotated[str, typer.Argument(help="Name, as in `prunescope studies`.")],
    out: Annotated[Path, typer.Option(help="An .html file.")],
) -> None:
    """Write a study as one HTML page: results, methods and provenance, charts included."""
    from core.report import write_report

    write_report(study, out, _cell_writer())
    typer.echo(f"Report written to {out}")


@app.command(
    epilog="Example: prunescope import-predictions preds/ --labels-dir labels/ "
    "--dataset nih-cxr-lt --study published"
)
def import_predictions(
    folder: Annotated[Path, typer.Argument(metavar="DIR", show_default=False)],
    labels_dir: Annotated[
        Path,
        typer.Option(
            help="Folder of miccai2023_<dataset>_labels_{train,val,test}.csv; with --dataset table "
            "one CSV or Parquet file of an image column and a column per class."
        ),
    ],
    dataset: Annotated[str, typer.Option(help="nih-cxr-lt, mimic-cxr-lt or table.")],
    study: Annotated[str, typer.Option(help="What the new study is called.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of the X-rays, to look at them in the dashboard.")
    ] = None,
) -> None:
    """Make a study of predictions made elsewhere, such as those published with the paper.

    DIR holds files called <dataset>_<architecture>_seed-S_prune-R.pkl, .parquet or .csv, with R
    the sparsity (0, 0.05, ...) and one column of probabilities per class.

    A .pkl is a pandas DataFrame with rows in the order of the test labels and a column `label` of
    class names joined by |, by which that order is checked. Nothing in it is run.

    A .parquet or .csv has a column image_id, id or path, and rows in any order.

    Run it again to go on after an interruption; files that have not changed are skipped.
    """
    from core.importing.study import import_study

    with _progress_shown(study) as listener:
        imported = import_study(folder, labels_dir, dataset, study, images, listener)
    typer.echo(str(imported))
    typer.echo("Look at it with: prunescope serve")


@app.command(epilog="Example: prunescope serve --port 8600")
def serve(host: Host = "127.0.0.1", port: Port = None) -> None:
    """Open the dashboard, with a worker for background studies beside it."""
    _serve(host, port)


@app.command(epilog="Example: prunescope worker")
def worker(parent: Annotated[int | None, typer.Option(hidden=True)] = None) -> None:
    """Work off the background studies, one at a time. `prunescope serve` starts one itself."""
    from core.jobs import run_worker

    run_worker(parent)


@bench.command(epilog="Example: prunescope bench sweep nih-sample --count 96")
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
    from core.engine.bench import SweepBench

    dataset = _read_study(study_file, tuple(settings or ())).dataset
    grid = tuple(percent / 100 for percent in range(0, 100, 5))[-sparsities:]
    table = SweepBench(dataset, count, grid, image_size)(_say)
    typer.echo(f"ResNet-50, {count} images at {image_size} px, {len(grid)} sparsities")
    typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))


Runs = Annotated[int, typer.Option(min=1, max=99, help="Runs of the simulated study.")]
Sparsities = Annotated[int, typer.Option(min=2, max=20, help="Sparsities, dense included.")]
Images = Annotated[int, typer.Option(min=20, max=1_000_000, help="Test images.")]
Classes = Annotated[int, typer.Option(min=2, max=99, help='Classes, "No Finding" included.')]
Folder = Annotated[
    Path | None,
    typer.Option(help="Where the simulated study is kept or found; else below the cache folder."),
]
Keep = Annotated[bool, typer.Option("--keep", help="Leave the simulated study there.")]


@bench.command(epilog="Example: prunescope bench analysis --runs 4 --images 5000")
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
    from core.bench_analysis import AnalysisBench, BenchStudy, bench_study, machine

    shape = BenchStudy(runs, sparsities, images, classes)
    with bench_study(shape, folder, keep, _say) as made:
        table = AnalysisBench()(made, _say)
    typer.echo(f"{shape}; {machine()}")
    typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))


@bench.command(epilog="Example: prunescope bench pages --runs 4 --images 5000")
def pages(
    runs: Runs = 30,
    sparsities: Sparsities = 20,
    images: Images = 25_596,
    classes: Classes = 20,
    folder: Folder = None,
    keep: Keep = False,
    count: Annotated[int, typer.Option(min=2, help="How often each widget is changed.")] = 30,
) -> None:
    """Time every page's answer to a changed slider, class, metric or subgroup."""
    from core.bench_analysis import BenchStudy, bench_study, machine
    from core.bench_pages import PagesBench

    shape = BenchStudy(runs, sparsities, images, classes)
    with bench_study(shape, folder, keep, _say) as made:
        table = PagesBench(count)(made, _say)
    typer.echo(f"{shape}; {machine()}")
    typer.echo(table.to_string(index=False))


def main() -> None:
    """What the console command calls."""
    app()


def _say(line: str) -> None:
    """Progress goes to standard error, so that a table can be piped on."""
    typer.echo(line, err=True)


def _read_study(name: str, settings: tuple[str, ...]) -> StudyConfig:
    from core.study import read_config

    path = Path(name)
    if not path.exists() and path.name == name and not path.suffix:
        path = STUDY_FILES / f"{name}.toml"
        if not path.exists():
            known = ", ".join(sorted(file.stem for file in STUDY_FILES.glob("*.toml"))) or "none"
            raise InputError(
                f"There is no study file {name!r}. Give a file such as studies/mine.toml, or one "
                f"of those that come with PruneScope: {known}."
            )
    return read_config(path, settings)


def _submit(config: StudyConfig) -> None:
    from core.jobs import submit

    typer.echo(f"{config.study.name}: queued as job {submit(config)}")


def _serve(host: str, port: int | None) -> None:
    from core.serve import serve

    serve(host, port, say=typer.echo)


def _run_here(config: StudyConfig) -> None:
    from core.engine.pipeline import run_study

    with _progress_shown(config.study.name) as listener:
        folder = run_study(config, listener)
    typer.echo(f"{config.study.name} is finished: {folder}")
    typer.echo("Look at it with: prunescope serve")


@contextmanager
def _progress_shown(name: str) -> Iterator[Callable[[Report], None]]:
    """Two bars on a terminal; elsewhere a line per stage and every ten seconds."""
    if not sys.stderr.isatty():
        yield _line_writer()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True, highlight=False)) as bars:
        whole = bars.add_task(name, total=1, note="")
        part = bars.add_task("starting", total=None, note="")
        shown = ""

        def draw(report: Report) -> None:
            nonlocal shown
            if report.stage != shown:
                shown = report.stage
                bars.reset(part, description=report.stage, total=None)
            bars.update(whole, completed=report.fraction)
            bars.update(part, completed=report.done, total=report.total or None, note=_note(report))

        yield draw


def _line_writer() -> Callable[[Report], None]:
    shown, last = "", 0.0

    def write(report: Report) -> None:
        nonlocal shown, last
        if report.stage == shown and report.updated - last < SECONDS_BETWEEN_LINES:
            return
        shown, last = report.stage, report.updated
        typer.echo(f"{report.fraction:4.0%} {report.stage} {_note(report)}".rstrip(), err=True)

    return write


def _cell_writer() -> Callable[[int, int], None]:
    """A line every ten seconds, where reading predictions takes that long."""
    last = time.monotonic()

    def write(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            typer.echo(f"comparing with dense: {done} of {total} cells", err=True)

    return write


def _note(report: Report) -> str:
    if not report.total:
        return report.message
    note = f"{report.done}/{report.total} {report.unit}"
    left = report.stage_seconds_left
    return f"{note}, {left:.0f} s left" if left is not None and left >= 1 else note


def _study_rows() -> Iterator[tuple[str, str, str, str, str]]:
    from core import store

    for folder in store.list_studies():
        try:
            config = store.read_config(folder)
        except (InputError, WorkError) as error:
            yield folder.name, "", "", "", f"unreadable: {error}"
            continue
        total = config.runs.count * len(config.sweep.sparsities)
        cells = f"{len(store.finished_cells(folder))}/{total}"
        model = config.model.architecture
        yield config.study.name, config.dataset.kind, model, cells, _state(folder)


def _state(folder: Path) -> str:
    from core.jobs import is_locked
    from core.progress import read_progress
    from core.study import lock_path

    report = read_progress(folder)
    if report is None:
        return "no record"
    if report.state == "running" and not is_locked(lock_path(folder)):
        return "interrupted"
    return f"running, {report.fraction:.0%}" if report.state == "running" else report.state


if __name__ == "__main__":
    main()
