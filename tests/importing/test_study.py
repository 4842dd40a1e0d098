"""Published predictions become a study, whole, once, and again after anything."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from core.cli import app
from core.errors import InputError, WorkError
from core.importing import study as importing
from core.importing.imported import Imported
from core.importing.pickles import read_pickled_frame
from core.importing.study import import_study
from core.reporting.report import report_html
from core.study import paths, store
from core.study.labels import label_matrix
from core.study.progress import Cancelled, read_progress
from core.study.study import Study
from tests.importing.given import copy_to_seed, prediction, published, write_pickle

ROOT = Path(__file__).parents[2]
GRID = (0.0, 0.5, 0.9)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return published(tmp_path / "published")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Published files and the folder of their study; not to be written to."""
    folder = tmp_path_factory.mktemp("untouched")
    source = published(folder / "published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(folder / "cache"))
        return source, take(source).folder


@pytest.fixture(scope="module")
def whole(untouched: tuple[Path, Path]) -> dict[str, object]:
    """Every table of that study."""
    return content(untouched[1])


def take(source: Path, **options: object) -> Imported:
    return import_study(source, source, "nih-cxr-lt", "pub", **options)


def content(folder: Path) -> dict[str, object]:
    """Every table of a study, as values."""
    return {
        str(path.relative_to(folder)): store.read_table(path).to_dict("list")
        for path in sorted(folder.rglob("*.parquet"))
    }


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(
        pd.DataFrame(one[key]).equals(pd.DataFrame(other[key])) for key in one
    )


def test_predictions_equal_direct_reading_to_the_last_bit(untouched: tuple[Path, Path]) -> None:
    source, folder = untouched
    labels = store.read_labels(folder)
    ids, names = labels.split("test")["image_id"], list(labels.class_names)
    assert (
        ids.tolist() == pd.read_csv(source / "miccai2023_nih-cxr-lt_labels_test.csv")["id"].tolist()
    )
    for run in (0, 1):
        for sparsity in GRID:
            stored = store.read_predictions(
                paths.prediction_path(folder, run, sparsity), ids, labels.class_names
            )
            direct = read_pickled_frame(prediction(source, run, f"{sparsity:g}"), 90, 20)
            assert stored.tobytes() == np.ascontiguousarray(direct[names]).tobytes()
    ensemble = store.read_predictions(paths.ensemble_path(folder, 0.9), ids, labels.class_names)
    frames = [read_pickled_frame(prediction(source, run, "0.9"), 90, 20)[names] for run in (0, 1)]
    mean = np.mean([frame.to_numpy(float) for frame in frames], axis=0).astype(np.float32)
    assert np.array_equal(ensemble, mean)


def test_class_metrics_are_those_of_scikit_learn(untouched: tuple[Path, Path]) -> None:
    source, folder = untouched
    labels = store.read_labels(folder)
    truth = label_matrix(labels.split("test"), labels.class_names)
    table = store.read_class_metrics(folder)
    assert len(table) == 2 * 3 * 20
    frame = read_pickled_frame(prediction(source, 1, "0.5"), 90, 20)
    cell = table[(table["run"] == 1) & (table["sparsity"] == 0.5)].set_index("class_name")
    for column, name in enumerate(labels.class_names):
        if truth[:, column].any():
            expected = average_precision_score(truth[:, column], frame[name])
            assert cell.loc[name, "ap"] == pytest.approx(expected, abs=1e-12)
            expected = roc_auc_score(truth[:, column], frame[name])
            assert cell.loc[name, "auroc"] == pytest.approx(expected, abs=1e-12)
        else:
            assert pd.isna(cell.loc[name, "ap"])


def test_the_study_says_where_it_comes_from(untouched: tuple[Path, Path]) -> None:
    source, folder = untouched
    provenance = store.read_provenance(folder)
    assert provenance["imported"]["folder"] == str(source)
    assert provenance["seeds"] == [0, 1]
    assert len(provenance["imported"]["cells"]) == 6
    cell = provenance["imported"]["cells"]["run=01/sparsity=50"]
    assert cell["file"] == "nih-cxr-lt_resnet50_seed-1_prune-0.5.pkl"
    assert len(cell["sha256"]) == 64
    config = store.read_config(folder)
    assert config.dataset.kind == "imported"
    assert (config.model.architecture, config.runs.count) == ("resnet50", 2)
    assert config.sweep.sparsities == GRID
    assert config.dataset.images is None
    assert read_progress(folder).state == "finished"


def test_settings_that_nobody_gave_are_not_on_record_and_the_id_is_what_it_was(
    untouched: tuple[Path, Path],
) -> None:
    _, folder = untouched
    written = store.read_provenance(folder)["config"]
    assert written["model"] == {"architecture": "resnet50"}
    assert written["sweep"] == {"sparsities": list(GRID)}
    assert not {"training", "pruning"} & written.keys()
    assert store.read_config(folder).id == folder.name


def test_the_report_and_the_overview_say_what_is_not_known(source: Path) -> None:
    copy_to_seed(source, 1, 7)
    copy_to_seed(source, 1, 7, "0.9")
    folder = take(source).folder
    page = re.sub(r"<(script|style)\b.*?</\1>", "", report_html(Study(folder)), flags=re.DOTALL)
    facts = AppTest.from_file(str(ROOT / "pages" / "overview.py"), default_timeout=60)
    facts.query_params.update({"study": "pub", "facts": "true"})
    shown = "".join(one.value for one in facts.run().get("html"))
    for text in (page, shown):
        assert "made elsewhere and imported" in text
        assert "not known" in text
        for made_up in ("smallest weights", "l1_global", "epochs", "flip", "fp32", "One-shot"):
            assert made_up not in text, made_up
    assert "<dt>training</dt><dd>not known</dd>" in page
    assert "<dt>pruning</dt><dd>not known</dd>" in page
    assert "3 runs, seeds 0, 1, 7" in shown


def test_parquet_and_csv_give_the_study_that_pickles_give(
    source: Path, whole: dict[str, object], tmp_path: Path
) -> None:
    ids = pd.read_csv(source / "miccai2023_nih-cxr-lt_labels_test.csv")["id"]
    for ending in ("csv", "parquet"):
        tables = tmp_path / ending
        tables.mkdir()
        for path in source.glob("*.pkl"):
            frame = read_pickled_frame(path, 90, 20).assign(image_id=ids).sample(frac=1)
            write = frame.to_csv if ending == "csv" else frame.to_parquet
            write(tables / f"{path.stem}.{ending}", index=False)
        imported = import_study(tables, source, "nih-cxr-lt", ending)
        assert same(content(imported.folder), whole)


def test_missing_cells_seeds_and_grid_points_are_listed_and_tolerated(source: Path) -> None:
    prediction(source, 1, "0.5").unlink()
    for prune in ("0", "0.9"):
        copy_to_seed(source, 1, 3, prune)
    imported = take(source)
    assert imported.missing_seeds == (2,)
    assert imported.missing_cells == ((1, 0.5), (3, 0.5))
    assert 0.95 in imported.missing_sparsities
    assert 0.5 not in imported.missing_sparsities
    said = str(imported)
    assert "No files for the seeds 2." in said
    assert "No file for seed 3 at sparsity 0.5." in said
    labels = store.read_labels(imported.folder)
    ids = labels.split("test")["image_id"]
    mean, only = (
        store.read_predictions(path, ids, labels.class_names)
        for path in (
            paths.ensemble_path(imported.folder, 0.5),
            paths.prediction_path(imported.folder, 0, 0.5),
        )
    )
    assert np.array_equal(mean, only)
    runs = store.read_class_metrics(imported.folder).groupby("sparsity")["run"].nunique()
    assert runs.to_dict() == {0.0: 3, 0.5: 1, 0.9: 3}


def test_an_interrupted_import_goes_on_where_it_was(
    source: Path, whole: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    real = importing.read_probabilities

    def reading(path: Path, test: object) -> np.ndarray:
        if len(taken) == 4:
            raise KeyboardInterrupt
        taken.append(path.name)
        return real(path, test)

    monkeypatch.setattr(importing, "read_probabilities", reading)
    with pytest.raises(KeyboardInterrupt):
        take(source)
    (folder,) = store.list_studies()
    assert read_progress(folder).state == "cancelled"
    first, taken = taken, []
    imported = take(source)
    assert imported.n_new == 2
    assert len(set(first) | set(taken)) == 6
    assert not set(first) & set(taken)
    assert same(content(folder), whole)


def test_a_killed_import_goes_on(source: Path, whole: dict[str, object]) -> None:
    """SIGKILL within the second run: nothing of that run is on record, and it is made again. All
    without torch."""
    script = (
        "import os, signal, sys; from pathlib import Path; from core.importing import study\n"
        "real, n = study.read_probabilities, [0]\n"
        "def reading(*a):\n"
        "    n[0] += 1\n"
        "    assert 'torch' not in sys.modules\n"
        "    if n[0] == 6: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return real(*a)\n"
        "study.read_probabilities = reading; p = Path(sys.argv[1])\n"
        "study.import_study(p, p, 'nih-cxr-lt', 'pub')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, source], cwd=ROOT, check=False)
    assert done.returncode == -9
    imported = take(source)
    assert imported.n_new == 3
    assert same(content(imported.folder), whole)


def test_a_stop_is_heeded(source: Path) -> None:
    with pytest.raises(Cancelled):
        take(source, cancelled=lambda: True)


def test_what_is_finished_is_not_read_again_and_what_is_damaged_is(
    source: Path, whole: dict[str, object]
) -> None:
    folder = take(source).folder
    assert take(source).n_new == 0
    path = paths.prediction_path(folder, 1, 0.9)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    paths.ensemble_path(folder, 0.5).unlink()
    assert take(source).n_new == 1
    assert same(content(folder), whole)
    paths.class_metrics_path(folder).write_bytes(b"damaged")
    assert take(source).n_new == 6
    assert same(content(folder), whole)


def test_a_changed_file_is_taken_again_with_all_that_follows_from_it(source: Path) -> None:
    folder = take(source).folder
    copy_to_seed(source, 0, 1, "0.9")
    assert take(source).n_new == 1
    labels = store.read_labels(folder)
    ids = labels.split("test")["image_id"]
    mean, one = (
        store.read_predictions(path, ids, labels.class_names)
        for path in (paths.ensemble_path(folder, 0.9), paths.prediction_path(folder, 0, 0.9))
    )
    assert mean == pytest.approx(0.9995 * one, rel=1e-6)


def test_a_file_that_is_gone_leaves_the_study(source: Path) -> None:
    folder = take(source).folder
    prediction(source, 1, "0.9").unlink()
    imported = take(source)
    assert (imported.n_new, imported.missing_cells) == (0, ((1, 0.9),))
    assert (1, 0.9) not in store.finished_cells(folder)
    assert len(store.read_class_metrics(folder)) == 5 * 20


def test_other_runs_labels_or_sparsities_are_another_study(source: Path) -> None:
    take(source)
    copy_to_seed(source, 1, 2)
    with pytest.raises(InputError, match="Study 'pub' exists"):
        take(source)
    prediction(source, 2).unlink()
    path = source / "miccai2023_nih-cxr-lt_labels_train.csv"
    table = pd.read_csv(path)
    table.iloc[:-1].to_csv(path, index=False)
    with pytest.raises(InputError, match="labels of study 'pub' have changed"):
        take(source)


def test_a_study_of_which_nothing_fits_leaves_no_trace(source: Path) -> None:
    frame = read_pickled_frame(prediction(source), 90, 20)
    write_pickle(frame.sample(frac=1, random_state=1), prediction(source))
    with pytest.raises(InputError, match="is labelled"):
        take(source)
    assert store.list_studies() == []


@pytest.mark.parametrize("ending", ["pkl", "csv", "parquet"])
def test_one_seeds_predictions_under_another_seeds_name_are_refused(
    source: Path, ending: str
) -> None:
    """In any order of the rows and in any format: it is the probabilities that are equal."""
    copy = prediction(source, 1, "0.9", ending)
    prediction(source, 1, "0.9").unlink()
    if ending == "pkl":
        shutil.copy(prediction(source, 0, "0.9"), copy)
    else:
        ids = pd.read_csv(source / "miccai2023_nih-cxr-lt_labels_test.csv")["id"]
        frame = read_pickled_frame(prediction(source, 0, "0.9"), 90, 20).assign(image_id=ids)
        frame = frame.sample(frac=1, random_state=1)
        (frame.to_csv if ending == "csv" else frame.to_parquet)(copy, index=False)
    with pytest.raises(InputError) as refused:
        take(source)
    assert str(refused.value) == (
        f"nih-cxr-lt_resnet50_seed-0_prune-0.9.pkl and {copy.name} hold the same probabilities "
        "for every image, so seeds 0 and 1 are not two runs. Put each seed's own predictions into "
        "its file, or remove the files of one of the two seeds and import the rest under another "
        "study name."
    )


def test_a_copy_is_found_also_beside_cells_that_an_older_version_imported(source: Path) -> None:
    folder = take(source).folder
    provenance = store.read_provenance(folder)
    for cell in provenance["imported"]["cells"].values():
        del cell["probabilities"]
    store.write_json(provenance, paths.study_json(folder))
    shutil.copy(prediction(source, 0, "0.5"), prediction(source, 1, "0.5"))
    with pytest.raises(InputError, match=r"seed-0_prune-0\.5.pkl and .*seed-1_prune-0\.5.pkl hold"):
        take(source)


def test_two_collapsed_networks_may_agree(source: Path) -> None:
    for seed in (0, 1):
        frame = read_pickled_frame(prediction(source, seed, "0.9"), 90, 20)
        frame[frame.select_dtypes("number").columns] = np.float32(0.25)
        write_pickle(frame, prediction(source, seed, "0.9"))
    assert take(source).n_cells == 6


def test_two_imports_into_one_study_do_not_mix(source: Path) -> None:
    from filelock import FileLock

    folder = take(source).folder
    with FileLock(paths.lock_path(folder)), pytest.raises(WorkError, match="another process"):
        take(source)


def test_with_images_the_labels_lead_to_them(source: Path, tmp_path: Path) -> None:
    ids = pd.read_csv(source / "miccai2023_nih-cxr-lt_labels_test.csv")["id"]
    images = tmp_path / "images"
    (images / "part-1").mkdir(parents=True)
    (images / "part-1" / ids[0]).touch()
    folder = take(source, images=images).folder
    labels = store.read_labels(folder).split("test").set_index("image_id")
    assert store.read_config(folder).dataset.images == images
    assert labels.loc[ids[0], "path"] == f"part-1/{ids[0]}"
    assert labels.loc[ids[1], "path"] == ids[1]  # not there: the dashboard says so itself


def test_any_table_of_labels_and_any_architecture(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"image_id": [f"i{n}" for n in range(60)]})
    table["patient_id"] = table["image_id"]
    table["split"] = np.repeat(["train", "val", "test"], 20)
    table["Mass"], table["Nodule"] = rng.integers(0, 2, (2, 60))
    table.to_csv(tmp_path / "labels.csv", index=False)
    for prune in ("0", "0.9"):
        given = table[table["split"] == "test"][["image_id"]].assign(Mass=0.1, Nodule=0.2)
        given.to_csv(tmp_path / f"table_vgg-16_seed-7_prune-{prune}.csv", index=False)
    imported = import_study(tmp_path, tmp_path / "labels.csv", "table", "mine")
    config = store.read_config(imported.folder)
    assert imported.class_names == ("Mass", "Nodule")
    assert (config.model.architecture, config.dataset.architecture) == ("other", "vgg-16")
    assert store.read_provenance(imported.folder)["seeds"] == [7]


def test_the_command_says_what_was_imported_and_what_is_missing(source: Path) -> None:
    options = ["--labels-dir", str(source), "--study", "pub", "--dataset"]
    result = CliRunner().invoke(app, ["import-predictions", str(source), *options, "nih-cxr-lt"])
    assert result.exit_code == 0, result.stderr
    assert "6 cells of 20 classes, 6 of them new" in result.stdout
    assert "no files for the sparsities 0.05," in result.stdout
    result = CliRunner().invoke(app, ["import-predictions", str(source), *options, "chexpert"])
    assert result.exit_code == 2
    assert result.stderr == (
        "There is no dataset 'chexpert'; there are: nih-cxr-lt, mimic-cxr-lt, table.\n"
    )
