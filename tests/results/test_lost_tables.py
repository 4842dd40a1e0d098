"""What a study keeps of lost and raised findings, recounted by hand from its files."""

import numpy as np
import pytest

from core.analysis.lost import (
    IN_TABLES,
    OPERATING_POINT,
    RANK,
)
from core.errors import WorkError
from core.results import image_curves, operating, pies
from core.study import paths, store
from core.study.labels import Labels, label_matrix
from core.study.study import Study
from tests.page_studies import with_rising, with_validation
from tests.toys import toy_config, write_toy_study


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return write_toy_study(images=False)


def test_without_validation_nothing_is_lost_but_by_rank(folder):
    assert np.isnan(operating.lost_at(Study(folder))).all()
    assert pies.pies(Study(folder))[["lost_at_sparsity", "lost_classes"]].isna().all(axis=None)
    table = image_curves.lost_findings(Study(folder))
    assert len(table) > 0
    assert set(table["lost_by"]) == {IN_TABLES[RANK]}


def test_lost_by_rank_is_the_study_recounted_by_hand(folder):
    labels = store.read_labels(folder)
    test = labels.split("test")
    truth, grid = label_matrix(test, labels.class_names), store.finished_ensembles(folder)
    values = {
        s: store.read_predictions(
            paths.ensemble_path(folder, s), test["image_id"], labels.class_names
        )
        for s in grid
    }
    expected = np.full(truth.shape, np.nan)
    for row, column in np.ndindex(truth.shape):
        negative = truth[:, column] == 0
        if negative.any():
            above = [(v[negative, column] < v[row, column]).mean() >= 0.9 for v in values.values()]
            if above[0] and not above[-1]:
                expected[row, column] = grid[max(np.flatnonzero(above)) + 1]
    np.testing.assert_allclose(operating.lost_at(Study(folder), RANK), expected, atol=1e-6)
    np.testing.assert_array_equal(
        operating.lost_at(Study(folder), RANK), operating.lost_at(Study(folder), RANK)
    )


def test_raised_findings_of_a_study_are_recounted_by_hand(folder):
    labels = with_validation(folder)
    with_rising(folder)
    test = labels.split("test")
    truth, grid = label_matrix(test, labels.class_names), store.finished_ensembles(folder)
    points = operating.operating_points(Study(folder))["operating_point"].to_numpy(np.float32)
    called = np.array(
        [
            store.read_predictions(
                paths.ensemble_path(folder, s), test["image_id"], labels.class_names
            )
            >= points
            for s in grid
        ]
    )
    table = image_curves.raised_findings(Study(folder))
    by_point = table[table["raised_by"] == IN_TABLES[OPERATING_POINT]]
    stays = called[::-1].cumprod(axis=0)[::-1].astype(bool)
    raised = ~called[0] & called[-1] & (truth == 0)
    assert len(by_point) == raised.sum() > 0
    for sparsity, here in zip(grid, stays, strict=True):  # what is raised may be so from earlier
        n = (by_point["raised_at_sparsity"] <= sparsity).sum()
        assert n == (here & raised).sum()
    lacked = by_point["n_runs_lacked"]
    assert (lacked.between(1, by_point["n_runs"])).all(), "the mean of runs that had it has it"
    assert (by_point["n_runs_raised"].between(0, lacked)).all()
    assert set(table["raised_by"]) == set(IN_TABLES.values())


def test_points_come_from_validation_never_from_test(folder):
    labels = with_validation(folder)
    rows = labels.split("validation")
    dense = [
        store.read_predictions(paths.validation_path(folder, run), rows["image_id"], names)
        for run, names in ((0, labels.class_names), (1, labels.class_names))
    ]
    truth = label_matrix(rows, labels.class_names)
    table = operating.operating_points(Study(folder))
    assert table["n_runs"].tolist() == [2] * len(table)
    mean = np.mean(dense, axis=0)
    trained = np.nansum(label_matrix(labels.split("train"), labels.class_names), axis=0) > 0
    assert np.isfinite(table["operating_point"]).tolist() == trained.tolist()
    for column in np.flatnonzero(trained):
        point = table["operating_point"][column]
        negatives = mean[truth[:, column] == 0, column]
        assert (negatives < point).mean() >= 0.9
        assert (negatives < point).sum() - 1 < 0.9 * len(negatives)


