"""The reading page tells a reader nothing of any model; the results page is for researchers."""

import json
import re
import sqlite3

import pytest
from streamlit.testing.v1 import AppTest

from core.people import access
from core.people.access import Person
from core.reader_study import database, readings, results
from core.study import paths
from core.study.store import find_study
from core.ui import people, plain
from core.ui.reader_study import room as reading_room
from core.wording import words
from core.wording.questions import FORMS, IMAGE
from tests.pages.test_pages import open_page, said
from tests.reader_study.toy_readings import answer_all, write_reader_study
from tests.toys import write_toy_study

READ = "reader_study.py"
RESULTS = "reader_results.py"
LOCAL = access.LOCAL.email


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    monkeypatch.delenv("PRUNESCOPE_READER_DATABASE", raising=False)
    # A test presses faster than any reader.
    monkeypatch.setattr(reading_room, "SLIP_SECONDS", 0.0)


@pytest.fixture
def of():
    return write_reader_study()


def sign_in(monkeypatch, email: str, role: str) -> None:
    """Another person at the browser; who that is, is the business of tests/test_access."""
    person = Person(email, role)
    monkeypatch.setattr(people, "look", lambda: person)


def choice(at, name, value):
    """The button of an answer about the image in view."""
    (found,) = (b for b in at.button if (b.key or "").startswith(f"{name}-{value}-"))
    return found


def answer(at, *values):
    """Press an answer to each question of the image in view."""
    for name, value in zip(FORMS[IMAGE], values, strict=True):
        choice(at, name, value).click().run()
    return at


def walk(block):
    for child in block.children.values():
        yield from walk(child) if hasattr(child, "children") else [child]


def test_nothing_sent_to_a_reader_tells_a_pie_or_what_a_model_said(of):
    """Over all images, answered and not: the page and every field of it."""
    truth = results.image_table(of)
    at = open_page(READ)
    for _ in range(10):
        sent = "\n".join(f"{e.proto}\n{getattr(e, 'value', '')}" for e in walk(at.main))
        assert "Is the label correct?" in sent
        assert not re.search(r"\bpies?\b|non.?pie|exemplar", sent, re.IGNORECASE)
        assert not re.search("agreement|probabilit|predict|sparsity|pruned|dense", sent, re.I)
        assert not any(image_id in sent for image_id in truth["image_id"])
        answer(at, 1, 3, 2)
    assert "All images are answered" in "".join(e.value for e in at.success)


def test_pie_or_not_two_images_of_equal_labels_give_the_same_page(of):
    """Blinding as an equality: put the answers, the address and the number aside, and what is
    left of a PIE's page is what is left of a non-PIE's with the same labels."""
    at = open_page(READ)
    seen = {}
    order = readings.sheet(of, LOCAL).order
    truth = results.image_table(of)
    for place, position in enumerate(order):
        sent = "\n".join(str(e.proto) for e in walk(at.main))
        plain = re.sub(r"/xray/[^?]+|[Ii]mage \d+ of|\d+ of 10|value: \d+|id: .*|\d+-\d+", "", sent)
        plain = re.sub(r'id: "[^"]*"|disabled: true', "", plain)
        plain = "\n".join(line for line in plain.splitlines() if line.strip())
        seen.setdefault(truth["labels"][position], set()).add((truth["is_pie"][position], plain))
        if place < 9:
            at.session_state["reading_room"].go(place + 1)
            at.run()
    both = [pages for pages in seen.values() if len({pie for pie, _ in pages}) == 2]
    assert both, "the toy study has a PIE and a non-PIE of equal labels"
    for pages in both:
        assert len({plain for _, plain in pages}) == 1


def test_the_labels_to_judge_are_those_of_the_image(of):
    at = open_page(READ)
    for _ in range(4):
        room = at.session_state["reading_room"]
        position = readings.sheet(of, LOCAL).order[room.place]
        (line,) = [e.value for e in at.markdown if e.value.startswith("Labelled")]
        assert re.findall(r"\*\*(.+?)\*\*", line) == readings.judged(of, position).labelled
        answer(at, 0, 1, 5)


