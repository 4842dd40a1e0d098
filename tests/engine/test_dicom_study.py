"""A study of DICOM files, from a table of labels to predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.cli.studies import run_here
from core.pictures.images import read_grey
from core.pictures.repairs import REPAIRS
from core.study import paths, store
from core.study.config import StudyConfig
from tests.dicoms import write_dicom

N_IMAGES = 24


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Twelve patients with two 12-bit images each; every third image is MONOCHROME1."""
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for number in range(N_IMAGES):
        pixels = rng.integers(0, 4096, (40, 36), dtype=np.uint16)
        photometric = "MONOCHROME1" if number % 3 == 0 else "MONOCHROME2"
        slope = 0 if number in (5, 17) else 1
        write_dicom(
            folder / f"{number:02d}.dcm", pixels, BitsStored=12, WindowCenter=2000,
            WindowWidth=3000, PhotometricInterpretation=photometric,
            RescaleSlope=slope, RescaleIntercept=0,
        )  # fmt: skip
        split = "train" if number < 12 else "validation" if number < 16 else "test"
        rows.append((f"{number:02d}.dcm", number // 2, split, number % 2, number % 4 == 1))
    table = pd.DataFrame(rows, columns=["path", "patient_id", "split", "Mass", "Nodule"])
    table["Nodule"] = table["Nodule"].astype(int)
    table.to_csv(tmp_path / "labels.csv", index=False)
    return StudyConfig.model_validate(
        {
            "study": {"name": "dicom"},
            "dataset": {"kind": "table", "images": folder, "labels": tmp_path / "labels.csv"},
            "model": {"architecture": "resnet_small", "image_size": 32},
            "training": {"epochs": 1, "batch_size": 4},
            "runs": {"count": 1},
            "sweep": {"sparsities": [0, 0.9]},
        }
    )


def test_a_table_of_dicom_files_is_trained_swept_and_cached_as_it_is_shown(config, capsys):
    run_here(config)
    folder = paths.study_dir(config)
    labels = store.read_labels(folder)
    assert len(store.read_class_metrics(folder)) == 4  # two sparsities, two classes
    assert store.finished_cells(folder) == [(0, 0.0), (0, 0.9)]
    (shard,) = paths.cache_dir().glob("pixels/*/shard=*.npy")
    decoded = np.load(shard)
    assert decoded.shape == (N_IMAGES, 32, 32)
    images = paths.images_dir(config.dataset)
    for row, path in enumerate(labels.table["path"]):
        np.testing.assert_array_equal(decoded[row], read_grey(images / path, 32))
    repairs = [{"repair": "slope", "n_images": 2, "first": "05.dcm"}]
    assert store.read_provenance(folder)["image_repairs"] == repairs
    assert f"Repaired 2 images: {REPAIRS['slope']} (first: 05.dcm)." in capsys.readouterr().out
    assert not set(labels.table.columns) & {"PatientName", "PatientID", "Modality"}
