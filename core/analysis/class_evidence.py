"""What may be concluded of a study's classes: which are judged, when each is first forgotten, and
whether rare ones lose more. All of Somers' D; see `class_changes`, `onset` and `trend`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from core.analysis.class_changes import ClassChanges
from core.analysis.class_summary import EXTREME_SPARSITY
from core.analysis.losses import changes_at
from core.analysis.onset import Curves, Onsets, somers_curves
from core.analysis.trend import EFFECTS, LEAST_CLASSES, Trend, trend
from core.study.columns import Column, Columns, Unit, interval
from core.study.labels import known_split, training_known, untrained

TRENDS = Columns(
    Column("name", "Of what: the onset, the change of Somers' D at 95 % sparsity against log10 "
           "frequency, or that change in tail (x = 1) against head classes (x = 0). "
           "`onset_by_difficulty` is of the onset against the dense Somers' D at equal frequency, "
           "`onset_by_rarity` against log10 frequency at equal dense Somers' D."),
    Column("n", "Judged classes in it."),
    Column("slope", "Of the meta-regression: by how much more y is where x is one more."),
    interval(of="its 95 % interval (Student, Knapp-Hartung)"),
    Column("p_value", "Two-sided p of a slope of 0.", Unit.P),
    Column("intercept", "Of the line at x = 0."),
    Column("tau", "How far classes lie from the line for reasons of their own: a standard "
           "deviation."),
    Column("reason", "Why it carries no verdict; empty where it does."),
    what="Do rare classes lose more? Meta-regressions that weigh each class by its own error.",
    row="a trend: `onset`, `change_at_95`, `tail_minus_head`, `onset_by_difficulty`, "
    "`onset_by_rarity`",
)  # fmt: skip
CLASS_EFFECTS = Columns(
    Column("name", "`onset` or `change_at_95`."), EFFECTS,
    what="What each class adds to a trend: a forest plot in numbers.",
    row="a trend over frequency and class",
)  # fmt: skip
ONSET, CHANGE, GROUPS_APART = "onset", "change_at_95", "tail_minus_head"
BY_DIFFICULTY, BY_RARITY = "onset_by_difficulty", "onset_by_rarity"
LEAST_IN_GROUP = 2
ONE_RUN = "one run says nothing of other trainings"
NO_EXTREME = "95 % sparsity is not on this study's grid"
NO_GROUPS = "fewer than two tail or two head classes can be judged"
NO_ONSETS = "too many classes lose no fifth by the end of the grid"
IN_GAPS = "too many classes lose it between sparsities that are more than 10 points apart"
TOO_FEW_CLASSES = "too few classes can be judged"
NO_FREQUENCIES = "how frequent the classes were in training is not known"
# A trend of onsets of which more lie beyond the grid, or in its gaps, says more of the grid.
MOST_UNKNOWN = 0.25


@dataclass(frozen=True)
class ClassEvidence:
    """frequencies: `class_frequencies`; changes: CLASS_CHANGES of Somers' D; curves: see `onset`,
    of the classes that have one."""

    frequencies: pd.DataFrame
    changes: pd.DataFrame
    curves: Curves

    @cached_property
    def names(self) -> list[str]:
        return self.curves.class_names

    @cached_property
    def judged(self) -> np.ndarray:
        """(classes,) bool: trained, found by the dense model, with enough patients, and with a
        curve."""
        rows = self.changes.groupby("class_name")
        good = rows["found"].all() & ~rows["unstable"].any()
        known = np.isfinite(self.curves.mean).all(axis=1)
        trained = ~pd.Index(self.names).isin(untrained(self.frequencies))
        return good.reindex(self.names, fill_value=False).to_numpy(bool) & known & trained

    @cached_property
    def log_frequency(self) -> pd.Series:
        """class_name to log10 of the train frequency; of the test images where no training image
        is known; missing for a class that never occurs, and where nobody knows of the training."""
        table = self.frequencies.set_index("class_name").reindex(self.names)
        if not training_known(table):
            return pd.Series(np.nan, self.names)
        frequency = table[f"{known_split(table)}_frequency"].to_numpy(float)
        logs = np.full(len(frequency), np.nan)
        np.log10(frequency, out=logs, where=frequency > 0)
        return pd.Series(logs, self.names)

    @cached_property
    def onsets(self) -> pd.DataFrame:
        """ONSETS of all classes of the curves; those that are not judged have no chance of being
        among the first."""
        return Onsets()(self.curves, np.flatnonzero(self.judged))

    def change_at(self, sparsity: float) -> pd.DataFrame:
        """CLASS_CHANGES of every class of the curves at one sparsity, missing where it is not on
        the grid."""
        here = self.changes[np.isclose(self.changes["sparsity"].astype(float), sparsity)]
        return here.set_index("class_name").reindex(self.names)

    @cached_property
    def trend_of_onset(self) -> Trend:
        """b1: by how much later, as a fraction of weights, a class ten times as frequent is
        forgotten."""
        return self._trend(self.log_frequency.to_numpy(), *self._known_onsets())

    @cached_property
    def onset_by_difficulty(self) -> Trend:
        """b1: by how much later a class is forgotten whose dense Somers' D is higher by 1, among
        classes of equal frequency. An error of D_0, on which the onset stands too, makes it seem
        earlier: so a rise is a finding, and a fall is none."""
        onsets, frequency = self._known_onsets(), self.log_frequency.to_numpy()
        return self._trend(self.curves.mean[:, 0], *onsets, beside=frequency)

    @cached_property
    def onset_by_rarity(self) -> Trend:
        """b1: `trend_of_onset` among classes of equal dense Somers' D."""
        onsets, frequency = self._known_onsets(), self.log_frequency.to_numpy()
        return self._trend(frequency, *onsets, beside=self.curves.mean[:, 0])

    def _known_onsets(self) -> tuple[np.ndarray, np.ndarray]:
        """(classes,) onset and its variance; all missing where too many lie beyond the grid or
        in its wide gaps."""
        table = self.onsets
        onset = table["onset"].to_numpy(float)
        if self._onsets_unknown:
            onset = np.full(len(onset), np.nan)
        return onset, table["onset_se"].to_numpy() ** 2

    @property
    def by_name(self) -> dict[str, Trend]:
        """The meta-regressions by their names in TRENDS."""
        return {
            ONSET: self.trend_of_onset,
            CHANGE: self.trend_of_change,
            GROUPS_APART: self.tail_minus_head,
            BY_DIFFICULTY: self.onset_by_difficulty,
            BY_RARITY: self.onset_by_rarity,
        }

    @property
    def _onsets_unknown(self) -> bool:
        unknown = self.onsets["onset"].isna().to_numpy()[self.judged]
        return len(unknown) > 0 and unknown.mean() > MOST_UNKNOWN

    def _why_unknown(self) -> str:
        judged = self.onsets[self.judged]
        unknown = judged.loc[judged["onset"].isna(), "onset_censored"]
        return NO_ONSETS if unknown.mean() > 0.5 else IN_GAPS

    def reason(self, name: str) -> str:
        """Why the trend of this name carries no verdict; empty where it does."""
        if not training_known(self.frequencies):
            return NO_FREQUENCIES
        if self.curves.n_runs < 2:
            return ONE_RUN
        if self.by_name[name].known:
            return ""
        if name in (ONSET, BY_DIFFICULTY, BY_RARITY):
            return self._why_unknown() if self._onsets_unknown else TOO_FEW_CLASSES
        if self.change_at(EXTREME_SPARSITY)["change"].isna().all():
            return NO_EXTREME
        return NO_GROUPS if name == GROUPS_APART else TOO_FEW_CLASSES

    @cached_property
    def trend_of_change(self) -> Trend:
        """b1: by how much less, as a share of its dense D, a class ten times as frequent loses at
        95 % sparsity."""
        return self._trend(self.log_frequency.to_numpy(), *self._extreme())

    @cached_property
    def tail_minus_head(self) -> Trend:
        """b1: change of Somers' D at 95 % in tail classes minus that in head classes; missing where
        fewer than LEAST_IN_GROUP of either are judged."""
        group = self.frequencies.set_index("class_name")["group"].reindex(self.names)
        x = group.map({"head": 0.0, "tail": 1.0}).to_numpy(float)
        counts = [int(((x == at) & self.judged).sum()) for at in (0.0, 1.0)]
        if min(counts) < LEAST_IN_GROUP:
            x = np.full(len(x), np.nan)
        return self._trend(x, *self._extreme(), at_least=2 * LEAST_IN_GROUP)

    def trends(self) -> pd.DataFrame:
        """TRENDS: every meta-regression."""
        rows = [
            (name, t.n, *(getattr(t, column) for column in TRENDS.names[2:-1]), self.reason(name))
            for name, t in self.by_name.items()
        ]
        return pd.DataFrame(rows, columns=TRENDS.names)

    def effects(self) -> pd.DataFrame:
        """name and EFFECTS: every class in the trends over frequency, for a forest plot."""
        tables = {name: self.by_name[name].effects for name in (ONSET, CHANGE)}
        table = pd.concat(tables, names=["name"]).reset_index("name")
        return table.reset_index(drop=True)

    def _extreme(self) -> tuple[np.ndarray, np.ndarray]:
        here = self.change_at(EXTREME_SPARSITY)
        variance = here["se_runs"].fillna(0) ** 2 + here["se_patients"].fillna(0) ** 2
        return here["change"].to_numpy(float), variance.to_numpy(float)

    def _trend(
        self,
        x: np.ndarray,
        y: np.ndarray,
        variance: np.ndarray,
        at_least: int = LEAST_CLASSES,
        beside: np.ndarray | None = None,
    ) -> Trend:
        kept = np.where(self.judged, x, np.nan)
        return trend(kept, y, variance, self.names, at_least=at_least, beside=beside)


def class_evidence(
    class_metrics: pd.DataFrame,
    moments: pd.DataFrame,
    patient_draws: pd.DataFrame,
    frequencies: pd.DataFrame,
) -> ClassEvidence:
    """From the class metrics table with somers_d, and the three tables of `Moments`."""
    known = frequencies[frequencies["class_name"].isin(class_metrics["class_name"].unique())]
    n_patients = known.set_index("class_name")["test_positive_patients"]
    curves = somers_curves(class_metrics, patient_draws, n_patients)
    return ClassEvidence(frequencies, ClassChanges()(moments), curves)


def effects_of(
    name: str, effects: pd.DataFrame, summary: pd.DataFrame, forgettability: pd.DataFrame
) -> pd.DataFrame:
    """What each class adds to the trend `name`, with its group and its own interval (lower, upper).

    Takes `effects`, and the tables `class_summary` and `forgettability` of PRIMARY.
    """
    if name == ONSET:
        own = summary.rename(columns={"onset_ci_low": "lower", "onset_ci_high": "upper"})
    else:
        own = changes_at(forgettability, summary, EXTREME_SPARSITY)
    rows = effects[effects["name"] == name].drop(columns="name")
    return rows.merge(own[["class_name", "group", "lower", "upper"]], on="class_name")
