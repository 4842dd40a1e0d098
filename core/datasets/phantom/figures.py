"""How often findings occur and co-occur in NIH-CXR-LT: the shipped figures.

Counts of the 14 labels of NIH ChestX-ray14 are measured over all 112,120 images; the five findings
that NIH-CXR-LT adds are estimates (the file says so for each). Only figures are shipped, no row of
the data.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from core.study.labels import NO_FINDING

FIGURES_FILE = Path(__file__).resolve().parents[3] / "data" / "phantoms" / "nih-cxr14-figures.json"


@dataclass(frozen=True)
class Figures:
    """Frequencies (0 to 1), and the latent correlations that reproduce the pair counts."""

    frequency: dict[str, float]  # by class, "No Finding" last
    patient_share: float  # share of a finding's latent variance that stays with the patient
    latent_correlation: np.ndarray  # (19, 19), in the order of the findings

    @property
    def findings(self) -> tuple[str, ...]:
        return tuple(self.frequency)[:-1]


@cache
def figures() -> Figures:
    """The shipped figures, read once."""
    raw = json.loads(FIGURES_FILE.read_text(encoding="utf-8"))
    assert list(raw["counts"])[-1] == NO_FINDING
    return Figures(
        {name: count / raw["n_images"] for name, count in raw["counts"].items()},
        raw["patient_share"],
        np.array(raw["latent_correlation"], dtype=np.float64),
    )
