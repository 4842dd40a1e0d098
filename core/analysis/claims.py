"""The paper's claims, tested on a study: the paper's statistic and the corrected one, each with its
interval, the null it was held against, and a verdict.

Claims of Holste et al., MICCAI 2023, section 3. The corrected statistics are those that keep their
level on studies in which every class is forgotten alike (tests/analysis/test_gate.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis.class_evidence import (
    CHANGE as CHANGE_TREND,
)
from core.analysis.class_evidence import (
    GROUPS_APART,
    NO_EXTREME,
    ONE_RUN,
    ONSET,
    TOO_FEW_CLASSES,
    ClassEvidence,
)
from core.analysis.pair_evidence import (
    PAIR_CONFIDENCE,
    FrequencyAndDistance,
    PairEvidence,
    Together,
)
from core.analysis.trend import Trend

AS_CLAIMED, OPPOSITE = "as claimed", "opposite"
NOT_SHOWN, CANNOT_TELL = "not shown", "cannot tell"
PAPER, CORRECTED = "paper", "corrected"
CLAIMS = (
    "claim",
    "reading",
    "statistic",
    "estimate",
    "ci_low",
    "ci_high",
    "p_value",
    "n",
    "verdict",
    "sentence",
)
FIRST_DROP = "frequency~first_drop"
CHANGE = "frequency~change_at_95"
FREQUENCY = "frequency~fcd"
TOGETHER = "cooccurrence~fcd"
RARE, MANY = "pies~rare", "pies~many_findings"
NOISE, QUALITY = "pies~label_noise", "pies~image_quality"
TAIL = "tail_loses_more_than_head"
# Which sign of estimate - null the paper claims.
CLAIMED = {
    FIRST_DROP: 1,
    CHANGE: 1,
    FREQUENCY: 1,
    TOGETHER: -1,
    RARE: 1,
    MANY: 1,
    NOISE: 1,
    QUALITY: 1,
    TAIL: -1,
}
# The rows of `Correlations` that hold the paper's statistics.
PAPER_ROWS = {
    FIRST_DROP: "log_train_frequency~first_drop_sparsity",
    CHANGE: "log_train_frequency~relative_ap_change_at_95",
    FREQUENCY: "fcd~log_frequency_difference_paper",
    TOGETHER: "fcd~cooccurrence_iou_paper_fourth_root",
}
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Claim:
    """One row of CLAIMS but its sentence. null: the value without an effect. beside: further
    (low, high) intervals that must lie on the same side of the null for a verdict. reason: why it
    cannot be told, else empty. confidence: of the interval. detail: numbers of its sentence."""

    claim: str
    reading: str
    statistic: str
    estimate: float
    ci_low: float
    ci_high: float
    p_value: float
    n: int
    null: float = 0.0
    beside: tuple[tuple[float, float], ...] = ()
    reason: str = ""
    confidence: float = CONFIDENCE
    detail: Mapping[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """By the interval against the null; never by p alone."""
        intervals = ((self.ci_low, self.ci_high), *self.beside)
        if self.reason or np.isnan([self.estimate, *sum(intervals, ())]).any():
            return CANNOT_TELL
        if all(low > self.null for low, _ in intervals):
            side = 1
        elif all(high < self.null for _, high in intervals):
            side = -1
        else:
            return NOT_SHOWN
        return AS_CLAIMED if side == CLAIMED[self.claim] else OPPOSITE


def class_claims(
    evidence: ClassEvidence, correlations: pd.DataFrame, class_summary: pd.DataFrame
) -> list[Claim]:
    """The three claims over classes. correlations: CORRELATIONS of AP; class_summary: of AP."""
    trends = {
        FIRST_DROP: ("slope of onset per tenfold frequency", ONSET, evidence.trend_of_onset),
        CHANGE: (
            "slope of change at 95 % per tenfold frequency",
            CHANGE_TREND,
            evidence.trend_of_change,
        ),
        TAIL: ("change at 95 %, tail minus head", GROUPS_APART, evidence.tail_minus_head),
    }
    by_paper = {
        FIRST_DROP: paper_correlation(FIRST_DROP, correlations),
        CHANGE: paper_correlation(CHANGE, correlations, class_summary),
        TAIL: _paper_tail(class_summary),
    }
    return [
        row
        for claim, (statistic, name, found) in trends.items()
        for row in (by_paper[claim], _of_trend(claim, statistic, found, evidence.reason(name)))
    ]


def pair_claims(
    evidence: PairEvidence, correlations: pd.DataFrame, together: Together, n_different: int
) -> list[Claim]:
    """The two claims over pairs."""
    n, found = len(evidence.class_names), FrequencyAndDistance()(evidence)
    frequency = Claim(
        FREQUENCY,
        CORRECTED,
        "coefficient of |difference of log10 frequency| on debiased squared FCD",
        found.coefficient,
        found.ci_low,
        found.ci_high,
        found.p_value,
        found.n_pairs,
        reason=ONE_RUN
        if len(evidence.of_runs) < 2
        else ("" if np.isfinite(found.p_value) else TOO_FEW_CLASSES),
        confidence=PAIR_CONFIDENCE,
        detail={"n_classes": n, "n_different": n_different},
    )
    cooccurrence = Claim(
        TOGETHER,
        CORRECTED,
        "Pearson r of debiased squared FCD with IoU^(1/4)",
        together.r,
        np.nan,
        np.nan,
        np.nan,
        together.n_pairs,
        reason="no test keeps its level where classes differ for other reasons",
        detail={"null_low": together.null_low, "null_high": together.null_high},
    )
    return [
        paper_correlation(FREQUENCY, correlations),
        frequency,
        paper_correlation(TOGETHER, correlations),
        cooccurrence,
    ]


def paper_correlation(
    claim: str, correlations: pd.DataFrame, summary: pd.DataFrame | None = None
) -> Claim:
    """Pearson's r of the published analysis, with Fisher's interval as if all points were
    independent, which is what its p-value takes them to be. summary: `ClassSummary`'s table, of a
    statistic at 95 % sparsity."""
    rows = correlations[correlations["name"] == PAPER_ROWS[claim]]
    row = rows.iloc[0] if len(rows) else pd.Series({"pearson_r": np.nan, "pearson_p": np.nan})
    n = int(row["n"]) if len(rows) else 0
    low, high = fisher_interval(float(row["pearson_r"]), n)
    reason = "" if np.isfinite(low) else "too few points for a correlation"
    if summary is not None and _without_extreme(summary):
        reason = NO_EXTREME
    return Claim(
        claim, PAPER, "Pearson r", float(row["pearson_r"]), low, high, float(row["pearson_p"]), n,
        reason=reason,
    )  # fmt: skip


def fisher_interval(r: float, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Of a Pearson correlation of n independent points: tanh(atanh r -+ z / sqrt(n - 3))."""
    if not np.isfinite(r) or n < 4 or abs(r) >= 1:
        return np.nan, np.nan
    half = scipy.stats.norm.ppf((1 + confidence) / 2) / np.sqrt(n - 3)
    return float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))


