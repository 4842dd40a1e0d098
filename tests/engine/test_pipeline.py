"""The main job on a small phantom study: whole, resumable after SIGKILL, and careful of mix-ups."""

import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from core.engine.checkpoints import is_complete, load_checkpoint
from core.engine.pipeline import run_study
from core.errors import InputError, WorkError
from core.results import operating
from core.study import paths, store
from core.study.config import StudyConfig, read_config
from core.study.progress import Cancelled, read_progress
from core.study.study import Study
from core.study.trainings import trained_checkpoint
from tests.engine.small_study import assert_equal_studies
from tests.page_studies import imported_config


@pytest.fixture
def finished(undisturbed, tmp_path, monkeypatch):
    """A copy of the finished study's cache, to be damaged at will; returns config and folder."""
    config, cache = undisturbed
    shutil.copytree(cache, tmp_path / "cache")
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return config, paths.study_dir(config)


def test_a_finished_study_holds_every_cell_once(undisturbed):
    config, cache = undisturbed
    folder = cache / "studies" / config.id
    cells = [(run, s) for run in (0, 1) for s in (0.0, 0.5, 0.9)]
    assert store.finished_cells(folder) == cells
    assert store.finished_ensembles(folder) == [0.0, 0.5, 0.9]
    metrics = store.read_class_metrics(folder)
    assert list(metrics.columns) == store.CLASS_METRICS.names
    assert len(metrics) == len(cells) * 20
    assert read_progress(folder).state == "finished"
    assert not list(folder.rglob("*.tmp"))


def test_validation_is_predicted_at_every_sparsity(undisturbed):
    config, cache = undisturbed
    folder = cache / "studies" / config.id
    labels = store.read_labels(folder)
    ids = labels.split("validation")["image_id"]
    found = [
        store.read_predictions(paths.validation_cell_path(folder, 0, s), ids, labels.class_names)
        for s in (0.0, 0.5, 0.9)
    ]
    assert paths.validation_cell_path(folder, 0, 0.0) == paths.validation_path(folder, 0)
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found[1], found[2])
    assert not Study(folder).lacks_validation
    assert operating.operating_characteristics.is_there(Study(folder))


def test_an_older_study_gets_validation_of_its_pruned_models_and_nothing_else(
    finished, undisturbed
):
    config, folder = finished
    for path in folder.glob("validation/run=*/*.parquet"):  # as older versions left a study
        path.unlink()
    damaged = paths.validation_path(folder, 1)
    damaged.write_bytes(damaged.read_bytes()[:-100])
    assert Study(folder).lacks_validation
    cells = [*folder.rglob("predictions/*/*.parquet"), *folder.glob("ensemble/*.parquet")]
    tables = [paths.class_metrics_path(folder), paths.achieved_sparsity_path(folder)]
    before = {path: path.stat().st_mtime_ns for path in (*cells, *tables)}
    seen = []

    def cancelled():  # once half of it is there
        seen.append(1)
        return (folder / "validation" / "run=00" / "sparsity=50.parquet").exists()

    with pytest.raises(Cancelled):
        run_study(config, cancelled=cancelled)
    first = paths.validation_cell_path(folder, 0, 0.5)
    made = first.stat().st_mtime_ns
    run_study(config)
    assert first.stat().st_mtime_ns == made, "nothing is done twice"
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert_equal_studies(folder, undisturbed[1] / "studies" / config.id)


def test_an_imported_study_is_refused_in_words(finished):
    imported = imported_config()
    with pytest.raises(InputError, match="imported, without the network"):
        run_study(imported)
    assert not paths.study_dir(imported).exists()


def test_achieved_sparsity_is_what_was_asked_for(undisturbed):
    config, cache = undisturbed
    table = store.read_table(paths.achieved_sparsity_path(cache / "studies" / config.id))
    overall = table[table["layer"] == "overall"]
    asked = overall["sparsity"] * overall["n_weights"]
    assert (overall["n_zero"] - asked).abs().max() <= 0.5
    assert table["row"].max() == 19


