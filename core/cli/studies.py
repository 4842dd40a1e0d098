"""Commands that make studies and take tables out of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.account import logged_export, who
from core.cli.command import TAKEN_UP, Background, Settings, Study, StudyFile, app
from core.cli.terminal import cell_writer, progress_shown, show
from core.errors import InputError, WorkError

if TYPE_CHECKING:
    from core.study.config import StudyConfig

# Each behind what it answers.
QUERIES = {
    "the images that pruned models take most for a hernia": (
        "select image_id, Hernia from ensembles where sparsity = 0.9 order by Hernia desc limit 5"
    ),
    "AP over the images of people of 60 and over": (
        "select sparsity, count(*) as n, ap(p.Hernia, l.Hernia) as ap from ensembles p "
        "join labels l using (image_id) where age >= 60 group by 1 order by 1"
    ),
    "AUROC of every run": (
        "select run, sparsity, auroc(p.Hernia, l.Hernia) as auroc from predictions p "
        "join labels l using (image_id) group by 1, 2 order by 1, 2"
    ),
    "the classes that are forgotten first": (
        "select class_name, first_drop_sparsity, n_positive from class_summary order by 2 limit 5"
    ),
}
EXAMPLES = (f'Example, {what}: prunescope query demo "{sql}"' for what, sql in QUERIES.items())
Subgroup = Annotated[
    str | None,
    typer.Option(
        metavar="CONDITIONS",
        help="Only the test images that meet all of these, such as sex:F,age:60-,view:PA. Several "
        "values: view:PA|AP. Ranges include their ends: age:20-39, age:60-. A wrong name lists the "
        "right ones.",
    ),
]
STUDY_FILES = Path(__file__).resolve().parents[2] / "data" / "studies"


@app.command(epilog="Example: prunescope run demo --set study.name=quick --set training.epochs=2")
def run(
    study_file: StudyFile,
    settings: Settings = None,
    background: Background = False,
) -> None:
    """Run a study: train, prune, predict. What is finished already is skipped; what an older
    version did not make yet, such as validation predictions of pruned models, is made.

    STUDY.toml is a file, or the name of one of data/studies or of a study on disk.
    """
    config = read_study(study_file, tuple(settings or ()))
    if background:
        if submit(config):
            typer.echo(TAKEN_UP)
    else:
        run_here(config)


@app.command(epilog="Example: prunescope extend demo --sparsities 92,97")
def extend(
    study: Study,
    sparsities: Annotated[
        str, typer.Option(help="In whole percent, such as 5,10,85; added to the study's own.")
    ] = "",
    more_runs: Annotated[
        int, typer.Option("--runs", min=0, max=999, help="How many runs to add.")
    ] = 0,
    background: Background = False,
) -> None:
    """Add sparsities or runs to a study. What is finished stays as it is and is not made again.

    The study keeps its id, its address and its reader studies.
    """
    from core.jobs import submit
    from core.study import store
    from core.study.grids import grid_of
    from core.study.growth import extension

    config = extension(store.read_config(store.find_study(study)), grid_of(sparsities), more_runs)
    if background:
        typer.echo(f"{study}: queued as job {submit(config, who())}")
        typer.echo(TAKEN_UP)
    else:
        run_here(config)


@app.command(epilog="Example: prunescope studies")
def studies() -> None:
    """List the studies on disk and how far each is."""
    from rich.table import Table

    table = Table(
        "name", "dataset", "model", "runs x sparsities", "state", box=None, pad_edge=False
    )
    for row in _study_rows():
        table.add_row(*row)
    if not table.row_count:
        typer.echo("There are no studies yet. Start one with: prunescope demo")
        return
    show(table)


def _describe(table: str | None) -> None:
    if table:
        from core.results import described

        typer.echo(described(table))
        raise typer.Exit


@app.command(
    epilog="Example: prunescope export demo class_metrics --out metrics.csv\n\n"
    "Example, of people of 60 and over: prunescope export demo class_summary --subgroup age:60- "
    "--out over-60.csv"
)
def export(
    study: Study,
    table: Annotated[
        str,
        typer.Argument(
            help="Such as class_metrics, class_summary, class_pairs, correlations, pies (every "
            "test image, PIE or not) or lost_findings; a wrong name lists them all."
        ),
    ],
    out: Annotated[Path, typer.Option(help="A .csv, .parquet or .json file.")],
    sparsity: Annotated[
        float | None,
        typer.Option(
            help="For the tables of PIEs: the pruned model's sparsity as a fraction, 0.9 if not "
            "given."
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="For a table that is about one metric: ap, calibrated_ap, auroc or somers_d. If "
            "not given: somers_d for safe_sparsity, ap for the others."
        ),
    ] = None,
    subgroup: Subgroup = None,
    describe: Annotated[
        str | None,
        typer.Option(
            callback=_describe,
            is_eager=True,
            metavar="TABLE",
            help="Say what the columns of this table mean, and in which unit; nothing is exported.",
        ),
    ] = None,
) -> None:
    """Write a table of a study to a file."""
    from core.results.export import export as write

    logged_export(study, table)
    typer.echo(f"{write(study, table, out, sparsity, metric, subgroup)} rows written to {out}")


@app.command(epilog="\n\n".join(EXAMPLES))
def query(
    study: Study,
    sql: Annotated[
        str,
        typer.Argument(
            help="A select in DuckDB's SQL, from the tables labels, class_metrics, predictions "
            "(run, sparsity, image_id, a column a class), ensembles (their means over runs), and "
            "those of `prunescope export`."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="A .csv, .parquet or .json file; else it is printed.")
    ] = None,
    subgroup: Subgroup = None,
) -> None:
    """Ask a study's labels, metrics and predictions in SQL. Nothing is changed.

    Beside DuckDB's functions there are three aggregates over images: ap(score,
    label), auroc(score, label) and calibrated_ap(score, label). The score is any
    number, larger for more likely; the label is 1 or 0. Images without a score
    or label are left out, as those with an uncertain label are. The answer is
    null without a positive; of the last two also without a negative.
    """
    from core.results.export import write_file
    from core.results.query import query as ask
    from core.study.study import Study

    answer = ask(Study(logged_export(study, "query")), sql, subgroup)
    if out:
        write_file(answer, out)
        typer.echo(f"{len(answer)} rows written to {out}")
    else:
        typer.echo(answer.to_string(index=False))


@app.command(epilog="Example: prunescope report demo --out demo.html")
def report(
    study: Study,
    out: Annotated[Path, typer.Option(help="An .html file.")],
    xrays: Annotated[
        bool | None,
        typer.Option(
            help="Show X-rays of PIEs. Without this option only synthetic ones are shown.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a study as one HTML page: results, methods and provenance, charts included."""
    from core.reporting.report import write_report
    from core.reporting.report_pies import xrays_of
    from core.study.study import Study as Opened

    opened = Opened(logged_export(study, "report"))
    shown = opened.config.synthetic if xrays is None else xrays
    write_report(study, out, cell_writer(), xrays_of(opened, who()) if shown else None)
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
            help="Folder of miccai2023_<dataset>_labels_{train,val,test}.csv, with or without "
            "miccai2023_ in front; with --dataset table one CSV or Parquet file of an image column "
            "and a column per class."
        ),
    ],
    dataset: Annotated[str, typer.Option(help="nih-cxr-lt, mimic-cxr-lt or table.")],
    study: Annotated[str, typer.Option(help="What the new study is called.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of the X-rays, to look at them in the dashboard.")
    ] = None,
    logits: Annotated[
        bool, typer.Option("--logits", help="The files hold logits: apply a sigmoid.")
    ] = False,
    array_classes: Annotated[
        str, typer.Option(help='For .npy files: the class of each column in order, "Hernia,Mass".')
    ] = "",
) -> None:
    """Import predictions made elsewhere, such as those published with the paper, as a study.

    DIR holds files called <dataset>_<architecture>_seed-S_prune-R.pkl, .parquet, .csv or .npy, with
    R the sparsity (0, 0.05, ...) and one column of probabilities per class.

    A .pkl is a pandas DataFrame with rows in the order of the test labels and a column `label` of
    class names joined by |, by which that order is checked. Nothing in it is run.

    A .parquet or .csv has a column image_id, id or path, and rows in any order.

    A .npy is a bare array with rows in the order of the test labels; --array-classes names its
    columns. Nothing checks that order.

    Run it again to go on after an interruption; files that have not changed are skipped.
    """
    from core.importing.study import import_study

    columns = tuple(name.strip() for name in array_classes.split(",") if name.strip())
    with progress_shown(study) as listener:
        imported = import_study(
            folder, labels_dir, dataset, study, images, listener,
            logits=logits, array_classes=columns,
        )  # fmt: skip
    typer.echo(str(imported))
    typer.echo("Look at it with: prunescope serve")


