"""Commands of the reader study: made from a study, read in the dashboard, taken out as tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.command import Study, app

if TYPE_CHECKING:
    import pandas as pd

reader_study = typer.Typer(
    no_args_is_help=True,
    help="Ask readers whether PIEs differ from other X-rays to the eye.",
    epilog="Example: prunescope reader-study list",
)
app.add_typer(reader_study, name="reader-study")

Name = Annotated[str, typer.Argument(help="Name, as in `prunescope reader-study list`.")]


@reader_study.command(
    epilog="Example: prunescope reader-study create nih-sample --name chest-readers "
    "--pies 15 --non-pies 15 --reader ada@clinic.org --reader grace@clinic.org"
)
def create(
    study: Study,
    name: Annotated[str, typer.Option(help="What the reader study is called: a-z, 0-9 and -.")],
    reader: Annotated[
        list[str], typer.Option(help="A reader's e-mail address; give it once for each.")
    ],
    pies: Annotated[int, typer.Option(help="How many PIEs.")] = 20,
    non_pies: Annotated[int, typer.Option(help="How many other images.")] = 20,
    sparsity: Annotated[float, typer.Option(help="Sparsity that defines the PIEs.")] = 0.9,
    matched: Annotated[
        bool, typer.Option("--matched", help="Non-PIEs alike in finding count and group.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Decides the images and every reader's order.")] = 0,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Tell readers which were PIEs once they have closed.")
    ] = False,
    owner: Annotated[
        str, typer.Option(help="Researcher whose it is, by e-mail; else administrators see it.")
    ] = "",
) -> None:
    """Draw PIEs and other images of a finished study for readers to judge, blinded."""
    from core.people.access import LOCAL
    from core.reader_study import database, design
    from core.study import store

    wanted = design.plan(
        name=name,
        readers=tuple(reader),
        n_pies=pies,
        n_non_pies=non_pies,
        sparsity=sparsity,
        matched=matched,
        seed=seed,
        reveal=reveal,
    )
    whose = design.reader_address(owner or LOCAL.email)
    made = database.create(store.find_study(study), wanted, whose)
    typer.echo(f"{made.name} is ready: {pies + non_pies} images for {len(wanted.readers)} readers.")
    typer.echo('They find it under "Reader study" in the dashboard: prunescope serve')


@reader_study.command("list", epilog="Example: prunescope reader-study list")
def list_() -> None:
    """List the reader studies and how far their readers are."""
    from core.reader_study import database, results
    from core.wording import words

    made = database.reader_studies()
    if not made:
        typer.echo("There are no reader studies yet. Make one: prunescope reader-study create")
    for one in made:
        readers = results.reader_table(one).query("not removed")
        done = int((readers["n_complete"] == readers["n_images"]).sum())
        told = f"{done} of {words.count(len(readers), 'reader')} finished"
        typer.echo(f"{one.name}  {one.study_id}  {told}")


@reader_study.command(epilog="Example: prunescope reader-study results chest-readers")
def results(name: Name) -> None:
    """Show what the answers say of PIEs against non-PIEs."""
    from core.reader_study import database
    from core.reader_study import results as tables
    from core.reader_study import words as reader_words

    of = database.find(name)
    given = tables.answer_table(of)
    typer.echo(reader_words.standing(tables.counted(given), tables.reader_table(of)))
    _echo(tables.results(given))
    typer.echo(reader_words.METHODS)


@reader_study.command(epilog="Example: prunescope reader-study export chest-readers --out readings")
def export(
    name: Name,
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    file_format: Annotated[str, typer.Option("--format", help="csv or parquet.")] = "csv",
) -> None:
    """Write answers, their history, images, readers, results and a codebook; no addresses."""
    from core.reader_study import database
    from core.reader_study import results as tables

    for path in tables.export_study(database.find(name), out, f".{file_format}"):
        typer.echo(str(path))


def _echo(table: pd.DataFrame) -> None:
    """One block a question on a terminal, where fifteen columns are too wide; else one table."""
    if sys.stdout.isatty():
        for _, row in table.iterrows():
            typer.echo("\n" + row.to_string())
    else:
        typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
