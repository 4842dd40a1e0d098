"""Exports hold exactly the study's numbers, and a refused export leaves nothing behind."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core import results
from core.analysis.decay import ForgettabilityCurves
from core.analysis.metrics import METRICS
from core.errors import InputError
from core.results import METRIC, TABLES, tables_with
from core.results.export import export
from core.study import paths, store
from core.study.labels import Labels
from core.study.study import Study
from tests.page_studies import with_rising, with_validation
from tests.toys import TOY_CLASSES, write_toy_study


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that has every table; not to be written to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        folder = write_toy_study(images=False)
        with_validation(folder)
        with_rising(folder)
    achieved = pd.DataFrame({"run": [0], "sparsity": [0.5], "layer": ["all"], "achieved": [1 / 3]})
    store.write_table(achieved, paths.achieved_sparsity_path(folder))
    labels = store.read_labels(folder)
    poor = np.arange(len(labels.table)) % 9 == 0
    told = labels.table.assign(wrong_labels="", poor_quality=poor)
    store.write_labels(Labels(told, labels.class_names), folder)
    return folder


@pytest.fixture
def folder(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(made.parents[1]))
    return made


@pytest.fixture
def own_folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that a test may change."""
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(made, tmp_path / "cache" / "studies" / made.name))


@pytest.fixture(scope="module")
def expected(made: Path) -> Callable[[str], pd.DataFrame]:
    """A table as it is in memory; each is made once."""
    return cache(lambda name: results.table(Study(made), name))


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
@pytest.mark.parametrize("name", list(TABLES))
def test_every_number_comes_back_to_the_last_digit(
    folder: Path,
    expected: Callable[[str], pd.DataFrame],
    tmp_path: Path,
    name: str,
    suffix: str,
) -> None:
    out = tmp_path / f"{name}{suffix}"
    table = expected(name)
    assert export("toy", name, out) == len(table) > 0
    if suffix == ".csv":
        found = pd.read_csv(out)
    elif suffix == ".parquet":
        found = pd.read_parquet(out)
    else:
        found = pd.DataFrame(json.loads(out.read_text()), columns=list(table.columns))
    assert list(found.columns) == list(table.columns)
    for column in table:
        if pd.api.types.is_numeric_dtype(table[column]):
            np.testing.assert_array_equal(
                found[column].to_numpy(float, na_value=np.nan),
                table[column].to_numpy(float, na_value=np.nan),
            )
        else:
            assert list(found[column]) == list(table[column])


def test_a_class_without_positives_has_null_in_json_and_nothing_in_csv(
    own_folder: Path, tmp_path: Path
) -> None:
    metrics = store.read_class_metrics(own_folder)
    metrics.loc[0, ["ap", "auroc"]] = np.nan
    store.write_table(metrics, paths.class_metrics_path(own_folder))
    export("toy", "class_metrics", tmp_path / "m.json")
    assert json.loads((tmp_path / "m.json").read_text())[0]["ap"] is None
    export("toy", "class_metrics", tmp_path / "m.csv")
    assert ",," in (tmp_path / "m.csv").read_text().splitlines()[1]


def test_forgettability_is_the_curves_of_the_study(folder: Path, tmp_path: Path) -> None:
    export("toy", "forgettability", tmp_path / "f.parquet")
    curves = ForgettabilityCurves()(store.read_class_metrics(folder))
    shared = ["class_name", "sparsity", "relative_ap_change", "n_runs"]
    exported = pd.read_parquet(tmp_path / "f.parquet")
    pd.testing.assert_frame_equal(exported[shared], curves[shared])


def test_pies_are_five_percent_of_the_test_images_at_any_finished_sparsity(
    folder: Path, tmp_path: Path
) -> None:
    assert export("toy", "pies", tmp_path / "90.parquet") == 200
    assert export("toy", "pies", tmp_path / "95.parquet", sparsity=0.95) == 200
    at_90, at_95 = (pd.read_parquet(tmp_path / f"{percent}.parquet") for percent in (90, 95))
    assert at_90["is_pie"].sum() == at_95["is_pie"].sum() == 10
    assert not at_90["agreement"].equals(at_95["agreement"])


