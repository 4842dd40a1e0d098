"""AP, AUROC and calibrated AP in SQL are those of `core.analysis.metrics`, to the last bit."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.analysis.metrics import ClassLabels
from core.errors import InputError
from core.results.query import query
from core.results.query_functions import METRICS, add_metrics
from core.study.study import Study
from tests.toys import write_toy_study

# Few scores, so that many tie; and uncertain labels.
TIED = st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])
SCORES = TIED | st.floats(0, 1, width=32)
LABELS = st.sampled_from([0.0, 1.0, 1.0, 0.0, None])
IMAGES = st.lists(st.tuples(st.integers(0, 2), SCORES, LABELS), min_size=1, max_size=60)


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as connection:
        add_metrics(connection)
        yield connection


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield Study(write_toy_study(images=False))


@given(images=IMAGES)
def test_a_metric_in_sql_is_that_of_the_analysis(connection, images):
    table = pd.DataFrame(images, columns=["part", "score", "label"])
    table = table.astype({"score": np.float32, "label": float})
    connection.register("images", table)
    metrics = ", ".join(f"{name}(score, label) as {name}" for name in METRICS)
    # As strings of bits, so that a null is not a NaN, and the last digit counts.
    found = connection.execute(f"select part, {metrics} from images group by part").fetchall()
    assert len(found) == table["part"].nunique()
    for part, *values in found:
        own = table[table["part"] == part]
        (labels,) = ClassLabels.of(own["label"].to_numpy()[:, None])
        expected = labels.measure(own["score"].to_numpy())
        assert values == [getattr(expected, name) for name in METRICS]


def test_an_image_without_a_score_or_a_label_is_left_out(connection):
    images = "(values (0.9, 1), (0.1, 0), (null, 1), (0.95, null)) as images(score, label)"
    sql = f"select ap(score, label), auroc(score, label) from {images}"
    assert connection.execute(sql).fetchall() == [(1.0, 1.0)]


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ("(0.9, 0), (0.1, 0)", (None, None, None)),
        ("(0.9, null)", (None, None, None)),
        ("(0.9, 1), (0.1, 1)", (1.0, None, None)),
        ("(0.5, true), (0.5, false)", (0.5, 0.5, 0.05)),
    ],
)
def test_what_is_undefined_is_null(connection, images, expected):
    metrics = ", ".join(f"{name}(score, label)" for name in METRICS)
    sql = f"select {metrics} from (values {images}) as images(score, label)"
    assert connection.execute(sql).fetchone() == pytest.approx(expected)
    none = f"select {metrics} from (values {images}) as images(score, label) where score > 2"
    assert connection.execute(none).fetchone() == (None, None, None)


@pytest.mark.parametrize("sparsity", [0, 0.9])
def test_predictions_give_the_metrics_of_the_study(study, sparsity):
    found = query(
        study,
        "select run, ap(p.Hernia, l.Hernia) as ap, auroc(p.Hernia, l.Hernia) as auroc, "
        "calibrated_ap(p.Hernia, l.Hernia) as calibrated_ap from predictions p "
        f"join labels l using (image_id) where sparsity = {sparsity} group by run order by run",
    )
    known = query(
        study,
        "select run, ap, auroc, calibrated_ap, somers_d from class_metrics "
        f"where class_name = 'Hernia' and sparsity = {sparsity} order by run",
    )
    assert known["somers_d"].tolist() == pytest.approx((2 * known["auroc"] - 1).tolist())
    pd.testing.assert_frame_equal(
        found, known.drop(columns="somers_d"), check_dtype=False, check_exact=True
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("ap(0.5, 0.3)", "ap takes labels of 1, 0 or null, not 0.3."),
        ("auroc('inf'::double, 1)", "auroc takes scores that are numbers or null, not inf."),
        ("ap('high', 1)", "Could not convert string 'high'"),
    ],
)
def test_what_is_no_score_or_label_is_refused_in_words(study, call, said):
    with pytest.raises(InputError) as caught:
        query(study, f"select {call}")
    assert said in str(caught.value)


def test_the_functions_open_no_way_to_other_files(study):
    with pytest.raises(InputError):
        query(study, "select ap(1, 1), content from read_text('pyproject.toml')")
    with pytest.raises(InputError):
        query(study, "create macro ap(score, label) as 1")


def test_a_subgroup_narrows_every_table_of_a_query(study):
    counted = "select count(*) as n from {} join labels using (image_id)"
    test = study.labels.split("test")
    n = int(((test["view"] == "PA") & (test["age"] >= 60)).sum())
    chosen = "view:PA,age:60-"
    for table, cells in (("labels", 1), ("predictions", 8), ("ensembles", 4)):
        sql = counted.format(table) if table != "labels" else "select count(*) as n from labels"
        assert query(study, sql, chosen)["n"][0] == cells * n
    own = "select sparsity, ap(p.Effusion, l.Effusion) as ap from predictions p join labels l "
    own += "using (image_id) where run = 1 group by 1 order by 1"
    known = "select sparsity, ap from class_metrics where run = 1 and class_name = 'Effusion' "
    found, expected = query(study, own, chosen), query(study, known + "order by 1", chosen)
    np.testing.assert_allclose(found["ap"], expected["ap"], rtol=1e-12)
    with pytest.raises(InputError, match="A subgroup is for the tables"):
        query(study, "select * from pies", chosen)
    with pytest.raises(InputError, match="Attributes: age, view"):
        query(study, "select 1", "sex:F")
