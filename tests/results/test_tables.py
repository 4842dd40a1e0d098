"""From a study's files to its tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from core import results
from core.errors import InputError
from core.results import evidence, pies
from core.study import paths, store
from core.study.columns import Column, Columns
from core.study.labels import Labels
from core.study.study import Study
from tests.toys import write_toy_study

METRIC_TABLES = (
    "forgettability",
    "class_summary",
    "class_pairs",
    "correlations",
    "overall",
    "interaction",
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return write_toy_study(images=False)


def with_validation(folder) -> Labels:
    """The toy study with half of its training images as validation, predicted by run 0 alone."""
    labels = store.read_labels(folder)
    table = labels.table.copy()
    train = np.flatnonzero(table["split"] == "train")
    table.loc[train[::2], "split"] = "validation"
    changed = Labels(table, labels.class_names)
    store.write_labels(changed, folder)
    rows = changed.split("validation")
    values = np.random.default_rng(0).random((len(rows), len(labels.class_names)))
    path = paths.validation_path(folder, 0)
    store.write_predictions(rows["image_id"], values.astype(np.float32), labels.class_names, path)
    return changed


def test_without_validation_predictions_modal_columns_are_missing(folder):
    table = pies.pies(Study(folder))
    modal = ["n_modal_disagreements", "is_pie_modal", "modal_excess"]
    assert table[modal].isna().all(axis=None)
    assert table["agreement_z"].isna().all(), "two runs have one pair of halves, and no spread"
    assert table[["agreement_dense_dense", "rank_agreement"]].notna().all(axis=None)
    assert table["is_pie"].sum() == 10


def test_runs_without_validation_predictions_have_no_thresholds_and_no_vote(folder):
    with_validation(folder)
    thresholds = pies.validation_thresholds(Study(folder), [0, 1])
    assert thresholds.shape == (2, 5)
    assert np.isnan(thresholds[1]).all()
    assert np.isfinite(thresholds[0]).any()
    table = pies.pies(Study(folder))
    assert table["n_modal_disagreements"].between(0, 5).all()
    assert (table["is_pie_modal"] == (table["n_modal_disagreements"] > 0)).all()


@pytest.mark.parametrize("name", METRIC_TABLES)
def test_an_unfinished_study_says_so(folder, name):
    paths.class_metrics_path(folder).unlink()
    with pytest.raises(InputError, match="no metrics yet"):
        results.table(Study(folder), name)


@pytest.mark.parametrize("name", METRIC_TABLES)
def test_missing_cells_are_tolerated(folder, name):
    metrics = store.read_class_metrics(folder)
    gone = (metrics["run"] == 1) & (metrics["sparsity"].isin([0.5, 0.95]))
    store.write_table(metrics[~gone], paths.class_metrics_path(folder))
    assert len(results.table(Study(folder), name)) > 0
    dense_gone = (metrics["run"] == 1) & (metrics["sparsity"] == 0)
    store.write_table(metrics[~dense_gone], paths.class_metrics_path(folder))
    assert len(results.table(Study(folder), name)) > 0


def test_a_missing_ensemble_is_named_with_those_there_are(folder):
    for table in (pies.pies, pies.pie_class_ratio, pies.pie_finding_count_ratio):
        with pytest.raises(InputError, match=r"no ensemble at sparsity 0.8. Finished: 0, 0.5"):
            table(Study(folder), 0.8)


def test_every_table_names_its_classes_as_the_study_does(folder):
    names = set(store.read_labels(folder).class_names)
    for name in ("forgettability", "class_summary"):
        assert set(results.table(Study(folder), name)["class_name"]) == names
    assert set(results.table(Study(folder), "pie_class_ratio")["class_name"]) == names - {
        "No Finding"
    }
    assert isinstance(results.table(Study(folder), "overall"), pd.DataFrame)


def test_a_kept_table_is_made_again_once_it_is_declared_to_have_another_column(folder):
    study, kept = Study(folder), evidence.class_onsets
    kept(study)
    assert kept.is_there(study)
    wider = replace(kept, columns=(*kept.columns, Columns(Column("more", "What is new."))))
    assert not wider.is_there(study)
    assert not replace(evidence.trends, uses=(wider,)).is_there(study)
