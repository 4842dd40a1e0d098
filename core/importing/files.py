"""Which prediction files a folder holds: their names say network, seed and sparsity.

A file is called `<dataset>_<architecture>_seed-S_prune-R.pkl`, or with another of `ENDINGS`, with R
the sparsity: 0, 0.05, ..., 0.95. R may be in percent, 0, 5, ..., 95, throughout a folder.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from core.errors import InputError

log = logging.getLogger(__name__)

ENDINGS = ("pkl", "pickle", "parquet", "csv", "npy", "npz")
PATTERN = "<dataset>_<architecture>_seed-S_prune-R.pkl (or .parquet, .csv, .npy, .npz)"
NAME = re.compile(
    r"(?P<dataset>[^_]+)_(?P<architecture>.+)_seed-(?P<seed>\d{1,9})"
    rf"_prune-(?P<sparsity>\d{{1,9}}(?:\.\d{{1,9}})?)\.(?:{'|'.join(ENDINGS)})",
    re.IGNORECASE,
)
MEANT = re.compile(r"_.*seed.*prune", re.IGNORECASE)  # after the dataset's name


@dataclass(frozen=True)
class PredictionFile:
    path: Path
    architecture: str
    seed: int
    sparsity: float


def prediction_files(folder: Path, dataset: str) -> list[PredictionFile]:
    """The predictions of one dataset in `folder`, by seed and sparsity; other files are passed by.

    Raises InputError without any, where two hold the same cell or two architectures are mixed,
    where R is no whole percent, where no file is of a dense model, and where a name is almost one
    of these: a cell must not leave the study unseen.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder of prediction files.")
    named = {}
    for path in sorted(folder.iterdir()):
        if not path.is_file() or not path.name.lower().startswith(dataset):
            continue
        match = NAME.fullmatch(path.name)
        if match and match["dataset"].lower() == dataset:
            named[path] = match
        elif MEANT.match(path.name[len(dataset) :]):
            raise InputError(
                f"{path.name} is not called {PATTERN}, with R such as 0.05. Rename it, save it in "
                "one of these formats, or take it out of the folder."
            )
    if not named:
        raise InputError(
            f"{folder} holds no predictions for {dataset}. Files are called {PATTERN}, such as "
            f"{dataset}_resnet50_seed-0_prune-0.05.pkl."
        )
    in_percent = _in_percent({path: match["sparsity"] for path, match in named.items()})
    files = [
        PredictionFile(
            path,
            match["architecture"],
            int(match["seed"]),
            _sparsity(match["sparsity"], in_percent, path),
        )
        for path, match in named.items()
    ]
    _refuse_mixed(files, folder)
    files.sort(key=lambda file: (file.seed, file.sparsity))
    return files


def _in_percent(written: dict[Path, str]) -> bool:
    """Whether R is a percentage in these names: some R is above 1. Raises InputError for a mix."""
    if not any(float(text) > 1 for text in written.values()):
        return False
    fractions = [path for path, text in written.items() if float(text) % 1]
    if fractions:
        whole = next(path for path, text in written.items() if float(text) > 1)
        raise InputError(
            f"{fractions[0].name} gives its sparsity as a fraction, and {whole.name} in percent. "
            "Give all as fractions, such as 0 or 0.05."
        )
    percents = sorted({float(text) for text in written.values()})
    log.warning(
        "sparsities in file names are read as percent: %s", ", ".join(f"{n:g}" for n in percents)
    )
    return True


def _sparsity(text: str, in_percent: bool, path: Path) -> float:
    percent = float(text) if in_percent else float(text) * 100
    if percent >= 100 or abs(percent - round(percent)) > 1e-9:
        raise InputError(
            f"{path.name}: sparsity {text} is not a whole percent below 1, such as 0 or 0.05."
        )
    return round(percent) / 100


def _refuse_mixed(files: list[PredictionFile], folder: Path) -> None:
    architectures = sorted({file.architecture for file in files})
    if len(architectures) > 1:
        raise InputError(
            f"{folder} holds predictions of several architectures ({', '.join(architectures)}). "
            "A study is about one: give each a folder of its own."
        )
    ordered = sorted(files, key=lambda file: (file.seed, file.sparsity))
    for one, other in pairwise(ordered):
        if (one.seed, one.sparsity) == (other.seed, other.sparsity):
            raise InputError(
                f"{one.path.name} and {other.path.name} are both seed {one.seed} at sparsity "
                f"{one.sparsity:g}. Keep one of them."
            )
    if not any(file.sparsity == 0 for file in files):
        raise InputError(
            f"{folder} holds no predictions of a dense model (..._prune-0.pkl). Everything is "
            "measured against those."
        )
