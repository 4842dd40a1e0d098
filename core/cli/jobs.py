"""Commands of background jobs: what waits, runs and has ended, and what to do about it."""

from __future__ import annotations

from typing import Annotated

import typer

from core.cli.account import who
from core.cli.command import TAKEN_UP, app
from core.cli.terminal import show

jobs = typer.Typer(
    no_args_is_help=True,
    help="Look after background jobs: list, cancel, resume.",
    epilog="Example: prunescope jobs list",
)
app.add_typer(jobs, name="jobs")

JobId = Annotated[str, typer.Argument(metavar="JOB", help="As in `prunescope jobs list`.")]


@jobs.command("list", epilog="Example: prunescope jobs list")
def list_jobs() -> None:
    """List the jobs, newest first: what waits, what runs, how each ended and why."""
    from rich.table import Table

    from core.jobs import jobs
    from core.jobs.words import by_whom, how_far, how_long, when

    table = Table("job", "state", "by", "submitted (UTC)", "time", "", box=None, pad_edge=False)
    for job in jobs():
        table.add_row(
            job.id, job.status, by_whom(job), when(job.submitted), how_long(job), how_far(job)
        )
    if not table.row_count:
        typer.echo("There are no jobs. Start one with: prunescope run demo --background")
        return
    show(table)


@jobs.command(epilog="Example: prunescope jobs cancel demo-786b16a3.1")
def cancel(job: JobId) -> None:
    """Stop a job that waits or runs, within seconds; what it has finished is kept."""
    from core.jobs import cancel, find
    from core.jobs.words import OVER

    before = find(job).status
    if before in OVER:
        typer.echo(f"{job} is {before} already.")
        return
    cancel(job)
    typer.echo(f"{job} is cancelled. To go on: prunescope jobs resume {job}")


@jobs.command(epilog="Example: prunescope jobs resume demo-786b16a3.1")
def resume(job: JobId) -> None:
    """Go on with a job that was cancelled or failed; nothing finished is done twice."""
    from core.jobs import resume

    new = resume(job, who())
    typer.echo(f"{new} is in the queue." if new != job else f"{job} has not ended yet.")
    typer.echo(TAKEN_UP)
