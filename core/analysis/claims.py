"""The paper's claims, tested on a study: the paper's statistic and the corrected one, each with its
interval, the null it was compared with, and a verdict.

Claims of Holste et al., MICCAI 2023, section 3. The corrected statistics are those that keep their
level on studies in which every class is forgotten alike (tests/analysis/test_gate.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis.class_evidence import CHANGE as CHANGE_TREND
from core.analysis.class_evidence import (
    GROUPS_APART,
    NO_EXTREME,
    NO_FREQUENCIES,
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
from core.analysis.pie_carried import MANY_FINDINGS as MANY
from core.analysis.pie_carried import NOISE, RARE
from core.analysis.pie_claims import QUALITY
from core.study.columns import Column, Columns, Unit, interval

AS_CLAIMED, OPPOSITE = "as claimed", "opposite"
NOT_SHOWN, CANNOT_TELL = "not shown", "cannot tell"
PAPER, CORRECTED = "paper", "corrected"
CLAIMS = Columns(
    Column("claim", "`frequency~first_drop`, `frequency~change_at_95`, "
           "`tail_loses_more_than_head`, `frequency~fcd`, `cooccurrence~fcd`, `pies~rare`, "
           "`pies~many_findings`, `pies~label_noise` or `pies~image_quality`."),
    Column("reading", "`paper` or `corrected`."),
    Column("statistic", "What is estimated."),
    Column("estimate", "Its value."),
    interval(of="its 95 % interval; 98 % for the corrected `frequency~fcd`"),
    Column("p_value", "Two-sided p of no effect.", Unit.P),
    Column("n", "Classes, pairs or images it rests on."),
    Column("verdict", "`as claimed` or `opposite` where the interval leaves out no effect, "
           "`not shown` where it does not, `cannot tell` where there is no sound test. Of PIEs, "
           "corrected, a second interval must lie on the same side: that of PIEs of pruned models "
           "(`pruned_ci_low`, `pruned_ci_high`), which this table does not hold."),
    Column("sentence", "The same in words, as pages and report say it."),
    what="The paper's claims, tested: its own statistic and the corrected one, with a verdict.",
    row="a claim and reading",
)  # fmt: skip
FIRST_DROP = "frequency~first_drop"
CHANGE = "frequency~change_at_95"
FREQUENCY = "frequency~fcd"
TOGETHER = "cooccurrence~fcd"
TAIL = "tail_loses_more_than_head"
# Of these the paper claims that the estimate lies below the null; of all others, above.
FALLING = (TOGETHER, TAIL)
# The rows of `Correlations` that hold the paper's statistics.
PAPER_ROWS = {
    FIRST_DROP: "log_train_frequency~first_drop_sparsity",
    CHANGE: "log_train_frequency~relative_ap_change_at_95",
    FREQUENCY: "fcd~log_frequency_difference_paper",
    TOGETHER: "fcd~cooccurrence_iou_paper_fourth_root",
}
CONFIDENCE = 0.95
PAPER_RATIO = "frequency among PIEs over others"
UNKNOWN: tuple[float, float, float] = (np.nan, np.nan, np.nan)  # interval and p


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
        above = all(low > self.null for low, _ in intervals)
        if not above and not all(high < self.null for _, high in intervals):
            return NOT_SHOWN
        return AS_CLAIMED if above != (self.claim in FALLING) else OPPOSITE


def class_claims(
    evidence: ClassEvidence, correlations: pd.DataFrame, class_summary: pd.DataFrame
) -> list[Claim]:
    """The three claims over classes. correlations: CORRELATIONS of AP; class_summary: of AP."""
    trends = {
        FIRST_DROP: ("slope of onset per tenfold frequency", ONSET),
        CHANGE: ("slope of change at 95 % per tenfold frequency", CHANGE_TREND),
        TAIL: ("change at 95 %, tail minus head", GROUPS_APART),
    }
    by_paper = {
        FIRST_DROP: paper_correlation(FIRST_DROP, correlations),
        CHANGE: paper_correlation(CHANGE, correlations, class_summary),
        TAIL: _paper_tail(class_summary),
    }
    return [
        row
        for claim, (statistic, name) in trends.items()
        for row in (by_paper[claim], _of_trend(claim, statistic, evidence, name))
    ]


def pair_claims(
    evidence: PairEvidence, correlations: pd.DataFrame, together: Together, n_different: int
) -> list[Claim]:
    """The two claims over pairs."""
    n, found = len(evidence.class_names), FrequencyAndDistance()(evidence)
    reason = "" if np.isfinite(found.p_value) else TOO_FEW_CLASSES
    if len(evidence.of_runs) < 2:
        reason = ONE_RUN
    if n and np.isnan(evidence.log_frequency).all():
        reason = NO_FREQUENCIES
    frequency = Claim(
        FREQUENCY,
        CORRECTED,
        "coefficient of |difference of log10 frequency| on debiased squared FCD",
        *found,
        reason=reason,
        confidence=PAIR_CONFIDENCE,
        detail={"n_classes": n, "n_different": n_different},
    )
    cooccurrence = Claim(
        TOGETHER,
        CORRECTED,
        "Pearson r of debiased squared FCD with IoU^(1/4)",
        together.r,
        *UNKNOWN,
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
    numbers = float(row["pearson_r"]), low, high, float(row["pearson_p"])
    return Claim(claim, PAPER, "Pearson r", *numbers, n, reason=reason)


def fisher_interval(r: float, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Of a Pearson correlation of n independent points: tanh(atanh r -+ z / sqrt(n - 3))."""
    if not np.isfinite(r) or n < 4 or abs(r) >= 1:
        return np.nan, np.nan
    half = scipy.stats.norm.ppf((1 + confidence) / 2) / np.sqrt(n - 3)
    return float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))


