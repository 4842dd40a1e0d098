"""Uploads without a server: patience, room, quota, and what a crash leaves behind."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core import jobs
from core.actions import deletion
from core.actions import jobs as job_rules
from core.actions.deletion import delete_upload
from core.errors import InputError
from core.people import access
from core.people.access import GUEST, Person, Visitor
from core.people.gate import Site
from core.processes import children
from core.study import paths
from core.study.config import StudyConfig
from core.upload import upload_route, uploads
from core.upload.uploads import Ticket, Upload
from tests.waiting import until

RESEARCHER, READER = "rolf@clinic.org", "rita@clinic.org"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def keep(content: bytes = b"weights", who: str = "local", name: str = "model.pt") -> Upload:
    ticket = uploads.read_ticket(uploads.address("checkpoint", who).rpartition("/")[2])
    assert ticket
    with uploads.receiving(ticket, name, len(content)) as place:
        place.write(content)
        return place.finish()


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """In a thread of its own: the browser's tests keep a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


async def drip(pieces: list[bytes], pause: float, n_bytes: int) -> tuple[int, dict[str, str]]:
    """A request whose pieces come `pause` seconds apart, and never end."""
    visitor = Visitor(access.LOCAL)
    (route,) = upload_route.upload_routes(lambda _: visitor, lambda: Site("127.0.0.1", False))
    left, sent = iter(pieces), []

    async def receive():
        await asyncio.sleep(pause)
        body = next(left, None)
        if body is None:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": body, "more_body": True}

    async def send(message):
        sent.append(message)

    path = uploads.address("checkpoint", "local")
    headers = [(b"host", b"127.0.0.1"), (b"content-length", str(n_bytes).encode())]
    scope = {"type": "http", "method": "PUT", "path": path, "headers": headers}
    scope |= {"path_params": {"token": path.rpartition("/")[2]}, "query_string": b""}
    await route.app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(body)


def test_who_sends_nothing_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_route, "SECONDS_BETWEEN_PIECES", 0.2)
    monkeypatch.setattr(upload_route, "DRAINED_SECONDS", 0.1)
    status, said = run(drip([b"x" * 10], 0.01, 1000))
    assert status == 408
    assert said["error"].startswith("Nothing came for")
    assert not list(uploads.uploads_dir().iterdir())


def test_who_sends_a_byte_now_and_then_is_given_up(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_route, "SECONDS_BEFORE_RATE_COUNTS", 0.2)
    monkeypatch.setattr(upload_route, "DRAINED_SECONDS", 0.1)
    status, said = run(drip([b"x"] * 1000, 0.02, 1000))
    assert (status, said["error"]) == (408, "The file came too slowly; the upload was given up.")
    assert not list(uploads.uploads_dir().iterdir())


def test_more_than_was_announced_is_refused(cache: Path) -> None:
    ticket = Ticket("0" * 32, "checkpoint", "local")
    with (
        pytest.raises(InputError, match="More bytes came"),
        uploads.receiving(ticket, "m.pt", 3) as place,
    ):
        place.write(b"four")
    assert not uploads.upload_dir(ticket.id).exists()


