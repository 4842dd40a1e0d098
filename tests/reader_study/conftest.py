import pytest

from core.reader_study.schema import DATABASE_VARIABLE


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    return tmp_path