def test_an_answer_is_saved_before_the_next_thing_happens(of):
    at = open_page(READ)
    choice(at, "label_correct", 0).click().run()
    position = readings.sheet(of, LOCAL).order[0]
    assert readings.sheet(of, LOCAL).given == {position: {"label_correct": 0}}
    choice(at, "image_quality", 4).click().run()
    choice(at, "difficulty", 2).click().run()
    assert at.title[0].value == "Image 2 of 10"
    assert "Saved for image 1: label correct no, image quality 4, difficulty 2" in said(at).replace(
        "\\", ""
    )
    choice(at, "label_correct", 1).click().run()
    other = open_page(READ)
    assert other.title[0].value == "Image 2 of 10", "a new session goes on where the old one was"


def test_a_changed_answer_stays_on_the_image_and_keeps_its_history(of):
    at = answer(open_page(READ), 1, 1, 1)
    at.button(key=next(b.key for b in at.button if b.label == "Back")).click().run()
    assert at.title[0].value == "Image 1 of 10"
    choice(at, "difficulty", 5).click().run()
    assert at.title[0].value == "Image 1 of 10"
    assert list(results.history_table(of).query("question == 'difficulty'")["value"]) == [1, 5]


def test_a_failed_save_is_shown_and_not_counted(of):
    at = open_page(READ)
    with sqlite3.connect(paths.reader_database()) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE INSERT ON answer "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    choice(at, "label_correct", 1).click().run()
    assert "NOT saved" in at.error[0].value.replace("\\", "")
    assert "disk is full" in at.error[0].value.replace("\\", "")
    assert results.answer_table(of).empty
    with sqlite3.connect(paths.reader_database()) as other:
        other.execute("DROP TRIGGER full")
    choice(at, "label_correct", 1).click().run()
    assert not at.error
    assert len(results.answer_table(of)) == 1


def test_a_key_that_comes_too_soon_is_no_answer(of, monkeypatch):
    at = open_page(READ)
    monkeypatch.setattr(reading_room, "SLIP_SECONDS", 60.0)
    room = at.session_state["reading_room"]
    room.go(1)
    at.run()
    choice(at, "label_correct", 1).click().run()
    assert "was not counted" in said(at)
    assert results.answer_table(of).empty


def test_a_press_on_the_screen_before_answers_no_other_image(of):
    """Pressed on image 1, it arrives when the server has gone on to image 2 for a while: the
    browser had not drawn that one yet."""
    at = open_page(READ)
    late = choice(at, "label_correct", 0)
    at.session_state["reading_room"].go(1)
    at.run()
    assert at.title[0].value == "Image 2 of 10"
    late.click().run()
    assert "was not counted" in said(at)
    assert readings.sheet(of, LOCAL).given == {}
    second = readings.sheet(of, LOCAL).order[1]
    assert at.title[0].value == "Image 2 of 10"
    choice(at, "label_correct", 1).click().run()
    assert readings.sheet(of, LOCAL).given == {second: {"label_correct": 1}}


def test_a_reader_who_is_not_invited_sees_no_image(of, monkeypatch):
    sign_in(monkeypatch, "eve@clinic.org", "reader")
    at = open_page(READ)
    assert "There is nothing for you to read" in said(at)
    assert not any("/xray/" in str(element.proto) for element in walk(at.main))
    assert not at.button


def test_a_reader_of_two_reader_studies_reads_both_and_the_address_says_which(of):
    second = write_reader_study(find_study("toy"), name="second", n_pies=2, n_non_pies=2)
    for one, n in ((of, 10), (second, 4)):
        at = open_page(READ, **{"reader-study": one.name})
        assert at.title[0].value == f"Image 1 of {n}"
        answer(at, 1, 3, 2)
        assert readings.sheet(one, LOCAL).n_complete == 1
        assert at.query_params["reader-study"] in (one.name, [one.name])
    at.selectbox(key="reader-study").set_value(of.name).run()
    assert not at.exception
    assert at.title[0].value == "Image 2 of 10"


def test_a_removed_reader_sees_no_image_any_more(of):
    at = open_page(READ)
    database.remove(of, LOCAL)
    choice(at, "label_correct", 1).click().run()
    assert "There is nothing for you to read" in said(at)
    assert results.answer_table(of).empty


def test_closing_reveals_and_ends_changes():
    of = write_reader_study(reveal=True)
    answer_all(of, LOCAL)
    at = open_page(READ)
    label = "Close my readings and see what each image was"
    at.button(key=next(b.key for b in at.button if b.label == label)).click().run()
    position = readings.sheet(of, LOCAL).order[at.session_state["reading_room"].place]
    is_pie = results.image_table(of)["is_pie"][position]
    assert at.info[0].value.startswith(f"This image was {'a' if is_pie else 'not a'} PIE")
    assert choice(at, "difficulty", 1).disabled


