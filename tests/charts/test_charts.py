"""Charts: what they say, in what colour, and that nobody's class name gets into them raw."""

import json

import numpy as np
import pandas as pd
import pytest

from core.analysis import decay, losses, pairs
from core.analysis.chance import chance_levels
from core.analysis.image_curves import curves_table, finding_fates
from core.analysis.lost import CHANGED
from core.charts.classes import frequency_chart, losses_chart
from core.charts.curves import class_curves_chart, mean_ap_chart, pair_curves_chart
from core.charts.images import image_curves_chart, image_ranks_chart
from core.charts.pairs import (
    evidence_heatmap,
    fcd_heatmap,
    frequency_heatmap,
    iou_heatmap,
    outlined,
)
from core.charts.parts import GROUP_COLOURS
from core.study.labels import class_frequencies
from core.study.settings import GroupSettings
from tests.page_studies import ODD_CLASSES
from tests.toys import class_metrics, toy_labels

GROUPS = GroupSettings()


def metrics(names, n_runs=3, sparsities=(0.0, 0.5, 0.9), lost=0.5, n_positive=40) -> pd.DataFrame:
    """AP falls linearly from 0.8, for the last class `lost` of it at the last sparsity."""
    rows = []
    for run in range(n_runs):
        for sparsity in sparsities:
            for index, name in enumerate(names):
                share = lost * sparsity / max(sparsities[-1], 1e-9) * (index + 1) / len(names)
                value = 0.8 * (1 - share)
                rows.append((run, sparsity, name, n_positive, value, value, value))
    return pd.DataFrame(
        rows,
        columns=["run", "sparsity", "class_name", "n_positive", "ap", "auroc", "calibrated_ap"],
    )


@pytest.fixture(params=[("A", "B", "C"), ODD_CLASSES], ids=["plain", "odd"])
def names(request):
    return request.param


def tables(names, **options):
    n = len(names) - 1
    labels = toy_labels(300, class_names=names, frequencies=tuple(np.linspace(0.3, 0.05, n)))
    table = metrics(names, **options)
    frequencies = class_frequencies(labels, GROUPS)
    chance = chance_levels(labels, "ap")
    return table, frequencies, chance


def json_of(chart) -> dict:
    return json.loads(chart.figure.to_json())


def test_the_title_of_losses_is_the_finding(names):
    table, frequencies, chance = tables(names, lost=0.8)
    lost = losses.Losses("ap", 0.9)(decay.ForgettabilityCurves()(table), table, frequencies, chance)
    chart = losses_chart(lost, "ap", 0.9, 150)
    assert "of its AP" in chart.title
    assert "at 90 % sparsity" in chart.title
    assert "150 test images" in chart.caption
    assert "3 runs" in chart.caption


def test_no_name_enters_a_figure_unescaped(names):
    table, frequencies, chance = tables(names)
    lost = losses.Losses("ap", 0.9)(decay.ForgettabilityCurves()(table), table, frequencies, chance)
    curves = losses.class_curves(table, "ap", True)
    forget = decay.ForgettabilityCurves()(table).rename(columns={"relative_ap_change": "median"})
    fcd = pairs.fcd_matrix(decay.ForgettabilityCurves()(table))
    groups = dict(zip(frequencies["class_name"], frequencies["group"], strict=True))
    summary = np.ones((2, len(names), 5), np.float32)
    changed = np.ones((2, len(names), len(CHANGED)))
    image = curves_table(summary, summary[..., 0], changed, [0.0, 0.9], [3, 3], names)
    points = dict.fromkeys(names, 0.4)
    fates = finding_fates(image, points, dict.fromkeys(names, True))
    every = [
        losses_chart(lost, "ap", 0.9, 150),
        class_curves_chart(curves, lost, list(names[:2]), chance, "ap", True, 0.9),
        frequency_chart(frequencies, GROUPS.tail_below, 150),
        outlined(fcd_heatmap(fcd, list(names), 3, 2), list(names), (names[0], names[1])),
        pair_curves_chart(forget, groups, (names[0], names[1]), "A pair", "ap"),
        image_curves_chart(image, fates, points, groups, 0.9),
        image_ranks_chart(image, fates, points, groups, 0.9),
    ]
    for chart in every:
        figure = json_of(chart)
        # customdata of the heatmap goes to Python, never to the screen
        for trace in figure["data"]:
            if chart is every[3]:
                trace.pop("customdata", None)
            assert "x^2" not in trace.get("hovertemplate", "")
        text = json.dumps(figure)
        assert "<b>mass" not in text
        assert "<img" not in text


