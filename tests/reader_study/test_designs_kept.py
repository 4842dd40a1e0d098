"""Labels asked one by one, images shown twice, blocks, and databases of the version before."""

import sqlite3

import pytest

from core.errors import InputError
from core.people.access import ReadingClaim
from core.reader_study import database, readings, results, schema
from core.reader_study.database import Design
from core.study import paths
from tests.reader_study.toy_readings import READERS, answer_all, write_reader_study

ADA = READERS[0]
NEW = {"matched": True, "form": "labels", "repeats": 0.2}


def test_a_yes_or_no_to_each_label_and_a_second_look_at_some_images():
    of = write_reader_study(**NEW)
    assert of.design == Design("labels", 0.2, 0, 0, of.design.n_passed_over)
    known = readings.sheet(of, ADA)
    assert len(known.order) == 12
    truth = results.image_table(of)
    for position in known.order:
        labelled = readings.judged(of, position).labelled
        assert labelled == [name for name in truth["labels"][position % 10].split("|") if name]
        assert len(known.asked[position]) == len(labelled) + 2
        assert [one.asked for one in known.asked[position].values()][: len(labelled)] == [
            "Is the image free of findings?"
            if name == "No Finding"
            else f"Does the image show {name}?"
            for name in labelled
        ]
    answer_all(of, ADA)
    assert readings.sheet(of, ADA).n_complete == 12
    given = results.answer_table(of)
    assert set(given["question"]) == {"label_shown", "image_quality", "difficulty"}
    shown = given[given["question"] == "label_shown"]
    assert shown["label"].notna().all()
    assert given.loc[given["question"] != "label_shown", "label"].isna().all()
    again = given[given["again"]]
    assert set(again["image_id"]) == {truth["image_id"][at - 10] for at in known.order if at >= 10}
    first = given[~given["again"]]
    assert first.groupby("image_id")["question"].nunique().ge(2).all()
    assert first["image_id"].nunique() == 10
    assert given["pair"].nunique() == 5


def test_the_results_count_first_looks_and_compare_them_with_the_second():
    of = write_reader_study(**NEW)
    for shift, reader in enumerate(READERS):
        answer_all(of, reader, shift)
    table = results.results(results.answer_table(of)).set_index("question")
    assert table.loc["image_quality", "n_pie"] == 15
    assert table.loc["image_quality", "n_repeats"] == 6
    by_reader = results.results_by_reader(results.answer_table(of))
    assert (by_reader["n_pie"] + by_reader["n_non_pie"] <= 10).all()


def test_readers_share_the_images_by_blocks_and_read_no_others():
    of = write_reader_study(
        matched=True, form="labels", repeats=0.0, readers_per_image=2, anchors=2
    )
    orders = {reader: set(readings.sheet(of, reader).order) for reader in READERS}
    counts = [sum(at in order for order in orders.values()) for at in range(10)]
    assert sorted(counts) == [2] * 8 + [3] * 2
    truth = results.image_table(of)
    assert (truth.groupby("pair")["block"].nunique(dropna=False) == 1).all()
    (elsewhere,) = list(set(range(10)) - orders[ADA])[:1]
    assert readings.to_read(ReadingClaim(of.id, elsewhere, ADA, ADA)) is None
    with pytest.raises(InputError, match=f"has no image {elsewhere}"):
        readings.answer(of, ADA, elsewhere, "difficulty", 1, None)
    assert results.reader_table(of)["n_images"].tolist() == [len(o) for o in orders.values()]
    database.invite(of, ["late@clinic.org"])
    assert set(readings.sheet(of, "late@clinic.org").order) == orders[ADA], (
        "the circle begins again"
    )


def test_blocks_hold_as_many_pies_as_others_where_images_are_not_matched():
    of = write_reader_study(n_pies=9, n_non_pies=9, repeats=0.0, readers_per_image=2)
    truth = results.image_table(of)
    assert (truth.groupby("block")["is_pie"].agg(["sum", "size"]) == [3, 6]).all(axis=None)


def _as_it_was(of) -> None:
    """The database as the version before made it: without the columns that came later."""
    schema._engine(schema.database_address()).dispose()
    schema._engine.cache_clear()
    with sqlite3.connect(paths.reader_database()) as old:
        old.execute("ALTER TABLE reader_study DROP COLUMN design")
        for column in ("pair", "matched_on", "block"):
            old.execute(f'ALTER TABLE reader_study_image DROP COLUMN "{column}"')


def test_a_database_of_the_version_before_opens_and_its_studies_stay_as_they_were():
    of = write_reader_study()
    answer_all(of, ADA)
    order, given = readings.sheet(of, ADA).order, results.answer_table(of)
    _as_it_was(of)
    (found,) = database.reader_studies()
    assert found.design == Design() == Design("image", 0.0, 0, 0, 0)
    known = readings.sheet(found, ADA)
    assert known.order == order
    assert known.n_complete == 10
    assert list(known.asked[0]) == ["label_correct", "image_quality", "difficulty"]
    assert results.answer_table(found).drop(columns="pair").equals(given.drop(columns="pair"))
    assert results.results(results.answer_table(found))["question"].iloc[0] == "label_correct"
    write_reader_study(paths.studies_dir() / of.study_id, name="new", **NEW)
    assert {one.design.form for one in database.reader_studies()} == {"image", "labels"}


def test_two_processes_may_bring_a_database_up_to_date_together():
    of = write_reader_study()
    _as_it_was(of)
    first = schema._engine(schema.database_address())
    schema._engine.cache_clear()
    column = schema.images.c.pair
    schema._add(first, column)  # is there already, as if the other had been quicker
    assert database.find("first").design == Design()


def test_somebody_is_invited_by_name():
    of = write_reader_study(readers=("Anna", "local"))
    assert [one.address for one in database.invited(of)] == ["anna", "local"]
    assert database.read_by_name()
    database.remove(of, "anna")
    assert not database.read_by_name()
