"""How far the work is, on a terminal and in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from core.study.progress import Advance, Report

SECONDS_BETWEEN_LINES = 10.0


def say(line: str) -> None:
    """Progress goes to standard error, so that a table can be piped on."""
    typer.echo(line, err=True)


def show(table: Table) -> None:
    """Piped output keeps whole lines, so that grep and awk find what a person sees."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 10_000
    Console(width=width, highlight=False, markup=False).print(table)


@contextmanager
def progress_shown(name: str) -> Iterator[Callable[[Report], None]]:
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
        say(f"{report.fraction:4.0%} {report.stage} {_note(report)}".rstrip())

    return write


def cell_writer() -> Advance:
    """A line every ten seconds, where reading predictions takes that long."""
    last = time.monotonic()

    def write(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            say(f"comparing with dense: {done} of {total} cells")

    return write


def _note(report: Report) -> str:
    if not report.total:
        return report.message
    note = f"{report.done}/{report.total} {report.unit}"
    left = report.stage_seconds_left
    return f"{note}, {left:.0f} s left" if left is not None and left >= 1 else note
