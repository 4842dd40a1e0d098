"""The page "Safe sparsity": its answer, its settings in the address, and what it cannot tell."""

import numpy as np
import pandas as pd
import pytest

from core.analysis.metrics import metrics_table
from core.study import paths, store
from core.study.labels import label_matrix
from tests.pages.test_pages import open_page, said
from tests.toys import toy_config, toy_labels, write_toy_study

PAGE = "safe_sparsity.py"


def write_known_study(name: str, collapses: bool, n_runs: int = 3):
    """Pruned as dense, but for Mass, which `collapses` to noise at 50 %; Hernia is rare."""
    config = toy_config(name, runs={"count": n_runs}, sweep={"sparsities": [0, 0.25, 0.5, 0.75]})
    names = ("Effusion", "Mass", "Hernia", "No Finding")
    labels = toy_labels(1200, class_names=names, frequencies=(0.3, 0.08, 0.004))
    folder = paths.study_dir(config)
    store.write_labels(labels, folder)
    test = labels.split("test")
    truth = label_matrix(test, names)
    cells = []
    for run in range(n_runs):
        rng = np.random.default_rng(run)
        dense = 2 * truth + rng.normal(size=truth.shape)
        for sparsity in config.sweep.sparsities:
            scores = dense.copy()
            if collapses and sparsity >= 0.5:
                scores[:, 1] = rng.normal(size=len(scores))
            values = (1 / (1 + np.exp(-scores))).astype(np.float32)
            path = paths.prediction_path(folder, run, sparsity)
            store.write_predictions(test["image_id"], values, names, path)
            cells.append(metrics_table(truth, values, names).assign(run=run, sparsity=sparsity))
    metrics = pd.concat(cells, ignore_index=True)
    columns = store.CLASS_METRICS.names
    store.write_table(metrics[columns], paths.class_metrics_path(folder))
    provenance = {"config": config.model_dump(mode="json"), "skipped_images": []}
    store.write_json(provenance, paths.study_json(folder))
    return folder


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))


def spoken(at) -> str:
    return said(at).replace("\\", "")


def test_the_class_that_collapses_is_named_in_the_answer():
    write_known_study("known", collapses=True)
    text = spoken(open_page(PAGE))
    assert (
        "## By ranking, each of the 3 classes with enough patients to tell keeps 90 % of its "
        "Somers\u2019 D at every sparsity tried up to 25 %; Mass breaks first, by 50 % (between 25 "
        "and 50 % nothing was tried)." in text
    )
    assert "shown to be unsafe" in text
    assert "The smallest margin shown at 25 %: with 95 % confidence" in text
    assert "By decisions: cannot tell. This study has no operating points" in text
    assert "not a licence to deploy" in text
    assert "Cannot tell for 1 class with fewer than 10 test patients: Hernia." in text
    assert "By ranking, cannot tell: no tail class has enough patients to tell." in text


def test_identical_models_are_safe_to_the_end():
    write_known_study("null", collapses=False)
    text = spoken(open_page(PAGE))
    assert "Somers\u2019 D at every sparsity tried up to 75 %, the end of the grid." in text


def test_margin_confidence_patients_and_metric_stand_in_the_address():
    write_known_study("known", collapses=True)
    at = open_page(PAGE, margin="20", confidence="99", min_patients="30", metric="auroc")
    assert at.number_input(key="margin").value == 20
    text = spoken(at)
    assert at.number_input(key="min_patients").value == 30
    assert "keeps 80 % of its AUROC" in text
    assert "99 % one-sided lower bound" in text
    at.number_input(key="margin").set_value(5.0).run()
    assert "keeps 95 % of its AUROC at every sparsity tried up to 25 %" in spoken(at)


def test_addresses_of_before_keep_working():
    write_known_study("known", collapses=True)
    at = open_page(PAGE, positives="30", metric="AP")
    assert at.number_input(key="min_patients").value == 30
    assert "keeps 90 % of its AP at every sparsity tried up to 25 %" in spoken(at)
    assert "Mass breaks first" in spoken(open_page(PAGE, positives="<b>"))


def test_nonsense_in_the_address_is_ignored():
    write_known_study("known", collapses=True)
    at = open_page(PAGE, margin="-4", confidence="<b>", min_patients="1e99", metric="x")
    assert "Mass breaks first" in spoken(at)


def test_no_class_with_enough_patients_cannot_tell():
    write_known_study("known", collapses=True)
    text = spoken(open_page(PAGE, min_patients="9000"))
    assert "## By ranking, cannot tell: no class has enough patients to tell." in text


def test_one_run_is_told():
    write_known_study("single", collapses=True, n_runs=1)
    assert "One run: the bounds are over patients only" in spoken(open_page(PAGE))


def test_the_dense_model_alone_says_what_is_needed():
    folder = write_toy_study(images=False)
    for path in (folder / "predictions").glob("run=*/sparsity=[1-9]*.parquet"):
        path.unlink()
    assert "one sparsity above 0" in open_page(PAGE).info[0].value


def test_the_moments_are_kept_and_made_again_when_a_prediction_changes():
    folder = write_known_study("known", collapses=True)
    open_page(PAGE)
    kept = paths.paired_moments_path(folder)
    first = kept.stat().st_mtime_ns
    open_page(PAGE, margin="20")
    assert kept.stat().st_mtime_ns == first
    path = paths.prediction_path(folder, 0, 0.75)
    path.write_bytes(paths.prediction_path(folder, 0, 0.5).read_bytes())
    open_page(PAGE)
    assert kept.stat().st_mtime_ns > first
    kept.write_bytes(b"damaged")
    assert "Mass breaks first" in spoken(open_page(PAGE))
