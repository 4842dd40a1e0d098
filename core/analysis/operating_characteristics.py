"""How well each class is found, and how often it is called falsely, as the model is pruned."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.analysis.clustered_shares import PatientShares, Shares
from core.analysis.lost import Cells, by_now, lost_at_sparsity, raised_at_sparsity
from core.study.columns import SHARED, Column, Columns, Unit, interval
from core.study.labels import FEW_PATIENTS, UNSTABLE

# The operating point to compare with: that of the dense model, or one fixed again on validation for
# the pruned model at the same specificity.
DENSE, REFIXED = "dense", "re-fixed"
THRESHOLDS = (DENSE, REFIXED)
Points = dict[str, dict[float, np.ndarray]]
OVER_PATIENTS = "its 95 % interval over patients"
OPERATING_CHARACTERISTICS = Columns(
    SHARED.only("class_name", "group", "sparsity"),
    Column("threshold", "`dense`: the operating point of the dense model; `re-fixed`: fixed again "
           "on validation for the model at this sparsity, at the same specificity. No such row "
           "where a run has no validation predictions of the sparsity.",
           label="Operating point of"),
    Column("operating_point", "A class is called where the run-averaged probability reaches it.",
           Unit.PROBABILITY, "Operating point"),
    Column("n_positive", "Test images that carry the class; uncertain labels are left out.",
           label="Test images with it"),
    SHARED["n_positive_patients"],
    Column("n_negative", "Test images certain not to carry the class.",
           label="Test images without it"),
    Column("sensitivity", "Share of the images with the class that are called.", Unit.SHARE,
           "Sensitivity"),
    interval("sensitivity_ci", OVER_PATIENTS, Unit.SHARE, "Sensitivity, {} 95 %"),
    Column("specificity", "Share of the images without the class that are not called.",
           Unit.SHARE, "Specificity"),
    interval("specificity_ci", OVER_PATIENTS, Unit.SHARE, "Specificity, {} 95 %"),
    Column("alerts_per_100", "Of 100 test images with a certain label, those that are called.",
           Unit.PER_100, "Alerts per 100 X-rays"),
    interval("alerts_ci", OVER_PATIENTS, Unit.PER_100, "Alerts, {} 95 %"),
    Column("n_lost", "Images with the class, called when dense, and from this sparsity or a "
           "smaller one on, to the end of the grid, not called.", label="Lost"),
    Column("n_raised", "Images without the class, not called when dense, and from this sparsity "
           "or a smaller one on, to the end of the grid, called.", label="Raised"),
    UNSTABLE.meaning_here(f"True below {FEW_PATIENTS} of `n_positive_patients`: read with care."),
    what="How well each class is found at its operating point, and how often it is called falsely.",
    row="a class, sparsity and operating point: the dense model's, or fixed again for the pruned",
)  # fmt: skip


def operating_characteristics_of(
    truth: np.ndarray,
    class_names: tuple[str, ...],
    patients: pd.Series,
    cells: Cells,
    points: Points,
    frequencies: pd.DataFrame,
) -> pd.DataFrame:
    """OPERATING_CHARACTERISTICS, one row per class, sparsity and threshold that has points there,
    in the order of `frequencies`.

    truth: (images, classes) of 1, 0, NaN; uncertain labels are left out. patients: of the images.
    cells: (sparsity, (images, classes) run-averaged probabilities), falling, dense last.
    points: by threshold and sparsity the (classes,) operating points, NaN for none. A class is
    called where its probability is >= its point, both float32.

    The intervals are those of `PatientShares`. All are missing of a class without a point.

    n_lost: images that carry the class, called by the dense model, and not called at some sparsity
    <= this one nor at any later one of the grid (`lost_at_sparsity` <= this one). n_raised: images
    certain not to carry it, not called by the dense model, and called at some sparsity <= this one
    and at every later one (`raised_at_sparsity`). So both depend on the whole grid, never fall as
    sparsity rises, are 0 at 0, and are what the PIE browser counts. They are no difference of
    sensitivities: an image that is not called here but is called again later is not lost. With
    re-fixed points every sparsity has its own; the grid is then that of the sparsities that have
    them.
    """
    called: dict[tuple[str, float], np.ndarray] = {}
    for sparsity, probabilities in cells:
        for threshold, at in points.items():
            if sparsity in at:
                called[threshold, sparsity] = probabilities >= at[sparsity].astype(np.float32)
    positives, negatives, certain = (
        PatientShares(counted, patients.to_numpy())
        for counted in (truth == 1, truth == 0, ~np.isnan(truth))
    )
    rows = []
    for threshold in points:
        grid = sorted((s for name, s in called if name == threshold), reverse=True)
        steps = [(s, called[threshold, s]) for s in grid]
        unknown = np.isnan([points[threshold][s] for s in grid]).any(axis=0)
        limits = np.where(unknown, np.nan, 0.5)  # of a bool: called or not
        whole = len(grid) > 1 and grid[-1] == 0
        lost, raised = (
            since(iter(steps), limits) if whole else np.full(truth.shape, np.nan)
            for since in (lost_at_sparsity, raised_at_sparsity)
        )
        for sparsity, here in steps:
            point = points[threshold][sparsity]
            row = {
                "class_name": class_names,
                "sparsity": sparsity,
                "threshold": threshold,
                "operating_point": point,
                "n_positive": positives.n,
                "n_positive_patients": positives.n_patients,
                "n_negative": negatives.n,
                **_columns("sensitivity", "sensitivity", positives(here), point),
                **_columns("specificity", "specificity", negatives(~here), point),
                **_columns("alerts_per_100", "alerts", certain(here), point, 100),
                "n_lost": ((truth == 1) & by_now(lost, sparsity)).sum(axis=0),
                "n_raised": ((truth == 0) & by_now(raised, sparsity)).sum(axis=0),
            }
            table = pd.DataFrame(row)
            counts = ["n_lost", "n_raised"]
            table[counts] = table[counts].astype("Int64")
            table.loc[unknown, counts] = pd.NA
            rows.append(table)
    found = pd.concat(rows, ignore_index=True)
    found["unstable"] = found["n_positive_patients"] < FEW_PATIENTS
    groups = frequencies.set_index("class_name")["group"]
    found["group"] = found["class_name"].map(groups)
    by_class = groups.index.get_indexer(found["class_name"])
    by_threshold = found["threshold"].map(THRESHOLDS.index)
    order = np.lexsort((by_threshold, found["sparsity"], by_class))
    return found.iloc[order][OPERATING_CHARACTERISTICS.names].reset_index(drop=True)


def no_operating_characteristics() -> pd.DataFrame:
    """The table of a study that has no operating points."""
    return pd.DataFrame(columns=OPERATING_CHARACTERISTICS.names)


def _columns(
    name: str, stem: str, shares: Shares, points: np.ndarray, scale: int = 1
) -> dict[str, np.ndarray]:
    known = np.where(np.isnan(points), np.nan, scale)
    return {
        name: shares.share * known,
        f"{stem}_ci_low": shares.low * known,
        f"{stem}_ci_high": shares.high * known,
    }