def test_a_reader_does_not_see_results(of, monkeypatch):
    """Also where the page itself is run, past the list of pages that leaves it out."""
    answer_all(of, LOCAL)
    sign_in(monkeypatch, LOCAL, "reader")
    at = AppTest.from_file(f"../../pages/{RESULTS}", default_timeout=90).run()
    assert "This page is not for you" in said(at)
    assert not at.dataframe


@pytest.mark.parametrize("email", ["boss@clinic.org", "rival@clinic.org"])
def test_a_researcher_sees_their_own_reader_studies_alone(of, monkeypatch, email):
    """`of` is boss@clinic.org's; typing its name into the address helps nobody else."""
    answer_all(of, LOCAL)
    sign_in(monkeypatch, email, "researcher")
    at = open_page(RESULTS, **{"reader-study": of.name})
    text = said(at).replace("\\", "")
    tables = "".join(str(table.value) for table in at.dataframe)
    if email == "boss@clinic.org":
        assert "30 answers of 1 reader about 10 images" in text
        assert "ada@clinic.org" in tables
        return
    assert "A reader study asks people" in text, "the page of somebody who has none yet"
    assert not at.dataframe
    assert not re.search(r"ada@clinic|30 answers|boss@clinic", text + tables)
    assert "Delete this reader study" not in [b.label for b in at.button]


def test_a_reader_study_is_made_on_the_page():
    write_toy_study()
    at = open_page(RESULTS)
    assert "To draw from: 10 PIEs of 10 patients, 190 non-PIEs of 100" in said(at).replace("\\", "")
    at.text_area(key="rs-readers").set_value("local, Ada@clinic.org").run()
    at.number_input(key="rs-pies").set_value(4).run()
    text = said(at).replace("\\", "")
    assert "With 2 readers and 4 + 4 images, a difference of 0.5 points (of these readers)" in text
    at.button(key=next(b.key for b in at.button if b.label == "Make the reader study")).click()
    at.run()
    assert not at.error
    (made,) = database.reader_studies()
    assert [reader.address for reader in database.invited(made)] == ["local", "ada@clinic.org"]
    assert made.matched
    assert (made.design.form, made.design.repeats) == ("labels", 0.1)
    assert "matched (" in said(at).replace("\\", "")
    assert "No answers yet" in said(at)


def test_too_many_pies_are_refused_on_the_page():
    write_toy_study()
    at = open_page(RESULTS)
    at.text_area(key="rs-readers").set_value("local")
    at.checkbox(key="rs-matched").uncheck().run()
    at.number_input(key="rs-pies").set_value(11)
    at.button(key=next(b.key for b in at.button if b.label == "Make the reader study")).click()
    at.run()
    assert "has 10 PIEs" in at.error[0].value.replace("\\", "")
    assert database.reader_studies() == []


def test_results_are_told_with_n_and_what_is_missing(of):
    answer_all(of, LOCAL)
    at = open_page(RESULTS)
    text = said(at).replace("\\", "")
    assert "30 answers of 1 reader about 10 images; 1 of 3 readers has finished." in text
    assert "Too few to test" in text
    for shift, reader in enumerate(("ada@clinic.org", "grace@clinic.org"), start=1):
        answer_all(of, reader, shift)
    at = open_page(RESULTS)
    text = said(at).replace("\\", "")
    assert "90 answers of 3 readers about 10 images; 3 of 3 readers have finished." in text
    assert "Few answers: only very large differences would show." in text
    table = at.dataframe[0].value
    assert list(table.iloc[0]) == ["Readings of PIEs", "15", "15", "15"]
    expected = results.results(results.answer_table(of))["krippendorff_alpha"]
    alpha = table.set_index("").loc["Alpha between readers"]
    shown = [float(value.replace(words.MINUS, "-")) for value in alpha]
    assert shown == pytest.approx(expected.tolist(), abs=0.005)


