"""What is found out about a given checkpoint before any pruning: facts, and words for them.

Every part is plain data, so that a page, the command line and a file on disk show the same. A
part is None where the work did not get that far; `refusal` then says in one sentence why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import TypeAdapter

from core.checkpoints.checks import Estimate, Moved, ReferenceCheck, Twin
from core.checkpoints.graphs import GraphFacts
from core.study.config import StudyConfig
from core.study.given_networks import Activation
from core.study.settings import PreprocessingName
from core.wording.amounts import size, some
from core.wording.dense_sentences import UNPRUNED
from core.wording.words import duration

# Raise when the same file and data would give another report.
VERSION = 3


@dataclass(frozen=True)
class PreflightOptions:
    """What a person chose; None leaves it to the file and the architecture."""

    architecture: str | None = None
    # The class of each output in order, "" for an output without one.
    classes: tuple[str, ...] | None = None
    preprocessing: PreprocessingName | None = None
    image_size: int | None = None
    # How images are seen otherwise, as `checkpoint.key=value`: mean, std, activation and so on.
    seeing: tuple[str, ...] = ()
    n_images: int = 200
    # The owner's own probabilities of a few images, as CSV.
    reference: str | None = None
    # Which of several networks in the file, by its name there.
    network: str | None = None
    # "old=new" for the beginning of weights' names, "/pattern/=new" for a regular expression.
    rename: tuple[str, ...] = ()
    head: Activation | None = None  # between the layers of a classifier of several


@dataclass(frozen=True)
class NetworkInFile:
    """`name` is where it lies: keys and prefixes, "" for the whole file. Of an ONNX file it is an
    output, and `n_weights` its classes."""

    name: str
    n_weights: int


@dataclass(frozen=True)
class FileFacts:
    """`wrapper` is the key that held the weights, `prefix` what every name began with; `beside`
    lies in the file next to them and is not used; `joined` came as weight_orig and weight_mask;
    `not_finite` counts NaN and infinite values per tensor that has any; `networks` are all that the
    file holds."""

    name: str
    sha256: str
    n_bytes: int
    format: str
    dtypes: dict[str, int]
    wrapper: str = ""
    prefix: str = ""
    beside: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    not_finite: dict[str, int] = field(default_factory=dict)
    networks: tuple[NetworkInFile, ...] = ()
    network: str | None = None

    @property
    def listed(self) -> str:
        """Its networks in words, where there are several."""
        whats, each = ("outputs", "classes") if self.format == "onnx" else ("networks", "weights")
        named = [f"{one.name} ({one.n_weights:,} {each})" for one in self.networks]
        said = f"{len(named)} {whats}: {', '.join(named[:-1])} and {named[-1]}" if named else ""
        return said if len(named) > 1 else ""

    @property
    def question(self) -> str:
        """What a person has to answer before anything else is known of the file."""
        if self.network is not None or not self.listed:
            return ""
        known = " or ".join(f'--network "{one.name}"' for one in self.networks[:3])
        return f"The file holds {self.listed}. Say which to study: {known}."

    @property
    def notes(self) -> list[str]:
        """Where in the file the weights were, and what else is in it."""
        joined = f"{len(self.joined)} weights joined with their pruning masks"
        return [
            *([self.listed] if self.listed else []),
            *([f"{self.network!r} taken"] if self.network else []),
            *([f"weights under {self.wrapper!r}"] if self.wrapper else []),
            *([f"prefix {self.prefix!r} taken off"] if self.prefix else []),
            *([joined] if self.joined else []),
            *([f"not used: {some(self.beside)}"] if self.beside else []),
        ]


@dataclass(frozen=True)
class Candidate:
    """`share` of all weights, the file's and the architecture's, agree in name and shape."""

    architecture: str
    share: float


@dataclass(frozen=True)
class ArchitectureFacts:
    """`runner_ups` by falling share; `library` is whose names the file uses."""

    architecture: str
    chosen_by: Literal["guessed", "chosen", "stated"]
    library: str
    share: float
    channels: Literal[1, 3]
    image_size: int
    runner_ups: tuple[Candidate, ...] = ()
    alternatives: tuple[str, ...] = ()  # of the same names and shapes, and other arithmetic
    head: str = ""  # as `model.head`

    @property
    def next(self) -> str:
        """The runner-ups in words."""
        return ", ".join(f"{c.architecture} {c.share:.0%}" for c in self.runner_ups) or "none"


@dataclass(frozen=True)
class Reshaped:
    name: str
    in_file: tuple[int, ...]
    expected: tuple[int, ...]


@dataclass(frozen=True)
class Keys:
    """The file's names against the architecture's. `ignored` change nothing: counters, losses."""

    n_matching: int
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    reshaped: tuple[Reshaped, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def fit(self) -> bool:
        return not (self.missing or self.unexpected or self.reshaped)


@dataclass(frozen=True)
class LayerZeros:
    layer: str
    n_weights: int
    n_zero: int


@dataclass(frozen=True)
class WeightFacts:
    """Of the prunable weights."""

    n_weights: int
    n_zero: int
    layers: tuple[LayerZeros, ...]

    @property
    def sparsity(self) -> float:
        return self.n_zero / max(self.n_weights, 1)


@dataclass(frozen=True)
class Outputs:
    """`classes` names the dataset's class of each output, "" where it has none; `file_names` what
    the file calls its outputs. `named_by` says where the order comes from."""

    n_outputs: int
    named_by: Literal["file", "torchxrayvision", "person", "order", "nobody"]
    classes: tuple[str, ...]
    file_names: tuple[str, ...]
    classes_without_output: tuple[str, ...]
    dataset_classes: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """How grey pixels become input; `previews` are PNG in base64, as the network sees them."""

    name: PreprocessingName
    reason: str
    image_size: int
    channels: Literal[1, 3]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    previews: tuple[str, ...] = ()
    image_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassCheck:
    class_name: str
    n_positive: int
    prevalence: float
    ap: float | None
    auroc: float | None


@dataclass(frozen=True)
class DenseCheck:
    """The dense model on test images. `mean_auroc` and its interval (95 %, over patients and
    classes) are of the `n_measured` classes with 3 positives and negatives or more."""

    n_images: int
    precision: str
    n_measured: int
    classes: tuple[ClassCheck, ...]
    mean_ap: float | None
    mean_prevalence: float | None
    mean_auroc: float | None
    low: float | None
    high: float | None

    @property
    def verdict(self) -> Literal["better", "chance", "worse", "unknown"]:
        """Than chance, whose AUROC is 0.5."""
        if self.low is None or self.high is None:
            return "unknown"
        return "better" if self.low > 0.5 else "worse" if self.high < 0.5 else "chance"


@dataclass(frozen=True)
class Preflight:
    """Everything known about a checkpoint and the dataset it is to be studied on.

    `twins` and `activations`, where a person has to say which, are best first. `moved` are outputs
    that seem to stand for other classes, `proposed` the class of each output if they do. `config`
    is the study that would run; `analyses.analysis_config` finishes it with what else is chosen.
    """

    key: str
    file: FileFacts
    dataset_fingerprint: str
    architecture: ArchitectureFacts | None = None
    graph: GraphFacts | None = None  # of an ONNX file, which has neither keys nor weights
    keys: Keys | None = None
    weights: WeightFacts | None = None
    outputs: Outputs | None = None
    seen: Seen | None = None
    check: DenseCheck | None = None
    reference: ReferenceCheck | None = None
    twins: tuple[Twin, ...] = ()
    activations: tuple[Twin, ...] = ()
    moved: tuple[Moved, ...] = ()
    proposed: tuple[str, ...] = ()
    order_checked: str = ""
    estimate: Estimate | None = None
    warnings: tuple[str, ...] = ()
    refusal: str | None = None
    config: StudyConfig | None = None
    version: int = VERSION

    @property
    def fit(self) -> bool:
        """Whether the study can run."""
        return self.refusal is None and self.config is not None

    def to_json(self) -> bytes:
        return _ADAPTER.dump_json(self, indent=2)

    @classmethod
    def from_json(cls, data: bytes) -> Preflight:
        """Raises ValueError for a report of another version."""
        report = _ADAPTER.validate_json(data)
        if report.version != VERSION:
            raise ValueError(f"a report of version {report.version}, not {VERSION}")
        return report


_ADAPTER = TypeAdapter(Preflight)


def lines(report: Preflight) -> list[str]:
    """The report in words, a fact a line, without its refusal."""
    found = [_file_line(report.file)]
    if report.graph:
        found += [f"ONNX graph: {report.graph.sentence}", UNPRUNED]
    elif report.architecture:
        found += _architecture_lines(report.architecture)
    if report.keys:
        found += _key_lines(report.keys)
    if report.weights:
        found += _weight_lines(report.weights)
    if report.outputs:
        found += _output_lines(report.outputs)
    if s := report.seen:
        found.append(
            f"Preprocessing: {s.name} ({s.reason}): {s.image_size} px, {s.channels} channel(s), "
            f"mean {_numbers(s.mean)}, std {_numbers(s.std)}"
        )
    if report.check:
        found += _check_lines(report.check)
    if report.order_checked:
        found.append(f"Order of outputs: {report.order_checked}")
    if report.reference:
        found.append(f"Probabilities: {report.reference.sentence}")
    if e := report.estimate:
        found.append(
            f"Whole study: about {duration(e.seconds)} at {e.images_per_second:.1f} images/s "
            f"({e.n_predictions:,} predictions), {size(e.disk_bytes)} of disk "
            f"({size(e.free_bytes)} free)"
        )
    found += [f"Warning: {warning}" for warning in report.warnings]
    if report.proposed:
        found.append(f'  That order is --classes "{",".join(c or "-" for c in report.proposed)}"')
    return found


def _file_line(file: FileFacts) -> str:
    types = ", ".join(f"{count} {name}" for name, count in file.dtypes.items())
    notes = [f"tensors: {types}"] if types else []
    return f"File: {file.format}, {size(file.n_bytes)}; " + "; ".join(notes + file.notes)


def _architecture_lines(found: ArchitectureFacts) -> list[str]:
    hows = {"guessed": "guessed from names and shapes", "stated": "named in the file"}
    how = hows.get(found.chosen_by, "chosen")
    return [
        f"Architecture: {found.architecture}, {how}; {found.share:.1%} of the weights agree "
        f"(names of {found.library}; next: {found.next})"
        + (f"; layers before the outputs: {found.head}" if found.head else "")
    ]


def _key_lines(keys: Keys) -> list[str]:
    found = [f"Weights' names: {keys.n_matching} match"]
    for what in ("missing", "unexpected", "ignored"):
        names = getattr(keys, what)
        if names:
            found.append(f"  {len(names)} {what}: {some(names)}")
    for item in keys.reshaped[:5]:
        found.append(f"  reshaped: {item.name} is {item.in_file}, expected {item.expected}")
    if len(keys.reshaped) > 5:
        found.append(f"  and {len(keys.reshaped) - 5} more reshaped")
    return found


def _weight_lines(weights: WeightFacts) -> list[str]:
    found = [
        f"Prunable weights: {weights.n_weights:,}, {weights.sparsity:.1%} of them zero already"
    ]
    zero = sorted(weights.layers, key=lambda layer: -layer.n_zero / max(layer.n_weights, 1))
    if weights.sparsity >= 0.005:
        worst = (f"{x.layer} {x.n_zero / x.n_weights:.0%}" for x in zero[:3] if x.n_zero)
        found.append(f"  most zeros in {', '.join(worst)}")
    return found


def _output_lines(outputs: Outputs) -> list[str]:
    sources = {
        "file": "named in the file",
        "torchxrayvision": "in torchxrayvision's own order",
        "person": "as given",
        "order": "in the dataset's own order, since the file names "
        + (f"{len(outputs.file_names)} classes" if outputs.file_names else "none"),
        "nobody": "since nothing says which output stands for which",
    }
    used = sum(bool(name) for name in outputs.classes)
    found = [f"Outputs: {outputs.n_outputs}, {used} of them classes, {sources[outputs.named_by]}"]
    if unused := outputs.n_outputs - used:
        names = [n for n, c in zip(outputs.file_names, outputs.classes, strict=False) if not c]
        which = f": {some(names)}" if names else ""
        found.append(f"  {unused} without a class are left out before pruning{which}")
    if outputs.classes_without_output:
        left = outputs.classes_without_output
        found.append(f"  {len(left)} classes have no output and are left out: {some(left)}")
    return found


def _check_lines(check: DenseCheck) -> list[str]:
    found = [f"Dense, on {check.n_images} test images, in {check.precision}:"]
    for one in check.classes:
        numbers = "no positives" if one.ap is None else f"AP {one.ap:.3f}"
        area = "" if one.auroc is None else f", AUROC {one.auroc:.3f}"
        found.append(f"  {one.class_name}: {numbers} against {one.prevalence:.3f}{area}")
    if check.mean_auroc is not None:
        found.append(
            f"  mean AP {check.mean_ap:.3f} against {check.mean_prevalence:.3f}; mean AUROC "
            f"{check.mean_auroc:.3f} ({check.low:.3f} to {check.high:.3f})"
        )
    return found


def _numbers(values: tuple[float, ...]) -> str:
    return "/".join(f"{value:.3g}" for value in values)
