"""Commands that open the dashboard and work in the background."""

from __future__ import annotations

from typing import Annotated

import typer

from core.cli.command import Host, Port, app


@app.command(epilog="Example: prunescope serve --port 8600")
def serve(
    host: Host = "127.0.0.1",
    port: Port = None,
    worker: Annotated[
        bool, typer.Option(help="Keep a worker beside the dashboard, or leave it to another.")
    ] = True,
) -> None:
    """Open the dashboard, with a worker for background studies beside it."""
    open_dashboard(host, port, worker)


@app.command(epilog="Example: prunescope worker")
def worker(parent: Annotated[int | None, typer.Option(hidden=True)] = None) -> None:
    """Work off the background studies, one at a time. `prunescope serve` starts one itself."""
    from core.jobs.worker import run_worker

    run_worker(parent)


def open_dashboard(host: str, port: int | None, worker: bool = True) -> None:
    from core.serve import serve

    serve(host, port, worker, say=typer.echo)
