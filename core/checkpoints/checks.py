"""What a preflight found out about a network's probabilities: against chance, for another order of
its outputs, and against the owner's own numbers."""

from __future__ import annotations

from dataclasses import dataclass

from core.wording.words import count

# What rounding, another decoder of JPEG and bf16 come to between two programs.
SAME_PROBABILITY = 0.01


@dataclass(frozen=True)
class Moved:
    """An output, counted from 1, that is taken for `class_name` and seems to stand for `seems`,
    with its AUROC for either; see `order_check`."""

    output: int
    class_name: str
    seems: str
    auroc: float
    auroc_of_seems: float

    def __str__(self) -> str:
        return (
            f"output {self.output} is taken for {self.class_name} (AUROC {self.auroc:.2f}) and "
            f"ranks {self.seems} better ({self.auroc_of_seems:.2f})"
        )


@dataclass(frozen=True)
class Twin:
    """What the file may be, an architecture or an activation, and its mean AUROC on the sample."""

    name: str
    mean_auroc: float | None

    def __str__(self) -> str:
        measured = "unknown" if self.mean_auroc is None else f"{self.mean_auroc:.3f}"
        return f"{self.name} (mean AUROC {measured})"


def which_twin(twins: tuple[Twin, ...], n_images: int) -> str:
    """What a person has to say where several networks fit, the best of them first."""
    what = (
        f"{len(twins)} networks have weights of these names and shapes and compute something else "
        "from them"
    )
    return _which(what, twins, n_images, "--arch ")


def which_activation(head: str, twins: tuple[Twin, ...], n_images: int) -> str:
    """What a person has to say of a classifier of several layers."""
    n_layers = sum(word.isdecimal() for word in head.split()) + 1
    what = f"Its classifier has {n_layers} layers, and no file says what is computed between them"
    return _which(what, twins, n_images, "--set model.head=")


def _which(what: str, twins: tuple[Twin, ...], n_images: int, how: str) -> str:
    best = twins[0].name
    proposed = "" if twins[0].mean_auroc is None else f"{best} predicts them best. "
    measured = ", ".join(map(str, twins))
    return f"{what}; on {n_images} test images: {measured}. {proposed}Say which it is: {how}{best}."


@dataclass(frozen=True)
class ReferenceClass:
    """By how much our probabilities of a class are off at most, and Spearman's correlation."""

    class_name: str
    largest: float
    rank_correlation: float | None


@dataclass(frozen=True)
class ReferenceCheck:
    """Our probabilities, in fp32, against the owner's; `image_id` is where they differ most."""

    n_images: int
    image_id: str
    classes: tuple[ReferenceClass, ...]

    @property
    def largest(self) -> float:
        return max(one.largest for one in self.classes)

    @property
    def agrees(self) -> bool:
        return self.largest <= SAME_PROBABILITY

    @property
    def sentence(self) -> str:
        worst = max(self.classes, key=lambda one: one.largest)
        ranks = [one.rank_correlation for one in self.classes if one.rank_correlation is not None]
        alike = f"; rank correlation {min(ranks):.3f} or more in each class" if ranks else ""
        return (
            f"{'equal to' if self.agrees else 'different from'} the owner's on "
            f"{count(self.n_images, 'image')}: by at most {self.largest:.2g} ({worst.class_name}, "
            f"{self.image_id}){alike}"
        )


@dataclass(frozen=True)
class Estimate:
    """Of the whole study, from rates measured here. `images_per_second` go through one model at
    the precision of the report's `config`; `images_per_second_bf16` is None where bf16 would only
    be imitated."""

    images_per_second: float
    n_predictions: int
    seconds: float
    disk_bytes: int
    free_bytes: int
    images_per_second_bf16: float | None = None
