"""Which images the PIE browser shows, and in what order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from core.analysis.groupings import FINDINGS, grouping, patient_list
from core.analysis.lost import OPERATING_POINT, LostBy, by_now
from core.study.labels import GROUPS, UNKNOWN_GROUP, findings, label_matrix

PAPER, MODAL, Z_SCORE, EVERY = "paper", "modal", "z_score", "every"  # definitions of a PIE
LOW_Z = -2.0  # an image whose agreement_z is below this is a PIE by z-score
WHOLE_RANGE = (-1.0, 1.0)
RAREST_FIRST = (*GROUPS[::-1], UNKNOWN_GROUP)
OWN_COLUMNS = (
    *("agreement", "is_pie", "is_pie_modal", "agreement_z", "n_modal_disagreements", "rank"),
    *("test_order", "n_findings", "fewer_findings", "finding_count", "earliest_lost"),
    *("rarest_group", "earliest_finding_lost", "earliest_raised", "fewer_raised"),
)
SHOWN = ("image_id", "test_order", "agreement")
FINDINGS_FIRST = "findings"
FINDING_FATE = (
    "finding_fate"  # 0: a labelled finding is lost by the sparsity, 1: it has one, 2: none
)
FEWER_RAISED = "fewer_raised"  # minus the number of findings raised by the sparsity
TIMES = ("study_date", "date", "follow_up")  # attributes that say when an image was taken
ORDERS = {
    FINDINGS_FIRST: [FINDING_FATE, "agreement"],
    "agreement": ["agreement"],
    "tail": ["rarest_group", "agreement"],
    "lost": ["earliest_lost", "agreement"],
    "raised": [FEWER_RAISED, "earliest_raised", "agreement"],
    "most_findings": ["fewer_findings", "agreement"],
    "patient": ["patient_id", "agreement"],
    "test_order": ["test_order"],
}


@dataclass(frozen=True)
class Images:
    """The test images and all that a gallery filters and sorts by, in test-set order.

    test: the labels' test rows. table: the same with agreement, is_pie, is_pie_modal and
    agreement_z (both missing where they have not been worked out), rank (1 = lowest agreement of
    all), test_order, n_findings, finding_count ("0" to "4+"), earliest_lost (of any labelled class)
    and earliest_finding_lost ("No Finding" left out), earliest_raised (of any finding that the
    image is certain not to carry), rarest_group (0 is tail).
    present: (images, classes) bool, labelled for certain; absent: certain not to be there. lost and
    raised: (images, classes) sparsities, NaN where a class is not lost or raised; by: what by.
    inside: (images,) bool of a subgroup, None for all: only of its images a gallery is made.
    """

    test: pd.DataFrame
    table: pd.DataFrame
    present: np.ndarray
    absent: np.ndarray
    lost: np.ndarray
    raised: np.ndarray
    class_names: tuple[str, ...]
    groups: dict[str, str]
    by: LostBy
    inside: np.ndarray | None = None

    @property
    def within(self) -> np.ndarray:
        """(images,) bool of the subgroup, or of all."""
        return np.ones(len(self.table), bool) if self.inside is None else self.inside


def at_every_sparsity(
    test: pd.DataFrame,
    lost: np.ndarray,
    raised: np.ndarray,
    class_names: tuple[str, ...],
    groups: dict[str, str],
    by: LostBy = OPERATING_POINT,
) -> Images:
    """What of the images does not depend on a sparsity: all but the PIEs' columns."""
    truth = label_matrix(test, class_names)
    present, absent = truth == 1, truth == 0
    labelled_lost = np.where(present, lost, np.nan)
    taken = [name for name in test.columns if name in OWN_COLUMNS]  # an attribute of such a name
    of_group = np.array([RAREST_FIRST.index(groups[name]) for name in class_names])
    is_finding = np.isin(class_names, findings(class_names))
    n_findings = present[:, is_finding].sum(axis=1)
    rarest = np.where(present & is_finding, of_group, len(RAREST_FIRST)).min(axis=1)
    table = test.drop(columns=taken).assign(
        test_order=np.arange(len(test)),
        n_findings=n_findings,
        fewer_findings=-n_findings,
        finding_count=grouping(test, FINDINGS, class_names).to_numpy(),
        earliest_lost=np.fmin.reduce(labelled_lost, axis=1, initial=np.nan),
        earliest_finding_lost=np.fmin.reduce(labelled_lost[:, is_finding], axis=1, initial=np.nan),
        earliest_raised=np.fmin.reduce(
            np.where(absent & is_finding, raised, np.nan), axis=1, initial=np.nan
        ),
        rarest_group=rarest,
    )
    return Images(
        test, table.reset_index(drop=True), present, absent, lost, raised, class_names, groups, by
    )


