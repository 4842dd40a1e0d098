"""The tables of reader studies, and the transactional database they lie in; with them lie the views
that people save, for this is the database that is backed up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
)
from sqlalchemy.exc import SQLAlchemyError

from core.errors import InputError, WorkError
from core.study.environment import READER_DATABASE, environment
from core.study.paths import reader_database

SECONDS_TO_WAIT_FOR_A_LOCK = 10

metadata = MetaData()
studies = Table(
    "reader_study",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("study_id", String(80), nullable=False),
    Column("sparsity", Float, nullable=False),
    Column("matched", Boolean, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("reveal", Boolean, nullable=False),
    Column("created_by", String(320), nullable=False),
    Column("created_at", Float, nullable=False),
    # What `database.Design` holds; null in those made before there was a choice.
    Column("design", JSON),
)
# `position` is a place in an order that says nothing; the order each reader sees is their own.
images = Table(
    "reader_study_image",
    metadata,
    Column("reader_study", ForeignKey("reader_study.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("image_id", String, nullable=False),
    Column("is_pie", Boolean, nullable=False),
    Column("labelled", JSON, nullable=False),
    Column("finding_count", Integer, nullable=False),
    Column("group", String(10), nullable=False),
    # Null where images are not matched, or, for the block, where every reader reads the image.
    Column("pair", Integer),
    Column("matched_on", String(20)),
    Column("block", Integer),
    UniqueConstraint("reader_study", "image_id"),
)
readers = Table(
    "reader_study_reader",
    metadata,
    Column("reader_study", ForeignKey("reader_study.id"), primary_key=True),
    Column("reader", String(320), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("removed_at", Float),
    Column("closed_at", Float),
    UniqueConstraint("reader_study", "number"),
)
# The next two are only ever added to. Times are seconds since 1970, UTC, of the server's clock. A
# position from the number of images on is that of an image shown for the second time, see
# `schedule.reader_order`.
showings = Table(
    "showing",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reader_study", ForeignKey("reader_study.id"), nullable=False, index=True),
    Column("reader", String(320), nullable=False),
    Column("position", Integer, nullable=False),
    Column("shown_at", Float, nullable=False),
)
answers = Table(
    "answer",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reader_study", ForeignKey("reader_study.id"), nullable=False, index=True),
    Column("reader", String(320), nullable=False),
    Column("position", Integer, nullable=False),
    Column("question", String(40), nullable=False),
    Column("value", Integer, nullable=False),
    Column("showing", ForeignKey("showing.id")),
    Column("given_at", Float, nullable=False),
)
# What a person kept of a page of a study, see `core.actions.saved_views`.
saved_views = Table(
    "saved_view",
    metadata,
    Column("person", String(320), primary_key=True),
    Column("study_id", String(80), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("settings", JSON, nullable=False),
    Column("saved_at", Float, nullable=False),
)


@contextmanager
def writing() -> Iterator[Connection]:
    """One transaction: it is on disk when the block is left, or nothing of it is.

    Raises WorkError where the database refuses or cannot be reached.
    """
    try:
        with _engine(database_address()).begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise WorkError(
            f"The database of reader studies could not save it ({_cause(error)})."
        ) from error


@contextmanager
def reading() -> Iterator[Connection]:
    """A consistent look at the database. Raises WorkError where it cannot be reached."""
    try:
        engine = _engine(database_address()).execution_options(prunescope_reading=True)
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise WorkError(f"The database of reader studies cannot be read ({_cause(error)}).") from (
            error
        )


def nothing_kept() -> bool:
    """Whether there is no database yet: looking should leave nothing behind."""
    own = reader_database()
    return database_address() == f"sqlite:///{own}" and not own.exists()


def database_address() -> str:
    """SQLite below the cache folder, or what PRUNESCOPE_READER_DATABASE says."""
    address = environment().reader_database
    if not address:
        return f"sqlite:///{reader_database()}"
    kind, _, rest = address.partition("://")
    if kind in ("postgresql", "postgresql+psycopg"):
        return f"postgresql+psycopg://{rest}"
    if not address.startswith("sqlite:///"):
        raise InputError(
            f"{READER_DATABASE} starts with {kind!r}; allowed are addresses such as "
            "postgresql://user:password@host:5432/readings and sqlite:////folder/readings.sqlite."
        )
    return address


@lru_cache(maxsize=8)
def _engine(address: str) -> Engine:
    """One pool of connections per database and process; the tables are made on first use."""
    if address.startswith("sqlite"):
        if address == f"sqlite:///{reader_database()}":
            reader_database().parent.mkdir(parents=True, exist_ok=True)
        waiting = {"timeout": SECONDS_TO_WAIT_FOR_A_LOCK}
        engine = create_engine(address, connect_args=waiting)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = create_engine(address, pool_pre_ping=True)
    metadata.create_all(engine)
    _add_new_columns(engine)
    return engine


def _add_new_columns(engine: Engine) -> None:
    """Bring a database of an earlier version up to date. New columns may be null, and null says
    that a reader study was made before there was such a thing; nothing else is touched."""
    found = inspect(engine)
    for table in metadata.sorted_tables:
        there = {column["name"] for column in found.get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                _add(engine, column)


def _add(engine: Engine, column: Column) -> None:
    preparer = engine.dialect.identifier_preparer
    kind = column.type.compile(engine.dialect)
    table, name = preparer.quote(column.table.name), preparer.quote(column.name)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
    except SQLAlchemyError:
        # Another process of the same version may have been quicker.
        if column.name not in {c["name"] for c in inspect(engine).get_columns(column.table.name)}:
            raise


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # We begin transactions ourselves, see _begin_sqlite.
    connection.isolation_level = None
    cursor = connection.cursor()
    # FULL: a commit has reached the disk when it returns, also if the power fails then.
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: two writers wait for each other at the start, and never fail half-way.
    reads = connection.get_execution_options().get("prunescope_reading")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _cause(error: SQLAlchemyError) -> str:
    # The driver's own words: SQLAlchemy's repeat the statement with a person's answer in it.
    return str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
