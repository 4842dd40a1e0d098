"""What `dataset.preset` may be, and what each is; `core.datasets.presets` reads them."""

from __future__ import annotations

PRESETS = {
    "chexpert": "CheXpert: `train.csv`, `valid.csv`; a blank is negative",
    "mimic-cxr-jpg": "MIMIC-CXR(-JPG): the folder of `mimic-cxr-2.0.0-chexpert.csv.gz`, its "
    "metadata and split; a blank (not mentioned) is negative",
    "padchest": 'PadChest: `PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv`; "normal" is '
    "No Finding, excluded images are left out",
    "vindr-cxr": "VinDr-CXR: the folder `annotations`, or the challenge's `train.csv`; see "
    "`readers`",
    "brax": "BRAX: `master_spreadsheet_update.csv`; a blank is negative",
    "cxr-lt-2024": "CXR-LT 2024 (and 2023): `labels.csv`, or the folder of the files of task 1",
    "cxr-lt-2026": "CXR-LT 2026: `CXRLT_2026_training.csv`",
}
