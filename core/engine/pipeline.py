"""The main job: dataset, training or a given checkpoint, sweep, ensembles. Run it again after
anything; it goes on. A finished study gets what an older version did not make."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from core.datasets import load_labels
from core.datasets.splits import refuse_nothing_to_train_on
from core.engine.checkpoints import versions
from core.engine.crew import Alone, Crew, crew_size
from core.engine.foreign.adopting import adopt_run, studied_labels
from core.engine.pixels import Pixels, decode, refuse_many_skipped, without_skipped
from core.engine.precision import native_bf16
from core.engine.preprocessing import framing_of
from core.engine.sweep import sweep_run
from core.engine.training import train_run
from core.errors import InputError, WorkError
from core.results.preparation import make_ready
from core.study import paths, store
from core.study.config import NOT_PART_OF_ID, StudyConfig, training_id
from core.study.growth import grown
from core.study.known_settings import known_settings
from core.study.labels import Labels
from core.study.progress import Advance, Cancelled, Progress, Report
from core.study.study import Study
from core.study.trainings import refer, trained_checkpoint
from core.wording import data_sentences, precision_sentences

log = logging.getLogger(__name__)


def run_study(
    config: StudyConfig,
    listener: Callable[[Report], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Do whatever a study still lacks, and return its folder.

    Raises InputError where the data or the folder's config do not fit, WorkError where the work
    fails or another process is at it, Cancelled once `cancelled()` says so.
    """
    if config.dataset.kind == "imported":
        raise InputError(
            f"Study {config.study.name!r} was imported, without the network: nothing of it can be "
            "run, and no validation predictions can be made. To go on with its import, use "
            "`prunescope import-predictions`."
        )
    folder, config = paths.study_dir(config), grown(config)
    refuse_other_config(config)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(paths.lock_path(folder), f"Study {config.study.name!r} is being run"):
        for leftover in folder.rglob(".*.tmp"):  # of a process killed while it wrote
            leftover.unlink()
        # Two stages of data, two per group of runs, the ensembles and the pages.
        progress = Progress(folder, 4 + 2 * len(_groups(config)), listener, cancelled)
        try:
            _do_what_is_missing(config, folder, progress)
        except (Cancelled, KeyboardInterrupt):
            progress.end("cancelled", "Stopped on request; run it again to go on.")
            raise
        except (InputError, WorkError) as error:
            progress.end("failed", str(error))
            raise
        except Exception as error:
            progress.end("failed", f"{type(error).__name__}: {error}")
            raise
        progress.end("finished")
    return folder


@contextmanager
def _locked(path: Path, what: str) -> Iterator[None]:
    try:
        # A second's patience: somebody may only be asking whether it is taken.
        lock = FileLock(path, timeout=1)
        lock.acquire()
    except Timeout as error:
        raise WorkError(f"{what} by another process.") from error
    try:
        yield
    finally:
        lock.release()


def _do_what_is_missing(config: StudyConfig, folder: Path, progress: Progress) -> None:
    provenance = store.read_provenance(folder) or _first_provenance(config)
    if not paths.study_json(folder).exists():  # so that the dashboard sees the study at once
        store.write_json(provenance, paths.study_json(folder))
    labels = load_labels(config.dataset, progress.start("Reading the dataset", "images"))
    labels, pixels = _decode(config, labels, progress)
    if config.checkpoint:
        labels = studied_labels(labels, config.checkpoint)
    else:
        refuse_nothing_to_train_on(labels.table["split"])
    data = {"dataset_fingerprint": labels.fingerprint(), "pixels_digest": pixels.digest}
    _refuse_other_data(provenance, data, config)
    for caveat in data_sentences.caveats(labels.split("test"), labels.class_names):
        log.warning("%s", caveat)
    # Only now: a refused request leaves the record as it was. Images and labels may have moved.
    provenance |= {
        **data,
        "skipped_images": pixels.skipped,
        "image_repairs": pixels.repairs,
        "config": known_settings(config),
        "versions": _versions(),
        **_seeds(config),  # runs may have been added
    }
    if config.checkpoint:
        store.write_json(provenance, paths.study_json(folder))
    else:
        refer(folder, training_id(config, data), provenance)
    store.write_labels(labels, folder)
    if warning := precision_sentences.cost(config.sweep.precision, native_bf16()):
        log.warning("%s", warning)
    runs = list(range(config.runs.count))
    with _crew(config) as crew:
        for group in _groups(config):
            _make(config, labels, pixels, folder, group, crew, progress)
    _write_ensembles(config, labels, folder, runs, progress.start("Averaging runs", "sparsities"))
    make_ready(Study(folder), progress.start("Making the pages ready", "steps"))
    if "finished" not in provenance:
        store.write_json(provenance | {"finished": _now()}, paths.study_json(folder))


def _groups(config: StudyConfig) -> list[range]:
    """The runs that are made at the same time."""
    count = config.runs.count
    size = crew_size(config.runs.at_once, count)
    return [range(first, min(first + size, count)) for first in range(0, count, size)]


def _crew(config: StudyConfig) -> Crew | Alone:
    at_once = config.runs.at_once > 1 and not config.checkpoint
    return Crew(crew_size(config.runs.at_once, config.runs.count)) if at_once else Alone()


