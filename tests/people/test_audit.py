"""The audit log: whole lines, only ever more of them, and nothing done that is not in it."""

import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from core.actions import deletion
from core.actions.deletion import delete_study
from core.cli import app
from core.errors import InputError, WorkError
from core.people import audit
from core.people.audit import audit_path, lines, record, refused
from core.study import paths, store
from core.study.trash import empty_deleted
from tests.toys import write_toy_study

ABOUT = {"study": "toy-1a2b3c4d", "image": "a.png"}


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    audit._refusals.clear()


def test_a_line_says_who_did_what_and_when():
    before = datetime.now(UTC)
    record("ann@clinic.org", "x-ray opened", ABOUT)
    (line,) = lines()
    when = datetime.fromisoformat(line.pop("when"))
    assert line == {"who": "ann@clinic.org", "what": "x-ray opened"} | ABOUT
    assert before - timedelta(milliseconds=1) <= when <= datetime.now(UTC)
    assert stat.S_IMODE(audit_path().stat().st_mode) == 0o600


def test_lines_of_many_threads_do_not_mix():
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: record(f"p{n}", "export", {"table": "x" * n}, False), range(200)))
    assert {line["who"] for line in lines()} == {f"p{n}" for n in range(200)}


def test_no_text_breaks_a_line():
    nasty = 'a"\n{"who": "forged"}\r\x00\x1b[31m\u2028é'
    record(nasty, "export", {"table": nasty * 100})
    (line,) = lines()
    assert line["who"] == nasty
    assert len(line["table"]) == audit.LONGEST_VALUE
    assert audit_path().read_bytes().count(b"\n") == 1
    printed = CliRunner().invoke(app, ["audit"]).stdout
    assert len(printed.splitlines()) == 1
    assert "\x1b" not in printed


def test_a_line_cut_off_by_a_crash_costs_no_other():
    record("ann", "sign-in", {})
    with open(audit_path(), "ab") as file:
        file.write(b'{"when": "2026-')
    record("rolf", "sign-in", {})
    assert [line["who"] for line in lines()] == ["ann", "rolf"]


def test_what_cannot_be_written_is_an_error():
    audit_path().mkdir(parents=True)
    with pytest.raises(WorkError, match="cannot be written"):
        record("ann", "sign-in", {})
    refused("ann", {})  # is refused all the same


def test_a_full_disk_is_an_error():
    audit_path().parent.mkdir(parents=True)
    audit_path().symlink_to("/dev/full")
    with pytest.raises(WorkError, match="What cannot be logged is not done"):
        record("ann", "sign-in", {})


def test_a_stranger_cannot_fill_the_disk_with_refusals():
    for _ in range(10 * audit.REFUSALS_A_MINUTE):
        refused("", {"x-ray": "unsigned or expired"})
    assert len(list(lines())) == audit.REFUSALS_A_MINUTE


