"""A child with a folder answers, refuses, or is ended by its limits; it learns no password."""

from pathlib import Path

import pytest

from core.processes import children
from core.processes.children import Answer
from tests.waiting import until

CHILD = "tests.processes.told_child"


@pytest.fixture
def ask(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))

    def asked(what: str) -> Answer[dict]:
        folder: Path = tmp_path / what
        children.start(folder, CHILD, {"do": what})
        until(lambda: children.answer(folder, dict).state != "working")
        return children.answer(folder, dict)

    return asked


def test_a_child_knows_our_cache_and_no_password(ask, monkeypatch, tmp_path):
    for name in ("PRUNESCOPE_JOBS_DATABASE", "PRUNESCOPE_READER_DATABASE"):
        monkeypatch.setenv(name, "postgresql://me:secret@host/readings")
    report = ask("tell").report
    assert report
    assert report["variables"]["PRUNESCOPE_CACHE"] == str(tmp_path / "cache")
    assert "secret" not in str(report)


def test_a_refusal_is_its_sentence(ask):
    assert ask("refuse") == Answer("finished", refusal="This is no zip.")


@pytest.mark.parametrize("what", ["sleep", "grow"])
def test_one_beyond_its_limits_is_broken(ask, what):
    assert ask(what) == Answer("broken")
