"""Numbers and states of a study in plain words, the same on every page."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Collection, Sequence
from typing import Any, Literal, TypeGuard

import pandas as pd

from core.study.config import StudyConfig
from core.study.known_settings import is_known
from core.study.labels import FEW_PATIENTS
from core.study.progress import Report
from core.study.settings import PRUNING_METHODS, GroupSettings

# A report this old, of a process that may be on another machine, is taken for abandoned.
SILENT_SECONDS = 600
# A report this fresh needs no living process as a witness.
FRESH_SECONDS = 10
NONE = "\u2013"  # what stands for no value
MINUS = "\u2212"

METRICS = {
    "ap": "AP",
    "calibrated_ap": "calibrated AP",
    "auroc": "AUROC",
    "somers_d": "Somers\u2019 D",
}
UNKNOWN = "not known"
FREQUENCIES_UNKNOWN = "how frequent a class was in training is not known"
OWN_PATIENTS = "Each image counts as its own patient: no patient ids are known."
FEW_IMAGES = 50  # of so few test images nothing is concluded anyway
FEW = f"fewer than {FEW_PATIENTS} patients with the class in the test set"
MOST_NAMED = 4


def percent(share: float | None, digits: int = 0) -> str:
    """0.25 as "25 %"; a dash for none.

    The one shape of a percentage, in sentences and in tables: a blank before the sign, a proper
    minus, no negative zero. Sparsities are whole percents; `frequency` and `signed` say how
    many digits a share of images and a change have.
    """
    return f"{number(share * 100, digits)} %" if known(share) else NONE


def frequency(share: float) -> str:
    """A share with enough digits for a rare class: 57 %, 4.2 %, 0.18 %."""
    digits = 0 if share >= 0.1 or share == 0 else 1 if share >= 0.01 else 2
    return percent(share, digits).replace(".0 ", " ")


def short_percent(share: float) -> str:
    """0.95 as "95 %", 0.975 as "97.5 %"."""
    return percent(share, 1).replace(".0", "")


def number(value: float | None, digits: int = 2) -> str:
    """With a proper minus and without a negative zero; a dash for none."""
    if not known(value):
        return NONE
    text = f"{value:.{digits}f}"
    return (text if text.strip("-0.") else text.removeprefix("-")).replace("-", MINUS)


def significant(value: float | None, digits: int = 3) -> str:
    """As many digits as mean something: 0.0123, 1.23, 12.3, 1,234; a dash for none."""
    if not known(value) or math.isinf(value):
        return NONE
    if value == 0:
        return "0"
    after = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    return f"{value:,.{after}f}".replace("-", MINUS)


def names(given: tuple[str, ...] | list[str], most: int = MOST_NAMED) -> str:
    """A, B and C; beyond `most` only how many more."""
    shown = list(given[:most])
    if len(given) > most:
        shown.append(f"{len(given) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def points(change: float) -> str:
    """A difference of shares in percentage points."""
    text = f"{abs(change) * 100:.1f}"
    sign = "" if text == "0.0" else MINUS if change < 0 else "+"
    return f"{sign}{text} points"


def signed(change: float, digits: int | None = None) -> str:
    """A change in percent with its sign, and a digit more where it is small; what rounds to
    nothing has no sign."""
    if digits is None:
        digits = 0 if abs(change) >= 0.095 or abs(change) < 0.0005 else 1
    text = percent(abs(change), digits)
    if not text.strip("0.% ") or text == NONE:
        return text
    return f"{MINUS if change < 0 else '+'}{text}"


def p_value(p: float | None, symbol: str = "p") -> str:
    """p = 0.012, p < 0.001; symbol: "q" for a value corrected for several tests."""
    if not known(p):
        return f"{symbol} {NONE}"
    return f"{symbol} < 0.001" if p < 0.001 else f"{symbol} = {p:.3f}"


def bare_p(p: float | None) -> str:
    """The same where a header says p: "0.012", "< 0.001"."""
    return p_value(p).removeprefix("p ").removeprefix("= ")


def count(n: int, noun: str) -> str:
    """1 run, 2 runs, 1,000 test images."""
    plurals = {"class": "classes", "sparsity": "sparsities", "study": "studies"}
    before, _, last = noun.rpartition(" ")
    plural = noun if n == 1 else f"{before} {plurals.get(last, last + 's')}".strip()
    return f"{n:,} {plural}"


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def loss(change: float | None, metric: str) -> str:
    """A relative change as what happened: "loses 80 % of its AP"."""
    if not known(change):
        return f"has no {METRICS[metric]}"
    verb = "loses" if change < 0 else "gains"
    return f"{verb} {abs(change) * 100:.0f} % of its {METRICS[metric]}"


def grid(sparsities: tuple[float, ...]) -> str:
    last = f"to {percent(sparsities[-1])}" if len(sparsities) > 1 else "only"
    return f"{count(len(sparsities), 'grid point')}, {percent(sparsities[0])} {last}"


def architecture(config: StudyConfig) -> str:
    """As the study file calls it, or the names of imported files do."""
    if config.dataset.kind == "imported":
        return config.dataset.architecture
    return config.model.architecture


def model(config: StudyConfig) -> str:
    if config.dataset.kind == "imported":
        return f"{architecture(config)} by the names of the files; training {UNKNOWN}"
    weights = (
        "from scratch" if config.model.weights == "none" else f"{config.model.weights} weights"
    )
    if not is_known(config, "training.epochs"):
        weights = f"a given checkpoint, training {UNKNOWN}"
    return f"{config.model.architecture}, {weights}, {config.model.image_size} px"


def pruning(config: StudyConfig) -> str:
    if not is_known(config, "pruning.method"):
        return UNKNOWN
    if config.sweep.sparsities == (0.0,):
        return "nothing is pruned"
    return f"{PRUNING_METHODS[config.pruning.method]} ({config.pruning.method})"


def trained_on(config: StudyConfig) -> str | None:
    """Where class frequencies in the training of a given checkpoint come from; None of our own."""
    if config.checkpoint is None:
        return None
    if config.trained_on == "unknown":
        return f"{UNKNOWN}, so no class is called head, medium or tail"
    return (
        "those of the dataset's train split, by the checkpoint's owner"
        if config.trained_on == "train"
        else "given by the checkpoint's owner"
    )


def precision(config: StudyConfig) -> str:
    return config.sweep.precision if is_known(config, "sweep.precision") else UNKNOWN


def runs(config: StudyConfig, seeds: Sequence[int] = ()) -> str:
    """2 runs, seed 0 to 1; `seeds` are those of the study, where they are on record: imported ones
    need not be counted up."""
    if config.checkpoint:
        pruned = f"; pruned with seed {config.runs.first_seed}"
        known = pruned if is_known(config, "runs.first_seed") else ""
        return f"1 run, seed of its training {UNKNOWN}{known}"
    first, n = config.runs.first_seed, config.runs.count
    seeds = list(seeds) or list(range(first, first + n))
    if len(seeds) < 2:
        return f"{count(len(seeds), 'run')}, seed {seeds[0]}"
    if seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"{count(len(seeds), 'run')}, seed {seeds[0]} to {seeds[-1]}"
    return f"{count(len(seeds), 'run')}, seeds {', '.join(map(str, seeds))}"


def origin(config: StudyConfig) -> str | None:
    """Where predictions come from that PruneScope did not make; None of its own."""
    if config.dataset.kind != "imported":
        return None
    return f"made elsewhere and imported; how they were trained and pruned is {UNKNOWN}"


def finished(n_cells: int, config: StudyConfig) -> str:
    total = config.runs.count * len(config.sweep.sparsities)
    return f"{n_cells:,} of {total:,} (run, sparsity) cells"


def split_sizes(sizes: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {split}" for split, n in sizes.items())


def unknown_patients(test: pd.DataFrame) -> str:
    """Says that nobody gave patient ids; empty where somebody did, or where images are so few that
    it makes no difference. test: image_id and patient_id of the test images.

    Without ids a dataset takes an image's own id for its patient's (`core.datasets.table`).
    """
    alone = test["patient_id"].astype(str).eq(test["image_id"].astype(str))
    return OWN_PATIENTS if len(test) > FEW_IMAGES and alone.all() else ""


def skipped(images: list[Any]) -> str:
    names = [
        str(image.get("image_id", image) if isinstance(image, dict) else image) for image in images
    ]
    if not names:
        return "none"
    return f"{len(names):,}: {', '.join(names[:3])}" + (" …" if len(names) > 3 else "")


def groups(settings: GroupSettings, split: str = "train", known: bool = True) -> str:
    """What the colours of the charts mean, where no coloured legend can stand; `split`: of which
    images the shares are; `known`: whether classes have groups."""
    if not known:
        return f"Grey: {FREQUENCIES_UNKNOWN}."
    return (
        f"Blue: head, over {frequency(settings.head_above)} of {split} images; green: medium; "
        f"orange: tail, under {frequency(settings.tail_below)}."
    )


def pies_shown(n_pies: int, n_images: int, n_shown: int | None, of_all: bool = True) -> str:
    """PIEs: 50 of 1,000 test images (5 % by definition); n_shown: left by a filter, if any. of_all:
    of all test images, not of a subgroup, which may hold more or fewer."""
    by_definition = " (5 % by definition)" if of_all else ""
    text = f"PIEs: {n_pies:,} of {count(n_images, 'test image')}{by_definition}"
    return text if n_shown is None else f"{n_shown:,} shown of {text}"


def positives(counts: dict[str, int], unstable: Collection[str]) -> str:
    """Test positives: Effusion 213, Hernia 2 *. A star marks the unstable classes."""
    shown = [f"{name} {n:,}{' *' if name in unstable else ''}" for name, n in counts.items()]
    star = f". * {FEW}: unstable" if unstable else ""
    return f"Positives in it: {', '.join(shown)}{star}."


def constant_vectors(n: int) -> str:
    return (
        f"{count(n, 'test image')} without an agreement: all classes have one probability there, "
        "so nothing can be ranked. Counted, never a PIE."
    )


def source(size: tuple[int, int], shown: int) -> str:
    """What an image really holds, and whether the screen shows it larger than that."""
    width, height = size
    text = f"source {width} \u00d7 {height} px"
    return f"{text}, shown enlarged and smoothed" if max(size) < shown else text


Standing = Literal["running", "interrupted", "finished", "failed", "cancelled"]


def standing(report: Report, now: float | None = None) -> Standing:
    """What a report means now: "running" of a process that is gone is an interruption."""
    if report.state != "running":
        return report.state
    age = (time.time() if now is None else now) - report.updated
    if age < FRESH_SECONDS:
        return "running"
    return "running" if age <= SILENT_SECONDS and _lives(report.pid) else "interrupted"


def progress(report: Report) -> str:
    """training, stage 2 of 5: 120 of 400 images, about 3 min left in this stage; 3 more stages
    follow. Of the whole nobody can tell before: stages take from a second to hours."""
    text = f"{report.stage}, stage {report.stage_number} of {report.n_stages}"
    if report.total:
        text += f": {report.done:,} of {report.total:,} {report.unit}"
    if left := report.stage_seconds_left:
        text += f", about {duration(left)} left in this stage"
    return f"{text}; {stages_after(report)}"


def stages_after(report: Report) -> str:
    """3 more stages follow, of unknown length."""
    n = report.n_stages - report.stage_number
    if n < 1:
        return "no stage follows"
    follow = "1 more stage follows" if n == 1 else f"{n:,} more stages follow"
    return f"{follow}, of unknown length"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def known(value: float | None) -> TypeGuard[float]:
    return value is not None and not math.isnan(value)
