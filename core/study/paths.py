"""Where things lie: one line each, so that no other file spells a path."""

from __future__ import annotations

import hashlib
from pathlib import Path

from core.study.config import StudyConfig
from core.study.environment import environment
from core.study.settings import DatasetSettings, PhantomSettings


def percent(sparsity: float) -> int:
    """Sparsity as it stands in file names."""
    return round(sparsity * 100)


def cache_dir() -> Path:
    return environment().cache.absolute()


def deleted_dir() -> Path:
    return cache_dir() / "deleted"


def studies_dir() -> Path:
    return cache_dir() / "studies"


def study_dir(config: StudyConfig) -> Path:
    return studies_dir() / config.id


def study_json(folder: Path) -> Path:
    return folder / "study.json"


def labels_path(folder: Path) -> Path:
    return folder / "labels.parquet"


def progress_path(folder: Path) -> Path:
    return folder / "progress.json"


def lock_path(folder: Path) -> Path:
    return folder / "running.lock"


def job_log_path(folder: Path) -> Path:
    return folder / "job.log"


def training_dir(training: str) -> Path:
    return cache_dir() / "trainings" / training


def trainings_lock_path() -> Path:
    return cache_dir() / "trainings.lock"


def own_checkpoints_dir(folder: Path) -> Path:
    return folder / "checkpoints"


def checkpoint_path(checkpoints: Path, run: int) -> Path:
    """That of a study's run: see `core.study.trainings.trained_checkpoint`."""
    return checkpoints / f"run={run:02d}.safetensors"


def training_state_path(checkpoint: Path) -> Path:
    return checkpoint.with_suffix(".unfinished.pt")


def history_path(checkpoint: Path) -> Path:
    return checkpoint.with_suffix(".history.json")


def training_lock_path(checkpoint: Path) -> Path:
    return checkpoint.with_suffix(".lock")


def prediction_path(folder: Path, run: int, sparsity: float) -> Path:
    return folder / "predictions" / f"run={run:02d}" / f"sparsity={percent(sparsity):02d}.parquet"


def validation_path(folder: Path, run: int) -> Path:
    return folder / "validation" / f"run={run:02d}.parquet"


def validation_cell_path(folder: Path, run: int, sparsity: float) -> Path:
    """Of a pruned model; the dense one's lies at `validation_path`, as in older studies."""
    if percent(sparsity) == 0:
        return validation_path(folder, run)
    return folder / "validation" / f"run={run:02d}" / f"sparsity={percent(sparsity):02d}.parquet"


def ensemble_path(folder: Path, sparsity: float) -> Path:
    return folder / "ensemble" / f"sparsity={percent(sparsity):02d}.parquet"


def tables_lock_path(folder: Path) -> Path:
    """Held while rows join one of the study's tables: several runs may do so at a time."""
    return folder / "tables.lock"


def class_metrics_path(folder: Path) -> Path:
    return folder / "class_metrics.parquet"


def achieved_sparsity_path(folder: Path) -> Path:
    return folder / "achieved_sparsity.parquet"


def paired_moments_path(folder: Path) -> Path:
    return folder / "paired_moments.parquet"


def mean_moments_path(folder: Path) -> Path:
    return folder / "mean_moments.parquet"


def patient_draws_path(folder: Path) -> Path:
    return folder / "patient_draws.parquet"


def evidence_path(folder: Path, table: str) -> Path:
    return folder / "evidence" / f"{table}.parquet"


def ranks_path(folder: Path, run: int, sparsity: float) -> Path:
    return folder / "ranks" / f"run={run:02d}" / f"sparsity={percent(sparsity):02d}.npy"


def agreements_path(folder: Path) -> Path:
    return folder / "agreements.parquet"


def pie_definitions_path(folder: Path, sparsity: float) -> Path:
    return folder / "pie_definitions" / f"sparsity={percent(sparsity):02d}.parquet"


def pie_pairs_path(folder: Path, sparsity: float) -> Path:
    return folder / "pie_pairs" / f"sparsity={percent(sparsity):02d}.parquet"


def pie_excess_path(folder: Path, sparsity: float) -> Path:
    return folder / "pie_excess" / f"sparsity={percent(sparsity):02d}.parquet"


def pie_quality_path(folder: Path, sparsity: float) -> Path:
    return folder / "pie_quality" / f"sparsity={percent(sparsity):02d}.parquet"


def lost_at_path(folder: Path, by_rank: bool) -> Path:
    return folder / ("lost_by_rank.parquet" if by_rank else "lost_at.parquet")


def raised_at_path(folder: Path, by_rank: bool) -> Path:
    return folder / ("raised_by_rank.parquet" if by_rank else "raised_at.parquet")


def operating_characteristics_path(folder: Path) -> Path:
    return folder / "operating_characteristics.parquet"


def image_curves_dir(folder: Path) -> Path:
    return folder / "image_curves"


def image_curves_path(folder: Path, key: str, sparsity: float) -> Path:
    return image_curves_dir(folder) / key / f"sparsity={percent(sparsity):02d}.npy"


def pixels_dir(fingerprint: str, images: Path, image_size: int, framing: object = None) -> Path:
    """`framing` is how a square is cut out, in a word; None where pictures are stretched to one."""
    how = f"{image_size}-{framing}" if framing else f"{image_size}"
    return cache_dir() / "pixels" / f"{fingerprint}-{_source(images)}-{how}"


def pixels_dirs(images: Path) -> list[Path]:
    return list((cache_dir() / "pixels").glob(f"*-{_source(images)}-*"))


def _source(images: Path) -> str:
    return hashlib.sha256(str(images.resolve()).encode()).hexdigest()[:8]


def phantoms_dir(settings: PhantomSettings) -> Path:
    decisive = (settings.seed, settings.n_patients, settings.wrong_label_share, settings.size)
    name = "-".join(str(value) for value in decisive)
    # Absent from the names of older folders.
    further = {"rarest", "rarest_in_test", "strength"}
    if changed := settings.model_dump_json(include=further, exclude_defaults=True)[1:-1]:
        name += f"-{hashlib.sha256(changed.encode()).hexdigest()[:8]}"
    return cache_dir() / "phantoms" / name


def images_dir(settings: DatasetSettings) -> Path | None:
    """The folder that image paths are relative to; None for predictions imported without images."""
    return phantoms_dir(settings) if isinstance(settings, PhantomSettings) else settings.images


def adopted_path(sha256: str, architecture: str) -> Path:
    """The weights of a given checkpoint, taken out of it once; the file is not needed again."""
    name = architecture.replace("/", "+")  # such as timm+resnet50d
    return cache_dir() / "checkpoints" / f"{sha256}-{name}.safetensors"


def adopted_paths(sha256: str = "") -> list[Path]:
    """In every architecture, and halves of such; of all checkpoints where none is named."""
    return list((cache_dir() / "checkpoints").glob(f"*{sha256}-*"))


def preflight_path(key: str) -> Path:
    return cache_dir() / "preflights" / f"{key}.json"


def preflight_paths() -> list[Path]:
    return list((cache_dir() / "preflights").glob("*.json"))


def image_quality_path(folder: Path) -> Path:
    return folder / "image_quality.parquet"


def thumbnails_dir() -> Path:
    return cache_dir() / "thumbnails"


def thumbnail_path(key: str) -> Path:
    return thumbnails_dir() / key[:2] / f"{key}.png"


def jobs_database() -> Path:
    return cache_dir() / "jobs.sqlite"


def reader_database() -> Path:
    return cache_dir() / "reader_study.sqlite"


def secret_path() -> Path:
    return cache_dir() / "secret.key"
