"""Own data when two act at once, when a process is killed, and when nobody knows whose it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType

import pytest

from core import jobs
from core.actions.deletion import delete_dataset, delete_upload
from core.errors import InputError, WorkError
from core.jobs.weights import remove_orphans
from core.people import access, audit
from core.study import paths, store
from core.upload import datasets, own_data
from core.upload.datasets import OwnDataset
from core.upload.own_data import ClassFound, Columns, DataReport
from core.upload.uploads import Upload
from tests.upload.test_own_data import ANN, packed, png, sent
from tests.upload.test_upload_limits import keep as checkpoint
from tests.upload.test_upload_limits import study_of, weights_of
from tests.waiting import SECONDS, until

ROOT = Path(__file__).parents[2]
REPORT = DataReport(
    table="labels.csv",
    columns=("file", "Mass"),
    image_column="file",
    patient_column="",
    split_column="",
    n_rows=1,
    n_images=1,
    classes=(ClassFound("Mass", 1, 1.0),),
    n_patients=1,
    splits={"train": 1},
)
KILLED = """
import os, signal, sys
from pathlib import Path
from core import jobs
from core.actions import deletion, jobs as job_rules
from core.jobs import weights
from core.people import access
weights.forget = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
what, name = sys.argv[1:]
if what == "study":
    deletion.delete_study(Path(name), "local")
else:
    job_rules.delete(jobs.find(name), access.LOCAL)
"""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PRUNESCOPE_JOBS_DATABASE", raising=False)


def looked_at() -> Upload:
    """A zip whose look is over, as the child leaves it."""
    upload = sent(packed({"a.png": png()}))
    folder = own_data.look_folder(upload, Columns())
    (folder / "unpacked" / "images").mkdir(parents=True)
    (folder / "unpacked" / "images" / "a.png").write_bytes(png())
    (folder / "unpacked" / "labels.csv").write_text("file,Mass,image_path\na.png,1,a.png\n")
    store.write_json({"report": asdict(REPORT)}, folder / "answer.json")
    return upload


def kept_or_refused(upload: Upload, begin: float) -> str:
    """What comes of keeping it as "lungs" at the moment `begin`, in whatever process."""
    time.sleep(max(0.0, begin - time.time()))
    try:
        own_data.keep(upload, Columns(), "lungs", upload.person)
    except InputError as error:
        return str(error)
    return "kept"


def own(name: str, person: str | None = "local") -> OwnDataset:
    """As it lies on disk; without a person as it lay there before there were notes."""
    folder = datasets.datasets_dir() / f"{name}-00000000"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.png").write_bytes(png())
    settings = {"images": folder / "images", "labels": folder / "labels.csv"}
    text = "\n".join(f'{key} = "{value}"' for key, value in settings.items())
    (folder / "study.toml").write_text(
        f'[study]\nname = "{name}"\n[dataset]\nkind = "table"\n{text}\n'
        '[model]\narchitecture = "resnet50"\n'
    )
    if person is not None:
        datasets.write_note(folder, person)
    return next(one for one in datasets.all_datasets() if one.name == name)


def at_once(*acts: Callable[[], object]) -> list[object]:
    """What each returns or raises, all begun at the same moment."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return act()
        except (InputError, WorkError) as error:
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


# Names


def test_of_threads_that_keep_one_name_at_once_one_does() -> None:
    found = [looked_at() for _ in range(4)]
    begin = time.time() + 0.2
    said = at_once(*(lambda one=one: kept_or_refused(one, begin) for one in found))
    assert sorted(said) == ["There is a dataset called lungs already."] * 3 + ["kept"]
    assert [one.study.name for one in datasets.own_datasets()] == ["lungs"]


