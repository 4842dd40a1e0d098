"""Which of the dataset's classes each output of a network stands for."""

from __future__ import annotations

import re

from core.checkpoints.preflight import Outputs
from core.errors import InputError
from core.study.labels import NO_FINDING
from core.wording.amounts import some

# torchxrayvision's `default_pathologies`, the order of its 18 outputs.
XRV_CLASSES = (
    "Atelectasis",
    "Consolidation",
    "Infiltration",
    "Pneumothorax",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Effusion",
    "Pneumonia",
    "Pleural_Thickening",
    "Cardiomegaly",
    "Nodule",
    "Mass",
    "Hernia",
    "Lung Lesion",
    "Fracture",
    "Lung Opacity",
    "Enlarged Cardiomediastinum",
)


def map_outputs(
    n_outputs: int,
    dataset_classes: tuple[str, ...],
    file_names: tuple[str, ...] = (),
    given: tuple[str, ...] | None = None,
    one_channel_densenet: bool = False,
) -> Outputs:
    """By the names a person gave, else the file's own, else torchxrayvision's, else by order.

    Names are compared without case, spaces and punctuation. Raises InputError that says what to
    give where the outputs and the classes cannot be matched.
    """
    if given is not None:
        return _person(n_outputs, dataset_classes, file_names, given)
    if file_names and len(file_names) == n_outputs:
        return _named(n_outputs, dataset_classes, file_names, "file")
    if one_channel_densenet and n_outputs == len(XRV_CLASSES):
        return _named(n_outputs, dataset_classes, XRV_CLASSES, "torchxrayvision")
    if n_outputs == len(dataset_classes):
        return Outputs(n_outputs, "order", dataset_classes, (), (), dataset_classes)
    found = tuple(name for name in dataset_classes if _plain(name) != _plain(NO_FINDING))
    if n_outputs == len(found):  # many networks have an output for each finding, and none for that
        return _outputs(n_outputs, dataset_classes, (), found, "order")
    raise InputError(_explanation(n_outputs, dataset_classes, file_names))


def as_far_as_known(
    n_outputs: int,
    dataset_classes: tuple[str, ...],
    file_names: tuple[str, ...] = (),
    given: tuple[str, ...] | None = None,
) -> Outputs:
    """The same where `map_outputs` refuses: what a person has to put right is all that is shown
    wrong, be it a class that two outputs have."""
    by, names = ("nobody", file_names) if given is None else ("person", given)
    classes = in_words_of(dataset_classes, names)
    if len(classes) != n_outputs:
        by, classes = "nobody", ("",) * n_outputs
    without = tuple(name for name in dataset_classes if name not in classes)
    return Outputs(n_outputs, by, classes, file_names, without, dataset_classes)  # type: ignore[arg-type]


def _explanation(
    n_outputs: int, dataset_classes: tuple[str, ...], file_names: tuple[str, ...]
) -> str:
    n = len(dataset_classes)
    outputs = "1 output" if n_outputs == 1 else f"{n_outputs} outputs"
    named = f"{len(file_names)} ({some(file_names)})" if file_names else "no classes"
    start = f"The network has {outputs}, the dataset {n} classes, and the file names {named}."
    if n_outputs < n:
        advice = "If they are some of these classes, say which, in order"
        example = ",".join(dataset_classes[:n_outputs])
    else:
        advice = "Say which class each output stands for, with - for those that have none"
        example = ",".join([*dataset_classes[:2], "-", "..."])
    return f'{start} {advice}: --classes "{example[:120]}".'


def _person(
    n_outputs: int,
    dataset_classes: tuple[str, ...],
    file_names: tuple[str, ...],
    given: tuple[str, ...],
) -> Outputs:
    if len(given) != n_outputs:
        raise InputError(
            f"{len(given)} classes were given for {n_outputs} outputs; give one for each, with - "
            "for an output without a class."
        )
    known = {_plain(name): name for name in dataset_classes}
    unknown = [name for name in given if name and _plain(name) not in known]
    if unknown:
        raise InputError(
            f"The dataset has no class {unknown[0]!r}; it has: {', '.join(dataset_classes)}."
        )
    classes = tuple(known[_plain(name)] if name else "" for name in given)
    return _outputs(n_outputs, dataset_classes, file_names, classes, "person")


def in_words_of(dataset_classes: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """Each name as the dataset writes it, "" where it has no such class."""
    known = {_plain(name): name for name in dataset_classes}
    return tuple(known.get(_plain(name), "") for name in names)


def _named(
    n_outputs: int, dataset_classes: tuple[str, ...], names: tuple[str, ...], by: str
) -> Outputs:
    classes = in_words_of(dataset_classes, names)
    if not any(classes):
        raise InputError(
            f"None of the network's outputs ({some(names)}) is a class of the dataset "
            f"({some(dataset_classes)}). If they are the same under other names, give --classes."
        )
    return _outputs(n_outputs, dataset_classes, names, classes, by)


def _outputs(
    n_outputs: int,
    dataset_classes: tuple[str, ...],
    file_names: tuple[str, ...],
    classes: tuple[str, ...],
    by: str,
) -> Outputs:
    named = [name for name in classes if name]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise InputError(f"Two outputs stand for the class {twice[0]!r}; one has to be left out.")
    if not named:
        raise InputError("No output stands for a class, so there is nothing to measure.")
    without = tuple(name for name in dataset_classes if name not in named)
    return Outputs(n_outputs, by, classes, file_names, without, dataset_classes)  # type: ignore[arg-type]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
