"""Commands about who did what, and about taking a study away."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from core.cli.account import who
from core.cli.command import Study, app
from core.errors import InputError


@app.command(epilog="Example: prunescope audit --since 2026-11-01 --person ann@clinic.org")
def audit(
    since: Annotated[
        datetime | None, typer.Option(help="From this day or moment on, in UTC.")
    ] = None,
    person: Annotated[str | None, typer.Option(help="An e-mail address.")] = None,
) -> None:
    """Print the audit log: sign-ins, X-rays opened, exports, deletions and what was refused."""
    from core.people.audit import lines

    whose = person.strip().lower() if person else None
    for line in lines(since.replace(tzinfo=UTC) if since else None, whose):
        typer.echo("\t".join(_printable(value) for value in line.values()))


@app.command(epilog="Example: prunescope delete demo --yes")
def delete(
    study: Study,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a study's models, predictions and tables for good. Images stay."""
    from core.actions.deletion import delete_study
    from core.study.store import find_study

    folder = find_study(study)
    if not yes and not typer.confirm(f"Delete {folder} for good?"):
        raise InputError("Nothing was deleted.")
    delete_study(folder, who())
    typer.echo(f"{study} is deleted.")


def _printable(value: object) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value))
