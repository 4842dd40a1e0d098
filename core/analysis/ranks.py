"""Where an image stands among those without a finding, whatever the probabilities as such."""

from __future__ import annotations

import numpy as np


def ranks(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(images, classes) float32: of the images certain not to carry the class, the share whose
    probability lies strictly below the image's own. Their mean over the images that carry it is
    AUROC, where nothing is tied.

    truth: (images, classes) of 1, 0, NaN. NaN for a class that every image may carry. It does not
    change where all probabilities of a class rise or fall together, as operating points do.
    """
    found = np.full(probabilities.shape, np.nan, np.float32)
    for column in range(probabilities.shape[1]):
        values = probabilities[:, column]
        negatives = np.sort(values[truth[:, column] == 0])
        if len(negatives):
            found[:, column] = np.searchsorted(negatives, values) / len(negatives)
    return found