def test_forgettability_of_a_metric_is_the_median_of_its_relative_change(
    folder: Path, tmp_path: Path
) -> None:
    table = store.read_class_metrics(folder)
    table["somers_d"] = 2 * table["auroc"] - 1
    for metric in METRICS:
        export("toy", "forgettability", tmp_path / "f.parquet", metric=metric)
        dense = table[table["sparsity"] == 0].set_index(["run", "class_name"])[metric]
        at = pd.MultiIndex.from_frame(table[["run", "class_name"]])
        change = table[metric] / dense.reindex(at).to_numpy() - 1
        wanted = change.groupby([table["class_name"], table["sparsity"]]).median()
        found = pd.read_parquet(tmp_path / "f.parquet").set_index(["class_name", "sparsity"])
        np.testing.assert_allclose(
            found["relative_ap_change"], wanted.reindex(found.index), atol=1e-12
        )


@pytest.mark.parametrize("name", tables_with(METRIC))
def test_each_metric_gives_another_table_and_one_of_them_is_the_one_without(
    folder: Path, tmp_path: Path, name: str
) -> None:
    plain = results.table(Study(folder), name)
    seen = []
    for metric in METRICS:
        export("toy", name, tmp_path / "t.parquet", metric=metric)
        seen.append(pd.read_parquet(tmp_path / "t.parquet"))
    default = "somers_d" if name == "safe_sparsity" else "ap"
    pd.testing.assert_frame_equal(seen[METRICS.index(default)], plain, check_dtype=False)
    assert not any(a.equals(b) for a, b in itertools.combinations(seen, 2))


def test_a_metric_is_refused_for_tables_without_one_and_where_it_does_not_exist(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "t.csv"
    with pytest.raises(InputError, match=r"A metric is for the tables .*forgettability, .*pies"):
        export("toy", "pies", out, metric="auroc")
    with pytest.raises(InputError, match=r"no metric 'f1'. Metrics: ap, calibrated_ap, auroc"):
        export("toy", "overall", out, metric="f1")
    assert not out.parent.exists()


@pytest.mark.parametrize(
    ("study_name", "table", "file", "sparsity", "words"),
    [
        ("toys", "pies", "a.csv", None, "no study called 'toys'. Studies here: toy"),
        ("toy", "pie", "a.csv", None, "no table 'pie'. Tables: .*class_metrics, .*pies"),
        ("toy", "pies", "a.xlsx", None, r"a.xlsx does not end in one of .csv, .parquet, .json"),
        ("toy", "pies", "a.csv", 0.8, "no ensemble at sparsity 0.8. Finished: 0, 0.5, 0.9, 0.95"),
        (
            "toy",
            "class_metrics",
            "a.csv",
            0.9,
            "pie_poor_quality only, not for class_metrics",
        ),
    ],
)
def test_a_refusal_says_what_is_allowed_and_writes_nothing(
    folder: Path,
    tmp_path: Path,
    study_name: str,
    table: str,
    file: str,
    sparsity: float | None,
    words: str,
) -> None:
    with pytest.raises(InputError, match=words):
        export(study_name, table, tmp_path / "out" / file, sparsity)
    assert not (tmp_path / "out").exists()


def test_a_file_that_cannot_be_written_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"Cannot write .*file/a\.csv"):
        export("toy", "class_metrics", tmp_path / "file" / "a.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        export("toy", "class_metrics", tmp_path / "folder.csv")


def test_a_failed_write_leaves_the_old_file_and_no_other(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out" / "m.csv"
    export("toy", "class_metrics", out)
    before = out.read_bytes()

    def full_disk(self: Path, content: bytes) -> None:
        self.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(InputError, match="No space left"):
        export("toy", "class_metrics", out)
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["m.csv"]


def test_a_study_that_is_not_pruned_yet_says_so(own_folder: Path, tmp_path: Path) -> None:
    paths.achieved_sparsity_path(own_folder).unlink()
    with pytest.raises(InputError, match="no achieved_sparsity yet"):
        export("toy", "achieved_sparsity", tmp_path / "a.csv")


def test_frequencies_list_every_class_once(folder: Path, tmp_path: Path) -> None:
    export("toy", "class_frequencies", tmp_path / "f.csv")
    assert set(pd.read_csv(tmp_path / "f.csv")["class_name"]) == set(TOY_CLASSES)
