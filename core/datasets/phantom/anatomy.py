"""The body of a phantom: the measures of one patient's chest.

Lengths are fractions of the picture's side (about 40 cm). `x` runs from image left (the patient's
right) to image right with 0 on the midline, `y` downwards from the upper edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Anatomy:
    """Measures of one chest. Findings bend a copy of it before it is cast into layers."""

    build: float  # 0 slim .. 1 heavy
    lung_width: float
    apex: float
    dome_right: float
    dome_left: float
    angle_depth: float  # how far the costophrenic angle lies below the dome
    heart_x: float
    heart_width: float
    heart_height: float
    mediastinum: float
    knob: float
    knob_y: float
    ascending: float  # bulge of the ascending aorta on the right border
    descending: float  # undulation of the descending aorta on the left border
    rib_spacing: float
    rib_phase: float
    rib_strength: float
    breast: float
    clavicle_y: float
    clavicle_tilt: float
    scapula: float
    trachea_x: float
    hilum_y: float
    stomach: tuple[float, ...]  # offset x, offset below the dome, half width, half height
    bowel_gas: int
    lucency: float
    vessel_strength: float
    vessel_seed: int
    tissue_seed: int

    @property
    def heart_y(self) -> float:
        """Height of the heart's centre: it rests on the left hemidiaphragm."""
        return self.dome_left - 0.78 * self.heart_height


def sex_of(patient_seed: int) -> str:
    """ "F" or "M", as `draw` shows it for this patient."""
    return "F" if np.random.default_rng([patient_seed, 1]).random() < 0.435 else "M"


def anatomy_of(patient_seed: int) -> Anatomy:
    """The healthy anatomy of a patient; equal seeds give equal bodies."""
    rng = np.random.default_rng([patient_seed, 2])
    female = sex_of(patient_seed) == "F"
    build = float(np.clip(rng.beta(2, 2.6), 0, 1))
    near = lambda mean, spread: float(mean + spread * np.clip(rng.standard_normal(), -2.2, 2.2))  # noqa: E731
    dome = near(0.735, 0.025) - 0.02 * build
    return Anatomy(
        build=build,
        lung_width=near(0.335 if not female else 0.318, 0.013),
        apex=near(0.125, 0.014),
        dome_right=dome,
        dome_left=dome + near(0.022, 0.009),
        angle_depth=near(0.105, 0.014),
        heart_x=near(0.040, 0.008),
        heart_width=near(0.128, 0.009),
        heart_height=near(0.125, 0.008),
        mediastinum=near(0.046, 0.004),
        knob=near(0.024, 0.005),
        knob_y=near(0.295, 0.014),
        ascending=near(0.006, 0.003),
        descending=0.0,
        rib_spacing=near(0.066, 0.0035),
        rib_phase=float(rng.random()),
        rib_strength=near(0.095, 0.022),
        breast=float(rng.uniform(0.3, 1.0)) if female else float(rng.uniform(0, 0.18)),
        clavicle_y=near(0.170, 0.014),
        clavicle_tilt=near(0.07, 0.022),
        scapula=near(0.30, 0.02),
        trachea_x=near(-0.004, 0.005),
        hilum_y=near(0.44, 0.012),
        stomach=(near(0.17, 0.03), near(0.065, 0.01), near(0.05, 0.014), near(0.026, 0.007)),
        bowel_gas=int(rng.integers(0, 6)),
        lucency=near(1.0, 0.05),
        vessel_strength=near(0.115, 0.018),
        vessel_seed=int(rng.integers(2**31)),
        tissue_seed=int(rng.integers(2**31)),
    )
