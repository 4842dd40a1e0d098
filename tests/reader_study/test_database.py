"""Answers are kept the moment they are given, with their history, and survive a killed process."""

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.errors import InputError, WorkError
from core.people.access import ReadingClaim
from core.reader_study import database, readings, results, schema
from core.study import paths
from core.wording.questions import FORMS, IMAGE
from tests.reader_study.toy_readings import READERS, answer_all, write_reader_study

ROOT = Path(__file__).parents[2]
ADA = READERS[0]


@pytest.fixture
def of():
    return write_reader_study()


def test_looking_leaves_nothing_behind(cache):
    assert database.reader_studies() == []
    assert database.invitations(ADA) == []
    assert readings.to_read(ReadingClaim(1, 0, ADA, ADA)) is None
    assert not database.read_by_name()
    assert not paths.reader_database().exists()


def test_a_made_study_is_found_and_its_name_is_taken(of):
    assert database.find("first") == of
    assert [one.name for one in database.reader_studies(of.study_id)] == ["first"]
    assert database.reader_studies("another") == []
    with pytest.raises(InputError, match="There is a reader study 'first' already"):
        write_reader_study(paths.studies_dir() / of.study_id)
    with pytest.raises(InputError, match="There are: first"):
        database.find("second")


def test_an_answer_counts_at_once_and_a_changed_one_keeps_its_history(of):
    for value in (2, 4, 4, 3):
        readings.answer(of, ADA, 0, "difficulty", value, None)
    assert readings.sheet(of, ADA).given == {0: {"difficulty": 3}}
    assert list(results.history_table(of)["value"]) == [2, 4, 3], "the same again adds nothing"
    (latest,) = results.answer_table(of).itertuples()
    assert (latest.value, latest.n_changes, latest.reader) == (3, 2, "reader 1")


def test_two_tabs_that_answer_together_make_no_double_rows(of):
    """The last one counts; every different answer is in the history, in one order."""
    start = threading.Barrier(8)

    def tab(value):
        start.wait()
        for question in FORMS[IMAGE]:
            readings.answer(of, ADA, 3, question, value if question != "label_correct" else 1, None)

    tabs = [threading.Thread(target=tab, args=(1 + n % 2,)) for n in range(8)]
    for one in tabs:
        one.start()
    for one in tabs:
        one.join()
    history = results.history_table(of)
    for question, rows in history.groupby("question"):
        values = list(rows["value"])
        assert all(a != b for a, b in itertools.pairwise(values))
        assert readings.sheet(of, ADA).given[3][question] == values[-1]
    assert len(results.answer_table(of)) == 3


def test_a_reader_goes_on_where_they_were(of):
    order = readings.sheet(of, ADA).order
    for place in (0, 1):
        readings.show(of, ADA, order[place])
        for name in FORMS[IMAGE]:
            readings.answer(of, ADA, order[place], name, 1, None)
    assert readings.sheet(of, ADA).place == 2
    readings.show(of, ADA, order[6])
    assert readings.sheet(of, ADA).place == 6, "they had gone ahead"
    answer_all(of, ADA)
    assert readings.sheet(of, ADA).next_open(0) is None


def test_seconds_run_from_showing_to_the_last_answer_and_visits_add(of):
    with schema.writing() as connection:
        for number, (shown, given) in enumerate([(100.0, 130.0), (1000.0, 1012.5)], start=1):
            row = {"id": number, "reader_study": of.id, "reader": ADA, "position": 2}
            connection.execute(schema.showings.insert().values(row | {"shown_at": shown}))
            for at, (name, value) in enumerate([("image_quality", 2), ("difficulty", number)]):
                row = {"reader_study": of.id, "reader": ADA, "position": 2, "question": name}
                row |= {"value": value, "showing": number, "given_at": given - 5 + 5 * at}
                connection.execute(schema.answers.insert().values(row))
    assert set(results.answer_table(of)["seconds"]) == {30 + 12.5}


@pytest.mark.parametrize(
    ("question", "value"), [("difficulty", 0), ("difficulty", 6), ("label_correct", 2), ("x", 1)]
)
def test_what_cannot_be_an_answer_is_refused(of, question, value):
    with pytest.raises(InputError, match=question):
        readings.answer(of, ADA, 0, question, value, None)
    with pytest.raises(InputError, match="has no image 99"):
        readings.answer(of, ADA, 99, "difficulty", 1, None)


def test_only_invited_readers_read_and_only_their_images_are_theirs(of):
    image = readings.judged(of, 0).image_id
    assert readings.to_read(ReadingClaim(of.id, 0, ADA, ADA)) == (of.study_id, image)
    for other in (
        ReadingClaim(of.id, 0, "eve@clinic.org", "eve@clinic.org"),
        ReadingClaim(of.id, 99, ADA, ADA),
        ReadingClaim(of.id + 1, 0, ADA, ADA),
    ):
        assert readings.to_read(other) is None
    for act in (readings.sheet, lambda o, r: readings.show(o, r, 0), readings.revealed):
        with pytest.raises(InputError, match="You are not, or no longer, a reader"):
            act(of, "eve@clinic.org")
    with pytest.raises(InputError, match="You are not"):
        readings.answer(of, "eve@clinic.org", 0, "difficulty", 1, None)


