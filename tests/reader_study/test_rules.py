"""Whose a reader study is: its researcher's and the administrators', and nobody else's."""

import pytest

from core.actions import reader_study as rules
from core.errors import InputError
from core.people import audit
from core.people.access import GUEST, LOCAL, Person
from core.reader_study import database, design
from core.study import paths
from tests.reader_study.toy_readings import READERS, write_reader_study

ROLF = Person("rolf@clinic.org", "researcher")
RUTH = Person("ruth@clinic.org", "researcher")
ANN = Person("ann@clinic.org", "admin")
READS_IT = Person(READERS[0], "reader")
WAS_ROLF = Person(ROLF.email, "reader")  # the same person with a role that sees no study
STRANGERS = [RUTH, READS_IT, WAS_ROLF, GUEST, Person("", "researcher")]
ACTS = {
    "invite": lambda of, who: rules.invite(of, who, ["new@clinic.org"]),
    "remove": lambda of, who: rules.remove(of, who, READERS[0]),
    "answers": lambda of, who: rules.export_table(of, who, "answers"),
    "readers": lambda of, who: rules.export_table(of, who, "readers"),
    "delete": rules.delete,
}


@pytest.fixture
def of():
    spare = write_reader_study(name="spare")
    wanted = design.plan(name="rolfs", readers=READERS, n_pies=5, n_non_pies=5)
    return database.create(paths.studies_dir() / spare.study_id, wanted, ROLF.email)


@pytest.mark.parametrize("who", [ROLF, ANN, LOCAL], ids=lambda who: who.email)
def test_its_researcher_and_an_administrator_may(of, who):
    assert of in rules.visible(of.study_id, who)
    for act in ACTS.values():
        act(of, who)
    assert [one.name for one in database.reader_studies()] == ["spare"]


def test_nobody_else_may_and_the_log_says_who_tried(of):
    before = database.invited(of)
    for who in STRANGERS:
        assert of not in rules.visible(of.study_id, who)
        for name, act in ACTS.items():
            with pytest.raises(InputError, match="Only the person who made a reader study"):
                act(of, who)
            assert database.find("rolfs") == of, (who, name)
            assert database.invited(of) == before, (who, name)
    told = [(line["who"], line["what"], line["reader study"]) for line in audit.lines()]
    expected = [(who.email, "access refused", "rolfs") for who in STRANGERS for _ in ACTS]
    assert told == expected


def test_each_researcher_sees_their_own_alone_and_an_administrator_all(of):
    folder = paths.studies_dir() / of.study_id
    wanted = design.plan(name="ruths", readers=READERS, n_pies=5, n_non_pies=5)
    database.create(folder, wanted, RUTH.email)
    seen = {
        who.email: [one.name for one in rules.visible(of.study_id, who)]
        for who in (ROLF, RUTH, ANN)
    }
    assert seen[ROLF.email] == ["rolfs"]
    assert seen[RUTH.email] == ["ruths"]
    assert seen[ANN.email] == ["ruths", "rolfs", "spare"]


def test_one_of_the_machine_itself_is_the_administrators(of):
    folder = paths.studies_dir() / of.study_id
    wanted = design.plan(name="machines", readers=READERS, n_pies=5, n_non_pies=5)
    made = database.create(folder, wanted, LOCAL.email)
    assert not rules.may_manage(made, ROLF)
    assert rules.may_manage(made, ANN)
    assert rules.may_manage(made, LOCAL), "whoever sits at a machine without sign-in"


def test_a_reader_of_it_still_reads(of):
    assert of in database.invitations(READERS[0])
