"""The command itself: what every file of commands hangs its own into, and errors as sentences."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from core.errors import InputError, WorkError


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
StudyFile = Annotated[str, typer.Argument(metavar="STUDY.toml", show_default=False)]
Study = Annotated[str, typer.Argument(help="Name, as in `prunescope studies`.")]
Background = Annotated[
    bool, typer.Option("--background", help="Leave it to the worker of `prunescope serve`.")
]
TAKEN_UP = "The worker of `prunescope serve` takes it up, now or once it runs."
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
