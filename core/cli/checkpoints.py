"""Commands that take up a checkpoint somebody brings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from core.checkpoints.formats import weights_in
from core.cli.command import TAKEN_UP, Background, Settings, app
from core.cli.studies import read_study, run_here, submit
from core.cli.terminal import SECONDS_BETWEEN_LINES, say
from core.errors import InputError

if TYPE_CHECKING:
    from core.checkpoints.preflight import Preflight, PreflightOptions
    from core.study.config import StudyConfig
    from core.study.given_networks import Activation

Checkpoint = Annotated[Path, typer.Argument(metavar="CHECKPOINT", show_default=False)]
Dataset = Annotated[
    str,
    typer.Option(
        metavar="STUDY_OR_TOML",
        help="Whose dataset to study it on: a study, or a study file. It also gives the grid.",
    ),
]
Architecture = Annotated[
    str | None, typer.Option("--arch", help="Such as resnet50; guessed if not given.")
]
Reference = Annotated[
    Path | None,
    typer.Option(
        help="CSV of your own probabilities for a few images (image_id and a column for each "
        "class), to be compared with those computed here."
    ),
]
Classes = Annotated[
    str | None,
    typer.Option(help='The class of each output, in order: "Hernia,Mass,-"; - for none.'),
]
Network = Annotated[
    str | None,
    typer.Option(help="Which network to study where the file holds several, by its name there."),
]
Rename = Annotated[
    list[str] | None,
    typer.Option(
        help="Weights under other names: old=new for the beginning of names, /pattern/=new for a "
        "regular expression. Can be given several times.",
    ),
]
PRECISION = "sweep.precision"
MOST_BYTES = 2**20
HEAD = "model.head"
# How a checkpoint's network sees images, and what becomes of its outputs.
SEEING = tuple(
    f"checkpoint.{name}"
    for name in (
        *("mean", "std", "centre_crop", "interpolation"),
        *("activation", "operating_points"),
    )
)
Preprocessing = Annotated[
    str | None, typer.Option(help="imagenet, xrv, half or unit; chosen if not given.")
]


@app.command(epilog="Example: prunescope preflight model.pt --dataset nih-sample")
def preflight(
    checkpoint: Checkpoint,
    dataset: Dataset,
    settings: Settings = None,
    arch: Architecture = None,
    classes: Classes = None,
    preprocessing: Preprocessing = None,
    reference: Reference = None,
    network: Network = None,
    rename: Rename = None,
) -> None:
    """Say what a checkpoint is, whether it fits a dataset, and what a study of it would take.

    Exit status 0: fit to run; 2: refused. Nothing in the file is run: .safetensors, or what
    torch.save made of a state_dict. An ONNX graph (.onnx) is computed by onnxruntime, in a process
    with limits. model.image_size may be changed with --set.
    """
    parts = network, tuple(rename or ())
    _preflight(
        checkpoint, dataset, tuple(settings or ()), arch, classes, preprocessing, reference, parts
    )


@app.command(epilog="Example: prunescope analyze model.pt --dataset nih-sample --study mine")
def analyze(
    checkpoint: Checkpoint,
    dataset: Dataset,
    settings: Settings = None,
    arch: Architecture = None,
    classes: Classes = None,
    preprocessing: Preprocessing = None,
    reference: Reference = None,
    network: Network = None,
    rename: Rename = None,
    study: Annotated[str | None, typer.Option(help="What the new study is called.")] = None,
    sparsities: Annotated[
        str, typer.Option(help="In whole percent, such as 5,10,50; if not given, the dataset's.")
    ] = "",
    class_frequencies: Annotated[
        str,
        typer.Option(
            metavar="FILE_OR_TRAIN",
            help="How frequent each class was in the network's own training: `train` if it was "
            "trained on the dataset's train split, or a CSV of class and frequency. If not given, "
            "no class is called head, medium or tail.",
            show_default=False,
        ),
    ] = "unknown",
    background: Background = False,
) -> None:
    """Prune a given checkpoint over the whole grid, as a study like any other.

    An ONNX file is analysed unpruned: its study has the dense network only.

    Preflight first, as `prunescope preflight` prints it. The weights are copied: the file is not
    needed afterwards. Run it again to go on after an interruption. Computed in bf16 where this
    machine has it, else in fp32; --set sweep.precision=fp32 decides. Images that cannot be read are
    left out and listed, unless --set dataset.on_bad_image=fail says otherwise.
    """
    from core.checkpoints.analyses import AUTO_PRECISION, BAD_IMAGE, analysis_config, has_bf16
    from core.study.grids import grid_of
    from core.wording.precision_sentences import choice

    chosen = tuple(settings or ())
    if sparsities:
        chosen += (f"sweep.sparsities={list(grid_of(sparsities))}",)
    parts = network, tuple(rename or ())
    report = _preflight(checkpoint, dataset, chosen, arch, classes, preprocessing, reference, parts)
    asked = "" if any(_key_of(one) == PRECISION and not _is_auto(one) for one in chosen) else "auto"
    # An ONNX file's preflight has a grid of its own, so what was asked for is refused here.
    for_later = (BAD_IMAGE, PRECISION, "sweep.sparsities") if report.graph else (BAD_IMAGE,)
    later = tuple(one for one in chosen if _key_of(one) in for_later and not _is_auto(one))
    frequencies = _frequencies(class_frequencies, report)
    overrides = (*later, *[AUTO_PRECISION] * bool(asked))
    config = analysis_config(report, study, overrides, frequencies)
    said = choice(asked, config.sweep.precision, has_bf16(report))
    if said and report.graph is None:
        typer.echo(f"Precision: {said}")
    if background:
        submit(config)
        typer.echo(TAKEN_UP)
    else:
        run_here(config)


def _frequencies(given: str, report: Preflight) -> str | dict[str, float]:
    from core.checkpoints.frequencies import read_frequencies

    if given in ("unknown", "train"):
        return given
    assert report.outputs
    return read_frequencies(_small_text(Path(given)), report.outputs.classes)


def _small_text(path: Path) -> str:
    """A small CSV, as people write it; a larger file is none that is asked for here."""
    with path.open("rb") as file:
        found = file.read(MOST_BYTES + 1)
    if len(found) > MOST_BYTES:
        raise InputError(f"{path} has more than {MOST_BYTES:,} bytes; a small CSV is needed here.")
    try:
        return found.decode("utf-8-sig")
    except UnicodeDecodeError:
        return found.decode("cp1252", errors="replace")


def _preflight(
    checkpoint: Path,
    dataset: str,
    settings: tuple[str, ...],
    arch: str | None,
    classes: str | None,
    preprocessing: str | None,
    reference: Path | None,
    parts: tuple[str | None, tuple[str, ...]],
) -> Preflight:
    """Print the report; raises InputError with its refusal."""
    from core.checkpoints.preflight import lines

    report = preflight_report(
        checkpoint, dataset, settings, arch, classes, preprocessing, reference, parts
    )
    for line in lines(report):
        typer.echo(line)
    if report.refusal:
        raise InputError(report.refusal)
    typer.echo("Fit to run.")
    return report


def preflight_report(
    checkpoint: Path,
    dataset: str,
    settings: tuple[str, ...] = (),
    arch: str | None = None,
    classes: str | None = None,
    preprocessing: str | None = None,
    reference: Path | None = None,
    parts: tuple[str | None, tuple[str, ...]] = (None, ()),
) -> Preflight:
    """The preflight's report, with how far it is on standard error meanwhile. `parts` are which
    network of the file, and the rules by which its weights are renamed."""
    from core.engine.foreign.reading import Reader

    options, others = _options(settings, arch, classes, preprocessing)
    if reference is not None:
        options = replace(options, reference=_small_text(reference))
    options = replace(options, network=parts[0], rename=parts[1])
    base = _base(dataset, others)
    with Reader() as reader:  # its process starts while this one imports torch
        from core.engine.foreign.preflight import preflight

        return preflight(weights_in(checkpoint), base, options, _line_writer(), reader)


def _options(
    settings: tuple[str, ...], arch: str | None, classes: str | None, preprocessing: str | None
) -> tuple[PreflightOptions, tuple[str, ...]]:
    """What the preflight itself takes, and the settings that are the dataset's."""
    from core.checkpoints.preflight import PreflightOptions
    from core.study.settings import PreprocessingName

    known = {str(name): name for name in get_args(PreprocessingName)}
    if preprocessing is not None and preprocessing not in known:
        raise InputError(
            f"There is no preprocessing {preprocessing!r}; there are: {', '.join(known)}."
        )
    side, head, others, seeing = None, None, [], []
    for setting in settings:
        key, _, value = setting.partition("=")
        if key.strip() == "model.image_size":
            side = _side(value)
        elif key.strip() == HEAD:
            head = _activation(value)
        elif key.strip() in SEEING:
            seeing.append(setting)
        elif _is_auto(setting):
            continue  # settled once it is known what this machine computes in
        elif key.partition(".")[0].strip() in ("model", "training", "runs", "checkpoint"):
            raise InputError(
                f"--set {setting!r}: the checkpoint decides that; what can be set is "
                f"model.image_size, {HEAD}, {', '.join(SEEING)}."
            )
        else:
            others.append(setting)
    named = None if classes is None else tuple(_class_name(part) for part in classes.split(","))
    chosen = known[preprocessing] if preprocessing else None
    options = PreflightOptions(arch, named, chosen, side, tuple(seeing), head=head)
    return options, tuple(others)


