"""Who may see what, and addresses that cannot be made up."""

import base64
import json
import stat
import threading

import pytest

from core.errors import WorkError
from core.people import access
from core.people.access import (
    FORWARDED,
    GUEST,
    LOCAL,
    Person,
    ReadingClaim,
    Visitor,
    XrayClaim,
    may_see,
    read_xray,
    sign_xray,
    without_sign_in,
)
from core.study.config import StudyConfig
from core.study.paths import secret_path
from tests.toys import toy_config

CLAIM = XrayClaim("toy-1a2b3c4d", "ünï/код <1>.png", "local")


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))


def test_a_signed_address_says_what_was_signed():
    assert read_xray(sign_xray(CLAIM)) == CLAIM


def test_an_address_stays_the_same_for_a_while(monkeypatch):
    step = access.STEP_SECONDS
    monkeypatch.setattr(access.time, "time", lambda: 100 * step + 1)
    first = sign_xray(CLAIM)
    monkeypatch.setattr(access.time, "time", lambda: 101 * step - 1)
    assert sign_xray(CLAIM) == first
    monkeypatch.setattr(access.time, "time", lambda: 101 * step + 1)
    assert sign_xray(CLAIM) != first


def test_an_address_lives_ten_to_fifteen_minutes(monkeypatch):
    start = 1_800_000_000
    monkeypatch.setattr(access.time, "time", lambda: start)
    token = sign_xray(CLAIM)
    monkeypatch.setattr(access.time, "time", lambda: start + 600)
    assert read_xray(token) == CLAIM
    monkeypatch.setattr(access.time, "time", lambda: start + 901)
    assert read_xray(token) is None


def test_forged_addresses_say_nothing():
    token = sign_xray(CLAIM)
    for forged in ("", "x", "a.b.c", token[:-2], "x" + token, token.swapcase(), "é" * 30):
        assert read_xray(forged) is None
    secret_path().unlink()
    assert read_xray(token) is None, "signed with another key"


def test_an_address_says_neither_study_nor_image_nor_person():
    for claim in (CLAIM, ReadingClaim(7, 3, "rita@clinic.org", "rita@clinic.org")):
        token = sign_xray(claim)
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        for said in ("toy", "1a2b", "png", "local", "rita", "clinic"):
            assert said.encode() not in sealed
            assert said not in token
        assert read_xray(token) == claim


def test_the_length_of_an_address_tells_nothing_of_a_place_in_a_reader_study():
    claims = [
        ReadingClaim(1, position, "rita@clinic.org", "rita@clinic.org") for position in (0, 999)
    ]
    assert len({len(sign_xray(claim)) for claim in claims}) == 1
    assert len({sign_xray(claim) for claim in claims}) == 2


def test_a_sealed_claim_of_another_version_says_nothing():
    for said in ([0, "a"], [9, "a", "b", "c"], [1, "a", "b", "c"]):
        sealed = json.dumps([access._step(), *said]).encode()
        token = base64.urlsafe_b64encode(access._cipher(access.secret()).encrypt(sealed, None))
        assert read_xray(token.decode()) is None


def test_the_key_is_made_once_and_is_private():
    keys = []
    threads = [threading.Thread(target=lambda: keys.append(access.secret())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1
    assert stat.S_IMODE(secret_path().stat().st_mode) == 0o600
    assert list(secret_path().parent.iterdir()) == [secret_path()], "nothing is left lying about"


def test_a_damaged_key_is_named():
    secret_path().write_bytes(b"short")
    with pytest.raises(WorkError, match=r"secret\.key is damaged"):
        access.secret()


PHANTOMS = StudyConfig.model_validate(
    {
        "study": {"name": "phantoms"},
        "dataset": {"kind": "phantom"},
        "model": {"architecture": "resnet_small"},
    }
)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "127.0.0.2"])
def test_a_loopback_address_shows_every_study(address):
    visitor = without_sign_in(address, ["host", "cookie"])
    assert visitor == Visitor(LOCAL)
    assert may_see(toy_config(), visitor)
    assert may_see(PHANTOMS, visitor)


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "::", "10.0.0.1", "localhost.evil.org"])
def test_any_other_address_shows_synthetic_studies_alone(address):
    visitor = without_sign_in(address, ["host"])
    assert visitor == Visitor(GUEST, synthetic_only=True)
    assert GUEST.role != "admin"
    assert not may_see(toy_config(), visitor)
    assert may_see(PHANTOMS, visitor)


@pytest.mark.parametrize("header", sorted(FORWARDED | {"X-Forwarded-For", "Via"}))
def test_behind_a_proxy_nobody_is_taken_for_this_machine(header):
    visitor = without_sign_in("127.0.0.1", ["host", header])
    assert not may_see(toy_config(), visitor)
    assert may_see(PHANTOMS, visitor)


def test_readers_see_no_study():
    reader = Person("rita@clinic.org", "reader")
    assert not may_see(toy_config(), Visitor(reader))
    assert not may_see(PHANTOMS, Visitor(reader))
    for role in ("researcher", "admin"):
        person = Person("rolf@clinic.org", role)
        assert may_see(toy_config(), Visitor(person))