def test_the_viewer_of_a_reader_knows_no_view_no_date_and_no_other_xray(of):
    """And calls images by their places."""
    at = open_page(READ)
    components = (json.loads(one.proto.json) for one in at.get("bidi_component") if one.proto.json)
    (given,) = [one for one in components if "priors" in one]
    assert given["priors"] == []
    for image in given["images"]:
        assert (image["corner"], image["label"]) == ("", "")
        assert re.fullmatch(r"image \d+ of \d+", image["image_id"])


def test_each_label_has_a_yes_or_no_of_its_own_and_the_keys_go_from_one_to_the_next():
    of = write_reader_study(form="labels", n_pies=10, n_non_pies=60)
    at = open_page(READ)
    known = readings.sheet(of, LOCAL)
    place = next(
        place for place, position in enumerate(known.order) if len(known.asked[position]) > 3
    )
    at.session_state["reading_room"].go(place)
    at.run()
    asked = known.asked[known.order[place]]
    for question in list(asked.values())[:-2]:
        assert plain(question.asked) in said(at)
        (yes,) = [b for b in at.button if b.key and b.key.startswith(f"{question.name}-1-")]
        assert yes.proto.shortcut == "y", "the label that is asked now has the keys"
        yes.click().run()
    assert not [b for b in at.button if b.proto.shortcut == "y"]
    room = at.session_state["reading_room"]
    labels = list(asked)[:-2]
    next(b for b in at.button if b.label == "Labels again").click().run()
    for name in labels:
        assert room.asking == name
        choice(at, name, 0).click().run()
    assert room.asking == ""
    given = readings.sheet(of, LOCAL).given[known.order[place]]
    assert given == dict.fromkeys(labels, 0)


def test_nothing_on_the_page_tells_that_an_image_was_there_before(monkeypatch):
    """Of an image and the same one again, place and address put aside, the pages are equal; and
    their addresses differ, or the browser's history would tell."""
    of = write_reader_study(form="labels", repeats=0.3)
    at = open_page(READ)
    order = readings.sheet(of, LOCAL).order
    assert sum(position >= 10 for position in order) == 3
    pages, addresses = {}, {}
    for place, position in enumerate(order):
        at.session_state["reading_room"].go(place)
        at.run()
        sent = "\n".join(str(e.proto) for e in walk(at.main))
        told = said(at).replace("ask again for", "")
        assert not re.search("again|twice|second|repeat", told, re.IGNORECASE)
        addresses[position] = set(re.findall(r"/xray/[\w-]+", sent))
        put_aside = (
            r"/xray/[\w-]+|[Ii]mage \d+ of|\d+ of 13|\d-\d+|value: [\d.]+|id: .*|disabled: true"
        )
        plain_text = re.sub(put_aside, "", sent)
        pages[position] = "\n".join(line for line in plain_text.splitlines() if line.strip())
    for again in (position for position in order if position >= 10):
        if order.index(again) not in (0, len(order) - 1) and order.index(again - 10) > 0:
            assert pages[again] == pages[again - 10]
    assert not set.intersection(addresses[order[0]], addresses[order[-1]])


def test_somebody_types_their_name_where_only_this_machine_listens(monkeypatch):
    of = write_reader_study(readers=("anna", "ben"))
    at = open_page(READ)
    assert not any("/xray/" in str(element.proto) for element in walk(at.main))
    at.text_input[0].set_value("Anna")
    at.button[0].click().run()
    assert at.title[0].value == "Image 1 of 10"
    assert at.query_params["reader"] in ("Anna", ["Anna"])
    answer(at, 1, 3, 2)
    assert readings.sheet(of, "anna").n_complete == 1
    assert readings.sheet(of, "ben").n_complete == 0
    other = open_page(READ, reader="eve")
    assert "There is nothing for you to read" in said(other)
    next(b for b in at.button if b.label == "Somebody else").click().run()
    assert at.text_input


@pytest.mark.parametrize(
    "person", [access.GUEST, Person("rita@clinic.org", "reader"), Person("a@b.org", "admin")]
)
def test_nobody_reads_by_name_from_elsewhere_or_where_people_sign_in(monkeypatch, person):
    """Not even by an address that somebody at the machine itself would have."""
    write_reader_study(readers=("anna",))
    monkeypatch.setattr(people, "look", lambda: person)
    at = open_page(READ, reader="anna")
    assert "There is nothing for you to read" in said(at)
    assert not at.text_input
    assert not any("/xray/" in str(element.proto) for element in walk(at.main))
