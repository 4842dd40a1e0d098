"""Which images the PIE browser shows, and in what order."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

ORDERS = {
    "Lowest agreement": ["agreement"],
    "Patient": ["patient_id", "agreement"],
    "Test-set order": ["test_order"],
}


@dataclass(frozen=True)
class Gallery:
    """The PIEs that carry every class of `with_classes`, in one of ORDERS.

    Takes the output of `Pies` and the test rows of the labels; returns the PIEs' rows of the
    labels with agreement, rank (1 = lowest agreement of all) and test_order.
    """

    order: str = "Lowest agreement"
    with_classes: tuple[str, ...] = ()

    def __call__(self, pies: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
        ranked = pies.assign(
            rank=pies["agreement"].rank(method="first"), test_order=range(len(pies))
        )
        table = ranked[ranked["is_pie"]].drop(columns="is_pie").merge(test, on="image_id")
        for name in self.with_classes:
            table = table[table[name] == 1]
        return table.sort_values(ORDERS[self.order], kind="stable", ignore_index=True)


def page_of(table: pd.DataFrame, page: int, per_page: int) -> pd.DataFrame:
    """Rows of one page, counted from 1."""
    return table.iloc[(page - 1) * per_page : page * per_page]


def n_pages(n_images: int, per_page: int) -> int:
    """At least one page, so that there is always something to be on."""
    return max(1, -(-n_images // per_page))


def neighbours(table: pd.DataFrame, image_id: str) -> tuple[int | None, str | None, str | None]:
    """Position of an image (from 1), the image before it and the one after; None for none."""
    ids = list(table["image_id"])
    if image_id not in ids:
        return None, None, None
    at = ids.index(image_id)
    before = ids[at - 1] if at > 0 else None
    return at + 1, before, ids[at + 1] if at + 1 < len(ids) else None


def present_classes(image: pd.Series, class_names: tuple[str, ...]) -> list[str]:
    """The classes an image is labelled with for certain."""
    return [name for name in class_names if pd.notna(image[name]) and image[name] == 1]


def image_change(
    dense: pd.DataFrame, pruned: pd.DataFrame, labels: pd.Series, class_names: tuple[str, ...]
) -> pd.DataFrame:
    """class_name, dense, pruned, present of one image, the largest change first.

    dense and pruned: one row each, one probability column per class.
    """
    names = list(class_names)
    table = pd.DataFrame(
        {
            "class_name": names,
            "dense": dense[names].iloc[0].to_numpy(float),
            "pruned": pruned[names].iloc[0].to_numpy(float),
            "present": [name in present_classes(labels, class_names) for name in names],
        }
    )
    order = (table["pruned"] - table["dense"]).abs().sort_values(ascending=False, kind="stable")
    return table.loc[order.index].reset_index(drop=True)


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
        int((known["agreement_z"] < -2).sum()),
        int(modal.sum()) if len(modal) else None,
        int(both.sum()) if len(modal) else None,
    )


def one_image(pies: pd.DataFrame, test: pd.DataFrame, image_id: str) -> pd.Series:
    """One test image's labels and attributes with its agreement, PIE or not."""
    row = test[test["image_id"] == image_id].iloc[0].copy()
    row["agreement"] = pies.loc[pies["image_id"] == image_id, "agreement"].iloc[0]
    return row
