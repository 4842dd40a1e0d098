"""The tables of the report, in words."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from core.analysis.claims import PAPER_ROWS
from core.analysis.class_summary import CLASS_SUMMARY
from core.analysis.correlations import CORRELATIONS
from core.analysis.overall import OVERALL
from core.analysis.pie_composition import PIE_CLASS_RATIO
from core.study.columns import Columns
from core.wording import pair_sentences, words

INTERVAL = "95 % interval"


@dataclass(frozen=True)
class Table:
    title: str
    caption: str
    heads: list[str]
    rows: list[list[str]]


def overall_table(overall: pd.DataFrame) -> Table:
    rows = [
        [
            words.percent(row.sparsity),
            words.number(row.mean_ap, 3),
            _between(row.ci_low, row.ci_high, 3),
            words.number(row.difference, 3),
            words.bare_p(row.welch_p),
            words.bare_p(row.paired_p),
        ]
        for row in overall.itertuples()
    ]
    caption = (
        f"{words.count(int(overall['n_runs'].max()), 'run')}; intervals over "
        f"{overall['interval_over'].iloc[-1]}. Fixed sequence: from the highest sparsity down to "
        "the first that is not significant."
    )
    heads = _heads(OVERALL, "sparsity", "mean_ap", INTERVAL, "difference", "welch_p", "paired_p")
    return Table("mAP by sparsity", caption, heads, rows)


def summary_table(summary: pd.DataFrame) -> Table:
    rows = [
        [
            row.class_name + ("" if row.judged else " *"),
            row.group,
            words.frequency(row.train_frequency),
            f"{row.n_positive_patients:,}",
            words.percent(row.first_drop_sparsity),
            words.signed(row.relative_ap_change_at_95),
            _onset(row.onset, row.onset_by, row.onset_censored),
            _percents(row.onset_ci_low, row.onset_ci_high),
            words.number(row.p_among_first),
        ]
        for row in summary.itertuples()
    ]
    heads = _heads(
        CLASS_SUMMARY,
        *("class_name", "group", "train_frequency", "n_positive_patients", "first_drop_sparsity"),
        *("relative_ap_change_at_95", "onset", INTERVAL, "p_among_first"),
    )
    caption = (
        "Train frequency: share of training images; patients: of the test set. First drop: first "
        "grid point at which the median AP lies over 20 % below dense. AP at 95 %: its change "
        "(paper). Onset (corrected): sparsity at which a fifth of Somers\u2019 D is gone, interval "
        "over runs and patients. Among the first three of the judged classes: probability. * not "
        "judged: "
        f"{pair_sentences.NOT_JUDGED}."
    )
    return Table("Every class", caption, heads, rows)


def correlations_table(correlations: pd.DataFrame) -> Table:
    """Those of the paper."""
    rows = [
        [
            row.name_.replace("~", " ~ ").replace("_", " "),
            str(row.n),
            words.number(row.pearson_r),
            words.bare_p(row.pearson_p),
            words.number(row.spearman_rho),
            words.bare_p(row.spearman_p),
        ]
        for row in correlations.rename(columns={"name": "name_"}).itertuples()
        if row.name_ in PAPER_ROWS.values()
    ]
    heads = _heads(CORRELATIONS, *CORRELATIONS.names[:6])
    caption = (
        "By the paper, of AP: every class or pair counts as one independent point. What may be "
        "concluded is in the claims above."
    )
    return Table("The paper\u2019s correlations", caption, heads, rows)


def ratio_table(by_class: pd.DataFrame, sparsity: float) -> Table:
    known = by_class.sort_values("ratio", ascending=False, kind="stable")
    rows = [
        [
            row.class_name + (" *" if row.unstable else ""),
            words.frequency(row.pie_frequency),
            words.frequency(row.non_pie_frequency),
            words.number(row.ratio),
            _between(row.ci_low, row.ci_high, 2) if row.n_pie_positive else words.NONE,
            f"{row.n_positive:,}",
        ]
        for row in known.itertuples()
    ]
    heads = _heads(
        PIE_CLASS_RATIO,
        *("class_name", "pie_frequency", "non_pie_frequency", "ratio", INTERVAL, "n_positive"),
    )
    caption = (
        f"PIEs at {words.percent(sparsity)} sparsity. Interval over patients, none where no PIE "
        f"carries the class. * {words.FEW}, unstable."
    )
    return Table("Classes among PIEs", caption, heads, rows)


def _heads(columns: Columns, *names: str) -> list[str]:
    """Their labels; what is the name of no column, as it is."""
    return [columns[name].label if name in columns else name for name in names]


def _between(low: float, high: float, digits: int) -> str:
    if pd.isna(low) or pd.isna(high):
        return words.NONE
    return f"{words.number(low, digits)} to {words.number(high, digits)}"


def _onset(onset: float, by: float, censored: bool) -> str:
    if censored is True:
        return "later"
    if pd.isna(onset):  # in a wide gap of the grid, or not known
        return words.NONE if pd.isna(by) else f"by {words.percent(by)}"
    return words.percent(onset, 1)


def _percents(low: float, high: float) -> str:
    if pd.isna(low):
        return words.NONE
    end = "later" if pd.isna(high) else words.percent(high)
    return f"{words.percent(low).removesuffix(' %')} to {end}"