def read_study(name: str, settings: tuple[str, ...]) -> StudyConfig:
    from core.study.config import read_config, with_overrides

    path = Path(name)
    if not path.exists() and path.name == name and not path.suffix:
        path = STUDY_FILES / f"{name}.toml"
        if not path.exists() and (existing := _existing(name)):
            return with_overrides(existing, settings)
        if not path.exists():
            known = ", ".join(sorted(file.stem for file in STUDY_FILES.glob("*.toml"))) or "none"
            raise InputError(
                f"There is no study file {name!r}. Give a file such as studies/mine.toml, or one "
                f"of those that come with PruneScope: {known}."
            )
    return read_config(path, settings)


def _existing(name: str) -> StudyConfig | None:
    from core.study.store import readable_studies

    known = (config for _, config in readable_studies())
    return next((config for config in known if config.study.name == name), None)


def submit(config: StudyConfig) -> bool:
    """Leave a study to the worker; False where it is finished or running already."""
    from core.jobs import submit
    from core.study.paths import study_dir
    from core.study.study import Study

    name, state = config.study.name, _state(study_dir(config))
    if state == "finished" and not Study(study_dir(config)).lacks_validation:
        typer.echo(f"{name} is finished already.")
    elif state.startswith("running"):
        typer.echo(f"{name} is {state} already.")
    else:
        typer.echo(f"{name}: queued as job {submit(config, who())}")
        return True
    return False