def test_every_class_has_its_own_place_however_it_is_called():
    names = ("A" * 30 + "1", "A" * 30 + "2", "42", "No Finding")
    _, frequencies, _ = tables(names)
    axis = json_of(frequency_chart(frequencies, 0.01, 150))["layout"]["yaxis"]
    assert axis["tickvals"] == [0, 1, 2, 3]


def test_a_colour_always_means_a_group():
    _, frequencies, _ = tables(("A", "B", "C"))
    colours = frequency_chart(frequencies, 0.01, 150).figure.data[0].marker.color
    assert list(colours) == [GROUP_COLOURS[group] for group in frequencies["group"]]


def test_classes_of_few_patients_are_hatched_and_starred_however_many_their_images():
    table, frequencies, chance = tables(("A", "B", "C"))
    frequencies["test_positive_patients"] = frequencies["class_name"].map({"C": 9}).fillna(10)
    lost = losses.Losses("ap", 0.9)(decay.ForgettabilityCurves()(table), table, frequencies, chance)
    chart = losses_chart(lost, "ap", 0.9, 150)
    assert json_of(chart)["layout"]["yaxis"]["ticktext"][0] == "C *"
    assert list(chart.figure.data[0].marker.pattern.shape) == ["/", "", ""]
    assert "fewer than 10 patients with the class in the test set, unstable" in chart.caption


def test_heatmap_squares_carry_both_classes_and_take_clicks():
    table, *_ = tables(("A", "B", "C"))
    fcd = pairs.fcd_matrix(decay.ForgettabilityCurves()(table))
    chart = fcd_heatmap(fcd, ["C", "A", "B"], 3, 2)
    squares = chart.figure.data[1]
    assert len(squares.customdata) == 6, "the diagonal compares nothing"
    assert set(map(tuple, squares.customdata)) >= {("A", "B"), ("C", "A")}
    assert chart.figure.layout.clickmode == "event+select"
    assert chart.title == "A and C are forgotten most differently" or "C and A" in chart.title


@pytest.mark.parametrize("draw", [fcd_heatmap, iou_heatmap, frequency_heatmap])
def test_a_title_over_pairs_says_where_it_leaves_out_the_pair_of_the_largest_value(draw):
    names = ["A", "B", "C"]
    matrix = pd.DataFrame(
        [[0, 1, 5], [1, 0, 2], [5, 2, 0]], index=names, columns=names, dtype=float
    )
    options = (3, 2) if draw is fcd_heatmap else (100, True)
    whole = draw(matrix, names, *options)
    assert whole.title.startswith("A and C ")
    assert "*" not in whole.caption
    chart = draw(matrix, names, *options, unstable=frozenset({"C"}))
    drawn = np.array(chart.figure.data[0].z, float)
    assert np.unravel_index(np.nanargmax(drawn), drawn.shape) == (0, 2)
    opening = "Of the classes with at least 10 patients in the test set, A and B "
    assert chart.title.startswith(opening)
    assert chart.caption.startswith("* fewer than 10 patients with the class in the test set")
    of_all = draw(matrix, names, *options, unstable=frozenset({"B"}))
    assert of_all.title.startswith("A and C "), "one stable pair is left, B's pairs are smaller"


def test_pairs_that_are_not_told_apart_carry_a_dot_and_others_that_are_not_judged_stay_blank():
    nan = np.nan
    table = pd.DataFrame(
        [("A", "B", 0.2, 0.01), ("A", "C", 0.0, 0.5), ("B", "C", 0.1, 0.06)]
        + [(one, "D", nan, nan) for one in "ABC"],
        columns=["class_a", "class_b", "fcd_corrected", "q_value"],
    ).assign(p_value=lambda rows: rows["q_value"])
    chart = evidence_heatmap(table, ["A", "B", "C", "D"], 3, 19)
    assert chart.title == "1 of 3 pairs of classes is forgotten differently: A and B"
    assert "Blank: 3 pairs" in chart.caption
    colours, dots, squares = chart.figure.data
    assert set(zip(dots.x, dots.y, strict=True)) == {(0, 2), (2, 0), (1, 2), (2, 1)}
    assert np.isnan(np.array(colours.z, float)[3]).all()
    assert json_of(chart)["layout"]["xaxis"]["ticktext"] == ["A", "B", "C", "D *"]
    assert len(squares.customdata) == 12, "squares that are blank take clicks as well"
    assert "A and B: FCD 0.20, told apart" in squares.text
    assert "D and A: FCD not judged" in squares.text


