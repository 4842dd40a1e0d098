"""Environment variables are read when they are asked for, and every one says what it means."""

from pathlib import Path

from core.study.environment import VARIABLES, environment
from core.study.paths import cache_dir


def test_a_variable_counts_from_the_moment_it_is_set(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "one"))
    assert cache_dir() == tmp_path / "one"
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "two"))
    assert cache_dir() == tmp_path / "two"
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PRUNESCOPE_CACHE")
    assert cache_dir() == tmp_path / "cache", "in the working directory of the moment"


def test_a_home_folder_is_written_out(monkeypatch, tmp_path):
    """systemd and compose files pass "~" as it stands; a folder of that name would be made."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PRUNESCOPE_CACHE", "~/studies of mine")
    assert cache_dir() == tmp_path / "studies of mine"


def test_an_empty_variable_is_not_set(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    said = environment()
    assert (said.cache, said.roles, said.shipped) == (Path("cache"), None, None)
    assert (said.role_claim, said.jobs_database) == (None, "")


def test_a_databases_password_is_not_shown(monkeypatch):
    for name in ("PRUNESCOPE_JOBS_DATABASE", "PRUNESCOPE_READER_DATABASE"):
        monkeypatch.setenv(name, "postgresql://me:secret@host/readings")
    assert "secret" not in repr(environment())


def test_every_variable_says_what_it_means():
    assert all(field.description for field in VARIABLES.values())
