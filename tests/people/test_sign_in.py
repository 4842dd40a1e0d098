"""From what a provider says of somebody to a person with a role, or to nobody."""

import time

import pytest

from core.people import audit, sign_in
from core.people.access import Person
from core.people.sign_in import ENDED, NOT_SIGNED_IN, Nobody, person_of

ROLES = """
[roles]
admin = ["ann@clinic.org"]
researcher = ["Rolf@Clinic.org", "ann@clinic.org"]
reader = ["rita@clinic.org"]
"""


@pytest.fixture(autouse=True)
def roles(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PRUNESCOPE_ROLES", str(tmp_path / "roles.toml"))
    monkeypatch.delenv("PRUNESCOPE_ROLE_CLAIM", raising=False)
    path = tmp_path / "roles.toml"
    path.write_text(ROLES)
    return path


def claims(email: object = "rolf@clinic.org", **more: object) -> dict[str, object]:
    now = int(time.time())
    said = {"iss": "https://id.org", "sub": str(email), "iat": now, "exp": now + 60}
    return said | {"email": email} | more


def test_a_person_is_known_by_their_address_however_it_is_written():
    assert person_of(claims(" ROLF@clinic.ORG ", name="Rolf")) == Person(
        "rolf@clinic.org", "researcher", "Rolf"
    )


def test_of_two_roles_the_one_that_sees_more_counts():
    assert person_of(claims("ann@clinic.org")) == Person("ann@clinic.org", "admin")


def test_nobody_without_claims():
    assert person_of(None) == NOT_SIGNED_IN
    assert person_of({}) == NOT_SIGNED_IN


@pytest.mark.parametrize(
    "exp", [None, 0, "9999999999", pytest.param(int(time.time()), id="now"), "", [], -1]
)
def test_a_session_ends_when_the_token_does(exp):
    assert person_of(claims(exp=exp)) == ENDED


@pytest.mark.parametrize("verified", [False, "false", None, 0, "yes", "False"])
def test_an_address_that_is_not_verified_is_nobodys(verified):
    found = person_of(claims(email_verified=verified))
    assert isinstance(found, Nobody)
    assert "not verified" in found.reason


@pytest.mark.parametrize("email", [None, "", "  ", 7, ["rolf@clinic.org"]])
def test_an_address_is_needed(email):
    found = person_of(claims(email))
    assert isinstance(found, Nobody)
    assert "no e-mail address" in found.reason


def test_who_is_not_listed_has_no_role_and_is_told():
    found = person_of(claims("eve@clinic.org"))
    assert found == Nobody(
        "eve@clinic.org has no role here. Ask who runs this server for one.", True
    )


@pytest.mark.parametrize(
    "text",
    [None, "[roles", "", "roles = 3", "[roles]\nowner = []", '[roles]\nadmin = "rolf@clinic.org"'],
)
def test_roles_that_cannot_be_read_let_nobody_in(roles, text):
    roles.unlink()
    if text is not None:
        roles.write_text(text)
    found = person_of(claims())
    assert isinstance(found, Nobody)
    assert str(roles) not in found.reason


@pytest.mark.parametrize(
    ("claim", "said", "role"),
    [
        ("roles", {"roles": ["reader", "other"]}, "reader"),
        ("roles", {"roles": "admin"}, "admin"),
        ("roles", {"roles": ["reader", "researcher"]}, "researcher"),
        ("access.scope.roles", {"access": {"scope": {"roles": ["reader"]}}}, "reader"),
        ("https://clinic.org/role", {"https://clinic.org/role": "reader"}, None),
        ("roles", {"roles": "administrator"}, None),
        ("roles", {"roles": {"admin": True}}, None),
        ("roles", {"roles": [["admin"]]}, None),
        ("roles", {}, None),
        ("access.roles", {"access": "admin"}, None),
    ],
)
def test_roles_from_a_claim(monkeypatch, claim, said, role):
    monkeypatch.setenv("PRUNESCOPE_ROLE_CLAIM", claim)
    found = person_of(claims("eve@clinic.org", **said))
    assert (found.role if isinstance(found, Person) else None) == role


def test_the_file_decides_for_the_people_in_it(monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_ROLE_CLAIM", "roles")
    found = person_of(claims("rita@clinic.org", roles=["admin"]))
    assert found == Person("rita@clinic.org", "reader")


def test_a_session_that_was_ended_stays_ended_and_others_go_on():
    first, second = claims(nonce="a"), claims(nonce="b")
    sign_in.end(first)
    sign_in.end(first)
    assert person_of(first) == ENDED
    assert isinstance(person_of(second), Person)
    assert [line["what"] for line in audit.lines()] == ["sign-out"]


def test_a_sign_in_is_logged_once():
    said, stranger = claims(), claims("eve@clinic.org")
    for _ in range(3):
        sign_in.begin(said, person_of(said))
        sign_in.begin(stranger, person_of(stranger))
        sign_in.begin({}, NOT_SIGNED_IN)
    logged = [(line["who"], line["what"]) for line in audit.lines()]
    assert logged == [("rolf@clinic.org", "sign-in"), ("eve@clinic.org", "sign-in refused")]


def test_marks_are_forgotten_when_no_cookie_can_be_left(monkeypatch):
    said = claims()
    sign_in.end(said)
    later = time.time() + sign_in.LONGEST_SESSION + 60
    monkeypatch.setattr(sign_in.time, "time", lambda: later)
    sign_in.end(claims(nonce="another"))
    assert not sign_in._is_marked(said, "ended")