def test_one_run_has_no_interval_and_says_so():
    table, *_ = tables(("A", "B", "C"), n_runs=1)
    band = decay.band_over_runs(decay.mean_over_classes(table), "mean_ap", ["sparsity"])
    assert "One run, so no interval" in mean_ap_chart(band, 3, 0, 150).caption


def test_a_dense_model_alone_is_still_a_chart():
    table, frequencies, chance = tables(("A", "B", "C"), sparsities=(0.0,))
    lost = losses.Losses("ap", 0.0)(decay.ForgettabilityCurves()(table), table, frequencies, chance)
    curves = losses.class_curves(table, "ap", False)
    class_curves_chart(curves, lost, ["A"], chance, "ap", False, None)


def test_the_chance_level_is_what_a_random_order_reaches_on_average():
    labels = toy_labels(400)
    test = labels.split("test")
    rng = np.random.default_rng(0)
    truth = test["Hernia"].to_numpy(float)
    drawn = [class_metrics(truth, rng.random(len(truth))) for _ in range(4000)]
    for metric in ("ap", "auroc"):
        mean = np.mean([getattr(one, metric) for one in drawn])
        assert chance_levels(labels, metric)["Hernia"] == pytest.approx(mean, abs=0.005)
    assert chance_levels(labels, "ap")["Hernia"] > truth.mean(), "few positives lift it"
    assert set(chance_levels(labels, "somers_d")) == {0.0}


def test_the_title_of_losses_compares_tail_with_head():
    lost = pd.DataFrame(
        {
            "class_name": ["T", "M", "H"], "group": ["tail", "medium", "head"],
            "train_frequency": [0.001, 0.05, 0.2], "n_positive": 50,
            "n_positive_patients": 40, "dense": 0.5, "pruned": 0.2,
            "relative_change": [-0.8, -0.5, -0.1], "lower": -0.9, "upper": -0.1, "n_runs": 3,
            "chance_change": -0.95, "unstable": False,
        }
    )  # fmt: skip
    title = losses_chart(lost, "ap", 0.9, 150).title
    assert title == (
        "A tail class loses 80 % of its AP, a head class 10 % (medians) at 90 % sparsity"
    )
    shaky = losses_chart(lost.assign(unstable=[True, False, False]), "ap", 0.9, 150).title
    assert shaky.startswith("A medium class loses 50 %"), "too few positives carry no title"
    alone = losses_chart(lost[:1], "ap", 0.9, 150).title
    assert alone == "T loses 80 % of its AP at 90 % sparsity"


def test_quotes_in_names_are_shown_as_they_are():
    _, frequencies, _ = tables(('"A" & <b>', "B", "C"))
    ticks = json_of(frequency_chart(frequencies, 0.01, 150))["layout"]["yaxis"]["ticktext"]
    assert '"A" &amp; &lt;b&gt;' in ticks


def test_the_title_of_the_curves_counts_the_classes_or_speaks_of_those_asked_for():
    table, frequencies, chance = tables(("A", "B", "C", "D"))
    lost = losses.Losses("ap", 0.9)(decay.ForgettabilityCurves()(table), table, frequencies, chance)
    lost = lost.set_index("class_name").loc[["A", "B", "C", "D"]].reset_index()
    lost = lost.assign(
        relative_change=[-0.5, -0.2, -0.3, -0.9], unstable=[False, False, False, True]
    )
    curves = losses.class_curves(table, "ap", True)

    def title(lost: pd.DataFrame, asked_for: bool) -> str:
        drawn = class_curves_chart(curves, lost, ["B"], chance, "ap", True, 0.9, asked_for)
        return drawn.title

    assert title(lost, True) == "B loses 20 % of its AP by 90 % sparsity"
    assert title(lost, False).startswith("2 of 3 classes with enough patients have lost a fifth")
    none = lost.assign(relative_change=0.0)
    none_of_four = title(none.assign(unstable=False), False)
    assert none_of_four == "None of 4 classes has lost a fifth of AP by 90 % sparsity"
    assert title(lost[lost["unstable"]], False).startswith("1 of 1 class has lost a fifth of AP")