def test_a_person_keeps_only_so_much(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_UPLOAD_LIMIT", "10")
    for _ in range(5):
        keep(b"0123456789")
    with pytest.raises(InputError, match=r"50\.0 .*are the most|0\.1 kB are the most"):
        keep(b"0")
    keep(b"0", who="another")
    monkeypatch.setattr(uploads, "QUOTA_IN_FILES", 5)
    with pytest.raises(InputError, match="You keep 5 uploads and datasets here"):
        keep(b"0")


def test_a_disk_without_room_is_said_before(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "SPARE_DISK", 2**60)
    with pytest.raises(InputError, match=r"the server's disk has room for 0\.0 kB"):
        keep()


def test_what_a_crash_left_is_swept_away_and_nothing_else(cache: Path) -> None:
    whole = keep()
    left = uploads.upload_dir("a" * 32)
    left.mkdir()
    (left / f"upload-{'a' * 32}").write_bytes(b"half")
    stranger = uploads.uploads_dir() / "not ours"
    stranger.mkdir()
    with uploads.receiving(Ticket("b" * 32, "checkpoint", "local"), "m.pt", 10) as place:
        uploads.sweep()
        assert uploads.stored_path("b" * 32).exists(), "somebody writes to it"
        place.write(b"0123456789")
        place.finish()
    assert not left.exists()
    assert stranger.exists()
    assert {one.id for one in uploads.uploads_of("local")} == {whole.id, "b" * 32}


# What was taken out of a file


def weights_of(upload: Upload) -> Path:
    """As a preflight leaves them."""
    path = paths.adopted_path(upload.sha256, "resnet50")
    path.parent.mkdir(exist_ok=True)
    for one in (path, path.with_suffix(".json")):
        one.write_bytes(b"weights")
    return path


def study_of(upload: Upload, name: str = "mine") -> StudyConfig:
    raw = {
        "study": {"name": name},
        "dataset": {"kind": "phantom", "n_patients": 40, "size": 32},
        "model": {"architecture": "resnet50", "image_size": 32},
        "runs": {"count": 1},
        "checkpoint": {"path": upload.path, "sha256": upload.sha256, "classes": ["Mass"]},
    }
    return StudyConfig.model_validate(raw)


def test_weights_go_with_the_last_who_keeps_their_file(cache: Path) -> None:
    mine, theirs, other = keep(b"same"), keep(b"same", who=RESEARCHER), keep(b"other")
    weights, of_other = weights_of(mine), weights_of(other)
    report = paths.preflight_path("a" * 32)
    report.parent.mkdir()
    report.write_text(json.dumps({"file": {"name": mine.path.name}}))
    delete_upload(mine, "local")
    assert not report.exists(), "what was found out about it"
    assert weights.exists(), "the same file is somebody else's too"
    delete_upload(theirs, RESEARCHER)
    assert {path.stem for path in weights.parent.iterdir()} == {of_other.stem}


def test_weights_that_a_job_or_its_study_needs_stay_until_it_is_deleted(cache: Path) -> None:
    upload = keep()
    weights, config = weights_of(upload), study_of(upload)
    job = jobs.find(jobs.submit(config, "local"))
    delete_upload(upload, "local")
    jobs.cancel(job.id)
    assert weights.exists(), "the job may be resumed"
    folder = paths.study_dir(config)
    folder.mkdir(parents=True)
    paths.study_json(folder).write_text(json.dumps({"config": config.model_dump(mode="json")}))
    deletion.delete_study(folder, "local")
    assert weights.exists(), "the job may still be resumed"
    job_rules.delete(jobs.find(job.id), access.LOCAL)
    assert not list(weights.parent.iterdir())


def test_a_study_that_nobody_else_needs_the_weights_of_takes_them_along(cache: Path) -> None:
    upload = keep()
    weights, config = weights_of(upload), study_of(upload)
    folder = paths.study_dir(config)
    folder.mkdir(parents=True)
    paths.study_json(folder).write_text(json.dumps({"config": config.model_dump(mode="json")}))
    delete_upload(upload, "local")
    assert weights.exists()
    deletion.delete_study(folder, "local")
    assert not list(weights.parent.iterdir())


# Children


def test_a_child_that_is_killed_leaves_nothing_behind(cache: Path, tmp_path: Path) -> None:
    """A preflight, amid the weights it takes out of a file; and it is as nice as it should be."""
    upload = keep_file(tmp_path / "large.pt")
    folder = upload.folder / "preflights" / ("0" * 16)
    base = study_of(upload).model_copy(update={"checkpoint": None})
    asked = {"path": str(upload.path), "name": upload.name, "options": {}}
    asked["base"] = base.model_dump(mode="json", exclude_none=True)
    children.start(folder, "core.engine.foreign.preflight_child", asked)
    end = time.monotonic() + 90
    while not (scratch := list(folder.glob("scratch-*/*/*"))):
        assert time.monotonic() < end, (folder / "child.log").read_text()
        assert children.at_work(folder), (folder / "child.log").read_text()
        time.sleep(0.005)
    pid = json.loads((folder / "child.json").read_text())["pid"]
    niceness = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[16])
    assert niceness == max(children.NICENESS, os.nice(0))
    children.end(folder)
    until(lambda: not list(folder.glob("scratch-*")), told=lambda: scratch)
    assert children.answer(folder, dict).state == "broken"

    left = children.scratch(folder, pid)  # as when the server was killed with it
    left.mkdir()
    (left / "weights.safetensors").write_bytes(b"weights")
    uploads.sweep()
    assert not left.exists()


def keep_file(path: Path) -> Upload:
    import torch

    torch.save({"layer.weight": torch.zeros(4000, 2500), "layer.bias": torch.zeros(4000)}, path)
    return keep(path.read_bytes(), name=path.name)


@pytest.mark.parametrize(
    ("text", "n_bytes"), [("", 2 * 10**9), ("500M", 5 * 10**8), ("4 GB", 4 * 10**9), ("12", 12)]
)
def test_the_limit_is_a_setting(text: str, n_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_UPLOAD_LIMIT", text)
    assert uploads.limit() == n_bytes


@pytest.mark.parametrize("text", ["much", "-1", "0", "1e9", "9" * 40])
def test_a_limit_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_UPLOAD_LIMIT", text)
    with pytest.raises(InputError, match="allowed are bytes, or such as 500M"):
        uploads.limit()


def test_guests_and_readers_may_not() -> None:
    assert not uploads.may_upload(None)
    assert not uploads.may_upload(Visitor(GUEST, synthetic_only=True))
    assert not uploads.may_upload(Visitor(Person(READER, "reader")))
    assert uploads.may_upload(Visitor(Person(RESEARCHER, "researcher")))
    assert "people who sign in" in uploads.why_not(Visitor(GUEST, synthetic_only=True))


def test_what_was_refused_makes_way_and_nothing_else_does(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "QUOTA_IN_FILES", 3)
    refused, fit, unseen = (keep(name=name) for name in ("refused.pt", "fit.pt", "unseen.pt"))

    def answered(upload: Upload, question: str, said: dict[str, Any]) -> None:
        folder = upload.folder / "preflights" / question
        folder.mkdir(parents=True)
        (folder / "answer.json").write_text(json.dumps(said))

    answered(refused, "a", {"refusal": "It is a JPEG image and no checkpoint."})
    answered(fit, "a", {"refusal": "The dataset has no test images."})
    answered(fit, "b", {"report": {"refusal": None}})
    assert [uploads.is_refused(one) for one in (refused, fit, unseen)] == [True, False, False]
    keep(name="next.pt")
    kept = sorted(one.name for one in uploads.uploads_of("local"))
    assert kept == ["fit.pt", "next.pt", "unseen.pt"]
    with pytest.raises(InputError, match="You keep 3 uploads and datasets here"):
        keep()
