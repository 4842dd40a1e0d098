"""Durable background jobs: anyone submits, one worker works, and a killed worker's job goes on.

DBOS keeps only which job exists, who asked for it and how it ended. How far a job is stands in its
study's own folder (core.study.progress): DBOS takes events between steps only, and a study is one
long step, since the engine itself continues from what it finds on disk.

One worker at a time: a worker holds a lock file in the cache folder, a second one stands by until
it is free. So recovery, which takes up what the executor named "local" left, never takes a job
from a living worker. DBOS hands each queued job to one taker, and the engine locks each study;
those two hold even where somebody removes the lock file.
"""

from core.jobs.locks import is_locked, worker_lock_path, worker_running
from core.jobs.queue import (
    UNFINISHED,
    Job,
    Status,
    cancel,
    config_of,
    delete,
    find,
    jobs,
    resume,
    submit,
)

__all__ = [
    "UNFINISHED",
    "Job",
    "Status",
    "cancel",
    "config_of",
    "delete",
    "find",
    "is_locked",
    "jobs",
    "resume",
    "submit",
    "worker_lock_path",
    "worker_running",
]
