"""The dataset kinds: one file each, in one explicit registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from core.datasets import cxr_lt, nih_cxr14, table
from core.errors import InputError
from core.study.labels import Labels, split_by_patient
from core.study.paths import phantoms_dir
from core.study.progress import Advance
from core.study.settings import DatasetSettings, PhantomSettings


def load_labels(settings: DatasetSettings, advance: Advance | None = None) -> Labels:
    """The labels of a dataset; `path` is relative to `images_dir(settings)`.

    Phantoms not yet on disk are drawn first, and `advance(done, total)` counts them. With
    `on_bad_image = "skip"` missing images stay in the labels; decoding them reports and drops them.
    Raises InputError that names what is wrong.
    """
    if settings.kind not in DATASETS:
        raise InputError(
            f"There is no dataset kind {settings.kind!r}; there are: {', '.join(DATASETS)}."
        )
    return DATASETS[settings.kind](settings, advance or _ignore)


def load_phantoms(settings: PhantomSettings, advance: Advance) -> Labels:
    """Draw the phantoms that are not on disk yet, and divide them by patient."""
    # Only here: what draws takes 0.15 s to import.
    from core.datasets.phantom.dataset import CLASS_NAMES, patient_names, render, sample_labels

    patients = pd.Series(patient_names(settings.n_patients))
    shares = (settings.validation_share, settings.test_share, settings.split_seed)
    split = dict(zip(patients, split_by_patient(patients, *shares), strict=True))
    sampled = sample_labels(
        settings.n_patients,
        settings.seed,
        settings.wrong_label_share,
        settings.rarest,
        settings.rarest_in_test,
        {patient for patient, part in split.items() if part == "test"},
    )
    folder, strength = phantoms_dir(settings), settings.strength
    drawn = render(sampled, folder, settings.size, strength, progress=advance)
    drawn["split"] = drawn["patient_id"].map(split)
    return Labels(drawn, tuple(CLASS_NAMES))


def _ignore(done: int, total: int) -> None:
    """The `advance` of a caller that shows no progress."""


# Each takes the settings of its own kind.
DATASETS: dict[str, Callable[[Any, Advance], Labels]] = {
    "phantom": load_phantoms,
    "nih-cxr14": nih_cxr14.load,
    "cxr-lt": cxr_lt.load,
    "table": table.load,
}
