"""Forgettability on tables small enough to work out on paper."""

import numpy as np
import pandas as pd
import pytest

from core.analysis.decay import (
    ForgettabilityCurves,
    RelativeChange,
    band_over_runs,
    mean_over_classes,
    wide_curves,
)
from core.analysis.forgettability import InterpolatedFirstDrop


def metrics_of(ap_by_class: dict[str, list[list[float]]], sparsities=(0.0, 0.5, 0.9)):
    """ap_by_class: class -> one list of AP over sparsities per run."""
    rows = [
        (run, sparsity, class_name, 20, ap)
        for class_name, runs in ap_by_class.items()
        for run, curve in enumerate(runs)
        for sparsity, ap in zip(sparsities, curve, strict=True)
    ]
    names = ["run", "sparsity", "class_name", "n_positive", "ap"]
    return pd.DataFrame(rows, columns=names)


def test_relative_change_is_against_the_dense_model_of_the_same_run():
    table = RelativeChange()(metrics_of({"Hernia": [[0.8, 0.4, 0.2], [0.5, 0.5, 0.25]]}))
    assert table["relative_change"].tolist() == pytest.approx([0, -0.5, -0.75, 0, 0, -0.5])


def test_a_class_without_a_dense_ap_has_no_relative_change():
    table = RelativeChange()(metrics_of({"Zero": [[0.0, 0.1, 0.2]], "Null": [[np.nan, 0.1, 0.2]]}))
    assert table["relative_change"].isna().all()


def test_the_curve_is_the_median_over_runs():
    table = metrics_of({"Mass": [[1, 0.9, 0.1], [1, 0.7, 0.2], [1, 0.8, 0.6]]})
    curves = ForgettabilityCurves()(table)
    assert curves["relative_ap_change"].tolist() == pytest.approx([0, -0.2, -0.8])
    assert curves["n_runs"].tolist() == [3, 3, 3]
    assert (curves["lower"] <= curves["upper"]).all()


def test_first_drop_is_strictly_below_a_fifth_and_missing_where_it_never_is():
    curves = ForgettabilityCurves()(
        metrics_of({"Never": [[1, 1, 0.9]], "AtTheEdge": [[1, 0.8, 0.7]], "Early": [[1, 0.5, 0.9]]})
    )
    first = InterpolatedFirstDrop()(curves).set_index("class_name")["first_drop_sparsity"]
    assert np.isnan(first["Never"])
    assert first["Early"] == 0.5
    assert first["AtTheEdge"] in (0.5, 0.9)  # 0.8 - 1 is -0.2 to within a rounding error
    assert first["AtTheEdge"] == 0.9 or (0.8 - 1.0) < -0.2


def test_mean_ap_leaves_out_classes_without_an_ap():
    table = metrics_of({"A": [[0.5, 0.4, 0.3]], "B": [[1.0, 0.6, 0.5]], "None": [[np.nan] * 3]})
    means = mean_over_classes(table)
    assert means["mean_ap"].tolist() == pytest.approx([0.75, 0.5, 0.4])
    assert means["n_classes"].tolist() == [2, 2, 2]


def test_the_band_is_the_quartiles_over_runs():
    means = mean_over_classes(metrics_of({"A": [[v, v, v] for v in (0.1, 0.2, 0.3, 0.4, 0.5)]}))
    band = band_over_runs(means, "mean_ap", ["sparsity"])
    assert band.loc[0, ["lower", "median", "upper"]].tolist() == pytest.approx([0.2, 0.3, 0.4])


def test_wide_curves_keep_the_order_of_classes():
    curves = ForgettabilityCurves()(metrics_of({"B": [[1, 0.5, 0.4]], "A": [[1, 0.2, 0.1]]}))
    names, sparsities, values = wide_curves(curves)
    assert names == ["B", "A"]
    assert sparsities.tolist() == [0, 0.5, 0.9]
    assert values == pytest.approx(np.array([[0, -0.5, -0.6], [0, -0.8, -0.9]]))
