"""What readers answered about PIEs and about other images, with mean and spread as in the paper."""

from __future__ import annotations

import pandas as pd

from core.analysis.reader import first_readings
from core.charts.parts import GREY, OTHER, RULE, Chart, empty_figure
from core.wording import words
from core.wording.questions import Question

SIDES = {"PIE": "pie", "non-PIE": "non_pie"}
COLOURS = {"PIE": OTHER, "non-PIE": GREY}
LARGEST_DOT = 46  # pixels across, of an answer that everybody gave


def question_chart(question: Question, row: pd.Series, answers: pd.DataFrame) -> Chart:
    """One question: a dot for each answer, its area the share of readings; mean and standard
    deviation beside it. row: of `ReaderResults`; answers: the counted ones."""
    figure = empty_figure(300)
    given = first_readings(answers[answers["question"] == question.name])
    for at, (name, side) in enumerate(SIDES.items()):
        of_side = given[given["is_pie"].astype(bool) == (side == "pie")]["value"]
        shares = of_side.astype(int).value_counts(normalize=True)
        figure.add_scatter(
            x=[at - 0.12] * len(shares),
            y=list(shares.index),
            mode="markers",
            marker={
                "size": [LARGEST_DOT * share**0.5 for share in shares],
                "color": COLOURS[name],
                "opacity": 0.65,
            },
            text=[f"{name}, {question.word(v)}: {words.percent(s)}" for v, s in shares.items()],
            hovertemplate="%{text}<extra></extra>",
        )
        mean, sd = row[f"mean_{side}"], row[f"sd_{side}"]
        if pd.notna(mean):
            figure.add_scatter(
                x=[at + 0.28],
                y=[mean],
                error_y={"type": "data", "array": [sd if pd.notna(sd) else 0.0], "color": RULE},
                mode="markers",
                marker={"symbol": "diamond", "size": 11, "color": RULE},
                text=[f"{name}: mean {words.number(mean)}, SD {words.number(sd)}"],
                hovertemplate="%{text}<extra></extra>",
            )
    values = sorted(question.answers)
    figure.update_xaxes(
        tickvals=[0.08, 1.08],
        ticktext=[f"{name}<br>n = {int(row[f'n_{side}']):,}" for name, side in SIDES.items()],
        range=[-0.6, 1.7],
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(
        tickvals=values,
        ticktext=[question.word(value) for value in values],
        range=[values[0] - 0.6, values[-1] + 0.6],
        zeroline=False,
        automargin=True,
    )
    return Chart(_title(question, row), figure, _caption(row))


def _title(question: Question, row: pd.Series) -> str:
    measure = question.measure.capitalize()
    if pd.isna(row["mean_pie"]) or pd.isna(row["mean_non_pie"]):
        return f"{measure}: not answered for both PIEs and non-PIEs yet"
    share = question.level == "nominal"
    show = words.percent if share else words.number
    means = f"{show(row['mean_pie'])} for PIEs, {show(row['mean_non_pie'])} for non-PIEs"
    return f"{measure}{' (yes)' if share else ''}: {means}"


def _caption(row: pd.Series) -> str:
    dots = "Dots: share of readings with that answer. Diamond: mean, bar: one standard deviation. "
    if pd.isna(row["mixed_effect"]):
        return f"{dots}Too few answers for a mixed model."
    effect, low, high = (
        words.number(row[name]) for name in ("mixed_effect", "mixed_ci_low", "mixed_ci_high")
    )
    q = words.p_value(row["q_value"]).replace("p", "q", 1)
    return f"{dots}PIE minus non-PIE {effect} (95 % interval {low} to {high}, mixed model), {q}."
