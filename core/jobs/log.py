"""A job's log: one bounded file in its study's folder, in words that anybody who may see the study
may read."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from core.study.paths import job_log_path
from core.study.progress import Report
from core.wording.words import duration, progress

LARGEST_BYTES = 200_000  # then it is put aside as job.log.1, in place of the one before
SECONDS_BETWEEN_LINES = 30.0
NEWEST_LINES = 200
# What other libraries log may hold the database's address, and so a password.
OUR_LOGGERS = ("core.", "prunescope.")

log = logging.getLogger("prunescope.job")


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Append what our own loggers say meanwhile to the study's log. A log that cannot be written
    stops no job."""
    handler = _Quiet(
        job_log_path(folder), maxBytes=LARGEST_BYTES, backupCount=1, encoding="utf-8", delay=True
    )
    handler.setFormatter(_Line())
    handler.addFilter(lambda record: record.name.startswith(OUR_LOGGERS))
    handler.setLevel(logging.INFO)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


class StageLines:
    """Logs each new stage, every half minute how far it is, and how long it took."""

    def __init__(self) -> None:
        self._stage, self._began, self._last = "", 0.0, 0.0

    def __call__(self, report: Report) -> None:
        now = time.monotonic()
        if report.state == "running" and report.stage != self._stage:
            self._end_stage(now)
            self._stage, self._began, self._last = report.stage, now, now
            log.info("%s, stage %d of %d", report.stage, report.stage_number, report.n_stages)
        elif report.state == "running" and now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            log.info("%s", progress(report))
        elif report.state == "finished":
            self._end_stage(now)

    def _end_stage(self, now: float) -> None:
        if self._stage:
            log.info("%s took %s", self._stage, duration(now - self._began))


def newest_lines(folder: Path, n: int = NEWEST_LINES) -> list[str]:
    """The last lines of a study's log, oldest first; none where there is no log."""
    path = job_log_path(folder)
    lines: deque[str] = deque(maxlen=n)
    for part in (path.with_name(f"{path.name}.1"), path):
        try:
            with open(part, encoding="utf-8", errors="replace") as file:
                lines.extend(line.rstrip("\n") for line in file)
        except OSError:
            continue
    return list(lines)


class _Line(logging.Formatter):
    """One line a message, in UTC, and no traceback: that is in the worker's own log."""

    def format(self, record: logging.LogRecord) -> str:
        said = record.getMessage().replace("\n", " ")
        return f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%d %H:%M:%S} {said}"


class _Quiet(RotatingFileHandler):
    def emit(self, record: logging.LogRecord) -> None:
        # No study folder yet, or no longer: a log does not make one.
        if Path(self.baseFilename).parent.is_dir():
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name in logging
        """The job's own failure reports a full disk."""
