"""What a study is: its configuration, checked and frozen, and its id."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field, ValidationError, model_validator

from core.errors import InputError
from core.study.settings import (
    CheckpointSettings,
    DatasetSettings,
    GroupSettings,
    ModelSettings,
    OperatingPointSettings,
    PruningSettings,
    RepairSettings,
    RunSettings,
    Settings,
    StudySettings,
    SweepSettings,
    TrainingSettings,
)

# No study file comes near it; TOML can be made to take minutes for each megabyte.
MAX_BYTES = 2**18
# Of what is wrong with a study file, so many settings are named.
MOST_TOLD = 8

# Where the data lies, and what a person calls the study, do not change what is computed.
NOT_PART_OF_ID = {
    "study": {"name", "title"},
    "dataset": {"images", "labels", "train_list", "test_list"},
    # Worked out again from stored predictions whenever it changes.
    "operating_point": {"specificity"},
    # Changes speed; how many threads add up a sum moves its last digits.
    "runs": {"at_once"},
    # A file is known by its digest, wherever it lies.
    "checkpoint": {"path"},
}


# What `core.study.growth` adds to: the id goes by what the study was begun with.
GROWS = {"sweep": "sparsities", "runs": "count"}


class BadToml(ValueError):  # noqa: N818, reads as what it names
    """Text that is no TOML; the message says where."""


class StudyConfig(Settings):
    """Everything that decides a study's numbers. Read from TOML, saved in `study.json`."""

    study: StudySettings = Field(description="What people call it.")
    dataset: DatasetSettings = Field(
        description="Which images and labels. `kind` decides which further settings there are."
    )
    model: ModelSettings = Field(description="The network.")
    training: TrainingSettings = Field(
        TrainingSettings(),
        description="How each run is trained. Not used of a given checkpoint.",
    )
    runs: RunSettings = Field(RunSettings(), description="How many trainings.")
    pruning: PruningSettings = Field(PruningSettings(), description="How weights are chosen.")
    repair: RepairSettings = Field(RepairSettings(), description="What is done to pruned networks.")
    sweep: SweepSettings = Field(
        SweepSettings(), description="At which sparsities it is looked at."
    )
    groups: GroupSettings = Field(GroupSettings(), description="What counts as head and as tail.")
    operating_point: OperatingPointSettings = Field(
        OperatingPointSettings(),
        description="From where on a finding counts as found. May be changed at any time.",
    )
    # Left out of `study.json` if missing, as a section of settings always is a table.
    checkpoint: CheckpointSettings | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="A trained network that was given; `prunescope analyze` writes this section.",
    )

    @model_validator(mode="after")
    def one_run_of_a_checkpoint(self) -> StudyConfig:
        if self.checkpoint and self.runs.count != 1:
            raise ValueError("a study of a given checkpoint has one run: set runs.count = 1")
        if self.checkpoint and self.dataset.kind == "imported":
            raise ValueError("a checkpoint needs a dataset with images, not imported predictions")
        return self

    @model_validator(mode="after")
    def known_architecture(self) -> StudyConfig:
        if self.model.architecture == "other" and self.dataset.kind != "imported":
            raise ValueError('model.architecture "other" is only for imported predictions')
        if self.model.architecture == "onnx":
            if self.checkpoint is None:
                raise ValueError('model.architecture "onnx" is only for a given ONNX file')
            if self.sweep.sparsities != (0.0,) or self.sweep.precision != "fp32":
                raise ValueError(
                    "an ONNX file is analysed unpruned and in fp32: sweep.sparsities has to be "
                    "[0] and sweep.precision fp32; to prune the network, bring its weights as a "
                    "PyTorch checkpoint"
                )
        return self

    @property
    def id(self) -> str:
        """`<name>-<hash>`: defaults stay out of the hash, so a new setting leaves old ids valid."""
        return f"{self.study.name}-{config_hash(self)}"

    @property
    def trained_on(self) -> Literal["unknown", "train"] | dict[str, float]:
        """Where the class frequencies of the training come from: the train split, but of a given
        checkpoint only where its owner says so."""
        return self.checkpoint.class_frequencies if self.checkpoint else "train"

    @property
    def synthetic(self) -> bool:
        return self.dataset.kind == "phantom"


def config_hash(config: StudyConfig) -> str:
    """Eight hex digits that are equal for configs that compute the same numbers."""
    decisive = config.model_dump(mode="json", exclude_defaults=True, exclude=NOT_PART_OF_ID)
    for section, grows in GROWS.items():
        begun = decisive.get(section, {}).pop("begun_with", None)
        if begun is not None:
            usual = type(getattr(config, section)).model_fields[grows].default
            decisive[section][grows] = begun
            if begun == (list(usual) if isinstance(usual, tuple) else usual):
                del decisive[section][grows]
    for section in ("operating_point", *GROWS):
        if not decisive.get(section):  # empty by now, and absent from older ids
            decisive.pop(section, None)
    return _digest(decisive)[:8]