def _activation(value: str) -> Activation:
    from core.study.given_networks import Activation

    known = {str(name): name for name in get_args(Activation)}
    name = value.strip(" '\"")
    if name not in known:
        raise InputError(
            f"--set {HEAD}={name[:40]}: it is what a classifier of several layers computes between "
            f"them: {', '.join(known)}."
        )
    return known[name]


def _key_of(setting: str) -> str:
    return setting.partition("=")[0].strip()


def _is_auto(setting: str) -> bool:
    return _key_of(setting) == PRECISION and setting.partition("=")[2].strip(" '\"") == "auto"


def _side(text: str) -> int:
    if text.strip().isdigit() and 16 <= int(text) <= 1024:
        return int(text)
    raise InputError(
        f"model.image_size is {text.strip()!r}; allowed are whole numbers, 16 to 1024."
    )


def _class_name(part: str) -> str:
    name = part.strip()
    return "" if name == "-" else name


def _base(dataset: str, settings: tuple[str, ...]) -> StudyConfig:
    """A study file, a study that is there already, or one of the files that come along."""
    from core.study import store
    from core.study.config import with_overrides

    if not Path(dataset).exists():
        for _, config in store.readable_studies():
            if config.study.name == dataset:
                return with_overrides(config, settings)
    return read_study(dataset, settings)


def _line_writer() -> Callable[[str, int, int], None]:
    """A line per stage on standard error, and every ten seconds within one."""
    shown, last = "", 0.0

    def write(stage: str, done: int, total: int) -> None:
        nonlocal shown, last
        now = time.monotonic()
        if stage != shown or now - last > SECONDS_BETWEEN_LINES:
            shown, last = stage, now
            say(f"{stage} {done}/{total}")

    return write