def test_the_table_of_lost_findings_is_the_study_recounted_by_hand(folder):
    labels = with_validation(folder)
    test = labels.split("test")
    table = image_curves.lost_findings(Study(folder))
    table = table[table["lost_by"] == IN_TABLES[OPERATING_POINT]]
    assert len(table) > 0
    points = operating.operating_points(Study(folder)).set_index("class_name")["operating_point"]
    for row in table.sample(min(len(table), 20), random_state=0).itertuples():
        column = labels.class_names.index(row.class_name)
        at = list(test["image_id"]).index(row.image_id)
        dense, runs = (
            [
                store.read_predictions(
                    paths.prediction_path(folder, run, sparsity),
                    test["image_id"],
                    labels.class_names,
                )[at, column]
                for run in (0, 1)
            ]
            for sparsity in (0.0, row.lost_at_sparsity)
        )
        point = np.float32(points[row.class_name])
        had = [before >= point for before in dense]
        assert row.n_runs_had == sum(had)
        assert row.n_runs_lost == sum(
            value < point for value, before in zip(runs, had, strict=True) if before
        )
        assert np.mean(runs) < point


def test_curves_are_made_once_and_anew_when_the_specificity_changes(folder):
    with_validation(folder)
    key = image_curves.key(Study(folder))
    assert len(list(image_curves.prepare(Study(folder)))) == 4
    assert list(image_curves.prepare(Study(folder))) == []
    changed = toy_config(
        "toy", paths.cache_dir() / "toy-images", operating_point={"specificity": 0.5}
    )
    assert paths.study_dir(changed) == folder, "a specificity does not make another study"
    provenance = store.read_provenance(folder) | {"config": changed.model_dump(mode="json")}
    store.write_json(provenance, paths.study_json(folder))
    assert image_curves.key(Study(folder)) != key
    assert len(list(image_curves.prepare(Study(folder)))) == 4
    assert [path.name for path in paths.image_curves_dir(folder).iterdir()] == [
        image_curves.key(Study(folder))
    ], "the old curves are gone"


def test_a_damaged_curve_is_named_and_made_again(folder):
    key = image_curves.key(Study(folder))
    list(image_curves.prepare(Study(folder)))
    paths.image_curves_path(folder, key, 0.5).write_bytes(b"half")
    with pytest.raises(WorkError, match="made again"):
        image_curves.read_image(Study(folder), 0)
    assert image_curves.unprepared(Study(folder)) == [0.5]
    list(image_curves.prepare(Study(folder)))
    assert image_curves.read_image(Study(folder), 0).shape == (4, 5, len(image_curves.KEPT))


@pytest.mark.parametrize("by", [OPERATING_POINT, RANK])
def test_what_no_training_image_carries_is_never_lost_nor_raised(folder, by):
    labels = with_validation(folder)
    with_rising(folder)
    before = np.isfinite(operating.lost_at(Study(folder), by)).sum(axis=0)
    column = int(before.argmax())
    assert before[column] > 0
    name = labels.class_names[column]
    table = labels.table.copy()
    table.loc[table["split"] == "train", name] = 0
    store.write_labels(Labels(table, labels.class_names), folder)
    study = Study(folder)
    assert np.isnan(operating.lost_at(study, by)[:, column]).all()
    assert np.isnan(operating.raised_at(study, by)[:, column]).all()
    after = np.isfinite(operating.lost_at(study, by)).sum(axis=0)
    assert np.array_equal(np.delete(after, column), np.delete(before, column))