def at_sparsity(images: Images, pies: pd.DataFrame) -> Images:
    """The images with agreement and the definitions of PIEs at one sparsity; nothing is copied.

    Raises ValueError where the rows are not those of the images.
    """
    if not np.array_equal(pies["image_id"].to_numpy(), images.table["image_id"].to_numpy()):
        raise ValueError("the rows of pies are not the test images in their order")
    columns = {name: pies[name].to_numpy() for name in pies.columns if name in OWN_COLUMNS}
    rank = pies["agreement"].rank(method="first").to_numpy()
    return replace(images, table=images.table.assign(**columns, rank=rank))


@dataclass(frozen=True)
class Gallery:
    """The images that meet every filter, in one of ORDERS: SHOWN of each.

    sparsity: of the definition. labelled: carries all of these classes. lost: is labelled with one
    of these classes, and it is lost at or before `until`. raised: is certain not to carry one of
    these classes, and it is raised at or before `until`. until: None for `sparsity`. groups:
    carries a finding of one of these. counts: of groupings.FINDING_COUNTS. agreement: from, to;
    an image without one is in the whole range only.
    patients: ids, separated by commas or blanks. by and value: one of `groupings` and its text.
    """

    definition: str = PAPER
    sparsity: float = 0.9
    labelled: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    raised: tuple[str, ...] = ()
    until: float | None = None
    groups: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    agreement: tuple[float, float] = WHOLE_RANGE
    patients: str = ""
    by: str = ""
    value: str = ""
    order: str = "agreement"

    def __call__(self, images: Images) -> pd.DataFrame:
        kept = self.defined(images)
        for mask in self.masks(images).values():
            kept = kept & mask
        # Every move of a slider is here: of each image only what is shown of it is taken.
        columns = {
            name: images.table[name]
            for name in (*SHOWN, *ORDERS[self.order])
            if name in images.table
        }
        found = pd.DataFrame({name: column[kept] for name, column in columns.items()})
        if FINDING_FATE in ORDERS[self.order]:
            found[FINDING_FATE] = order_fates(images, self.sparsity)[kept]
        if FEWER_RAISED in ORDERS[self.order]:
            found[FEWER_RAISED] = -n_raised(images, self.sparsity)[kept]
        return found.sort_values(ORDERS[self.order], kind="stable", ignore_index=True)[[*SHOWN]]

    def defined(self, images: Images) -> np.ndarray:
        """(images,) bool: the definition's PIEs of the subgroup, before any filter. What a PIE is
        follows from all test images."""
        return images.within & self._by_definition(images)

    def _by_definition(self, images: Images) -> np.ndarray:
        table = images.table
        if self.definition == EVERY:
            return np.ones(len(table), bool)
        if self.definition == PAPER:
            return table["is_pie"].to_numpy(bool)
        column = {MODAL: "is_pie_modal", Z_SCORE: "agreement_z"}[self.definition]
        if column not in table:
            return np.zeros(len(table), bool)
        if self.definition == MODAL:
            return table[column].fillna(False).to_numpy(bool)
        return table[column].to_numpy(float) < LOW_Z

    @property
    def told_until(self) -> float:
        """By when a finding is lost or raised that is told of: as late as any filter asks."""
        filtered = self.until if self.lost or self.raised else None
        return max(self.sparsity, filtered or 0)

    def needs_comparison(self, images: Images) -> bool:
        """Whether the definition compares runs, and that has not been done at this sparsity."""
        return self.definition in (MODAL, Z_SCORE) and "agreement_z" not in images.table

    def unknown(self, images: Images) -> bool:
        """Whether the runs were compared, and the definition has no answer for any image: modal
        disagreement without validation predictions, z-scores of one run."""
        column = {MODAL: "is_pie_modal", Z_SCORE: "agreement_z"}.get(self.definition)
        return column in images.table and bool(images.table[column].isna().all())

    def masks(self, images: Images) -> dict[str, np.ndarray]:
        """The name of every filter in force, and the (images,) bool that meet it."""
        table, masks = images.table, dict[str, np.ndarray]()
        latest = self.sparsity if self.until is None else self.until

        def of(matrix: np.ndarray, names: Sequence[str]) -> np.ndarray:
            return matrix[:, [images.class_names.index(name) for name in names]]

        if self.labelled:
            masks["labelled"] = np.all(of(images.present, self.labelled), axis=1)
        if self.lost:
            gone = by_now(of(images.lost, self.lost), latest)
            masks["lost"] = (gone & of(images.present, self.lost)).any(axis=1)
        if self.raised:
            called = by_now(of(images.raised, self.raised), latest)
            masks["raised"] = (called & of(images.absent, self.raised)).any(axis=1)
        if self.groups:
            names = [n for n in findings(images.class_names) if images.groups[n] in self.groups]
            masks["groups"] = np.any(of(images.present, names), axis=1)
        if self.counts:
            masks["counts"] = table["finding_count"].isin(self.counts).to_numpy()
        if self.agreement != WHOLE_RANGE:
            masks["agreement"] = table["agreement"].between(*self.agreement).to_numpy()
        if wanted := patient_list(self.patients):
            masks["patients"] = table["patient_id"].isin(wanted).to_numpy()
        if self.by and self.value:
            text = grouping(table, self.by, images.class_names)
            masks["value"] = (text == self.value).fillna(False).to_numpy(bool)
        return masks

    def loosening(self, images: Images) -> dict[str, int]:
        """How many images there would be without each filter in force, the most first."""
        masks, defined = self.masks(images), self.defined(images)
        left = {
            name: int(
                np.logical_and.reduce([defined, *(masks[o] for o in masks if o != name)]).sum()
            )
            for name in masks
        }
        return dict(sorted(left.items(), key=lambda item: -item[1]))