def _make(
    config: StudyConfig,
    labels: Labels,
    pixels: Pixels,
    folder: Path,
    runs: range,
    crew: Crew | Alone,
    progress: Progress,
) -> None:
    """The checkpoints and predictions of the runs that are made at the same time."""
    first, last, of = runs[0] + 1, runs[-1] + 1, config.runs.count
    which = f"run {first} of {of}" if first == last else f"runs {first} to {last} of {of}"
    given = config, labels, pixels
    if config.checkpoint:
        adopt_run(config, labels, folder, first - 1, progress.start("Taking up the checkpoint", ""))
    else:
        checkpoints = [trained_checkpoint(folder, run) for run in runs]
        with _training(checkpoints, which, progress) as advance:
            parts = [(*given, path, run) for path, run in zip(checkpoints, runs, strict=True)]
            crew.do(train_run, parts, advance)
    sweep = progress.start(f"Pruning and predicting {which}", "predictions")
    crew.do(sweep_run, [(*given, folder, run) for run in runs], sweep)


@contextmanager
def _training(checkpoints: list[Path], which: str, progress: Progress) -> Iterator[Advance]:
    locks = [paths.training_lock_path(checkpoint) for checkpoint in checkpoints]
    waiting = f"Waiting for {which}, which another study is training"
    with _turn(locks, progress, f"Training {which}", waiting) as advance:
        for checkpoint in checkpoints:
            for leftover in checkpoint.parent.glob(f".{checkpoint.stem}.*.tmp"):
                leftover.unlink()  # of a process killed while it wrote
        yield advance


def _decode(config: StudyConfig, labels: Labels, progress: Progress) -> tuple[Labels, Pixels]:
    size, images = config.model.image_size, paths.images_dir(config.dataset)
    if images is None:
        raise InputError("dataset.images is not given, so there are no images to read.")
    framing = framing_of(config.checkpoint)
    folder = paths.pixels_dir(labels.fingerprint(), images, size, framing)
    waiting = "Waiting for images, which another study is decoding"
    with _turn([folder / "decoding.lock"], progress, "Decoding images once", waiting) as advance:
        pixels = decode(labels, images, size, folder, config.dataset.on_bad_image, advance, framing)
    refuse_many_skipped(pixels, len(labels.table), config.dataset.bad_image_share)
    return without_skipped(labels, pixels), pixels


@contextmanager
def _turn(
    lock_paths: list[Path], progress: Progress, stage: str, waiting: str
) -> Iterator[Advance]:
    """A stage over images that one process does for all studies. Another that needs it waits, and
    then finds it done, or takes up what is there of it."""
    advance = progress.start(stage, "images")
    with ExitStack() as held:
        for lock_path in lock_paths:
            lock_path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(lock_path)
            try:
                lock.acquire(timeout=1)
            except Timeout:
                wait = progress.restart(waiting, "")
                while not lock.is_locked:
                    wait(0, 0)
                    with suppress(Timeout):
                        lock.acquire(timeout=1)
                advance = progress.restart(stage, "images")
            held.callback(lock.release)
        yield advance


def _write_ensembles(
    config: StudyConfig, labels: Labels, folder: Path, runs: list[int], advance: Callable
) -> None:
    ids, grid = labels.split("test")["image_id"], config.sweep.sparsities
    for done, sparsity in enumerate(grid, start=1):
        path = paths.ensemble_path(folder, sparsity)
        cells = [paths.prediction_path(folder, run, sparsity) for run in runs]
        newest = max(cell.stat().st_mtime_ns for cell in cells)
        problem = store.predictions_problem(path, ids, labels.class_names)
        if problem or path.stat().st_mtime_ns < newest:
            if problem not in (None, "missing"):
                log.warning("Made again: %s", problem)
            store.write_ensemble(folder, runs, sparsity, ids, labels.class_names)
        advance(done, len(grid))


def refuse_other_config(config: StudyConfig) -> None:
    """Raise InputError where the study's name belongs to a study made with other settings."""
    for folder, existing in store.readable_studies():
        if existing.study.name != config.study.name:
            continue
        if (existing.id, folder.name) != (config.id, config.id):
            changed = ", ".join(differing_settings(existing, config)) or "its folder's name"
            raise InputError(
                f"Study {config.study.name!r} exists with other settings ({changed}). Choose "
                f"another name with --set study.name=..., or delete it with `prunescope delete "
                f"{config.study.name}` first. `prunescope extend {config.study.name}` adds "
                "sparsities and runs to it."
            )


def differing_settings(a: StudyConfig, b: StudyConfig) -> list[str]:
    """`section.key: value -> value` of every decisive setting in which two configs differ."""
    sections = [c.model_dump(mode="json", exclude=NOT_PART_OF_ID) for c in (a, b)]
    flat = [
        {f"{s}.{k}": v for s, section in one.items() for k, v in (section or {}).items()}
        for one in sections
    ]
    keys = [*flat[0], *(key for key in flat[1] if key not in flat[0])]
    missing: Any = "-"
    pairs = ((key, flat[0].get(key, missing), flat[1].get(key, missing)) for key in keys)
    return [f"{key}: {old} -> {new}" for key, old, new in pairs if old != new]


def _refuse_other_data(
    provenance: dict[str, Any], data: dict[str, str], config: StudyConfig
) -> None:
    words = {"dataset_fingerprint": "labels", "pixels_digest": "images"}
    for key, now in data.items():
        known = provenance.get(key)
        if known and known != now:
            raise InputError(
                f"The {words[key]} of study {config.study.name!r} have changed since it was begun "
                f"({key} {known[:16]} -> {now[:16]}). Restore them, or choose another study name."
            )


def _first_provenance(config: StudyConfig) -> dict[str, Any]:
    return {
        "config": known_settings(config),
        "versions": _versions(),
        **_seeds(config),
        "started": _now(),
    }


def _seeds(config: StudyConfig) -> dict[str, list[int]]:
    """Those of the trainings; nothing is known of those of a given checkpoint."""
    first, count = config.runs.first_seed, config.runs.count
    return {} if config.checkpoint else {"seeds": list(range(first, first + count))}


def _versions() -> dict[str, str]:
    return {"prunescope": version("prunescope"), **versions()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
