"""The change of every class and the forest plots: what is judged, what an interval is called, and
that no name gets into a figure raw."""

import json

import numpy as np
import pandas as pd
import pytest

from core.analysis.class_evidence import ONE_RUN
from core.analysis.decay import complete_runs, of_complete_runs
from core.analysis.losses import CHANGES
from core.charts.classes import changes_chart
from core.charts.forest import forest_chart
from core.wording import claim_sentences
from tests.page_studies import ODD_CLASSES


def changes(names=("A", "B", "C"), n_runs=3, over="runs and patients") -> pd.DataFrame:
    n = len(names)
    change = np.linspace(-0.8, -0.1, n)
    columns = (
        names, "tail", 40, [True] * (n - 1) + [False], change, change - 0.1, change + 0.1,
        change - 0.05, change + 0.05, n_runs, over,
    )  # fmt: skip
    return pd.DataFrame(dict(zip(CHANGES, columns, strict=True)))


def effects(names=("A", "B", "C")) -> pd.DataFrame:
    n = len(names)
    x, y = np.linspace(-2, -0.5, n), np.linspace(-0.6, -0.2, n)
    return pd.DataFrame(
        {
            "class_name": names, "x": x, "y": y, "se": 0.1, "fitted": -0.4, "shrunken": y / 2 - 0.2,
            "shrunken_low": y, "shrunken_high": y, "group": "head", "lower": y - 0.2,
            "upper": y + 0.2,
        }
    )  # fmt: skip


def test_the_title_names_judged_classes_and_others_are_hollow():
    chart = changes_chart(changes(), "somers_d", 0.9, 150)
    assert chart.title == ("A loses 80 % of its Somers\u2019 D, B 45 % at 90 % sparsity")
    assert list(chart.figure.data[1].marker.symbol) == ["circle", "circle", "circle-open"]
    assert chart.figure.layout.yaxis.ticktext == ("A", "B", "C *")
    assert "* and hollow: not judged" in chart.caption


@pytest.mark.parametrize(
    ("n_runs", "over", "says"),
    [
        (3, "runs and patients", "95 % interval over runs and patients. Bar: lowest to highest"),
        (6, "runs and patients", "Bar: range of the runs"),
        (3, "runs", "95 % interval over runs. "),
        (1, "patients", "One run; line: 95 % interval over patients, for this training only."),
        (1, "runs", "One run, so no interval."),
    ],
)
def test_an_interval_says_what_it_is_over(n_runs, over, says):
    caption = changes_chart(changes(n_runs=n_runs, over=over), "somers_d", 0.9, 150).caption
    assert says in caption
    assert ("Bar:" in caption) == (n_runs > 1)


def test_a_class_without_a_change_does_not_break_the_chart():
    none = changes().assign(change=np.nan)
    assert changes_chart(none, "somers_d", 0.9, 150).title.startswith("No class has both")


def test_forests_run_from_frequent_to_rare_with_the_trend_through_all():
    figure = forest_chart(effects(), "Change", "title", "caption").figure
    assert figure.layout.yaxis.ticktext == ("C", "B", "A")
    line, drawn_in, own = figure.data
    assert line.line.dash == "dash"
    assert list(own.x) == pytest.approx([-20, -40, -60])
    assert list(drawn_in.x) == pytest.approx([-30, -40, -50])


def test_without_a_trend_the_classes_stand_alone():
    known = effects().assign(fitted=np.nan, shrunken=np.nan)
    assert len(forest_chart(known, "Change", "title", "caption").figure.data) == 1
    row = pd.Series({"slope": np.nan, "n": 3, "reason": "too few classes can be judged"})
    title = claim_sentences.trend_title("frequency~change_at_95", row)
    assert title == "Cannot be told here: too few classes can be judged"
    assert claim_sentences.trend_caption(row).startswith("3 classes.")
    assert "over runs and patients" in claim_sentences.trend_caption(row)
    alone = row.replace({"too few classes can be judged": ONE_RUN})
    assert "interval over patients" in claim_sentences.trend_caption(alone)


def test_no_name_enters_a_figure_unescaped():
    for chart in (
        changes_chart(changes(ODD_CLASSES), "somers_d", 0.9, 150),
        forest_chart(effects(ODD_CLASSES), "Change", "title", "caption"),
    ):
        text = chart.figure.to_json()
        assert "<b>mass" not in text
        assert "<img" not in text
        for trace in json.loads(text)["data"]:
            assert "x^2" not in trace.get("hovertemplate", "")


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ((0.115, 0.03, 0.2), "11.5 points less of its Somers\u2019 D at 95 % "
         "sparsity (95 % interval 3.0 to 20.0 less)"),
        ((-0.115, -0.2, -0.03), "11.5 points more of its Somers\u2019 D at 95 % "
         "sparsity (95 % interval 3.0 to 20.0 more)"),
        ((-0.115, -0.26, 0.03), "sparsity (95 % interval 26.0 more to 3.0 less)"),
    ],
)  # fmt: skip
def test_an_effect_is_told_with_its_direction(numbers, says):
    assert claim_sentences.effect("frequency~change_at_95", *numbers).endswith(says)
    names = ("slope", "ci_low", "ci_high")
    row = pd.Series({**dict(zip(names, numbers, strict=True)), "reason": ""})
    title = claim_sentences.trend_title("frequency~change_at_95", row)
    if numbers[1] < 0 < numbers[2]:
        assert title.startswith("No clear relation: a class ten times as frequent loses")
    else:
        which = "Rare" if numbers[0] > 0 else "Frequent"
        assert title.startswith(f"{which} classes lose more at 95 % sparsity: ")


@pytest.mark.parametrize(
    ("verdicts", "opening"),
    [
        (("as claimed", "not shown"), "Rare classes are hit harder. A class ten times as frequent "
         "loses"),
        (("not shown", "as claimed"), "Rare classes are hit harder. A class ten times as frequent "
         "is forgotten"),
        (("opposite", "cannot tell"), "Frequent classes are hit harder"),
        (("as claimed", "opposite"), "Rarity works both ways"),
        (("not shown", "not shown"), "No effect of rarity is shown"),
        (("cannot tell", "cannot tell"), "Whether rarity plays a part cannot be told here: one run "
         "says nothing of other trainings."),
    ],
)  # fmt: skip
def test_whether_it_is_rarity_follows_the_verdicts(verdicts, opening):
    said = "Cannot be told here: one run says nothing of other trainings. Observed: more."
    table = pd.DataFrame(
        {
            "claim": ["frequency~change_at_95", "frequency~first_drop"], "reading": "corrected",
            "verdict": verdicts, "estimate": 0.1, "ci_low": 0.05, "ci_high": 0.15, "sentence": said,
        }
    )  # fmt: skip
    first, further = claim_sentences.rarity(table)
    assert first.startswith(opening)
    both_in_one = "both ways" in opening
    assert bool(further) == ("cannot tell" not in verdicts and not both_in_one)
    assert first.count("95 % interval") == (2 if both_in_one else "cannot tell" not in verdicts[:1])


def test_a_run_counts_once_it_has_every_sparsity():
    table = pd.DataFrame({"run": [0, 0, 1], "sparsity": [0.0, 0.9, 0.0]})
    assert complete_runs(table) == 1
    assert set(of_complete_runs(table)["run"]) == {0}
    assert complete_runs(table, (0.0, 0.5, 0.9)) == 0
