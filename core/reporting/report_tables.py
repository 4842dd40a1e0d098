"""The tables of the report, in words."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from core.wording import claims, words


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
            _bare_p(row.welch_p),
            _bare_p(row.paired_p),
        ]
        for row in overall.itertuples()
    ]
    caption = (
        f"{words.count(int(overall['n_runs'].max()), 'run')}; intervals over "
        f"{overall['interval_over'].iloc[-1]}. Welch: paper. "
        "Paired, from the highest sparsity down: corrected."
    )
    heads = ["Sparsity", "mAP", "95 % interval", "Against dense", "p, Welch", "p, paired"]
    return Table("mAP by sparsity", caption, heads, rows)


def summary_table(summary: pd.DataFrame) -> Table:
    rows = [
        [
            row.class_name + (" *" if row.unstable else ""),
            row.group,
            words.frequency(row.train_frequency),
            f"{row.n_positive:,}",
            words.percent(row.first_drop_sparsity),
            "never" if row.first_drop_censored else words.percent(row.first_drop_interpolated, 1),
            claims.signed(row.relative_ap_change_at_95),
            claims.signed(row.relative_calibrated_ap_change_at_95),
            _bare_p(row.q_value),
        ]
        for row in summary.itertuples()
    ]
    heads = [
        "Class",
        "Group",
        "Train frequency",
        "Test positives",
        "First drop (paper)",
        "First drop (corrected)",
        "AP at 95 %",
        "Calibrated AP at 95 %",
        "q",
    ]
    caption = (
        "First drop: sparsity at which the median AP lies 20 % below dense. q: paired t test of AP "
        f"at 95 %, Benjamini-Hochberg. * {words.FEW}, unstable."
    )
    return Table("Every class", caption, heads, rows)


def correlations_table(correlations: pd.DataFrame) -> Table:
    rows = [
        [
            row.name_.replace("~", " ~ ").replace("_", " "),
            str(row.n),
            words.number(row.pearson_r),
            _bare_p(row.pearson_p),
            words.number(row.spearman_rho),
            _bare_p(row.spearman_p),
            _bare_p(row.permutation_p),
        ]
        for row in correlations.rename(columns={"name": "name_"}).itertuples()
    ]
    heads = ["Correlation", "n", "r", "p", "rho", "p of rho", "Permutation p"]
    caption = (
        "Paper: r, rho and their p. Corrected: permutation p, which permutes classes, because "
        "pairs of classes are not independent."
    )
    return Table("Correlations", caption, heads, rows)


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
    heads = ["Class", "Among PIEs", "Among others", "Ratio", "95 % interval", "Test positives"]
    caption = (
        f"PIEs at {words.percent(sparsity)} sparsity. Interval over patients, none where no PIE "
        "carries the class. * fewer than 10 test positives, unstable."
    )
    return Table("Classes among PIEs", caption, heads, rows)


def _between(low: float, high: float, digits: int) -> str:
    if pd.isna(low) or pd.isna(high):
        return words.NONE
    return f"{words.number(low, digits)} to {words.number(high, digits)}"


def _bare_p(p: float) -> str:
    return words.p_value(p).removeprefix("p ").removeprefix("= ")
