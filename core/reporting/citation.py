"""How to cite PruneScope and the paper: what CITATION.cff says, which no installed package has."""

from __future__ import annotations

from importlib.metadata import version

TITLE = "PruneScope: what does pruning make a medical image classifier forget, and on whose images?"
PAPER = (
    "Holste G, Jiang Z, Jaiswal A, Hanna M, Minkowitz S, Legasto AC, Escalon JG, Steinberger S, "
    "Bittman M, Shen TC, Ding Y, Summers RM, Shih G, Peng Y, Wang Z. How Does Pruning Impact "
    "Long-Tailed Multi-Label Medical Image Classifiers? Medical Image Computing and Computer "
    "Assisted Intervention - MICCAI 2023, volume 14224, pages 663-673. "
    "doi:10.1007/978-3-031-43904-9_64, arXiv:2308.09180"
)


def citations(study_id: str) -> list[tuple[str, str]]:
    """What is cited, and how: the software, the study, the paper whose analysis it follows."""
    software = f"The PruneScope authors. {TITLE} Version {version('prunescope')}."
    return [
        ("PruneScope", software),
        ("This study", f"Study {study_id}, analysed with PruneScope {version('prunescope')}."),
        ("The paper", f"{PAPER}."),
    ]
