"""The administration page without a browser: the log, its files, and what can be deleted."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pandas as pd
import pytest

from core import jobs
from core.errors import WorkError
from core.people import audit
from core.people.access import LOCAL
from core.results import export
from core.ui import people
from core.ui.administration import deletion, log
from tests.pages.test_pages import open_page
from tests.upload.test_own_data_races import own


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    monkeypatch.delenv("PRUNESCOPE_JOBS_DATABASE", raising=False)


def test_the_log_can_be_taken_along_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "NEWEST_LINES", 2)
    for number in range(5):
        person = "ann@clinic.org" if number % 2 else "rolf@clinic.org"
        audit.record(person, "export", {"study": f"s{number}", "table": 'pies, "all"'})
    at = open_page("administration.py")
    assert at.dataframe[0].value["about"].to_list() == [
        *(f'study s{number}, table pies, "all"' for number in (4, 3)),
    ]
    given = [(one.proto.label, one.proto.help) for one in at.get("download_button")]
    assert given == [
        *((kind, f"The table audit_log as {kind}") for kind in ("CSV", "Parquet")),
    ]
    whole = log.whole_log(None)
    assert list(whole.columns) == log.AUDIT_LOG.names
    again = pd.read_csv(io.BytesIO(export.FORMATS[".csv"](whole)))
    assert [json.loads(about)["study"] for about in again["about"]] == [
        "s4",
        "s3",
        "s2",
        "s1",
        "s0",
    ]
    of_ann = pd.read_parquet(
        io.BytesIO(export.FORMATS[".parquet"](log.whole_log("ann@clinic.org")))
    )
    assert of_ann["who"].to_list() == ["ann@clinic.org"] * 2
    assert of_ann["when"].is_monotonic_decreasing


def test_an_export_of_the_log_is_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(people, "person", lambda: LOCAL)
    monkeypatch.setattr(people.provider, "configured", lambda: False)
    taken = people.logged_export("", "audit_log", lambda: log.whole_log(None))()
    assert taken["who"].to_list() == ["local"]
    assert json.loads(taken["about"][0]) == {"table": "audit_log"}

    audit.audit_path().unlink()
    audit.audit_path().mkdir()  # and what cannot be logged is not done
    with pytest.raises(WorkError, match="cannot be written"):
        people.logged_export("", "audit_log", lambda: pytest.fail("made"))()


def test_a_role_that_was_taken_away_counts_between_the_page_and_the_click(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    roles = tmp_path / "roles.toml"
    roles.write_text('[roles]\nadmin = ["ann@clinic.org"]\n')
    claims = {"email": "ann@clinic.org", "exp": time.time() + 60, "sub": "1", "iat": 0}
    monkeypatch.setenv("PRUNESCOPE_ROLES", str(roles))
    monkeypatch.setattr(people, "_claims", lambda: claims)
    monkeypatch.setattr(people.provider, "configured", lambda: True)
    monkeypatch.setattr(people.provider, "problem", lambda: None)
    download = people.logged_export("", "audit_log", lambda: log.whole_log(None))
    assert download()["who"].to_list() == ["ann@clinic.org"]
    roles.write_text('[roles]\nresearcher = ["ann@clinic.org"]\n')
    with pytest.raises(WorkError, match="session has ended"):
        download()
    assert len(list(audit.lines())) == 1


def test_administrators_see_and_delete_datasets_that_are_nobodys() -> None:
    old, used = own("old-lungs", person=None), own("used-lungs", "ann@clinic.org")
    jobs.submit(used.config)
    at = open_page("administration.py")
    table = at.dataframe[1].value.set_index("name")
    assert table["whose"].to_dict() == {
        "old-lungs": deletion.NOBODY,
        "used-lungs": "ann@clinic.org",
    }
    box = next(one for one in at.selectbox if one.label == "Dataset to delete")
    box.set_value(old.folder.name).run()
    delete = [one for one in at.button if one.label == "Delete the dataset"]
    assert delete[0].disabled, "until its name is typed"
    at.text_input(key="dataset_typed").set_value("old-lungs").run()
    next(one for one in at.button if one.label == "Delete the dataset").click().run()
    assert not at.exception
    assert not old.folder.exists()

    box = next(one for one in at.selectbox if one.label == "Dataset to delete")
    box.set_value(used.folder.name).run()
    at.text_input(key="dataset_typed").set_value("used-lungs").run()
    next(one for one in at.button if one.label == "Delete the dataset").click().run()
    assert "is used by study" in at.error[0].value
    assert used.images.is_dir()
