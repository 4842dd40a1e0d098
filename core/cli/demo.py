"""The command a visitor starts with, and so the first in the list."""

from __future__ import annotations

from typing import Annotated

import typer

from core.cli.command import Host, Port, app


@app.command(epilog="Example: prunescope demo --no-serve")
def demo(
    serve: Annotated[bool, typer.Option(help="Open the dashboard and work behind it.")] = True,
    host: Host = "127.0.0.1",
    port: Port = None,
) -> None:
    """Run the demonstration study on synthetic X-rays, and show it."""
    from core.cli.serving import open_dashboard
    from core.cli.studies import read_study, run_here, submit

    config = read_study("demo", ())
    if serve:
        submit(config)
        open_dashboard(host, port)
    else:
        run_here(config)
