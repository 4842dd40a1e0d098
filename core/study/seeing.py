"""How a given network sees images and what becomes of its outputs, if that is not as usual."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from core.study.sections import Settings


class SeeingSettings(Settings):
    """Part of the settings of a checkpoint; see `core.engine.preprocessing`."""

    mean: tuple[float, ...] = Field(
        (),
        max_length=3,
        description="Mean of grey from 0 to 1, instead of that of `preprocessing`; one for each "
        "channel, or one for all.",
    )
    std: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (), max_length=3, description="Standard deviation, in the same way."
    )
    centre_crop: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the shorter side that is cut out of a picture's middle, 0.5 to 1, as "
        "torchvision, timm and torchxrayvision (1) do. With 0, pictures are stretched to a square.",
    )
    interpolation: Literal["bilinear", "bicubic"] = Field(
        "bilinear", description="How pictures are scaled before `centre_crop`."
    )
    activation: Literal["sigmoid", "softmax", "none"] = Field(
        "sigmoid",
        description="What makes probabilities of the network's outputs; `none` where they are "
        "probabilities already, as of an ONNX graph that ends in a sigmoid.",
    )
    operating_points: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = Field(
        (),
        description="torchxrayvision's `op_threshs`, one for each output: probabilities are moved "
        "so that each of these becomes 0.5. An output whose point is 0 always gives 0.5.",
    )

    @field_validator("centre_crop")
    @classmethod
    def none_or_half_at_least(cls, share: float) -> float:
        if 0 < share < 0.5:
            raise ValueError("it is 0, or from 0.5 to 1")
        return share
