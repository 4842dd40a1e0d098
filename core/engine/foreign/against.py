"""A network's probabilities against the labels, output by output, and against its owner's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import nn

from core.checkpoints.order_check import alike, moved_outputs, proposal, ranked
from core.checkpoints.reference import compare, read_reference
from core.engine.foreign import checking
from core.engine.preprocessing import activation_of, seen_by
from core.errors import InputError
from core.study.config import StudyConfig
from core.study.labels import Labels, label_matrix

MOST_NAMED = 6


@dataclass(frozen=True)
class Found:
    """Parts of a `Preflight` by name, and its further warnings."""

    found: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def order_of_outputs(sample: Labels, probabilities: np.ndarray, classes: tuple[str, ...]) -> Found:
    """Whether outputs seem to stand for other classes. probabilities: (images, classes) of the
    sample; classes: of each output in the file's order."""
    truth = label_matrix(sample.table, sample.class_names)
    patients = sample.table["patient_id"].to_numpy()
    by_rank = ranked(truth, probabilities, patients)
    if not (found := moved_outputs(by_rank)):
        pairs = alike(by_rank, truth.shape[1])
        positives = np.nansum(truth, axis=0).astype(int)
        return Found({"order_checked": _checked(len(truth), sample.class_names, pairs, positives)})
    moved, proposed = proposal(classes, sample.class_names, found)
    said = [str(one) for one in moved[:MOST_NAMED]]
    if len(moved) > MOST_NAMED:
        said.append(f"and {len(moved) - MOST_NAMED} more")
    warning = f"{len(moved)} outputs seem to be in another order: {'; '.join(said)}"
    return Found({"moved": moved, "proposed": proposed}, [warning])


def _checked(
    n_images: int, names: tuple[str, ...], pairs: list[tuple[int, int]], positives: np.ndarray
) -> str:
    """What was looked at, and which swaps it would not show: the rarest classes first."""
    n_pairs = len(names) * (len(names) - 1) // 2
    if not n_pairs:
        return ""
    looked = f"No outputs seem swapped on {n_images:,} images"
    if not pairs:
        return f"{looked}, on which every two classes can be told apart."
    one, other = min(pairs, key=lambda pair: positives[list(pair)].min())
    return (
        f"{looked}, but {len(pairs):,} of {n_pairs:,} pairs of classes cannot be told apart on "
        f"them, such as {names[one]} and {names[other]} ({positives[one]:,} and "
        f"{positives[other]:,} positives): if such two were swapped, this would not show it."
    )


def the_owners(text: str | None, model: nn.Module, labels: Labels, config: StudyConfig) -> Found:
    """The probabilities of `read_reference`'s images, in fp32, against the owner's."""
    if not text:
        return Found()
    checkpoint = config.checkpoint
    assert checkpoint
    rows = [checkpoint.classes.index(name) for name in labels.class_names]
    seen = seen_by(checkpoint, config.model.channels), activation_of(checkpoint, rows)
    try:
        theirs = read_reference(text, labels)
        table = labels.table[labels.table["image_id"].isin(theirs.index)]
        few = Labels(table, labels.class_names)
        few, pixels = checking.decode_sample(few, config, lambda done, n: None)
        ours = checking.predict_exactly(model, pixels, seen)
        found = compare(theirs, few.table["image_id"].tolist(), labels.class_names, ours)
    except InputError as error:
        return Found(warnings=[f"not compared with the owner's probabilities: {error}"])
    advice = "check preprocessing, image size and the order of outputs"
    warnings = [] if found.agrees else [f"probabilities are {found.sentence}; {advice}"]
    return Found({"reference": found}, warnings)
