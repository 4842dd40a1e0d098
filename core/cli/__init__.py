"""The `prunescope` command. Every command is one call into core, imported where it is needed.

A file of commands hangs its own into `command.app`; `--help` lists them in the order below.
"""

from core.cli import demo, studies, checkpoints, jobs, reader_study, serving, access, looking  # noqa: F401, I001
from core.cli.command import app


def main() -> None:
    """What the console command calls."""
    app()