def order_fates(images: Images, sparsity: float) -> np.ndarray:
    """(images,) of FINDING_FATE: 0, 1 or 2."""
    lost = by_now(images.table["earliest_finding_lost"], sparsity)
    return np.select([lost, images.table["n_findings"] > 0], [0, 1], default=2)


def n_raised(images: Images, sparsity: float, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
    """(rows,) how many findings are raised by a sparsity on an image certain not to have them."""
    columns = np.isin(images.class_names, findings(images.class_names))
    return (images.absent[rows] & by_now(images.raised[rows], sparsity))[:, columns].sum(axis=1)


def count_raised(images: Images, shown: pd.DataFrame, sparsity: float) -> int:
    """On how many of the shown images a finding is raised by a sparsity."""
    return int((n_raised(images, sparsity, shown["test_order"].to_numpy()) > 0).sum())


def lost_by(row: int, images: Images, sparsity: float) -> dict[str, float]:
    """The classes the test image in this row is labelled with that are lost at or before a
    sparsity, and where."""
    return _since(images.lost[row], images.present[row], images, sparsity)


def raised_by(row: int, images: Images, sparsity: float) -> dict[str, float]:
    """The classes that the test image in this row is certain not to carry and that are raised at or
    before a sparsity, and where; the earliest first."""
    found = _since(images.raised[row], images.absent[row], images, sparsity)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def false_alarms(images: Images, row: int) -> np.ndarray:
    """(classes,) where each class is raised that the image in this row is certain not to carry."""
    return np.where(images.absent[row], images.raised[row], np.nan)


def _since(
    since: np.ndarray, counted: np.ndarray, images: Images, sparsity: float
) -> dict[str, float]:
    by_then = counted & by_now(since, sparsity)
    return {images.class_names[at]: round(float(since[at]), 2) for at in np.flatnonzero(by_then)}


def holds(images: Images, image_id: str) -> bool:
    """Whether it is one of the test images."""
    return bool((images.table["image_id"] == image_id).any())


def others_of_patient(images: Images, image_id: str) -> pd.DataFrame:
    """The patient's other test images, by the first of TIMES that is known, else in test-set
    order."""
    table = images.table
    patient = table.loc[table["image_id"] == image_id, "patient_id"].iloc[0]
    others = table[(table["patient_id"] == patient) & (table["image_id"] != image_id)]
    time = next((name for name in TIMES if name in others), None)
    if time is None:
        return others
    numbers = pd.to_numeric(others[time], errors="coerce")
    by = others[time].astype(str) if numbers.isna().all() else numbers
    return others.loc[by.sort_values(kind="stable").index]


def page_of(table: pd.DataFrame, page: int, per_page: int) -> pd.DataFrame:
    """Rows of one page, counted from 1."""
    return table.iloc[(page - 1) * per_page : page * per_page]


def n_pages(n_images: int, per_page: int) -> int:
    """At least one page, so that there is always something to be on."""
    return max(1, -(-n_images // per_page))


def _place(table: pd.DataFrame, image_id: str) -> int | None:
    found = np.flatnonzero(table["image_id"] == image_id)
    return int(found[0]) if len(found) else None


def neighbours(table: pd.DataFrame, image_id: str) -> tuple[int | None, str | None, str | None]:
    """Position of an image (from 1), the image before it and the one after; None for none."""
    at, ids = _place(table, image_id), table["image_id"]
    if at is None:
        return None, None, None
    before = ids.iloc[at - 1] if at > 0 else None
    return at + 1, before, ids.iloc[at + 1] if at + 1 < len(ids) else None


def around(table: pd.DataFrame, image_id: str, before: int, after: int) -> tuple[list[str], int]:
    """An image and those next to it, in the table's order, and its place among them; the image
    alone where it is not in the table."""
    at = _place(table, image_id)
    if at is None:
        return [image_id], 0
    begin = max(0, at - before)
    return table["image_id"].iloc[begin : at + after + 1].tolist(), at - begin


@dataclass(frozen=True)
class Counts:
    """Test images, PIEs among them, and images without an agreement (a constant vector)."""

    n_images: int
    n_pies: int
    n_constant: int


def count_pies(pies: pd.DataFrame) -> Counts:
    return Counts(len(pies), int(pies["is_pie"].sum()), int(pies["agreement"].isna().sum()))


@dataclass(frozen=True)
class ZCounts:
    """What agreement_z says: images that have one and PIEs among them; PIEs at or above 0, images
    below -2; images of modal disagreement and PIEs among them, None where that is unknown."""

    n_known: int
    n_pies: int
    n_within: int
    n_low: int
    n_modal: int | None
    n_modal_pies: int | None


def z_counts(definitions: pd.DataFrame) -> ZCounts:
    """Takes `tables.pies`."""
    known = definitions[definitions["agreement_z"].notna()]
    pie, modal = known["is_pie"].astype(bool), definitions["is_pie_modal"].dropna().astype(bool)
    both = modal & definitions["is_pie"].loc[modal.index]
    return ZCounts(
        len(known),
        int(pie.sum()),
        int((pie & (known["agreement_z"] >= 0)).sum()),
        int((known["agreement_z"] < LOW_Z).sum()),
        int(modal.sum()) if len(modal) else None,
        int(both.sum()) if len(modal) else None,
    )


def one_image(images: Images, image_id: str) -> pd.Series:
    """One test image's row of the table, PIE or not."""
    return images.table[images.table["image_id"] == image_id].iloc[0]


def labels_of(images: Images, row: int) -> dict[str, bool | None]:
    """By class, whether the test image in this row is labelled with it; None for uncertain."""
    values = images.test[list(images.class_names)].iloc[row]
    return {
        str(name): None if pd.isna(value) else bool(value == 1) for name, value in values.items()
    }


def attributes_of(images: Images, row: int) -> dict[str, str]:
    """What the labels say of a test image besides its classes: the patient, and any attribute."""
    hidden = ("image_id", "path", "split", *images.class_names)
    values = images.test.iloc[row].drop(labels=list(hidden))
    return {str(name): "\u2013" if pd.isna(value) else str(value) for name, value in values.items()}