def training_id(config: StudyConfig, data: dict[str, str]) -> str:
    """Sixteen hex digits over what decides the weights of a run: the content of its images and
    labels, in `data`, wherever they lie; the network, how it is trained, and the seed of run 0."""
    model, training = (
        section.model_dump(mode="json", exclude_defaults=True)
        for section in (config.model, config.training)
    )
    seed = config.runs.first_seed
    return _digest({"data": data, "model": model, "training": training, "first_seed": seed})[:16]


def _digest(decisive: dict[str, Any]) -> str:
    canonical = json.dumps(decisive, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def read_config(path: Path, overrides: tuple[str, ...] = ()) -> StudyConfig:
    """Read a study file; `overrides` are `section.key=value` strings, values in TOML.

    Relative paths inside the file or an override are taken from the working directory.
    Raises InputError that names the setting and what is allowed.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError(f"{path} has more than {MAX_BYTES:,} bytes; it is no study file.")
        raw = _toml(content.decode("utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read the study file {path}: {error.strerror}.") from error
    except (BadToml, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}.") from error
    for override in overrides:
        _apply(raw, override)
    config = parse_config(raw, str(path))
    return _with_absolute_paths(config)


def with_overrides(config: StudyConfig, overrides: tuple[str, ...]) -> StudyConfig:
    """A config with `section.key=value` strings applied, as `read_config` applies them."""
    raw = config.model_dump(mode="json", exclude_none=True)
    for override in overrides:
        _apply(raw, override)
    return _with_absolute_paths(parse_config(raw, f"study {config.study.name}"))


def parse_config(raw: dict[str, Any], source: str) -> StudyConfig:
    """Validate plain settings; `source` is named in the error."""
    try:
        return StudyConfig.model_validate(raw)
    except ValidationError as error:
        raise InputError(f"{source}: {_in_words(error)}") from error


def _apply(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    section, dot, name = key.strip().partition(".")
    if not (equals and dot and name) or "." in name:
        raise InputError(
            f"--set {override!r} is not of the form section.key=value, such as runs.count=2."
        )
    if not isinstance(raw.setdefault(section, {}), dict):
        raise InputError(f"--set {override!r}: {section} is not a section of the study file.")
    try:
        raw[section][name] = _toml(f"value = {text}")["value"]
    except BadToml:
        raw[section][name] = text.strip()  # an unquoted word is a string


def _toml(text: str) -> dict[str, Any]:
    """Raises BadToml: of numbers too long and brackets too deep Python raises other errors."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise BadToml("it nests too deep") from error
    except ValueError as error:
        raise BadToml(str(error)) from error


def _in_words(error: ValidationError) -> str:
    sentences = []
    told = error.errors(include_url=False)
    for item in told[:MOST_TOLD]:
        section, *inside = item["loc"] or ("",)
        # The dataset's kind follows its section there; people never wrote it so.
        parts = (section, *inside[section == "dataset" :])
        where = ".".join(str(part)[:60] for part in parts)
        if not where:  # a rule over several sections names them itself
            sentences.append(item["msg"].removeprefix("Value error, "))
            continue
        if item["type"] == "extra_forbidden":
            sentences.append(_unknown_setting(where))
            continue
        given = "" if item["type"] == "missing" else f" (given: {str(item['input'])[:80]!r})"
        said = item["msg"].removeprefix("Value error, ")
        sentences.append(f"{where}: {said}{given}")
    if len(told) > MOST_TOLD:
        sentences.append(f"and {len(told) - MOST_TOLD:,} more")
    return "; ".join(sentences) + "."


def _unknown_setting(where: str) -> str:
    """A mistyped setting with what its writer may have meant."""
    known = {
        f"{section}.{name}"
        for section, field in StudyConfig.model_fields.items()
        for model in get_args(field.annotation) or (field.annotation,)
        if isinstance(model, type) and issubclass(model, BaseModel)
        for name in model.model_fields
    } | set(StudyConfig.model_fields)
    alike = sorted(name for name in known if ("." in name) == ("." in where))
    near = difflib.get_close_matches(where, alike, n=1, cutoff=0.7)
    hint = f"did you mean {near[0]}" if near else "remove it"
    return f"{where} is not a setting; {hint}"


def _with_absolute_paths(config: StudyConfig) -> StudyConfig:
    paths = {name: _absolute(value) for name, value in config.dataset if isinstance(value, Path)}
    update: dict[str, Any] = {"dataset": config.dataset.model_copy(update=paths)}
    if config.checkpoint and config.checkpoint.path:
        path = _absolute(config.checkpoint.path)
        update["checkpoint"] = config.checkpoint.model_copy(update={"path": path})
    return config.model_copy(update=update)


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise InputError(f"The path {str(path)[:200]!r} names a person without a home.") from error