def test_of_processes_that_keep_one_name_at_once_one_does(monkeypatch) -> None:
    # A page's test before leaves its page as the main module, which a new process would run.
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    found = [looked_at(), looked_at()]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        begin = time.time() + 3  # until both have imported what they need
        said = list(pool.map(kept_or_refused, found, [begin] * 2))
    assert sorted(said) == ["There is a dataset called lungs already.", "kept"]
    (refused,) = [one for one in found if own_data.look_folder(one, Columns()).exists()]
    assert own_data.keep(refused, Columns(), "other-lungs", "local"), "under a name of its own"


# Deleted while a study of it is submitted


def test_a_job_that_comes_amid_a_deletion_is_refused_in_a_sentence() -> None:
    dataset = own("lungs")
    with ThreadPoolExecutor(1) as pool:
        with datasets.alone():  # a deletion has looked, and nobody needs the images
            submitting = pool.submit(jobs.submit, dataset.config)
            time.sleep(0.5)
            assert not submitting.done(), "it waits"
            (dataset.images / "a.png").unlink()
            dataset.images.rmdir()
        with pytest.raises(InputError, match="The dataset of lungs was deleted meanwhile"):
            submitting.result(SECONDS)
    assert jobs.jobs() == []


def test_a_deletion_that_comes_amid_a_submission_is_refused() -> None:
    dataset = own("lungs")
    with ThreadPoolExecutor(1) as pool:
        with datasets.images_kept(dataset.config):  # a submission has looked, and is not in yet
            deleting = pool.submit(delete_dataset, dataset, access.LOCAL)
            time.sleep(0.5)
            assert not deleting.done(), "it waits"
            provenance = {"config": dataset.config.model_dump(mode="json")}
            store.write_json(provenance, paths.study_json(paths.study_dir(dataset.config)))
        with pytest.raises(InputError, match="lungs is used by study lungs"):
            deleting.result(SECONDS)
    assert (dataset.images / "a.png").exists()


def test_a_job_and_a_deletion_at_once_never_leave_a_job_without_images() -> None:
    jobs.submit(study_of(checkpoint()))  # the database is there
    for number in range(6):
        dataset = own(f"lungs-{number}")
        job, deleted = at_once(
            lambda one=dataset: jobs.submit(one.config),
            lambda one=dataset: delete_dataset(one, access.LOCAL),
        )
        if isinstance(job, str):
            assert dataset.images.is_dir()
            assert "is used by study" in str(deleted)
        else:
            assert "was deleted meanwhile" in str(job)
            assert deleted is None
            assert not dataset.folder.exists()


def test_a_study_of_a_part_of_the_images_needs_them_too() -> None:
    dataset = own("lungs")
    part = dataset.images / "ward-3"
    part.mkdir()
    table = dataset.config.dataset.model_copy(update={"images": part})
    jobs.submit(dataset.config.model_copy(update={"dataset": table}))
    with pytest.raises(InputError, match="is used by study lungs"):
        delete_dataset(dataset, access.LOCAL)


def test_who_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = own("lungs")
    monkeypatch.setattr(datasets, "SECONDS_TO_WAIT", 0.1)
    with datasets.alone(), pytest.raises(WorkError, match="is being kept or deleted; try again"):
        jobs.submit(dataset.config)


def test_a_dataset_is_deleted_once() -> None:
    dataset = own("lungs")
    delete_dataset(dataset, access.LOCAL)
    with pytest.raises(InputError, match="no dataset lungs any more"):
        delete_dataset(dataset, access.LOCAL)


# Killed amid a deletion


def studied(upload: Upload) -> Path:
    config = study_of(upload)
    folder = paths.study_dir(config)
    store.write_json({"config": config.model_dump(mode="json")}, paths.study_json(folder))
    return folder


def aged(weights: Path) -> None:
    """As after the minutes that whoever takes weights out of a file may need."""
    for path in weights.parent.iterdir():
        os.utime(path, (0, 0))


def killed(what: str, name: str) -> None:
    result = subprocess.run([sys.executable, "-c", KILLED, what, name], cwd=ROOT, check=False)
    assert result.returncode == -signal.SIGKILL


