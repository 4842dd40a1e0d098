"""A study that a worker is at while the pages are measured: what `bench pages --with-job` adds.

The worker is a process of its own at its own niceness, as beside `prunescope serve`. Its study
trains and prunes networks on phantoms for longer than any measurement takes.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pandas as pd

from core import jobs
from core.errors import WorkError
from core.study import paths
from core.study.config import StudyConfig
from core.study.progress import read_progress

GOAL_MS = 300  # of every interaction together, at the 95th percentile, with a job running
SECONDS_TO_START = 300
STUDY = {
    "study": {"name": "bench-job"},
    "dataset": {"kind": "phantom", "n_patients": 200, "size": 64},
    "model": {"architecture": "resnet18", "image_size": 64},
    "training": {"epochs": 10_000, "patience": 10_000, "batch_size": 32},
    "runs": {"count": 1},
}


@contextmanager
def job_running(say: Callable[[str], None]) -> Iterator[int]:
    """A worker in the cache folder in force that trains all the while, its process id; nothing of
    it stays.

    Raises WorkError where it does not start, or has ended before the measurement.
    """
    config = StudyConfig.model_validate(STUDY)
    folder = paths.study_dir(config)
    if jobs.worker_running():
        raise WorkError("A worker is at work in this cache folder already. Stop it first.")
    job_id = jobs.submit(config, "local")
    worker = subprocess.Popen(
        [sys.executable, "-m", "core.cli", "worker", "--parent", str(os.getpid())],
        stderr=subprocess.DEVNULL,
    )
    try:
        say("Waiting for a worker to train")
        deadline = time.monotonic() + SECONDS_TO_START
        while not _trains(config):
            if worker.poll() is not None or time.monotonic() > deadline:
                raise WorkError(f"The worker's job does not run: {jobs.find(job_id)}")
            time.sleep(0.2)
        yield worker.pid
        if jobs.find(job_id).status != "running":
            raise WorkError(f"The job ended before the measurement: {jobs.find(job_id)}")
    finally:
        jobs.cancel(job_id)
        worker.send_signal(signal.SIGTERM)
        worker.wait()
        jobs.delete(config.id)
        for left in (folder, paths.images_dir(config.dataset)):
            if left:
                shutil.rmtree(left, ignore_errors=True)


def with_job_summary(table: pd.DataFrame, goal_ms: int = GOAL_MS) -> str:
    """Of the rows of a pages bench: how many interactions with values seen before, the worst
    median and the worst 95th percentile of any of them, and whether that meets the goal."""
    again = table[table["visit"] == "again"]
    slowest = again.loc[again["p95_ms"].idxmax()]
    met = "met" if slowest["p95_ms"] <= goal_ms else "not met"
    return (
        f"With a job running: {again['n'].sum()} interactions; slowest kind {slowest['page']}, "
        f"{slowest['interaction']}: p50 {slowest['p50_ms']} ms, p95 {slowest['p95_ms']} ms; "
        f"goal {goal_ms} ms: {met}"
    )


def _trains(config: StudyConfig) -> bool:
    report = read_progress(paths.study_dir(config))
    return bool(report and report.stage.startswith("Training") and report.done)