def run_here(config: StudyConfig) -> None:
    from core.engine.pipeline import run_study
    from core.pictures.repairs import sentences
    from core.study.store import read_provenance

    with progress_shown(config.study.name) as listener:
        folder = run_study(config, listener)
    for sentence in sentences(read_provenance(folder).get("image_repairs", [])):
        typer.echo(f"Repaired {sentence}")
    typer.echo(f"{config.study.name} is finished: {folder}")
    typer.echo("Look at it with: prunescope serve")


def _study_rows() -> Iterator[tuple[str, str, str, str, str]]:
    from core.study import store
    from core.wording import words

    for folder in store.list_studies():
        try:
            config = store.read_config(folder)
        except (InputError, WorkError) as error:
            yield folder.name, "", "", "", f"unreadable: {error}"
            continue
        total = config.runs.count * len(config.sweep.sparsities)
        cells = f"{len(store.finished_cells(folder))}/{total}"
        model = words.architecture(config)
        yield config.study.name, config.dataset.kind, model, cells, _state(folder)


def _state(folder: Path) -> str:
    from core.jobs import is_locked
    from core.study.paths import lock_path
    from core.study.progress import read_progress

    report = read_progress(folder)
    if report is None:
        return "no record"
    if report.state == "running" and not is_locked(lock_path(folder)):
        return "interrupted"
    return f"running, {report.fraction:.0%}" if report.state == "running" else report.state