def test_runs_differ_and_a_checkpoint_describes_itself(undisturbed):
    _, cache = undisturbed
    (training,) = (cache / "trainings").iterdir()
    weights = [paths.checkpoint_path(training, run) for run in (0, 1)]
    (one, info), (other, _) = map(load_checkpoint, weights)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)
    assert not one.training
    assert (info.run, info.seed, len(info.class_names)) == (0, 0, 20)
    assert info.preprocessing["image_size"] == 32
    assert {"torch", "numpy", "python"} <= set(info.versions)


def test_running_a_finished_study_again_writes_no_cell(finished):
    config, folder = finished

    def written() -> dict[Path, int]:
        kinds = ("predictions/*/*.parquet", "validation/**/*.parquet", "ensemble/*.parquet")
        return {p: p.stat().st_mtime_ns for kind in kinds for p in folder.glob(kind)}

    before = written()
    run_study(config)
    assert written() == before
    assert len(before) == 6 + 6 + 3


def test_a_truncated_cell_is_named_and_made_again_and_the_rest_is_left(
    finished, undisturbed, caplog
):
    config, folder = finished
    damaged = paths.prediction_path(folder, 1, 0.5)
    damaged.write_bytes(damaged.read_bytes()[:-100])
    untouched = paths.prediction_path(folder, 0, 0.5)
    before = untouched.stat().st_mtime_ns
    with caplog.at_level(logging.WARNING):
        run_study(config)
    assert str(damaged) in caplog.text
    assert untouched.stat().st_mtime_ns == before
    assert_equal_studies(folder, undisturbed[1] / "studies" / config.id)


@pytest.mark.parametrize("name", ["class_metrics.parquet", "achieved_sparsity.parquet"])
@pytest.mark.parametrize("damage", ["truncate", "delete"])
def test_a_lost_table_is_made_again_from_what_is_there(finished, undisturbed, name, damage):
    config, folder = finished
    path = folder / name
    cells = {p: p.stat().st_mtime_ns for p in folder.rglob("predictions/*/*.parquet")}
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:50])
    else:
        path.unlink()
    run_study(config)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("predictions/*/*.parquet")} == cells
    assert_equal_studies(folder, undisturbed[1] / "studies" / config.id)


def test_an_ensemble_follows_its_cells(finished):
    config, folder = finished
    labels = store.read_labels(folder)
    ids, names = labels.split("test")["image_id"], labels.class_names
    other = np.full((len(ids), len(names)), 0.25, np.float32)
    store.write_predictions(ids, other, names, paths.prediction_path(folder, 0, 0.5))
    run_study(config)
    second = store.read_predictions(paths.prediction_path(folder, 1, 0.5), ids, names)
    mean = store.read_predictions(paths.ensemble_path(folder, 0.5), ids, names)
    assert mean == pytest.approx((0.25 + second) / 2, abs=1e-6)


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_damaged_checkpoint_is_trained_again_to_the_same_weights(finished, undisturbed, suffix):
    config, folder = finished
    path = trained_checkpoint(folder, 0).with_suffix(suffix)
    damaged = bytearray(path.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 200] = bytes(200)
    path.write_bytes(damaged)
    assert not is_complete(trained_checkpoint(folder, 0))
    run_study(config)
    assert_equal_studies(folder, undisturbed[1] / "studies" / config.id)


def test_changed_images_are_refused_and_the_record_stays(finished):
    config, folder = finished
    record = paths.study_json(folder).read_bytes()
    drawn = paths.phantoms_dir(config.dataset)
    labels = store.read_labels(folder).table
    rendered = [drawn / path for path in labels["path"].iloc[:2]]
    first, second = (path.read_bytes() for path in rendered)
    rendered[0].write_bytes(second)
    rendered[1].write_bytes(first)
    with pytest.MonkeyPatch.context() as patch:
        # The renderer would mend its own pictures; a folder of real X-rays does not.
        patch.setattr("core.engine.pipeline.load_labels", lambda *_: store.read_labels(folder))
        with pytest.raises(InputError, match="images of study 'small' have changed"):
            run_study(config)
    assert paths.study_json(folder).read_bytes() == record


