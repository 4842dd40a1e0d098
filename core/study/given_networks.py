"""Details of a network that somebody brought, which its architecture does not say."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

NormEps = Annotated[
    float | None,
    Field(
        gt=0,
        le=0.1,
        exclude_if=lambda value: value is None,
        description="Only of checkpoints: what layer norms add to the variance, where their "
        "library adds another number than the one that builds the network; 1e-12 in most of "
        "Hugging Face's transformers.",
    ),
]
