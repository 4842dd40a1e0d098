"""The sections of a study file: what may stand in each, what is allowed, and what it means.

The docs' reference takes names, bounds, defaults and descriptions from here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, field_validator, model_validator

from core.study.given_networks import Head, NormEps
from core.study.grids import checked_grid
from core.study.one_of import OneOf
from core.study.preset_names import PRESETS
from core.study.sections import OneNetwork, Settings
from core.study.seeing import SeeingSettings

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
Share = Annotated[float, Field(ge=0, le=1)]
PUBLISHED = {"nih-cxr-lt": "NIH-CXR-LT", "mimic-cxr-lt": "MIMIC-CXR-LT"}
DEFAULT_SPARSITIES = tuple(percent / 100 for percent in range(0, 100, 5))

# Names with their meaning; the function of each name stands in the engine's registry.
LOSSES = {"bce": "binary cross-entropy over certain labels"}  # core.engine.losses
SAMPLERS = {"uniform": "every training image once a pass"}  # core.engine.samplers
SCHEDULES = {  # core.engine.schedules
    "constant": "the same throughout",
    "one_cycle": "up during the first 30 % of the steps, then down to 0",
}
PRUNING_METHODS = {  # core.engine.pruning
    "l1_global": "smallest weights first, over all layers",
    "random_global": "at random, to compare with",
}
REPAIRS = {"none": "nothing; it predicts as it is"}  # core.engine.repair


class StudySettings(Settings):
    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="How the study is called everywhere."
    )
    title: str = Field("", max_length=200, description="What pages show above it.")


class ImageSettings(Settings):
    """What every dataset kind shares."""

    images: Path | None = Field(None, description="Folder of the images.")
    labels: Path | None = Field(None, description="File, or for `cxr-lt` folder, of the labels.")
    on_bad_image: Literal["fail", "skip"] = Field(
        "fail", description="A missing or broken image ends the work, or is left out and listed."
    )
    bad_image_share: float = Field(
        1, gt=0, le=1, description="With `skip`: the work ends if more of the images are bad."
    )
    # Patients are never divided.
    split_seed: int = Field(
        0, ge=0, description="Seed by which patients are divided, if the data brings no split."
    )
    validation_share: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of patients for validation then; operating points need some.",
    )
    test_share: float = Field(
        0.2,
        gt=0,
        le=1,
        description="Share of patients for testing; the rest are for training, and may be none "
        "where a checkpoint is analysed.",
    )

    @model_validator(mode="after")
    def no_more_than_all(self) -> Self:
        if self.validation_share + self.test_share > 1 + 1e-9:
            raise ValueError("validation_share and test_share together are at most 1")
        return self

    @property
    def title(self) -> str:
        """What pages call the dataset: the title of its kind."""
        return type(self).model_fields["kind"].title or ""


class PhantomSettings(ImageSettings):
    kind: Literal["phantom"] = Field(
        title="Synthetic phantoms",
        description="Synthetic X-rays, drawn by code when a study first needs them.",
    )
    n_patients: int = Field(2800, ge=10, le=200_000, description="How many synthetic patients.")
    seed: int = Field(0, ge=0, description="Seed of everything drawn.")
    wrong_label_share: float = Field(
        0.03, ge=0, le=0.5, description="Share of labels made wrong on purpose, and recorded."
    )
    size: int = Field(224, ge=32, le=1024, description="Side of a drawn image in pixels.")
    rarest: float = Field(
        0.0,
        ge=0,
        le=0.2,
        description="Least share of images with a finding: rarer findings are drawn this often.",
    )
    rarest_in_test: float = Field(
        0.0,
        ge=0,
        le=0.2,
        description="The same for test images only. It gives rare findings enough test patients "
        "and leaves them as rare in training as they are.",
    )
    strength: dict[str, Annotated[float, Field(ge=0.2, le=3)]] = Field(
        {},
        description="How strongly a finding shows: 1 is the usual drawing, and less is fainter. "
        "Findings not named here have 1.",
    )


class NihSettings(ImageSettings):
    kind: Literal["nih-cxr14"] = Field(
        title="NIH ChestX-ray14", description="NIH ChestX-ray14, or any part of it."
    )
    images: Path
    labels: Path
    train_list: Path | None = Field(None, description="The official `train_val_list.txt`.")
    test_list: Path | None = Field(None, description="The official `test_list.txt`.")


class CxrLtSettings(ImageSettings):
    kind: Literal["cxr-lt"] = Field(
        description="NIH-CXR-LT and MIMIC-CXR-LT, the datasets of the paper."
    )
    images: Path
    labels: Path
    name: Literal["nih-cxr-lt", "mimic-cxr-lt"] = Field(description="Which published dataset.")

    @property
    def title(self) -> str:
        return PUBLISHED[self.name]


class TableColumns(ImageSettings):
    labels: Path
    preset: Annotated[str, OneOf(PRESETS)] | None = Field(
        None, description="A published data set, whose columns and values are then known."
    )
    readers: Literal["majority", "any"] = Field(
        "majority",
        description="Where a table has a row for each reader: a finding is there if more than "
        "half of the image's readers see it, or if any does.",
    )
    image_column: str = Field(
        "path", description="Column of paths below `images`; they are the image ids."
    )
    patient_column: str | None = Field(
        None,
        description="Column of patients. By default `patient_id`, PatientID, subject_id or "
        "another known name, else the patient's folder in the path.",
    )
    split_column: str | None = Field(
        None,
        description="Column of train, val or validation, test; `split` if there is one.",
    )
    class_columns: tuple[str, ...] = Field(
        (), description="Columns of 1, 0, and -1 or blank for uncertain."
    )
    joined_column: str | None = Field(
        None,
        description='In their place, one column of class names, "Mass|Nodule"; `class_columns` '
        "then chooses among the names.",
    )
    joined_by: str | None = Field(
        None,
        min_length=1,
        max_length=5,
        description="What divides the names in `joined_column`. By default found out: a bar, the "
        "text of a list, a semicolon, a line end, a tab or a comma.",
    )
    blank: Literal["uncertain", "negative"] | None = Field(
        None,
        description="What a blank in a class column means. By default uncertain, and negative in "
        "a table with CheXpert's columns, as its authors mean it.",
    )


class TableSettings(TableColumns):
    kind: Literal["table"] = Field(
        title="Own labels and images",
        description="Your own images with a CSV or Parquet file of labels.",
    )
    images: Path


class ImportedSettings(TableColumns):
    """Predictions made elsewhere, with the labels they belong to; images only to be looked at."""

    kind: Literal["imported"] = Field(
        description="Predictions made elsewhere; `prunescope import-predictions` writes this kind."
    )
    name: Literal["nih-cxr-lt", "mimic-cxr-lt", "table"]
    # `model.architecture` is "other" where it is not ours.
    architecture: str = Field(
        pattern=r"^[A-Za-z0-9][\w.+-]{0,62}$",
        description="What the files of predictions call the network.",
    )
    logits: bool = Field(
        False, description="Whether the files hold logits, which a sigmoid makes probabilities."
    )
    array_classes: tuple[str, ...] = Field(
        (),
        description="The class of each column of a bare array (.npy), whose rows are the images "
        "of the test split in the order of the labels.",
    )

    @property
    def title(self) -> str:
        return f"{PUBLISHED.get(self.name, 'Own labels')}, imported predictions"


DatasetSettings = Annotated[
    PhantomSettings | NihSettings | CxrLtSettings | TableSettings | ImportedSettings,
    Field(discriminator="kind"),
]


class ModelSettings(Settings):
    architecture: Annotated[str, OneNetwork((*get_args(Architecture), "other", "onnx"))] = Field(
        description="The network: one of the twenty below, or any of torchvision, timm and "
        "torchxrayvision after its library's name, such as `timm/resnet50d`. `other` is only for "
        "imported predictions, `onnx` only for a given ONNX file."
    )
    weights: Literal["none", "imagenet"] = Field("none", description="Where training starts from.")
    image_size: int = Field(
        256, ge=16, le=1024, description="Side in pixels to which images are resized."
    )
    channels: Literal[1, 3] = Field(3, description="Of images; 1 only of checkpoints for grey.")
    norm_eps: NormEps = None
    head: Head = ""


class CheckpointSettings(SeeingSettings):
    """A trained network that was given: its study prunes it as it is, in one run."""

    path: Path | None = Field(None, description="Where the file lay; it is not needed any more.")
    sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="Digest of the file, which decides what it is."
    )
    # Outputs without a class are left out, and so are the dataset's classes without an output.
    classes: tuple[str, ...] = Field(
        min_length=1, max_length=10_000, description="The class of each output, empty for none."
    )
    preprocessing: PreprocessingName = Field(
        "imagenet", description="How 8-bit grey becomes what the network was trained on."
    )
    class_frequencies: Literal["unknown", "train"] | dict[str, Share] = Field(
        "unknown",
        description="How frequent each class was in the network's own training, which decides "
        "what is head, medium and tail: `unknown`; `train`, if it was trained on the dataset's "
        "train split; or a share for each class.",
    )
    network: str | None = Field(None, description="Which of several networks in the file.")
    rename: tuple[str, ...] = Field((), max_length=20, description="Rules that renamed weights.")

    @field_validator("classes")
    @classmethod
    def each_class_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        named = [name for name in names if name]
        if not named or len(set(named)) < len(named):
            raise ValueError("classes names at least one class, and none twice")
        return names

    @model_validator(mode="after")
    def a_frequency_for_each_class(self) -> Self:
        if isinstance(self.class_frequencies, dict):
            lacking = [one for one in self.classes if one and one not in self.class_frequencies]
            if lacking:
                raise ValueError(f"checkpoint.class_frequencies lacks {', '.join(lacking[:4])}")
        return self


class TrainingSettings(Settings):
    epochs: int = Field(
        60, ge=1, le=10_000, description="At most so many passes over the training images."
    )
    patience: int = Field(
        15, ge=1, description="Passes without a lower validation loss before training ends."
    )
    # Batch norm has no variance over a single image.
    batch_size: int = Field(256, ge=2, le=65_536, description="Images a step.")
    learning_rate: float = Field(1e-4, gt=0, description="Of Adam.")
    schedule: Annotated[str, OneOf(SCHEDULES)] = Field(
        "constant", description="How the learning rate changes over the steps."
    )
    flip: bool = Field(True, description="Whether images are mirrored at random.")
    rotation_degrees: float = Field(
        15.0, ge=0, le=180, description="Random rotation, up to so many degrees either way."
    )
    loss: Annotated[str, OneOf(LOSSES)] = Field("bce", description="What training lowers.")
    sampler: Annotated[str, OneOf(SAMPLERS)] = Field(
        "uniform", description="Which training images a pass shows, and in which order."
    )


class RunSettings(Settings):
    count: int = Field(30, ge=1, le=1000, description="How many runs; they differ by seed only.")
    begun_with: int | None = Field(
        None,
        ge=1,
        exclude_if=lambda value: value is None,
        description="The number before `prunescope extend`, which writes it; it decides the id.",
    )
    first_seed: int = Field(0, ge=0, description="Seed of the first; the next have the next.")
    at_once: int = Field(
        1,
        ge=1,
        le=64,
        description="How many runs are made at a time, at most one per processor. From 2 on, each "
        "has a process of its own with one thread: this is faster for small networks, and the "
        "numbers do not depend on how many processors there are.",
    )


class PruningSettings(Settings):
    method: Annotated[str, OneOf(PRUNING_METHODS)] = Field(
        "l1_global", description="Which weights become zero."
    )


class RepairSettings(Settings):
    method: Annotated[str, OneOf(REPAIRS)] = Field(
        "none", description="What is done to a pruned network before it predicts."
    )


class SweepSettings(Settings):
    sparsities: Annotated[tuple[float, ...], AfterValidator(checked_grid)] = Field(
        DEFAULT_SPARSITIES,
        description="Whole percents as fractions, rising from 0 (dense), below 1.",
    )
    begun_with: tuple[float, ...] | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="The grid before `prunescope extend`, which writes it; it decides the id.",
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="Of the arithmetic. bf16 moves probabilities by about 0.01; it halves the time "
        "where the machine computes in it, and takes five times as long where it does not.",
    )
    batch_size: int = Field(
        32, ge=1, le=65_536, description="Images at once; changes speed and memory only."
    )


class GroupSettings(Settings):
    """Train frequency above `head_above` is head, below `tail_below` is tail, else medium."""

    head_above: float = Field(
        0.10, gt=0, lt=1, description="Classes in a larger share of training images are head."
    )
    tail_below: float = Field(0.01, gt=0, lt=1, description="Classes in a smaller share are tail.")

    @model_validator(mode="after")
    def in_order(self) -> Self:
        if self.tail_below > self.head_above:
            raise ValueError("tail_below must not be above head_above")
        return self


class OperatingPointSettings(Settings):
    specificity: float = Field(
        0.9,
        gt=0,
        lt=1,
        description="Share of validation images without a class that lie below its operating "
        "point.",
    )
