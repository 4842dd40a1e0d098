"""Samplers: which training images a pass shows, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch


def uniform(targets: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """Every image once, in random order."""
    return torch.randperm(len(targets), generator=generator).numpy()


# targets (images, classes), 1, 0 or NaN for uncertain, and the only randomness to use, so that a
# resumed run repeats it -> int64 rows of one pass, as many as there are images
SAMPLERS: dict[str, Callable[[np.ndarray, torch.Generator], np.ndarray]] = {"uniform": uniform}