def _without_extreme(summary: pd.DataFrame) -> bool:
    return bool(summary["relative_ap_change_at_95"].isna().all())


def _of_trend(claim: str, statistic: str, found: Trend, reason: str) -> Claim:
    return Claim(
        claim,
        CORRECTED,
        statistic,
        found.slope,
        found.ci_low,
        found.ci_high,
        found.p_value,
        found.n,
        reason=reason,
        detail={"tau": found.tau},
    )


def _paper_tail(summary: pd.DataFrame) -> Claim:
    """Mean change of AP at 95 % of tail minus that of head classes, Welch's interval."""
    changes = summary.set_index("group")["relative_ap_change_at_95"].dropna().astype(float)
    tail, head = (changes[changes.index == group].to_numpy() for group in ("tail", "head"))
    statistic = "mean change of AP at 95 %, tail minus head"
    if min(len(tail), len(head)) < 2:
        few = "fewer than two classes in the tail or the head"
        reason = NO_EXTREME if _without_extreme(summary) else few
        return Claim(
            TAIL, PAPER, statistic, np.nan, np.nan, np.nan, np.nan, len(tail) + len(head),
            reason=reason,
        )  # fmt: skip
    test = scipy.stats.ttest_ind(tail, head, equal_var=False)
    interval = test.confidence_interval(CONFIDENCE)
    return Claim(
        TAIL,
        PAPER,
        statistic,
        float(tail.mean() - head.mean()),
        float(interval.low),
        float(interval.high),
        float(test.pvalue),
        len(tail) + len(head),
    )


def pie_claim_rows(table: pd.DataFrame) -> list[Claim]:
    """The four claims over PIEs, from `pie_claims`: the corrected verdict asks both of pruning's
    own ratio and of its ratio to that of models that were only trained again."""
    found = []
    for row in table.to_dict(orient="records"):
        found.append(
            Claim(
                row["claim"],
                PAPER,
                "frequency among PIEs over others" if row["null"] == 1 else "difference",
                row["paper_estimate"],
                row["paper_ci_low"],
                row["paper_ci_high"],
                row["paper_p"],
                _whole(row["paper_n"]),
                row["null"],
                reason="" if np.isfinite(row["paper_estimate"]) else row["reason"],
            )
        )
        found.append(
            Claim(
                row["claim"],
                CORRECTED,
                row["statistic"],
                row["estimate"],
                row["ci_low"],
                row["ci_high"],
                row["p_value"],
                _whole(row["n"]),
                row["null"],
                beside=((row["pruned_ci_low"], row["pruned_ci_high"]),),
                reason=row["reason"],
                detail={"pruned": row["pruned_estimate"]},
            )
        )
    return found


def _whole(n: float) -> int:
    return int(n) if np.isfinite(n) else 0


def no_pie_claims(reason: str) -> list[Claim]:
    """The claims over PIEs of a study that has none at the sparsity they are read at."""
    nan, ratio = np.nan, "frequency among PIEs over others"
    statistics = {RARE: ratio, MANY: ratio, NOISE: ratio, QUALITY: "difference"}
    return [
        Claim(claim, reading, statistic, nan, nan, nan, nan, 0,
              null=float(claim != QUALITY), reason=reason)
        for claim, statistic in statistics.items()
        for reading in (PAPER, CORRECTED)
    ]  # fmt: skip