def _without_extreme(summary: pd.DataFrame) -> bool:
    return bool(summary["relative_ap_change_at_95"].isna().all())


def _of_trend(claim: str, statistic: str, evidence: ClassEvidence, name: str) -> Claim:
    found, reason = evidence.by_name[name], evidence.reason(name)
    numbers = found.slope, found.ci_low, found.ci_high, found.p_value, found.n
    return Claim(claim, CORRECTED, statistic, *numbers, reason=reason, detail={"tau": found.tau})


def _paper_tail(summary: pd.DataFrame) -> Claim:
    """Mean change of AP at 95 % of tail minus that of head classes, Welch's interval."""
    changes = summary.set_index("group")["relative_ap_change_at_95"].dropna().astype(float)
    tail, head = (changes[changes.index == group].to_numpy() for group in ("tail", "head"))
    statistic, n = "mean change of AP at 95 %, tail minus head", len(tail) + len(head)
    if min(len(tail), len(head)) < 2:
        few = "fewer than two classes in the tail or the head"
        reason = NO_EXTREME if _without_extreme(summary) else few
        return Claim(TAIL, PAPER, statistic, np.nan, *UNKNOWN, n, reason=reason)
    test = scipy.stats.ttest_ind(tail, head, equal_var=False)
    low, high = map(float, test.confidence_interval(CONFIDENCE))
    difference = float(tail.mean() - head.mean())
    return Claim(TAIL, PAPER, statistic, difference, low, high, float(test.pvalue), n)


def pie_claim_rows(table: pd.DataFrame) -> list[Claim]:
    """The four claims over PIEs, from `pie_claims`: the corrected verdict asks both of pruning's
    own ratio and of its ratio to that of models that were only trained again."""
    found = []
    for row in table.to_dict(orient="records"):
        claim, null, reason = row["claim"], row["null"], row["reason"]
        by_paper = _numbers(row, "paper_", "paper_p", "paper_n")
        corrected = _numbers(row, "", "p_value", "n")
        statistic = PAPER_RATIO if null == 1 else "difference"
        why = "" if np.isfinite(row["paper_estimate"]) else reason
        beside = ((row["pruned_ci_low"], row["pruned_ci_high"]),)
        detail = {"pruned": row["pruned_estimate"]}
        found += [
            Claim(claim, PAPER, statistic, *by_paper, null, reason=why),
            Claim(
                claim, CORRECTED, row["statistic"], *corrected, null, beside, reason, detail=detail
            ),
        ]
    return found


def _numbers(row: dict, start: str, p: str, n: str) -> tuple[float, float, float, float, int]:
    low, high = row[f"{start}ci_low"], row[f"{start}ci_high"]
    return row[f"{start}estimate"], low, high, row[p], _whole(row[n])


def _whole(n: float) -> int:
    return int(n) if np.isfinite(n) else 0


def no_pie_claims(reason: str) -> list[Claim]:
    """The claims over PIEs of a study that has none at the sparsity they are read at."""
    statistics = dict.fromkeys((RARE, MANY, NOISE), PAPER_RATIO) | {QUALITY: "difference"}
    return [
        Claim(claim, by, statistic, np.nan, *UNKNOWN, 0, float(claim != QUALITY), reason=reason)
        for claim, statistic in statistics.items()
        for by in (PAPER, CORRECTED)
    ]
