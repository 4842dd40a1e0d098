"""What Holste et al. (MICCAI 2023) published, to stand beside the same statistic of a study.

Pearson r and Spearman rho of figures 2 to 4, of 30 runs of ResNet-50 on the whole test split.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.study.config import StudyConfig
from core.study.settings import CxrLtSettings, ImportedSettings

FIRST_DROP = "log_train_frequency~first_drop_sparsity"
EXTREME = "log_train_frequency~relative_ap_change_at_95"
# The published code counts classes by column sums; these are the statistics it gives.
FREQUENCY = "fcd~log_frequency_difference_paper"
COOCCURRENCE = "fcd~cooccurrence_iou_paper_fourth_root"


@dataclass(frozen=True)
class Figures:
    r: float
    rho: float


PUBLISHED: dict[str, dict[str, Figures]] = {
    "nih-cxr-lt": {
        FIRST_DROP: Figures(0.64, 0.61),
        EXTREME: Figures(0.80, 0.75),
        FREQUENCY: Figures(0.71, 0.64),
        COOCCURRENCE: Figures(-0.43, -0.47),
    },
    "mimic-cxr-lt": {
        FIRST_DROP: Figures(0.82, 0.93),
        EXTREME: Figures(0.76, 0.75),
        FREQUENCY: Figures(0.59, 0.60),
        COOCCURRENCE: Figures(-0.28, -0.30),
    },
}


def published(config: StudyConfig) -> dict[str, Figures]:
    """Correlation name to the published figures; empty where the dataset is none of the paper's."""
    if isinstance(config.dataset, CxrLtSettings | ImportedSettings):
        return PUBLISHED.get(config.dataset.name, {})
    return {}
