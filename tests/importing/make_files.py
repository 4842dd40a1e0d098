"""Writes tests/importing/files: label files and prediction pickles as Holste et al. publish them.

To be run with pandas 1.5.3 and numpy 1.26 under Python 3.11, in an environment of its own:

    python3.11 -m venv OLD && OLD/bin/pip install pandas==1.5.3 numpy==1.26.4
    OLD/bin/python tests/importing/make_files.py data/classes tests/importing/files

Two seeds at three sparsities for NIH-CXR-LT; for MIMIC-CXR-LT one dense model. `forms` holds the
same table in the forms that pandas 1.5 may write: all protocols, other indices, other numbers. Run
with pandas 1.3.5 and numpy 1.22 under Python 3.10, the script adds what that writes otherwise.
"""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd

N_TEST = 90
SPARSITIES = ("0", "0.5", "0.9")


def labels(rng, classes, first_patient, n):
    """Class columns of n images; "No Finding" where there is none, two images a patient."""
    matrix = (rng.random((n, len(classes))) < np.linspace(0.02, 0.4, len(classes))).astype(int)
    none = classes.index("No Finding")
    matrix[:, none] = np.delete(matrix, none, axis=1).sum(axis=1) == 0
    patients = first_patient + np.arange(n) // 2
    return pd.DataFrame(matrix, columns=classes), patients


def frame(rng, truth, sparsity, dtype="float32"):
    """Probabilities that fade with sparsity, and the classes of each row joined by "|"."""
    signal = 2.5 * (1 - sparsity) * truth.to_numpy() + rng.normal(size=truth.shape) - 2
    table = pd.DataFrame((1 / (1 + np.exp(-signal))).astype(dtype), columns=truth.columns)
    names = np.array(truth.columns)
    table["label"] = ["|".join(names[row == 1]) for row in truth.to_numpy()]
    return table


def dump(table, path, protocol=4):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        pickle.dump(table, file, protocol=protocol)


def main(class_lists, out):
    if pd.__version__ == "1.3.5":
        classes = json.loads((class_lists / "mimic-cxr-lt.json").read_text())["classes"]
        truth, _ = labels(np.random.default_rng(1), classes, 1, 12)
        dump(frame(np.random.default_rng(3), truth, 0.0), out / "forms" / "pandas-1.3.pkl")
        return
    assert pd.__version__ == "1.5.3", pd.__version__
    for dataset in ("nih-cxr-lt", "mimic-cxr-lt"):
        rng = np.random.default_rng(len(dataset))
        classes = json.loads((class_lists / f"{dataset}.json").read_text())["classes"]
        first, n = 10_000_001, {"train": 60, "val": 20, "test": N_TEST}
        for part in n:
            truth, patients = labels(rng, classes, first, n[part])
            first = patients.max() + 1
            if dataset == "nih-cxr-lt":
                truth.insert(0, "id", [f"{p:08d}_{i % 2:03d}.png" for i, p in enumerate(patients)])
                truth["subj_id"] = patients
            else:
                paths = [f"files/p10/p{p}/s{i:08d}/{i:04x}.jpg" for i, p in enumerate(patients)]
                truth.insert(0, "path", paths)
            out.mkdir(parents=True, exist_ok=True)
            truth.to_csv(out / f"miccai2023_{dataset}_labels_{part}.csv", index=False)
        truth = truth[classes]
        for seed in (0, 1) if dataset == "nih-cxr-lt" else (0,):
            for prune in SPARSITIES if dataset == "nih-cxr-lt" else SPARSITIES[:1]:
                table = frame(np.random.default_rng([seed, 5]), truth, float(prune))
                dump(table, out / f"{dataset}_resnet50_seed-{seed}_prune-{prune}.pkl")
        if dataset == "mimic-cxr-lt":
            write_forms(truth.iloc[:12], out / "forms")


def write_forms(truth, out):
    table = frame(np.random.default_rng(3), truth, 0.0)
    for protocol in (2, 3, 5):
        dump(table, out / f"protocol-{protocol}.pkl", protocol)
    dump(table.set_axis([f"image-{i}" for i in range(len(table))]), out / "text-index.pkl")
    dump(pd.concat([table.iloc[:5], table.iloc[5:]]).set_axis(table.index[::-1].to_numpy()),
         out / "int64-index.pkl")  # fmt: skip
    dump(pd.concat([table.iloc[:5], table.iloc[5:]]), out / "concatenated.pkl")
    dump(table[["label", *truth.columns[::-1]]], out / "reordered.pkl")
    wide = frame(np.random.default_rng(3), truth, 0.0, "float64")
    mixed = table.assign(**{truth.columns[1]: wide[truth.columns[1]]})
    dump(wide, out / "float64.pkl")
    dump(mixed, out / "mixed.pkl")
    dump(table.astype({truth.columns[0]: "float16"}), out / "float16.pkl")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