def test_the_command_prints_one_persons_lines_since_a_day():
    record("ann@clinic.org", "sign-in", {})
    record("rolf@clinic.org", "export", {"table": "pies"})
    result = CliRunner().invoke(app, ["audit", "--person", "Rolf@clinic.org"])
    (line,) = result.stdout.splitlines()
    assert line.split("\t")[1:] == ["rolf@clinic.org", "export", "pies"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert CliRunner().invoke(app, ["audit", "--since", tomorrow]).stdout == ""


def test_an_export_is_logged_with_the_account(tmp_path):
    folder = write_toy_study(n_images=20)
    out = tmp_path / "metrics.csv"
    CliRunner().invoke(app, ["export", "toy", "class_metrics", "--out", str(out)])
    assert out.exists()
    (line,) = lines()
    assert line["who"].startswith("local")
    assert (line["what"], line["study"], line["table"]) == ("export", folder.name, "class_metrics")
    audit_path().unlink()
    audit_path().mkdir()
    out.unlink()
    result = CliRunner().invoke(app, ["export", "toy", "class_metrics", "--out", str(out)])
    assert result.exit_code == 1
    assert not out.exists(), "what cannot be logged is not done"


def test_a_deleted_study_is_gone_and_logged():
    folder = write_toy_study(n_images=20)
    result = CliRunner().invoke(app, ["delete", "toy"], input="n\n")
    assert folder.exists()
    assert result.stderr.endswith("Nothing was deleted.\n")
    CliRunner().invoke(app, ["delete", "toy", "--yes"])
    assert not folder.exists()
    assert (paths.cache_dir() / "toy-images").exists(), "images stay"
    assert [(line["what"], line["study"]) for line in lines()] == [("deletion", folder.name)]


def test_a_running_study_and_other_folders_are_not_deleted(tmp_path):
    from filelock import FileLock

    folder = write_toy_study(n_images=20)
    with FileLock(paths.lock_path(folder)), pytest.raises(InputError, match="is running"):
        delete_study(folder, "ann")
    for other in (tmp_path, paths.studies_dir(), paths.studies_dir() / "no-such-study"):
        with pytest.raises(InputError, match="There is no study"):
            delete_study(other, "ann")
    link = paths.studies_dir() / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(InputError, match="There is no study"):
        delete_study(link, "ann")
    assert folder.exists()
    assert not audit_path().exists()


def test_a_deletion_that_was_cut_short_is_finished_and_never_found_as_a_study(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    left = paths.deleted_dir() / "toy-12345678-abcd"
    left.mkdir(parents=True)
    (left / "labels.parquet").write_bytes(b"patients")
    assert store.list_studies() == []
    empty_deleted()
    assert not left.exists()


def test_a_file_or_a_link_among_what_was_deleted_stops_no_deletion(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "xray.png").write_bytes(b"somebody's lung")
    place = paths.deleted_dir()
    inside = place / "toy-12345678-abcd"
    inside.mkdir(parents=True)
    (inside / "link").symlink_to(elsewhere)
    (place / "a file").write_text("left by hand")
    (place / "a link").symlink_to(elsewhere)
    (place / "leads nowhere").symlink_to(tmp_path / "gone")
    delete_study(write_toy_study(n_images=20), "ann")
    assert list(place.iterdir()) == []
    assert (elsewhere / "xray.png").exists(), "no link is followed"


@pytest.mark.parametrize("kind", ["file", "link"])
def test_where_deleted_folders_go_is_a_folder_of_ours(tmp_path, kind):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "patients").mkdir(parents=True)
    place = paths.deleted_dir()
    place.parent.mkdir(parents=True)
    place.symlink_to(elsewhere) if kind == "link" else place.write_text("left by hand")
    empty_deleted()
    folder = write_toy_study(n_images=20)
    delete_study(folder, "ann")
    assert not folder.exists()
    assert place.is_dir()
    assert [path.name for path in elsewhere.iterdir()] == ["patients"]


def test_what_cannot_be_removed_keeps_nothing_else(monkeypatch):
    place, rmtree = paths.deleted_dir(), shutil.rmtree
    for name in ("a", "b", "c"):
        (place / name).mkdir(parents=True)

    def on_a_bad_disk(folder):
        if folder.name == "b":
            raise PermissionError(13, "Permission denied")
        rmtree(folder)

    monkeypatch.setattr(shutil, "rmtree", on_a_bad_disk)
    with pytest.raises(WorkError, match=r"Could not delete all of .*/b: Permission denied"):
        empty_deleted()
    assert [path.name for path in place.iterdir()] == ["b"]


def test_a_study_whose_images_readers_judge_is_not_deleted(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    folder = tmp_path / "studies" / "toy-12345678"
    folder.mkdir(parents=True)
    (folder / "study.json").write_text("{}")
    made = SimpleNamespace(name="pies-of-may")
    monkeypatch.setattr("core.actions.deletion.reader_studies", lambda study_id: [made])
    with pytest.raises(InputError, match="pies-of-may"):
        deletion.delete_study(folder, "ann")
    assert (folder / "study.json").exists()
