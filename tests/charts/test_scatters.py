"""What a scatter prints is worked out from the very points that it draws."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import scipy

from core import results
from core.charts import Chart
from core.results import evidence
from core.study import store
from core.study.labels import Labels
from core.study.study import Study
from core.ui.class_ap import frequency as over_classes
from core.ui.forgettability import figures as over_pairs
from core.ui.view import View
from tests.page_studies import write_imported_study

R, RHO = (re.compile(rf"{sign} = (\u2212?\d\.\d\d)") for sign in ("r", "\u03c1"))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """A study of many classes; the images of the second most frequent are all of one patient."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        folder = write_imported_study()
        labels = store.read_labels(folder)
        table = labels.table.copy()
        frequent = Study(folder).frequencies["class_name"].iloc[1]
        table.loc[table["split"].eq("test") & table[frequent].eq(1), "patient_id"] = "one"
        store.write_labels(Labels(table, labels.class_names), folder)
        yield View("published", Study(folder))


def printed(chart: Chart) -> tuple[float, float]:
    found = (pattern.search(chart.title) for pattern in (R, RHO))
    r, rho = (float(one[1].replace("\u2212", "-")) for one in found if one)
    return r, rho


@pytest.mark.parametrize("metric", ["ap", "calibrated_ap"])
@pytest.mark.parametrize("name", ["first_drop", "extreme_change", "frequency", "cooccurrence"])
def test_r_and_rho_are_those_of_the_points(opened: View, name: str, metric: str) -> None:
    is_of_classes = name in ("first_drop", "extreme_change")
    view = replace(opened, metric=metric, corrected=False)
    if is_of_classes:
        chart = getattr(over_classes, name)(view, None)
    else:
        chart = getattr(over_pairs, f"pairs_against_{name}")(view, None)
    x, y = points(chart)
    assert f"n = {len(x)} {'classes' if is_of_classes else 'pairs'}" in chart.caption
    x = np.log(x) if is_of_classes else x
    wanted = scipy.stats.pearsonr(x, y).statistic, scipy.stats.spearmanr(x, y).statistic
    assert printed(chart) == pytest.approx(wanted, abs=0.00501)
    assert ("Hollow" in chart.caption) == is_of_classes


def points(chart: Chart) -> tuple[np.ndarray, np.ndarray]:
    x, y = chart.figure.data[0].x, chart.figure.data[0].y
    return np.array(x, float), np.array(y, float)


def test_corrected_pairs_are_drawn_as_the_claims_count_them(opened: View) -> None:
    """One point per judged pair, the sentence of the exported claim, and r of these very points."""
    evidence.make_ready(Study(opened.folder))
    claims = evidence.claims(Study(opened.folder)).query("reading == 'corrected'")
    rows = claims.set_index("claim")
    pairs = results.table(Study(opened.folder), "class_pairs")
    for draw, name in (
        (over_pairs.pairs_against_frequency, "frequency~fcd"),
        (over_pairs.pairs_against_cooccurrence, "cooccurrence~fcd"),
    ):
        chart = draw(replace(opened, metric="somers_d"), None)
        x, y = points(chart)
        assert len(x) == rows.loc[name, "n"] == pairs["fcd_corrected"].notna().sum()
        assert chart.caption == rows.loc[name, "sentence"]
    assert np.corrcoef(x, y)[0, 1] == pytest.approx(rows.loc["cooccurrence~fcd", "estimate"])