def test_a_damaged_neighbour_is_in_nobodys_way(finished):
    config, folder = finished
    for number, text in enumerate(("{", '{"a": 1}', "[]")):
        neighbour = folder.parent / f"other-{number}"
        neighbour.mkdir()
        (neighbour / "study.json").write_text(text)
    run_study(config)
    assert store.find_study("small") == folder


def test_a_folder_of_another_config_is_refused_with_what_differs(finished):
    config, _ = finished
    other = StudyConfig.model_validate(
        config.model_dump(mode="json") | {"runs": {"count": 1, "first_seed": 0}}
    )
    with pytest.raises(InputError, match=r"runs\.count: 2 -> 1"):
        run_study(other)


def test_changed_labels_are_refused(finished):
    config, folder = finished
    provenance = store.read_provenance(folder)
    store.write_json(provenance | {"dataset_fingerprint": "0" * 16}, paths.study_json(folder))
    with pytest.raises(InputError, match="labels of study 'small' have changed"):
        run_study(config)
    assert read_progress(folder).state == "failed"


def test_two_processes_do_not_run_one_study(finished):
    from filelock import FileLock

    config, folder = finished
    with FileLock(paths.lock_path(folder)), pytest.raises(WorkError, match="another process"):
        run_study(config)


def test_cancelling_stops_at_the_next_report_and_a_later_call_goes_on(
    undisturbed, study_file, tmp_path, monkeypatch
):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    config = read_config(study_file)
    seen = []

    def cancelled():
        seen.append(1)
        return len(seen) > 12

    with pytest.raises(Cancelled):
        run_study(config, cancelled=cancelled)
    folder = paths.study_dir(config)
    assert read_progress(folder).state == "cancelled"
    run_study(config)
    assert_equal_studies(folder, undisturbed[1] / "studies" / config.id)


def start(study_file: Path, cache: Path) -> subprocess.Popen:
    code = (
        "import sys; from pathlib import Path\n"
        "from core.study.config import read_config; from core.engine.pipeline import run_study\n"
        "if __name__ == '__main__': run_study(read_config(Path(sys.argv[1])))"
    )
    environment = os.environ | {"PRUNESCOPE_CACHE": str(cache)}
    script = cache / "run_it.py"
    cache.mkdir(parents=True, exist_ok=True)
    script.write_text(code)
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, str(script), str(study_file)],
        env={**environment, "PYTHONPATH": str(root)},
        start_new_session=True,
        stderr=subprocess.PIPE,
    )


def kill_at_random_moments(study_file, cache, config, times, rng) -> int:
    """SIGKILL the job at moments of its work, not of its start; returns how often it was hit."""
    folder = cache / "studies" / config.id
    hits = 0
    for _ in range(times):
        process = start(study_file, cache)
        begun = time.time()
        while process.poll() is None:
            report = store.read_json(paths.progress_path(folder))
            if report and report["pid"] == process.pid:
                break
            if time.time() - begun > 120:
                break
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 1.2))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            hits += 1
        process.communicate()
    last = start(study_file, cache)
    _, errors = last.communicate(timeout=300)
    assert last.returncode == 0, errors.decode()
    return hits


@pytest.mark.parametrize("times", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_at_random_moments_the_study_equals_the_undisturbed_one(
    undisturbed, study_file, tmp_path, times
):
    config, cache = undisturbed
    hits = kill_at_random_moments(study_file, tmp_path, config, times, random.Random(times))
    assert hits
    folder = tmp_path / "studies" / config.id
    assert_equal_studies(folder, cache / "studies" / config.id)
    assert not list(folder.rglob("*.tmp"))
    assert np.isfinite(store.read_class_metrics(folder)["ap"].dropna()).all()
