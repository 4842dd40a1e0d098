"""A synthetic study: phantoms with findings as frequent, and as entangled, as in NIH-CXR-LT.

`sample_labels` decides which patient has which findings in which image, and where the record is
wrong; `render` draws the pictures. Everything follows from (study seed, patient number, image
number), so a table of more patients begins with the table of fewer, and pixels depend neither on
row order nor on the number of processes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, PngImagePlugin
from scipy.special import ndtri

from core.datasets.phantom.anatomy import sex_of
from core.datasets.phantom.drawing import DRAWING_VERSION, USUAL, acquisition, draw
from core.datasets.phantom.figures import Figures, figures
from core.datasets.phantom.findings import FINDINGS
from core.errors import InputError
from core.processes.spawning import spawning
from core.study.labels import NO_FINDING
from core.study.progress import Advance

CLASS_NAMES: tuple[str, ...] = tuple(figures().frequency)
MOST_IMAGES = 8
# Weights of 1..8 images a patient, falling geometrically, with a mean of 3.0.
IMAGES_PER_PATIENT = 0.7296 ** np.arange(MOST_IMAGES) / np.sum(0.7296 ** np.arange(MOST_IMAGES))
CHUNK = 24  # images a worker draws between two reports
PNG_END = b"IEND\xaeB`\x82"


def sample_labels(
    n_patients: int,
    seed: int,
    wrong_label_share: float = 0.03,
    rarest: float = 0.0,
    rarest_in_test: float = 0.0,
    test_patients: Collection[str] = (),
) -> pd.DataFrame:
    """Patients, their images and their labels as recorded; nothing is drawn yet.

    One row an image: image_id, patient_id, one int8 column per class of CLASS_NAMES (1/0, label
    noise included), then sex ("F"/"M"), age (years), true_findings ("A|B", what is drawn; "" for
    none), wrong_labels ("|"-joined classes whose recorded label differs from what is drawn, "No
    Finding" included; "" for none), patient_seed and image_seed (int64, for `render`).

    Findings come from a Gaussian copula (see `figures`): each has a latent normal, part of it
    the patient's and part the image's, and is present where that exceeds the quantile of its
    frequency. `wrong_label_share` of the images get one wrong record: a finding left out, added, or
    taken for another; three times as often where there is a finding as where there is none, which
    keeps the recorded frequencies near the true ones. No finding is rarer than `rarest`, nor than
    `rarest_in_test` in the images of `test_patients` (names as in `patient_names`). Raises
    InputError for n_patients below 1, a negative seed, or a share outside [0, 0.5].
    """
    if n_patients < 1:
        raise InputError(f"n_patients is {n_patients}; at least 1 is needed.")
    if seed < 0:
        raise InputError(f"seed is {seed}; it must not be negative.")
    if not 0 <= wrong_label_share <= 0.5:
        raise InputError(f"wrong_label_share is {wrong_label_share}; allowed: 0 to 0.5.")
    known = figures()
    of_nih = np.array([known.frequency[name] for name in known.findings])
    usual, in_test = (np.maximum(of_nih, least) for least in (rarest, max(rarest, rarest_in_test)))
    factor = np.linalg.cholesky(known.latent_correlation)
    of_patient, of_image = np.sqrt(known.patient_share), np.sqrt(1 - known.patient_share)
    misread = wrong_label_share / (3 - 2 * known.frequency[NO_FINDING])
    rows, true, recorded = [], [], []
    for patient, name in enumerate(patient_names(n_patients)):
        frequency = in_test if name in test_patients else usual
        threshold = ndtri(1 - frequency)
        rng = np.random.default_rng([1, seed, patient])
        n_images = int(rng.choice(MOST_IMAGES, p=IMAGES_PER_PATIENT)) + 1
        lasting = factor @ rng.standard_normal(len(of_nih))
        patient_seed = _seed(2, seed, patient)
        who = name, sex_of(patient_seed), _age(known, lasting, rng)
        for number in range(n_images):
            passing = factor @ rng.standard_normal(len(of_nih))
            present = of_patient * lasting + of_image * passing > threshold
            wrong = rng.random() < misread * (3 if present.any() else 1)
            true.append(present)
            recorded.append(_misread(present, frequency, rng) if wrong else present)
            image_seed = _seed(3, seed, patient, number)
            rows.append((f"{who[0]}-{number:02d}", *who, patient_seed, image_seed))
    columns = ["image_id", "patient_id", "sex", "age", "patient_seed", "image_seed"]
    keys = pd.DataFrame(rows, columns=columns)
    return _table(keys, _with_no_finding(np.array(true)), _with_no_finding(np.array(recorded)))


def patient_names(n_patients: int) -> list[str]:
    return [f"phantom-{patient:06d}" for patient in range(n_patients)]


def _seed(*parts: int) -> int:
    """A non-negative 63-bit seed from all parts; the first, never 0, keeps seeds of different kinds
    apart.

    (Without it numpy would give (seed, patient) and (seed, patient, 0) the same stream.)
    """
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)


def _age(known: Figures, lasting: np.ndarray, rng: np.random.Generator) -> int:
    """Years, 18 to 94; who carries signs of an ageing aorta is older."""
    signs = "Calcification of the Aorta", "Tortuous Aorta"
    aorta = [known.findings.index(name) for name in signs]
    return int(np.clip(round(48 + 14 * rng.standard_normal() + 5 * lasting[aorta].sum()), 18, 94))


def _misread(present: np.ndarray, frequency: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One finding recorded wrongly. What is added is drawn by frequency, or rare classes would be
    mostly noise."""
    read = present.copy()
    kind = rng.random()
    if present.any() and kind < 0.85:  # left out, or taken for another
        read[rng.choice(np.flatnonzero(present))] = False
    if not present.any() or kind >= 0.6:  # added, or the other it was taken for
        weight = np.where(present, 0, frequency)
        read[rng.choice(len(weight), p=weight / weight.sum())] = True
    return read


def _with_no_finding(findings: np.ndarray) -> np.ndarray:
    """(n, 19) findings to (n, 20) classes: the last is 1 exactly where no other is."""
    return np.column_stack([findings, ~findings.any(axis=1)])


def _table(keys: pd.DataFrame, true: np.ndarray, recorded: np.ndarray) -> pd.DataFrame:
    names = np.array(CLASS_NAMES, dtype=object)
    classes = pd.DataFrame(recorded.astype(np.int8), columns=list(CLASS_NAMES))
    attributes = keys[["sex", "age"]].assign(
        true_findings=["|".join(names[:-1][row]) for row in true[:, :-1]],
        wrong_labels=["|".join(names[row]) for row in true != recorded],
    )
    ids, seeds = keys[["image_id", "patient_id"]], keys[["patient_seed", "image_seed"]]
    return pd.concat([ids, classes, attributes, seeds], axis=1)


def render(
    table: pd.DataFrame,
    folder: Path,
    size: int = 224,
    strength: Mapping[str, float] = USUAL,
    processes: int | None = None,
    progress: Advance | None = None,
) -> pd.DataFrame:
    """Draw every image of a table from `sample_labels` as `<image_id>.png`, 8-bit grey, into
    `folder`.

    Each file appears whole or not at all. A file that is whole and shows this very image (seeds,
    findings, size, strength) is kept, so a killed run goes on where it was. `strength` is that of
    `draw`. `processes` None uses the cores this process may use, 1 draws here. `progress(done,
    total)` is called in the caller's process; an exception it raises stops the work.

    Returns the table with view, exposure, rotation_degrees, poor_quality (see `acquisition`) and
    path (the file's name in `folder`). Raises InputError if columns are missing.
    """
    needed = ["image_id", "true_findings", "patient_seed", "image_seed"]
    if missing := [name for name in needed if name not in table]:
        raise InputError(f"The table lacks {', '.join(missing)}; give the one from sample_labels.")
    if unknown := sorted(set(strength) - set(FINDINGS)):
        raise InputError(
            f"There is no finding {unknown[0]!r} whose strength could be set; there are: "
            f"{', '.join(FINDINGS)}."
        )
    folder.mkdir(parents=True, exist_ok=True)
    jobs: list[Job] = [
        (str(folder / f"{image_id}.png"), int(patient), int(image), findings, size, dict(strength))
        for image_id, findings, patient, image in table[needed].itertuples(index=False)
    ]
    waiting = [job for job in jobs if not _is_drawn(job)]
    done = len(jobs) - len(waiting)
    if progress:
        progress(done, len(jobs))
    for drawn in _work_through(waiting, _processes(processes, len(waiting))):
        done += drawn
        if progress:
            progress(done, len(jobs))
    taken = pd.DataFrame(map(acquisition, table["image_seed"].astype(int)), index=table.index)
    return pd.concat([table, taken], axis=1).assign(path=table["image_id"] + ".png")


# path, patient seed, image seed, "A|B" findings, size, how strongly findings show
Job = tuple[str, int, int, str, int, Mapping[str, float]]


def _processes(wanted: int | None, n_images: int) -> int:
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return max(1, min(cores if wanted is None else wanted, -(-n_images // CHUNK)))


def _work_through(jobs: list[Job], processes: int) -> Iterator[int]:
    """Draw all jobs; yields how many more are done."""
    chunks = (jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK))
    if processes == 1:
        for chunk in chunks:
            yield _draw_files(chunk)
        return
    # Not fork: the caller may hold threads (a server, torch) whose locks a forked child would
    # inherit.
    with spawning() as context:
        pool = ProcessPoolExecutor(processes, mp_context=context)
        running: set[Future[int]] = {  # starts the processes
            pool.submit(_draw_files, chunk) for chunk in islice(chunks, 3 * processes)
        }
    with pool:
        try:
            while running:
                finished = next(as_completed(running))
                running.remove(finished)
                running.update(pool.submit(_draw_files, chunk) for chunk in islice(chunks, 1))
                yield finished.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _stamp(job: Job) -> str:
    """What the picture shows, to be found again in the file."""
    _, patient_seed, image_seed, findings, size, strength = job
    drawn = sorted(findings.split("|"))
    names = "|".join(f"{name} {strength[name]}" if name in strength else name for name in drawn)
    shown = f"{DRAWING_VERSION} {patient_seed} {image_seed} {size} {names}"
    return hashlib.sha256(shown.encode()).hexdigest()


def _is_drawn(job: Job) -> bool:
    try:
        content = Path(job[0]).read_bytes()
    except FileNotFoundError:
        return False
    return content.endswith(PNG_END) and _stamp(job).encode() in content[:400]


def _draw_files(jobs: list[Job]) -> int:
    """Draw and write images, each under a temporary name first; returns how many."""
    for job in jobs:
        path, patient_seed, image_seed, findings, size, strength = job
        names = [name for name in findings.split("|") if name]
        pixels, _ = draw(patient_seed, image_seed, names, size, strength)
        notes = PngImagePlugin.PngInfo()
        notes.add_text("phantom", _stamp(job))
        target = Path(path)
        unfinished = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            Image.fromarray(pixels).save(unfinished, format="PNG", compress_level=1, pnginfo=notes)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
    return len(jobs)
