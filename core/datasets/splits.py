"""Splits that a dataset brings along: checked for shared patients, given a validation split."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.errors import InputError


def refuse_shared_patients(patient_ids: pd.Series, split: pd.Series, source: str) -> None:
    """Raise InputError that names a patient whose images are in more than one split."""
    pairs = pd.DataFrame({"patient_id": patient_ids, "split": split}).drop_duplicates()
    shared = pairs["patient_id"][pairs["patient_id"].duplicated()]
    if len(shared):
        patient = shared.iloc[0]
        where = " and ".join(pairs["split"][pairs["patient_id"] == patient])
        raise InputError(
            f"{source}: patient {patient} has images in {where} ({shared.nunique():,} such "
            "patient(s)). A patient belongs to one split only, or the test is not independent."
        )


def refuse_without_test(split: pd.Series, source: str) -> None:
    """Raise InputError where no image is for testing; an analysis of a checkpoint needs no
    other split."""
    if not (split == "test").any():
        raise InputError(f"{source}: no image is in the test split.")


def refuse_nothing_to_train_on(split: pd.Series) -> None:
    """Raise InputError that names a split without images which training needs."""
    for name in ("train", "validation"):
        if not (split == name).any():
            raise InputError(
                f"No image is in the {name} split, and training needs some. Leave a share for it "
                "(dataset.validation_share, dataset.test_share), or analyse a trained network "
                "with `prunescope analyze`, which needs test images only."
            )


def with_validation(
    patient_ids: pd.Series, split: pd.Series, validation_share: float, seed: int
) -> pd.Series:
    """Move whole patients from train to validation; equal seeds give equal splits.

    `validation_share` is of the patients in train, at least one, and none where it is 0 or nobody
    is in train. Raises InputError where train has fewer than two patients.
    """
    patients = np.array(sorted(patient_ids[split == "train"].astype(str).unique()))
    if not len(patients) or not validation_share:
        return split
    if len(patients) < 2:
        raise InputError(
            f"{len(patients)} train patient(s) cannot be divided into train and validation."
        )
    np.random.default_rng(seed).shuffle(patients)
    n_validation = min(max(1, round(validation_share * len(patients))), len(patients) - 1)
    moved = patient_ids.astype(str).isin(patients[:n_validation]) & (split == "train")
    return split.mask(moved, "validation")
