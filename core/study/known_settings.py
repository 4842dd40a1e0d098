"""Which of a study's settings somebody chose. Every study has every setting, so that its id never
changes; where predictions or a network come from elsewhere, some of them are defaults that say
nothing about how these were made, and must not be shown or written as if they did."""

from __future__ import annotations

from typing import Any

from core.study.config import StudyConfig

ALL_OF_IT = True
# Sections, or single settings of one, as pydantic's `exclude` takes them.
OF_IMPORTED: dict[str, Any] = {
    "training": ALL_OF_IT,
    "pruning": ALL_OF_IT,
    "repair": ALL_OF_IT,
    "model": {"weights", "image_size", "channels"},
    "sweep": {"precision", "batch_size"},
}
OF_CHECKPOINT: dict[str, Any] = {"training": ALL_OF_IT, "model": {"weights"}}


def unknown_settings(config: StudyConfig) -> dict[str, Any]:
    """The settings of which nobody told; empty for a study that trains its own networks."""
    if config.dataset.kind == "imported":
        return OF_IMPORTED
    if config.checkpoint is None:
        return {}
    # The seed is not that of its training; only random pruning draws from it.
    drawn = config.pruning.method == "random_global"
    return OF_CHECKPOINT if drawn else OF_CHECKPOINT | {"runs": {"first_seed"}}


def is_known(config: StudyConfig, name: str) -> bool:
    """Whether a setting such as "pruning.method" says how the study's numbers were made."""
    section, _, key = name.partition(".")
    unknown = unknown_settings(config).get(section, ())
    return unknown is not ALL_OF_IT and key not in unknown


def known_settings(config: StudyConfig) -> dict[str, dict[str, Any]]:
    """The settings that are known, as they are written to JSON."""
    return config.model_dump(mode="json", exclude=unknown_settings(config))


def unknown_names(config: StudyConfig) -> list[str]:
    """Such as ["training", "model.weights"]."""
    return [
        name
        for section, keys in unknown_settings(config).items()
        for name in (
            [section] if keys is ALL_OF_IT else [f"{section}.{key}" for key in sorted(keys)]
        )
    ]
