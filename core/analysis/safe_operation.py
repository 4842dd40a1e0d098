"""Whether each class is still decided as well as by the dense model: sensitivity and specificity at
an operating point. The second criterion of safe sparsity; a metric of ranking cannot see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis.bootstrap import CONFIDENCE, from_the_top
from core.analysis.operating_characteristics import DENSE, REFIXED
from core.analysis.safe_sparsity import CANNOT_TELL, SAFE, SAFE_SPARSITY, UNSAFE
from core.study.columns import Column, Columns, Unit
from core.study.labels import FEW_PATIENTS

MARGIN_POINTS = 0.05
RATES = ("sensitivity", "specificity")
RATE_CHANGES = Columns(
    Column("sensitivity_change", "Sensitivity at the operating point minus that of the dense model "
           "at its own.", Unit.POINTS, "Sensitivity"),
    Column("sensitivity_change_low", "Conservative one-sided 97.5 % lower bound of it (MOVER).",
           Unit.POINTS),
    Column("specificity_change", "Specificity at the operating point minus that of the dense model "
           "at its own.", Unit.POINTS, "Specificity"),
    Column("specificity_change_low", "Its lower bound.", Unit.POINTS),
)  # fmt: skip
SAFE_OPERATION = (
    *("class_name", "group", "sparsity", "threshold", "n_positive_patients"),
    *RATE_CHANGES,
    *("verdict", "judged"),
)
OPERATING = Columns(
    Column("operating_threshold", "`re-fixed`: the operating point is fixed again on validation "
           "for the pruned model. `dense`: it is the dense model's. This and what follows is "
           "missing where the study has no operating points.", label="Threshold"),
    RATE_CHANGES,
    Column("operating_verdict", "`safe`, `unsafe` or `cannot tell`, by decisions.",
           label="By decisions"),
)  # fmt: skip
BY_BOTH = Columns(
    SAFE_SPARSITY, OPERATING,
    what="Whether each class stays as good as dense: by ranking within 10 % (a test of "
    "non-inferiority), by decisions within 5 percentage points.",
    row="a class and sparsity above 0",
)  # fmt: skip


@dataclass(frozen=True)
class SafeOperation:
    """SAFE_OPERATION, one row per class, threshold and sparsity above 0.

    Takes `operating_characteristics`. The changes are of sensitivity and of specificity against the
    dense model at its own operating point, as differences of shares; the lower bounds are MOVER's
    of a difference (Zou and Donner, Stat. Med. 2008) from the two 95 % intervals over patients.
    verdict: "safe" where both bounds lie above -margin_points, "unsafe" where either change lies
    significantly below, else "cannot tell"; `judged` where min_patients patients carry the class
    and there is an operating point.

    Conservative: dense and pruned are judged on the same patients, and the bounds take them as
    independent; each bound is one-sided with 97.5 %. "Unsafe" is corrected as in `SafeSparsity`,
    fixed sequence from the highest sparsity down, Bonferroni over classes and the two rates, with
    normal p-values. The intervals are of the run-averaged model: they say nothing of other
    trainings.
    """

    margin_points: float = MARGIN_POINTS
    confidence: float = CONFIDENCE
    min_patients: int = FEW_PATIENTS

    def __call__(self, characteristics: pd.DataFrame) -> pd.DataFrame:
        at_zero = characteristics["sparsity"] == 0
        reference = characteristics[at_zero & (characteristics["threshold"] == DENSE)]
        columns = [f"{rate}{end}" for rate in RATES for end in ("", "_ci_low", "_ci_high")]
        table = characteristics[~at_zero].merge(
            reference[["class_name", *columns]], on="class_name", suffixes=("", "_dense")
        )
        if table.empty:
            return pd.DataFrame(columns=list(SAFE_OPERATION))
        table = table.sort_values("sparsity", kind="stable").reset_index(drop=True)
        p_values = []
        for rate in RATES:
            change, low, high = difference_bounds(table, rate)
            table[f"{rate}_change"], table[f"{rate}_change_low"] = change, low
            error = (high - change) / scipy.stats.norm.ppf(0.975)
            distance = -self.margin_points - change
            with np.errstate(divide="ignore", invalid="ignore"):
                p_values.append(
                    np.where(error > 0, scipy.stats.norm.sf(distance / error), distance <= 0)
                )
        lows = table[[f"{rate}_change_low" for rate in RATES]]
        enough = table["n_positive_patients"] >= self.min_patients
        table["judged"] = enough & lows.notna().all(axis=1)
        safe = (lows > -self.margin_points).all(axis=1)
        unsafe = self._unsafe(table, np.stack(p_values))
        table["verdict"] = np.select(
            [~table["judged"], safe, unsafe], [CANNOT_TELL, SAFE, UNSAFE], default=CANNOT_TELL
        )
        return table[list(SAFE_OPERATION)]

    def _unsafe(self, table: pd.DataFrame, p_values: np.ndarray) -> np.ndarray:
        """Of (rates, rows) one-sided p-values, whose rows are sorted by sparsity."""
        n_tests = len(RATES) * table.loc[table["judged"], "class_name"].nunique()
        keys = table["class_name"], table["threshold"]
        adjusted = np.array([from_the_top(p, *keys) for p in p_values]) * n_tests
        return (adjusted < 1 - self.confidence).any(axis=0)


def difference_bounds(table: pd.DataFrame, rate: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The change of a rate, and MOVER's lower and upper bound of it, from columns `rate`,
    `rate`_ci_low, `rate`_ci_high and the same with _dense."""
    ends = ("", "_ci_low", "_ci_high")
    now, low, high = (table[f"{rate}{end}"].to_numpy(float) for end in ends)
    then, then_low, then_high = (table[f"{rate}{end}_dense"].to_numpy(float) for end in ends)
    change = now - then
    down = np.sqrt((now - low) ** 2 + (then_high - then) ** 2)
    up = np.sqrt((high - now) ** 2 + (then - then_low) ** 2)
    return change, change - down, change + up


