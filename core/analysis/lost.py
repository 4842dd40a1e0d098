"""Which finding of which image is lost, which is raised, and from which sparsity on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
import pandas as pd

from core.study.columns import SHARED, Column, Columns, Unit

# What a finding is lost by: its probability falls below the dense model's operating point, or it
# ranks no longer above as large a share of the test images without it, counted at each sparsity.
# It is raised by the opposite: it reaches the one or the other, though the dense model does not.
LostBy = Literal["operating_point", "rank"]
LOST_BY: tuple[LostBy, ...] = get_args(LostBy)
OPERATING_POINT, RANK = LOST_BY
# As the tables name them.
IN_TABLES: dict[LostBy, str] = {OPERATING_POINT: "Operating point", RANK: "Rank"}
LOST_FINDINGS = Columns(
    SHARED.only("image_id", "class_name"),
    Column("labelled", "Whether the image is labelled with it; missing where uncertain."),
    Column("lost_by", "What it is lost by: `Operating point` or `Rank`."),
    Column("lost_at_sparsity", "The sparsity from which on the run-averaged probability (or its "
           "rank) stays below what counts as found, though dense reaches it.", Unit.SPARSITY),
    Column("n_runs_lost", "Of `n_runs_had` those below the operating point there; missing by rank, "
           "which is of the mean over runs."),
    Column("n_runs_had", "Runs that had the finding: their own dense probability reaches the "
           "operating point; missing by rank."),
    Column("n_runs", "Runs that are finished there."),
    what="Every finding that pruning takes from an image, in both senses.",
    row="an image and class that is lost, by the operating point or by rank",
)  # fmt: skip
RAISED_FINDINGS = Columns(
    SHARED["image_id"],
    SHARED["class_name"].meaning_here("A class that the image is certain not to carry."),
    Column("raised_by", "What it is raised by: `Operating point` or `Rank`."),
    Column("raised_at_sparsity", "The sparsity from which on, to the end of the grid, the "
           "run-averaged probability (or its rank) reaches what counts as found, though dense does "
           "not.", Unit.SPARSITY),
    Column("n_runs_raised", "Of `n_runs_lacked` those that reach the operating point there; "
           "missing by rank, which is of the mean over runs."),
    Column("n_runs_lacked", "Runs whose own dense probability is below the operating point; "
           "missing by rank."),
    LOST_FINDINGS["n_runs"],
    what="Every false alarm that pruning adds: a finding called on an image that does not have it.",
    row="an image and class that is raised, by the operating point or by rank",
)  # fmt: skip
# Of the runs that had a finding when dense those that lost it, and of those that lacked it those
# that raised it.
CHANGED = ("n_had", "n_lost", "n_lacked", "n_raised")
Cells = Iterable[tuple[float, np.ndarray]]


def lost_at_sparsity(cells: Cells, points: np.ndarray) -> np.ndarray:
    """(images, classes) float32: the smallest sparsity from which on, to the end of the grid, the
    run-averaged probability stays below the operating point, though the dense one reaches it.

    cells: (sparsity, (images, classes) run-averaged probabilities), falling, dense last.
    points: (classes,) operating points, NaN for none. Of ranks in place of probabilities, it is the
    smallest rank that counts as found. NaN where nothing is lost: the last
    grid point is not below, the dense one is, or there is no operating point. A dip that recovers
    is no loss. Raises ValueError where the sparsities do not fall or the last one is not dense.
    """
    return _from_where_on(cells, points, np.less)


def raised_at_sparsity(cells: Cells, points: np.ndarray) -> np.ndarray:
    """(images, classes) float32: the mirror of `lost_at_sparsity`. The smallest sparsity from which
    on, to the end of the grid, the run-averaged probability (or the rank) reaches the operating
    point (or the smallest rank that counts as found), though the dense one does not.

    It is a false alarm on an image certain not to carry the class; what is not such an image is
    left out by who asks. NaN where nothing is raised.
    """
    return _from_where_on(cells, points, np.greater_equal)


def _from_where_on(cells: Cells, points: np.ndarray, is_so: np.ufunc) -> np.ndarray:
    """From where on, to the end of the grid, `is_so(value, point)`, though it is not when dense."""
    stays, since = np.empty(0, bool), np.empty(0, np.float32)
    before, limits = np.inf, points.astype(np.float32)
    for sparsity, probabilities in cells:
        if sparsity >= before:
            raise ValueError(f"sparsity {sparsity:g} follows {before:g}; they must fall")
        if before == np.inf:
            stays = np.ones(probabilities.shape, bool)
            since = np.full(probabilities.shape, np.nan, np.float32)
        before = sparsity
        here = is_so(probabilities, limits)  # never so of a limit that is NaN
        if sparsity == 0:
            since[here | np.isnan(probabilities)] = np.nan
            return since
        stays = stays & here
        since[stays] = sparsity
    raise ValueError("the last cell must be the dense one")


def by_now(since: np.ndarray, sparsity: float) -> np.ndarray:
    """Whether something is lost, or raised, at or before a sparsity. since: `lost_at_sparsity`."""
    return since <= np.float32(sparsity) + 1e-6


def lost_labels(truth: np.ndarray, lost: np.ndarray, class_names: tuple[str, ...]) -> pd.DataFrame:
    """Per image lost_at_sparsity, the smallest over the classes it is labelled with, and
    lost_classes, the names of all labelled classes that are lost anywhere on the grid, earliest
    first, joined by "|". Both missing where no labelled class is lost.

    truth: (images, classes) of 1, 0, NaN; lost: see `lost_at_sparsity`.
    """
    of_labelled = np.where(truth == 1, lost, np.nan).astype(np.float64).round(2)
    any_lost = ~np.isnan(of_labelled).all(axis=1)
    earliest = np.full(len(truth), np.nan)
    earliest[any_lost] = np.nanmin(of_labelled[any_lost], axis=1)
    names = np.full(len(truth), None, object)
    for row in np.flatnonzero(any_lost):
        order = np.argsort(of_labelled[row], kind="stable")  # NaN sorts last
        kept = order[: (~np.isnan(of_labelled[row])).sum()]
        names[row] = "|".join(class_names[at] for at in kept)
    return pd.DataFrame({"lost_at_sparsity": earliest, "lost_classes": names})


def changed_findings(
    kind: Literal["lost", "raised"],
    image_ids: pd.Series,
    class_names: tuple[str, ...],
    truth: np.ndarray,
    since: np.ndarray,
    changed: dict[float, np.ndarray] | None,
    n_runs: dict[float, int],
) -> pd.DataFrame:
    """LOST_FINDINGS, one row for each (image, class) that is lost, or RAISED_FINDINGS, one for each
    that is raised on an image certain not to carry the class; in the images' order.

    since: `lost_at_sparsity` or `raised_at_sparsity`. labelled is true, false, or missing where the
    label is uncertain. n_runs are finished at that sparsity; n_runs_had of them had the finding:
    their own dense probability reaches the operating point; n_runs_lost of these lost it: their own
    probability is below the point there. n_runs_lacked of them lacked it, and n_runs_raised of
    these reach the point there. changed: (images, classes, CHANGED) of each sparsity; None where it
    is lost or raised by rank, which is of the mean over runs: runs are not counted then.
    """
    counted = np.ones(truth.shape, bool) if kind == "lost" else truth == 0
    rows, columns = np.nonzero(~np.isnan(since) & counted)
    at = since[rows, columns].astype(float).round(2)

    def runs(what: str) -> pd.api.extensions.ExtensionArray:
        counts = pd.array([pd.NA] * len(rows), dtype="Int64")
        if changed is not None:
            for sparsity in np.unique(at):
                here = at == sparsity
                of_cell = changed[float(sparsity)][rows[here], columns[here]]
                counts[here] = of_cell[:, CHANGED.index(what)].astype(int)
        return counts

    labelled = pd.array(truth[rows, columns] == 1, dtype="boolean")
    labelled[np.isnan(truth[rows, columns])] = pd.NA
    before = {"lost": "had", "raised": "lacked"}[kind]
    table = pd.DataFrame(
        {
            "image_id": image_ids.to_numpy()[rows],
            "class_name": np.array(class_names, object)[columns],
            "labelled": labelled,
            f"{kind}_by": IN_TABLES[RANK if changed is None else OPERATING_POINT],
            f"{kind}_at_sparsity": at,
            f"n_runs_{kind}": runs(f"n_{kind}"),
            f"n_runs_{before}": runs(f"n_{before}"),
            "n_runs": np.array([n_runs[float(sparsity)] for sparsity in at], int),
        }
    )
    return table[(LOST_FINDINGS if kind == "lost" else RAISED_FINDINGS).names]
