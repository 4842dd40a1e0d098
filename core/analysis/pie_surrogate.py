"""What PIEs would hold more of, had each class's loss been spread evenly over its images.

An image with several findings has more to lose: it becomes a PIE more often even where all classes
are forgotten alike. To tell whether it loses more than that, every class's values are exchanged
between images of the same label, dense and pruned together. Each class keeps what it lost and how
its models agree; what an image lost over all of its classes is then what its labels let expect.
"""

from __future__ import annotations

import numpy as np

from core.analysis.bootstrap import SEED

SURROGATES = 5


def exchanges(truth: np.ndarray, times: int = SURROGATES, seed: int = SEED) -> np.ndarray:
    """(times, images, classes): from which image each image takes its value of a class, one with
    the same label: 1, 0 or NaN. truth: (images, classes)."""
    rng = np.random.default_rng(seed)
    found = np.empty((times, *truth.shape), np.int32)
    for column, labels in enumerate(truth.T):
        for alike in (labels == 1, labels == 0, np.isnan(labels)):
            rows = np.flatnonzero(alike)
            for order in found:
                order[rows, column] = rng.permutation(rows)
    return found


def exchanged(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(runs, images, classes) with each class taken from the images that `order` names: the same
    for all models, so that what they share stays shared."""
    return np.take_along_axis(values, order[None], axis=1)
