"""The sections of a study file: what may stand in each, and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Architecture = Literal[
    "resnet_small",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "densenet121",
    "densenet169",
    "densenet201",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "vit_b_16",
    "swin_t",
]
# How 8-bit grey becomes what a given network was trained on; see core.engine.preprocessing.
PreprocessingName = Literal["imagenet", "xrv", "half", "unit"]
DEFAULT_SPARSITIES = tuple(percent / 100 for percent in range(0, 100, 5))


class Settings(BaseModel):
    """A frozen section of a study file; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StudySettings(Settings):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    title: str = Field("", max_length=200)


class ImageSettings(Settings):
    """What every dataset kind shares."""

    images: Path | None = None
    labels: Path | None = None
    on_bad_image: Literal["fail", "skip"] = "fail"
    # Used only where the dataset brings no split of its own; patients are never divided.
    split_seed: int = Field(0, ge=0)
    validation_share: float = Field(0.1, gt=0, lt=0.5)
    test_share: float = Field(0.2, gt=0, lt=0.8)

    @model_validator(mode="after")
    def something_to_train_on(self) -> Self:
        if self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share and test_share must leave a share to train on")
        return self


class PhantomSettings(ImageSettings):
    kind: Literal["phantom"]
    n_patients: int = Field(2800, ge=10, le=200_000)
    seed: int = Field(0, ge=0)
    wrong_label_share: float = Field(0.03, ge=0, le=0.5)
    size: int = Field(224, ge=32, le=1024)


class NihSettings(ImageSettings):
    kind: Literal["nih-cxr14"]
    images: Path
    labels: Path
    train_list: Path | None = None
    test_list: Path | None = None


class CxrLtSettings(ImageSettings):
    kind: Literal["cxr-lt"]
    images: Path
    labels: Path
    name: Literal["nih-cxr-lt", "mimic-cxr-lt"]


class TableColumns(ImageSettings):
    labels: Path
    image_column: str = "path"
    patient_column: str | None = None
    split_column: str | None = None
    # Either one column per class, or one column of class names such as "Mass|Nodule".
    class_columns: tuple[str, ...] = ()
    joined_column: str | None = None
    # What divides those names; found out where it is not given.
    joined_by: str | None = Field(None, min_length=1, max_length=5)
    # What a blank cell of a class column means. Where it is not given: uncertain, but negative in
    # CheXpert's own tables, whose authors mean it so.
    blank: Literal["uncertain", "negative"] | None = None


class TableSettings(TableColumns):
    kind: Literal["table"]
    images: Path


class ImportedSettings(TableColumns):
    """Predictions made elsewhere, with the labels they belong to; images only to be looked at."""

    kind: Literal["imported"]
    name: Literal["nih-cxr-lt", "mimic-cxr-lt", "table"]
    # As the predictions' files call it; `model.architecture` is "other" where it is not ours.
    architecture: str = Field(pattern=r"^[A-Za-z0-9][\w.+-]{0,62}$")


DatasetSettings = Annotated[
    PhantomSettings | NihSettings | CxrLtSettings | TableSettings | ImportedSettings,
    Field(discriminator="kind"),
]


class ModelSettings(Settings):
    architecture: Literal[Architecture, "other"]
    weights: Literal["none", "imagenet"] = "none"
    image_size: int = Field(256, ge=16, le=1024)
    # What the first convolution takes; 1 only of checkpoints trained on grey images.
    channels: Literal[1, 3] = 3


class CheckpointSettings(Settings):
    """A trained network that was given: its study prunes it as it is, in one run."""

    # Only where the file lies; what it holds is decided by its digest.
    path: Path | None = None
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    # The dataset's class of each output, "" where it has none. Such outputs are left out, and so
    # are the dataset's classes that no output stands for.
    classes: tuple[str, ...] = Field(min_length=1, max_length=10_000)
    preprocessing: PreprocessingName = "imagenet"

    @field_validator("classes")
    @classmethod
    def each_class_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        named = [name for name in names if name]
        if not named or len(set(named)) < len(named):
            raise ValueError("classes names at least one class, and none twice")
        return names


class TrainingSettings(Settings):
    epochs: int = Field(60, ge=1, le=10_000)
    patience: int = Field(15, ge=1)
    # Batch norm has no variance over a single image.
    batch_size: int = Field(256, ge=2, le=65_536)
    learning_rate: float = Field(1e-4, gt=0)
    flip: bool = True
    rotation_degrees: float = Field(15.0, ge=0, le=180)


class RunSettings(Settings):
    count: int = Field(30, ge=1, le=1000)
    first_seed: int = Field(0, ge=0)


class PruningSettings(Settings):
    method: Literal["l1_global", "random_global"] = "l1_global"


class SweepSettings(Settings):
    sparsities: tuple[float, ...] = DEFAULT_SPARSITIES
    precision: Literal["fp32", "bf16"] = "fp32"
    batch_size: int = Field(32, ge=1, le=65_536)

    @field_validator("sparsities")
    @classmethod
    def whole_percents_from_dense(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if any(abs(value * 100 - round(value * 100)) > 1e-9 for value in values):
            raise ValueError("sparsities are whole percents, such as 0.05")
        grid = tuple(round(value * 100) / 100 for value in values)
        if not grid or grid[0] != 0 or list(grid) != sorted(set(grid)) or grid[-1] >= 1:
            raise ValueError("sparsities start at 0 (dense), rise, and stay below 1")
        return grid


class GroupSettings(Settings):
    """Train frequency above `head_above` is head, below `tail_below` is tail, else medium."""

    head_above: float = Field(0.10, gt=0, lt=1)
    tail_below: float = Field(0.01, gt=0, lt=1)

    @model_validator(mode="after")
    def in_order(self) -> Self:
        if self.tail_below > self.head_above:
            raise ValueError("tail_below must not be above head_above")
        return self


class OperatingPointSettings(Settings):
    """Share of validation images without a class that lie below its operating point."""

    specificity: float = Field(0.9, gt=0, lt=1)
