"""The tables about PIEs of a study of three runs: the paper's columns as published, and what dense
models compared with each other give beside them."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from core.analysis.pie_composition import RATIO, PieClassRatio
from core.analysis.pie_excess import EXCESS
from core.analysis.pie_null import pairs_of_runs
from core.pictures.quality import image_quality
from core.results import pies
from core.results.agreements import paper_pies
from core.results.export import export
from core.study import store
from core.study.labels import Labels
from core.study.study import Study
from tests.toys import toy_config, write_toy_study


@pytest.fixture(scope="module")
def _cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def folder(_cache, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(_cache))
    images = _cache / "toy-images"
    config = toy_config("three", images, runs={"count": 3})
    if (_cache / "studies").exists():
        return store.find_study("three")
    folder = write_toy_study("three", 400, config)
    labels = store.read_labels(folder)
    rows = labels.table.assign(wrong_labels="")
    rows.loc[rows.index[::4], "wrong_labels"] = "Nodule"
    store.write_labels(Labels(rows, labels.class_names), folder)
    return folder


def test_the_papers_columns_are_as_published(folder):
    labels = store.read_labels(folder)
    paper = PieClassRatio()(paper_pies(Study(folder)), labels.split("test"), labels.class_names)
    table = pies.pie_class_ratio(Study(folder))
    pd.testing.assert_frame_equal(table[list(paper.columns)], paper)
    assert set(RATIO) < set(paper.columns)
    assert table[EXCESS.names].notna().all(axis=None)


def test_agreements_of_pairs_lie_beside_the_ensembles(folder):
    table = pies.pies(Study(folder))
    n_runs, pairs = pies.pair_agreements(Study(folder), 0.9)
    assert n_runs == 3
    assert len(pairs.null) == len(pairs_of_runs(3))
    assert np.allclose(table["rank_agreement_dense_dense"], pairs.null.mean(axis=0), atol=1e-6)
    assert np.allclose(table["rank_agreement_dense_pruned"], pairs.cross.mean(axis=0), atol=1e-6)
    assert table["is_pie_rank"].sum() == table["is_pie"].sum() == 10
    assert table["agreement_z"].notna().all()


def test_what_is_kept_is_read_and_made_again_when_a_prediction_changes(folder):
    first = pies.pie_excess(Study(folder))
    assert pies.definitions.is_there(Study(folder), 0.9)
    pd.testing.assert_frame_equal(pies.pie_excess(Study(folder)), first)
    path = folder / "ensemble" / "sparsity=90.parquet"
    path.touch()
    assert not pies.definitions.is_there(Study(folder), 0.9)
    heard = []
    again = pies.pie_excess(Study(folder), advance=lambda *step: heard.append(step))
    pd.testing.assert_frame_equal(again, first)
    assert heard[-1][0] == heard[-1][1]
    assert heard == sorted(heard)


def test_what_is_kept_is_made_again_when_an_older_file_is_taken_away(folder):
    pies.pie_excess(Study(folder))
    newest = max(path.stat().st_mtime_ns for path in (folder / "ensemble").glob("*.parquet"))
    path = folder / "ensemble" / "sparsity=0.parquet"
    path = path if path.exists() else next((folder / "ensemble").glob("*.parquet"))
    before = path.stat()
    assert before.st_mtime_ns < newest
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns - 10**9))
    try:
        assert not pies.definitions.is_there(Study(folder), 0.9)
    finally:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert pies.definitions.is_there(Study(folder), 0.9)


def test_the_page_judges_wrong_labels_as_the_claims_do(folder):
    claim = pies.noise_claim(Study(folder))
    row = pies.pie_claims(Study(folder)).set_index("claim").loc["pies~label_noise"]
    assert (claim.estimate, claim.ci_low, claim.ci_high) == (
        row["estimate"], row["ci_low"], row["ci_high"],
    )  # fmt: skip
    assert claim.beside == ((row["pruned_ci_low"], row["pruned_ci_high"]),)
    excess = pies.pie_excess(Study(folder)).set_index(["kind", "name"])
    dense = excess.loc[("claim", "pies~label_noise"), "dense_ratio"]
    assert claim.detail["pruned"] / claim.estimate == pytest.approx(dense)


def test_the_claims_say_what_they_cannot_tell(folder):
    claims = pies.pie_claims(Study(folder)).set_index("claim")
    assert list(claims.index) == [
        "pies~rare", "pies~many_findings", "pies~label_noise", "pies~image_quality",
    ]  # fmt: skip
    assert "patients with a tail class" in claims.loc["pies~rare", "reason"]
    assert np.isnan(claims.loc["pies~rare", "estimate"])
    assert "not measured" in claims.loc["pies~image_quality", "reason"]
    noise = claims.loc["pies~label_noise"]
    assert noise["reason"] == ""
    assert noise["ci_low"] < noise["estimate"] < noise["ci_high"]
    paper = pies.pie_label_noise(Study(folder)).iloc[0]
    assert noise["paper_estimate"] == pytest.approx(paper["ratio"])
    assert noise["paper_ci_low"] == pytest.approx(paper["ci_low"])
    many = claims.loc["pies~many_findings"]
    assert np.isfinite(many["paper_estimate"])
    assert claims["null"].tolist() == [1, 1, 1, 0]


def test_image_quality_is_claimed_once_the_images_are_measured(folder):
    image_quality(folder)
    row = pies.pie_claims(Study(folder)).set_index("claim").loc["pies~image_quality"]
    assert row["reason"] == ""
    assert row["ci_low"] <= row["estimate"] <= row["ci_high"]
    assert row["n"] == 200
    table = pies.pie_quality(Study(folder))
    assert "badness" not in set(table["measure"])
    change = table["pruned_difference"] - table["dense_difference"]
    assert np.allclose(table["difference_of_differences"], change, equal_nan=True)


def test_the_tables_are_exported(folder, tmp_path):
    for name in ("pies", "pie_class_ratio", "pie_finding_count_ratio", "pie_label_noise"):
        assert export("three", name, tmp_path / f"{name}.json") > 0
