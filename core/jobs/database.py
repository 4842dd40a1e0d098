"""The database of jobs, through DBOS' own client."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from core.errors import InputError, WorkError
from core.study.environment import JOBS_DATABASE, environment
from core.study.paths import jobs_database

if TYPE_CHECKING:  # dbos takes more than half a second to import; the dashboard starts without it
    from dbos import DBOSClient

APPLICATION = "prunescope"
QUEUE = "studies"
WORKFLOW = "run-study"
# Recovery asks for an equal version; raise it only when old settings can no longer be read.
VERSION = "1"


def database_url() -> str:
    url = environment().jobs_database
    if not url:
        return f"sqlite:///{jobs_database()}"
    if not url.startswith(("postgresql://", "postgresql+psycopg://", "sqlite:///")):
        kind = url.partition(":")[0]
        raise InputError(
            f"{JOBS_DATABASE} starts with {kind!r}; allowed are addresses such as "
            "postgresql://user:password@host:5432/prunescope and sqlite:////folder/jobs.sqlite."
        )
    return url


def shown_database() -> str:
    """The database's address without its password."""
    from sqlalchemy import make_url

    return make_url(database_url()).render_as_string(hide_password=True)


def nothing_submitted() -> bool:
    # Opening a SQLite database creates it; looking should leave nothing behind.
    return database_url() == f"sqlite:///{jobs_database()}" and not jobs_database().exists()


@contextmanager
def open_client() -> Iterator[DBOSClient]:
    """A client for one question (6 ms), so that no connection outlives a replaced database.

    Brings the tables up to date first (3 ms): a client may come before the first worker.
    Raises WorkError where the database does not answer, or its disk is full.
    """
    from dbos import DBOS, DBOSClient
    from sqlalchemy.exc import DBAPIError

    logging.getLogger("dbos").setLevel(logging.WARNING)
    url = database_url()
    if url.startswith("sqlite"):
        jobs_database().parent.mkdir(parents=True, exist_ok=True)
    try:
        DBOS.migrate(url)
        client = DBOSClient(
            system_database_url=url, application_name=APPLICATION, retry_connection_errors=False
        )
        try:
            yield client
        finally:
            client.destroy()
    except DBAPIError as error:
        raise WorkError(f"The jobs database {shown_database()} fails: {error.orig}") from error


def rows(client: DBOSClient, **filters: Any) -> list[Any]:
    return client.list_workflows(name=WORKFLOW, **filters)


def row(client: DBOSClient, job_id: str) -> Any:
    found = rows(client, workflow_ids=[job_id])
    if not found:
        raise InputError(f"There is no job {job_id!r}. The command prunescope jobs lists them.")
    return found[0]
