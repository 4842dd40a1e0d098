"""What takes a minute: the environment that published predictions come from, and their size."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.datasets.classes import class_list
from core.importing.study import import_study
from core.study import store
from tests.importing.given import FILES, prediction, write_pickle

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def test_the_files_are_what_pandas_1_5_and_numpy_1_26_write(tmp_path: Path) -> None:
    python = shutil.which("python3.11")
    if python is None:
        pytest.skip("There is no Python 3.11 here, the last with a wheel of pandas 1.5.3.")
    subprocess.run([python, "-m", "venv", tmp_path / "old"], check=True)
    old = tmp_path / "old" / "bin" / "python"
    packages = ("pandas==1.5.3", "numpy==1.26.4")
    subprocess.run([old, "-m", "pip", "install", "-q", *packages], check=True)
    script = ROOT / "tests" / "importing" / "make_files.py"
    made = tmp_path / "files"
    subprocess.run([old, script, ROOT / "data" / "classes", made], check=True)
    names = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
    kept = {str(path.relative_to(FILES)) for path in FILES.rglob("*") if path.is_file()}
    assert kept == {*names, "forms/pandas-1.3.pkl"}
    for name in names:
        assert (made / name).read_bytes() == (FILES / name).read_bytes(), name


def test_memory_does_not_grow_with_the_number_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 cells of 20,000 images need little more than 8 do: what Python has not yet tidied away,
    and not the further cells, each of 1.6 MB."""
    classes = class_list("nih-cxr-lt")
    rng = np.random.default_rng(0)
    for part, n in (("train", 200), ("val", 100), ("test", 20_000)):
        table = pd.DataFrame((rng.random((n, 20)) < 0.1).astype(int), columns=classes)
        first = {"train": 1, "val": 2, "test": 3}[part]
        table.insert(0, "id", [f"{first:04d}{i // 10:04d}_{i % 10:03d}.png" for i in range(n)])
        table.to_csv(tmp_path / f"miccai2023_nih-cxr-lt_labels_{part}.csv", index=False)
    names = np.array(classes)
    joined = ["|".join(names[row == 1]) for row in table[list(classes)].to_numpy()]
    peaks = {}
    for n_cells in (8, 20):
        source = tmp_path / f"cells-{n_cells}"
        source.mkdir()
        monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / f"cache-{n_cells}"))
        for cell in range(n_cells):
            frame = pd.DataFrame(rng.random((20_000, 20), dtype=np.float32), columns=classes)
            write_pickle(frame.assign(label=joined), prediction(source, 0, f"{cell * 0.01:g}"))
        tracemalloc.start()
        imported = import_study(source, tmp_path, "nih-cxr-lt", "large")
        peaks[n_cells] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(store.finished_cells(imported.folder)) == n_cells
    print({n: f"{peak / 2**20:.0f} MiB" for n, peak in peaks.items()}, file=sys.stderr)
    held = 12 * 20_000 * len(classes) * 4
    assert peaks[20] - peaks[8] < held / 4