def beside_ranking(table: pd.DataFrame, operation: pd.DataFrame) -> pd.DataFrame:
    """SAFE_SPARSITY with OPERATING: of the re-fixed operating point where the class has one at that
    sparsity, else of the dense model's; all missing where the study has none."""
    known = operation[operation[["sensitivity_change", "specificity_change"]].notna().all(axis=1)]
    first = known.sort_values(
        "threshold", key=lambda names: names != REFIXED, kind="stable"
    ).drop_duplicates(["class_name", "sparsity"])
    names = {"threshold": "operating_threshold", "verdict": "operating_verdict"}
    chosen = first.rename(columns=names)[["class_name", "sparsity", *OPERATING]]
    return table.merge(chosen, on=["class_name", "sparsity"], how="left")


@dataclass(frozen=True)
class OperatingAnswer:
    """What holds of the decisions for every class judged, at one threshold.

    safe_up_to: largest sparsity with every class safe there and before, None: nowhere. first: the
    row of SAFE_OPERATION of the first that is not, the worst by its lower bounds; None: none.
    first_unsafe: of the first that is shown to be unsafe; n_unsafe: the classes that are, anywhere.
    tried: the sparsities above 0.
    """

    threshold: str
    n_classes: int
    safe_up_to: float | None
    last_sparsity: float
    first: dict[str, object] | None
    first_unsafe: dict[str, object] | None
    n_unsafe: int
    tried: tuple[float, ...] = ()


def operating_answers(operation: pd.DataFrame) -> dict[str, OperatingAnswer]:
    """By threshold, of those with a class judged: the dense model's, and the re-fixed one."""
    answers = {}
    for threshold in (REFIXED, DENSE):
        rows = operation[(operation["threshold"] == threshold) & operation["judged"].astype(bool)]
        if rows.empty:
            continue
        worst = rows[["sensitivity_change_low", "specificity_change_low"]].min(axis=1)
        failed = rows.assign(worst=worst)[rows["verdict"] != SAFE]
        failed = failed.sort_values(["sparsity", "worst"], kind="stable")
        unsafe = failed[failed["verdict"] == UNSAFE]
        first, first_unsafe = (
            {str(k): v for k, v in some.iloc[0].items()} if len(some) else None
            for some in (failed, unsafe)
        )
        grid = sorted(rows["sparsity"].unique())
        safe = [s for s in grid if first is None or s < failed["sparsity"].iloc[0]]
        answers[threshold] = OperatingAnswer(
            threshold,
            rows["class_name"].nunique(),
            float(safe[-1]) if safe else None,
            float(grid[-1]),
            first,
            first_unsafe,
            unsafe["class_name"].nunique(),
            tuple(map(float, grid)),
        )
    return answers
