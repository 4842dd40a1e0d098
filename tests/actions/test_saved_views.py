"""Views that people save: each their own, kept until they or the study are deleted."""

import pytest

from core.actions import deletion, saved_views
from core.errors import InputError, WorkError
from core.people.access import GUEST, LOCAL, Person
from core.reader_study.schema import nothing_kept
from core.study import paths

RUTH, ROLF = Person("ruth@clinic.org", "researcher"), Person("rolf@clinic.org", "researcher")
TAIL = {"group": ["tail"], "agreement": [-1.0, 0.5], "sparsity": 95}


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    monkeypatch.delenv("PRUNESCOPE_READER_DATABASE", raising=False)


def names(person: Person, of: str = "toy-1") -> list[str]:
    return [view.name for view in saved_views.saved(person, of)]


def test_looking_leaves_nothing_behind():
    assert names(RUTH) == []
    with saved_views.forgetting_study("toy-1"):
        pass
    assert nothing_kept()


def test_a_view_is_a_persons_and_a_studys():
    kept = saved_views.save(RUTH, "toy-1", " the  tail ", TAIL)
    saved_views.save(RUTH, "toy-1", "All", {})
    saved_views.save(ROLF, "toy-1", "the tail", {})
    assert saved_views.saved(RUTH, "toy-1")[1] == kept
    assert kept.settings == TAIL
    assert names(RUTH) == ["All", "the tail"]
    assert names(ROLF) == ["the tail"]
    assert names(LOCAL) == names(RUTH, "toy-2") == []
    assert saved_views.saved(ROLF, "toy-1")[0].settings == {}


def test_nobody_deletes_anothers_view_and_the_owner_gets_it_back():
    saved_views.save(RUTH, "toy-1", "tail", TAIL)
    saved_views.remove(ROLF, "toy-1", "tail")
    saved_views.remove(RUTH, "toy-2", "tail")
    assert names(RUTH) == ["tail"]
    (view,) = saved_views.saved(RUTH, "toy-1")
    saved_views.remove(RUTH, "toy-1", "tail")
    assert names(RUTH) == []
    saved_views.save(RUTH, "toy-1", view.name, view.settings)
    assert saved_views.saved(RUTH, "toy-1")[0].settings == TAIL


def test_what_cannot_be_saved_is_refused(monkeypatch):
    saved_views.save(RUTH, "toy-1", "tail", TAIL)
    reader = Person("rita@clinic.org", "reader")
    for person, name, words in [
        (RUTH, "tail", "already"),
        (RUTH, "  ", "needs a name"),
        (RUTH, "x" * 81, "needs a name"),
        (GUEST, "mine", "Sign in"),
        (reader, "mine", "Sign in"),
    ]:
        with pytest.raises(InputError, match=words):
            saved_views.save(person, "toy-1", name, {})
    assert saved_views.saved(GUEST, "toy-1") == saved_views.saved(reader, "toy-1") == []
    monkeypatch.setattr(saved_views, "MOST_VIEWS", 1)
    with pytest.raises(InputError, match="You have 1 views"):
        saved_views.save(RUTH, "toy-1", "another", {})
    saved_views.save(RUTH, "toy-2", "another", {})


def test_the_views_of_a_deleted_study_go_with_it():
    """They may name its patients."""
    folder = paths.studies_dir() / "toy-1"
    folder.mkdir(parents=True)
    for of in ("toy-1", "toy-2"):
        saved_views.save(RUTH, of, "tail", TAIL)
    deletion.delete_study(folder, RUTH.email)
    assert names(RUTH) == []
    assert names(RUTH, "toy-2") == ["tail"]


def test_a_study_that_cannot_be_deleted_keeps_its_views():
    name = "x" * 250  # no room for what makes it another name
    folder = paths.studies_dir() / name
    folder.mkdir(parents=True)
    saved_views.save(RUTH, name, "tail", TAIL)
    with pytest.raises(WorkError, match="Could not delete"):
        deletion.delete_study(folder, RUTH.email)
    assert folder.is_dir()
    assert names(RUTH, name) == ["tail"]