def test_a_removed_reader_is_left_out_and_comes_back_with_what_was_answered(of):
    answer_all(of, ADA)
    answer_all(of, "local", shift=1)
    database.remove(of, ADA)
    assert database.invitations(ADA) == []
    assert readings.to_read(ReadingClaim(of.id, 0, ADA, ADA)) is None
    given = results.answer_table(of)
    assert set(given["reader"]) == {"reader 1", "reader 2"}
    assert set(results.counted(given)["reader"]) == {"reader 2"}
    assert results.results(given)["n_pie"].tolist() == [5, 5, 5]
    database.invite(of, [ADA, "new@clinic.org"])
    assert readings.sheet(of, ADA).n_complete == 10
    assert [(r.address, r.number) for r in database.invited(of)][-1] == ("new@clinic.org", 4)
    assert results.results(results.answer_table(of))["n_pie"].tolist() == [10, 10, 10]


def test_a_reader_study_is_frozen_by_its_first_answer(of):
    spare = write_reader_study(paths.studies_dir() / of.study_id, name="spare")
    readings.show(spare, ADA, 0)
    database.delete_unread(spare)
    assert [one.name for one in database.reader_studies()] == ["first"]
    readings.answer(of, ADA, 0, "difficulty", 1, None)
    assert database.is_frozen(of)
    with pytest.raises(InputError, match="can no longer be changed or deleted"):
        database.delete_unread(of)


def test_pies_are_revealed_only_to_a_reader_who_has_closed(of):
    told = write_reader_study(paths.studies_dir() / of.study_id, name="told", reveal=True)
    for one in (of, told):
        with pytest.raises(InputError, match="10 images still lack an answer"):
            readings.close(one, ADA)
        answer_all(one, ADA)
        assert readings.revealed(one, ADA) == {}
        readings.close(one, ADA)
        with pytest.raises(InputError, match="closed your readings"):
            readings.answer(one, ADA, 0, "difficulty", 1, None)
    assert readings.revealed(of, ADA) == {}
    truth = dict(enumerate(results.image_table(told)["is_pie"]))
    assert readings.revealed(told, ADA) == truth
    assert readings.revealed(told, "local") == {}


def test_an_answer_that_did_not_reach_the_database_is_an_error_and_not_kept(of):
    with sqlite3.connect(paths.reader_database()) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE INSERT ON answer BEGIN SELECT RAISE(ABORT, 'disk'); END"
        )
    with pytest.raises(WorkError, match=r"could not save it \(disk\)"):
        readings.answer(of, ADA, 0, "difficulty", 1, None)
    assert readings.sheet(of, ADA).given == {}


def test_the_database_keeps_a_commit_through_a_power_cut(of):
    with schema.reading() as connection:
        for setting, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert connection.exec_driver_sql(f"PRAGMA {setting}").scalar() == value


def test_an_address_that_is_no_database_is_refused(monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_READER_DATABASE", "mysql://somewhere")
    with pytest.raises(InputError, match="starts with 'mysql'"):
        database.find("first")
    monkeypatch.setenv("PRUNESCOPE_READER_DATABASE", "postgresql://me:hidden@127.0.0.1:1/readings")
    assert schema.database_address().startswith("postgresql+psycopg://")
    with pytest.raises(WorkError) as refused:
        database.reader_studies()
    assert "hidden" not in str(refused.value)
    assert readings.to_read(ReadingClaim(1, 0, ADA, ADA)) is None


READING_PROCESS = """
import sys
from core.reader_study import database, readings
from core.wording.questions import FORMS, IMAGE
of, reader = database.find("first"), sys.argv[1]
for position in readings.sheet(of, reader).order * 1000:
    showing = readings.show(of, reader, position)
    for question in readings.sheet(of, reader).asked[position].values():
        held = readings.sheet(of, reader).given.get(position, {}).get(question.name)
        value = next(v for v in question.answers if v != held)
        readings.answer(of, reader, position, question.name, value, showing)
        print(position, question.name, value, flush=True)
"""


def test_no_given_answer_is_lost_when_the_process_is_killed(of):
    """A real process that answers without a pause, killed with SIGKILL, again and again."""
    told = []
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", READING_PROCESS, ADA],
            cwd=ROOT,
            env=os.environ | {},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(15):
            told.append(process.stdout.readline().split())
        time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        told += [line.split() for line in process.stdout if line.endswith("\n")]  # whole ones
        process.wait()
    history = results.history_table(of)
    images = results.image_table(of)["image_id"]
    kept = list(zip(history["image_id"], history["question"], history["value"], strict=True))
    at = 0
    for position, question, value in told:
        at = kept.index((images[int(position)], question, int(value)), at) + 1
    assert len(told) >= 45
    assert len(kept) - len(told) <= 3, "at most the answer under way at each kill is untold"
    with sqlite3.connect(paths.reader_database()) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_exports_explain_every_column_and_hold_no_address(of, tmp_path):
    for reader in READERS:
        answer_all(of, reader, shift=len(reader))
    for suffix in (".csv", ".parquet"):
        written = results.export_study(of, tmp_path / "out", suffix)
        assert {path.suffix for path in written} == {suffix}
    tables = results.export_tables(of)
    explained = tables.pop("codebook")
    assert explained["meaning"].str.len().min() > 10
    for name, table in tables.items():
        assert list(explained.loc[explained["table"] == name, "column"]) == list(table.columns)
    text = "".join(path.read_text() for path in (tmp_path / "out").glob("*.csv"))
    assert "@" not in text
    assert len(tables["answers"]) == 3 * 10 * 3
    with pytest.raises(InputError, match="allowed are"):
        results.export_study(of, tmp_path, ".xlsx")


def test_exports_of_an_unread_study_are_empty_tables(of):
    tables = results.export_tables(of)
    assert len(tables["answers"]) == len(tables["history"]) == 0
    assert len(tables["images"]) == 10
    assert tables["results"]["mixed_p"].isna().all()
