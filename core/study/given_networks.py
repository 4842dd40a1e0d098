"""Details of a network that somebody brought, which its architecture does not say."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

BATCH_NORM = "batchnorm"
Activation = Literal["relu", "gelu", "silu", "leaky_relu", "elu", "tanh", "linear"]
_WORD = rf"([1-9]\d{{0,4}}|{BATCH_NORM}|{'|'.join(get_args(Activation))})"

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
Head = Annotated[
    str,
    Field(
        pattern=rf"^({_WORD}( {_WORD}){{0,9}})?$",
        exclude_if=lambda value: not value,
        description="Only of checkpoints: layers between the network and its outputs. `512 relu` "
        "is a Linear of 512 outputs and a ReLU; there are also `batchnorm`, `gelu`, `silu`, "
        "`leaky_relu`, `elu`, `tanh` and `linear`.",
    ),
]
