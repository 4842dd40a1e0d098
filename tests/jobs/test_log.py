"""The log of a job: short lines of our own, bounded."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from core.jobs import log
from core.study.paths import job_log_path


def test_a_log_is_bounded_and_holds_neither_tracebacks_nor_what_other_libraries_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "LARGEST_BYTES", 2000)
    logging.getLogger().setLevel(logging.INFO)
    with log.kept(tmp_path):
        for number in range(200):
            log.log.info("line %d\nof two", number)
        logging.getLogger("sqlalchemy.engine").info("postgresql://me:secret@host/jobs")
        try:
            raise ValueError("password")
        except ValueError:
            log.log.exception("it failed")
    log.log.info("after the job")
    lines = log.newest_lines(tmp_path)
    assert lines[-1].endswith("it failed")
    assert "line 199 of two" in lines[-2]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5000
    text = "".join(path.read_text() for path in tmp_path.glob("job.log*"))
    assert "secret" not in text
    assert "Traceback" not in text
    assert job_log_path(tmp_path).exists()