def test_weights_that_a_killed_deletion_left_are_removed_at_the_next_start() -> None:
    gone, needed = checkpoint(b"gone"), checkpoint(b"needed")
    weights, others = weights_of(gone), weights_of(needed)
    folder = studied(gone)
    delete_upload(gone, "local")
    killed("study", str(folder))
    assert not folder.exists()
    assert weights.exists(), "killed just before"
    aged(weights)

    code = "from core.jobs.worker import run_worker; run_worker()"
    worker = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        kept = (weights, weights.with_suffix(".json"))
        until(lambda: worker.poll() is not None or not any(path.exists() for path in kept))
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.wait()
    assert others.exists(), "of an upload that is kept"
    assert not list(paths.deleted_dir().iterdir()), "what was put aside is gone as well"


def test_so_are_those_of_a_killed_deletion_of_a_job() -> None:
    upload = checkpoint()
    weights, config = weights_of(upload), study_of(upload)
    job_id = jobs.submit(config, "local")
    delete_upload(upload, "local")
    aged(weights)
    assert remove_orphans() == [], "the job needs them"
    jobs.cancel(job_id)
    killed("job", job_id)
    assert jobs.jobs() == []
    assert weights.exists()
    assert {path.stem for path in remove_orphans()} == {weights.stem}
    assert not list(weights.parent.iterdir())


def test_weights_that_somebody_needs_or_may_need_stay() -> None:
    upload, of_study = checkpoint(b"kept"), checkpoint(b"studied")
    weights = [weights_of(upload), weights_of(of_study)]
    studied(of_study)
    delete_upload(of_study, "local")
    aged(weights[0])
    taken_this_moment = paths.adopted_path("f" * 64, "resnet50")
    taken_this_moment.write_bytes(b"half")
    (taken_this_moment.parent / "notes-of-mine.txt").write_text("not ours")
    assert remove_orphans() == []
    assert all(path.exists() for path in (*weights, taken_this_moment))
    aged(weights[0])
    assert remove_orphans() == [taken_this_moment]


def test_where_a_study_cannot_be_read_no_weights_go() -> None:
    gone, of_study = checkpoint(b"gone"), checkpoint(b"studied")
    weights, folder = weights_of(gone), studied(of_study)
    delete_upload(of_study, "local")
    damaged = paths.study_json(folder)
    whole = damaged.read_text()
    damaged.write_text(whole[:50])
    weights.parent.mkdir(parents=True, exist_ok=True)
    left = paths.adopted_path("f" * 64, "resnet50")
    left.write_bytes(b"nobody's")
    aged(left)
    with pytest.raises(WorkError, match="damaged"):
        remove_orphans()
    damaged.write_text(whole)
    assert remove_orphans() == [left]
    assert weights.exists()


# Nobody's


def test_a_dataset_from_before_notes_is_an_administrators_to_delete() -> None:
    dataset = own("old-lungs", person=None)
    assert datasets.own_datasets() == [dataset.config], "to try a checkpoint on"
    assert dataset.person == ""
    assert datasets.bytes_of(dataset) > len(png())
    for nobody in (ANN, access.Person("", "researcher")):
        assert datasets.datasets_of(nobody.email) == []
    with pytest.raises(InputError, match="somebody else's"):
        delete_dataset(dataset, ANN)
    delete_dataset(dataset, access.LOCAL)
    assert not dataset.folder.exists()
    (line,) = audit.lines()
    assert (line["who"], line["dataset"], line["of"]) == ("local", "old-lungs", "nobody")


def test_an_administrator_deletes_what_somebody_left_behind() -> None:
    dataset = own("anns-lungs", ANN.email)
    delete_dataset(dataset, access.Person("rolf@clinic.org", "admin"))
    assert json.loads(audit.audit_path().read_text())["of"] == ANN.email
