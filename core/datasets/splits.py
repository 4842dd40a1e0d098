"""Splits that a dataset brings along: checked for shared patients, given a validation split."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.errors import InputError
from core.study.labels import SPLITS


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


def refuse_empty_split(split: pd.Series, source: str) -> None:
    """Raise InputError that names a split without images."""
    for name in SPLITS:
        if not (split == name).any():
            raise InputError(f"{source}: no image is in the {name} split.")


def with_validation(
    patient_ids: pd.Series, split: pd.Series, validation_share: float, seed: int
) -> pd.Series:
    """Move whole patients from train to validation; equal seeds give equal splits.

    `validation_share` is of the patients in train, at least one. Raises InputError where train has
    fewer than two patients.
    """
    patients = np.array(sorted(patient_ids[split == "train"].astype(str).unique()))
    if len(patients) < 2:
        raise InputError(
            f"{len(patients)} train patient(s) cannot be divided into train and validation."
        )
    np.random.default_rng(seed).shuffle(patients)
    n_validation = min(max(1, round(validation_share * len(patients))), len(patients) - 1)
    moved = patient_ids.astype(str).isin(patients[:n_validation]) & (split == "train")
    return split.mask(moved, "validation")
