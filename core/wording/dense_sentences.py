"""Why a study has nothing pruned, and what to do about it."""

from __future__ import annotations

from core.study.config import StudyConfig

UNPRUNED = (
    "An ONNX file is analysed unpruned: its graph may have folded or merged the layers whose "
    "weights would be pruned. To prune the network, bring its weights as a PyTorch checkpoint."
)


def nothing_pruned(config: StudyConfig, otherwise: str) -> str:
    """For what needs a pruned model: `otherwise` where the grid has one, which may come yet."""
    if config.model.architecture == "onnx":
        return UNPRUNED
    if config.sweep.sparsities == (0.0,):
        return (
            "This study has the dense network only. `prunescope extend "
            f"{config.study.name} --sparsities 50,90` prunes it to 50 % and 90 %, for example."
        )
    return otherwise
