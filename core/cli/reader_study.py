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
    "--pies 15 --reader ada@clinic.org --reader grace@clinic.org"
)
def create(
    study: Study,
    name: Annotated[str, typer.Option(help="What the reader study is called: a-z, 0-9 and -.")],
    reader: Annotated[
        list[str],
        typer.Option(
            help=(
                "A reader's e-mail address, or a name on a machine without sign-in; repeat for "
                "each."
            )
        ),
    ],
    pies: Annotated[int, typer.Option(help="How many PIEs.")] = 20,
    non_pies: Annotated[
        int | None,
        typer.Option(help="How many other images, with --unmatched; otherwise as many as PIEs."),
    ] = None,
    sparsity: Annotated[float, typer.Option(help="Sparsity that defines the PIEs.")] = 0.9,
    matched: Annotated[
        bool,
        typer.Option(
            "--matched/--unmatched",
            help=(
                "Pair each PIE with a non-PIE of equal labels, or else of equal finding count and "
                "group."
            ),
        ),
    ] = True,
    questions: Annotated[
        str,
        typer.Option(help="labels: a yes or no to each label; image: one to all, as in the paper."),
    ] = "labels",
    repeats: Annotated[
        float, typer.Option(help="Share of the images that each reader sees twice, 0 to 0.3.")
    ] = 0.1,
    readers_per_image: Annotated[
        int, typer.Option(help="Share images out, this many readers each; 0: all read all.")
    ] = 0,
    anchors: Annotated[
        int, typer.Option(help="With --readers-per-image: images that everybody reads.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Decides the images and every reader's order.")] = 0,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Tell readers which were PIEs once they have closed.")
    ] = False,
    owner: Annotated[
        str,
        typer.Option(
            help="E-mail of the researcher who owns it; otherwise only administrators see it."
        ),
    ] = "",
) -> None:
    """Draw PIEs and other images of a finished study for readers to judge, blinded."""
    from core.people.access import LOCAL
    from core.reader_study import database, design, results
    from core.reader_study import words as reader_words
    from core.study import store

    wanted = design.plan(
        name=name,
        readers=tuple(reader),
        n_pies=pies,
        n_non_pies=pies if non_pies is None else non_pies,
        sparsity=sparsity,
        matched=matched,
        form=questions,
        repeats=repeats,
        readers_per_image=readers_per_image,
        anchors=anchors,
        seed=seed,
        reveal=reveal,
    )
    whose = design.reader_address(owner or LOCAL.email)
    made = database.create(store.find_study(study), wanted, whose)
    typer.echo(f"{made.name} is ready for {len(wanted.readers)} readers.")
    typer.echo(reader_words.made(made, results.image_table(made)))
    share = readers_per_image or len(wanted.readers)
    if share >= 2:
        typer.echo(_power_sentence(share, wanted.n_pies, shared=bool(readers_per_image)))
    typer.echo('They find it under "Reader study" in the dashboard: prunescope serve')


@reader_study.command(
    epilog="Example: prunescope reader-study size --difference 0.5 --readers 4 --readers 8"
)
def size(
    difference: Annotated[float, typer.Option(help="Difference to find, in points of 1 to 5.")] = (
        0.5
    ),
    readers: Annotated[
        list[int] | None,
        typer.Option(min=2, max=100, help="Number of readers; repeat the option for several."),
    ] = None,
    pies: Annotated[
        list[int] | None,
        typer.Option(
            min=2,
            max=500,
            help="Number of PIEs, each with a non-PIE like it; repeat for several.",
        ),
    ] = None,
    image_sd: Annotated[float, typer.Option(min=0, help="Standard deviation over images.")] = 0.5,
    reader_sd: Annotated[
        float, typer.Option(min=0, help="Standard deviation over readers of the difference.")
    ] = 0.2,
    reading_sd: Annotated[
        float, typer.Option(min=0, help="Standard deviation of one reading.")
    ] = 0.8,
) -> None:
    """Show how many readers and images it takes: the power of simulated reader studies."""
    from core.analysis import reader_power

    spread = reader_power.Spread(image_sd, reader_sd, reading_sd)
    table = reader_power.ReaderPower(difference, spread)(
        readers or reader_power.N_READERS, pies or reader_power.N_PAIRS
    )
    typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.2f}"))
    typer.echo("Below 4 readers the result would be about these readers only.")


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


def _power_sentence(n_readers: int, n_pies: int, shared: bool) -> str:
    from core.analysis import reader_power
    from core.reader_study import words as reader_words

    (row,) = reader_power.ReaderPower()((n_readers,), (n_pies,)).to_dict("records")
    return reader_words.power(row, reader_power.DIFFERENCE, shared)


def _echo(table: pd.DataFrame) -> None:
    """One block a question on a terminal, where fifteen columns are too wide; else one table."""
    if sys.stdout.isatty():
        for _, row in table.iterrows():
            typer.echo("\n" + row.to_string())
    else:
        typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
