"""The dense model on some test images: does it know more than chance, and how fast is it?"""

from __future__ import annotations

import base64
import io
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from torch import nn

from core.analysis.influence import influences
from core.analysis.metrics import metrics_table
from core.checkpoints.formats import shown
from core.checkpoints.preflight import ClassCheck, DenseCheck
from core.engine.onnx import OnnxNetwork
from core.engine.pixels import Pixels, decode, without_skipped
from core.engine.precision import native_bf16
from core.engine.preprocessing import Activation, Normalisation, framing_of
from core.engine.sweep import for_inference, predict
from core.errors import InputError
from core.pictures.images import read_grey
from core.pictures.samples import BadImage
from core.study import paths
from core.study.config import StudyConfig
from core.study.labels import Labels, label_matrix
from core.study.progress import Advance

# Below this many of either kind, a class says nothing about chance.
FEW = 3
BATCH = 32
TIMED_IMAGES = 16
SAME_ALONE = 1e-3  # apart are probabilities of one graph, which sums in another order
PREVIEWS = 3
# For the order of outputs: more images than tell whether a network beats chance.
SECONDS_FOR_ORDER = 30.0
MOST_FOR_ORDER = 1000


def sample_of_test(labels: Labels, n: int) -> Labels:
    """`n` test images drawn by the dataset's fingerprint: equal data, equal sample."""
    test = labels.split("test")
    if not len(test):
        raise InputError("The dataset has no test images, on which a checkpoint could be studied.")
    if len(test) > n:
        rng = np.random.default_rng(int(labels.fingerprint(), 16))
        test = test.iloc[np.sort(rng.choice(len(test), n, replace=False))]
    return Labels(test, labels.class_names)


def others_of_all(labels: Labels, sample: Labels, n: int) -> Labels | None:
    """`n` further images of any split: half of them those with the rarest findings, of which there
    are too few in a sample, the others drawn by the dataset's fingerprint. None where there are
    none, or none are asked for."""
    left = labels.table[~labels.table["image_id"].isin(sample.table["image_id"])]
    if not n or left.empty:
        return None
    truth = label_matrix(left, labels.class_names)
    found = np.nansum(truth, axis=0)
    rarest = np.where(truth == 1, found, np.inf).min(axis=1, initial=np.inf)
    drawn = np.random.default_rng(int(labels.fingerprint(), 16)).random(len(left))
    rare_first = np.lexsort((drawn, rarest))
    rare, rest = rare_first[: n // 2], rare_first[n // 2 :]
    chosen = np.concatenate([rare, rest[np.argsort(drawn[rest])][: n - n // 2]])
    return Labels(left.iloc[np.sort(chosen)], labels.class_names)


def decode_sample(sample: Labels, config: StudyConfig, advance: Advance) -> tuple[Labels, Pixels]:
    """The sample's images as the study will decode them, without those that cannot be read."""
    images, size = paths.images_dir(config.dataset), config.model.image_size
    if images is None:
        raise InputError("dataset.images is not given, so there are no images to read.")
    framing = framing_of(config.checkpoint)
    folder = paths.pixels_dir(sample.fingerprint(), images, size, framing)
    pixels = decode(sample, images, size, folder, "skip", advance, framing)
    return without_skipped(sample, pixels), pixels


def bad_images(pixels: Pixels) -> list[str]:
    """A warning where images of the sample cannot be read: so will be others of the study."""
    if not pixels.skipped:
        return []
    first, n = pixels.skipped[0], len(pixels.skipped)
    return [
        f"{n:,} of the {n + len(pixels):,} images looked at cannot be read, such as "
        f"{shown(first['image_id'])} ({first['reason']}): the study leaves such images out and "
        "lists them"
    ]


@dataclass(frozen=True)
class Timed:
    """(images, classes) probabilities in `precision`; images per second of the study's own
    precision, and in bf16 where the device computes in it itself."""

    probabilities: np.ndarray
    precision: str
    rate: float
    rate_bf16: float | None


def predict_timed(
    model: nn.Module,
    pixels: Pixels,
    seen: tuple[Normalisation, Activation],
    config: StudyConfig,
    report: Advance,
) -> Timed:
    """Where the device computes in bf16 itself the look takes half the time in it, and the order of
    images, on which AP depends, hardly differs; the study's own precision is then only timed.
    """
    precision = config.sweep.precision
    native = native_bf16() and not isinstance(model, OnnxNetwork)
    quick = "bf16" if native else precision
    rows = np.arange(len(pixels))
    network = for_inference(model, quick)
    found, quick_rate = _timed(network, pixels, rows, seen, report)
    rate = quick_rate
    if quick != precision:
        network = for_inference(model, precision)
        _timed(network, pixels, rows[:2], seen, _silent)
        _, rate = _timed(network, pixels, rows[:TIMED_IMAGES], seen, _silent)
    return Timed(found, quick, rate, quick_rate if native else None)


def refuse_changing(
    model: nn.Module, pixels: Pixels, seen: tuple[Normalisation, Activation]
) -> None:
    """Raise InputError where a graph gives an image other probabilities when it is asked again, or
    with other images: it was exported as it is in training."""
    rows = np.arange(min(len(pixels), 3))
    together = predict(model, pixels, rows, BATCH, _silent, *seen)
    alone = [
        predict(model, pixels, rows[i : i + 1], BATCH, _silent, *seen) for i in range(len(rows))
    ]
    apart = float(np.abs(together - np.concatenate(alone)).max())
    if apart > SAME_ALONE:
        raise InputError(
            f"The graph gives an image other probabilities with other images beside it (up to "
            f"{apart:.2g} apart), so it was exported in training mode. Export it again after "
            "model.eval()."
        )


def predict_exactly(
    model: nn.Module, pixels: Pixels, seen: tuple[Normalisation, Activation]
) -> np.ndarray:
    """(images, classes) probabilities in fp32, to compare with somebody else's."""
    network = for_inference(model, "fp32")
    return predict(network, pixels, np.arange(len(pixels)), BATCH, _silent, *seen)


def _timed(
    network: nn.Module,
    pixels: Pixels,
    rows: np.ndarray,
    seen: tuple[Normalisation, Activation],
    report: Advance,
) -> tuple[np.ndarray, float]:
    moments = [(0, time.monotonic())]

    def advance(done: int, total: int) -> None:
        moments.append((done, time.monotonic()))
        report(done, total)

    found = predict(network, pixels, rows, BATCH, advance, *seen)
    # The first batch of many also pays for what is set up once.
    first = moments[1] if len(moments) > 2 else moments[0]
    seconds = max(moments[-1][1] - first[1], 1e-6)
    return found, (moments[-1][0] - first[0]) / seconds


def _silent(done: int, total: int) -> None:
    """Nobody watches a timing."""


def check_dense(sample: Labels, probabilities: np.ndarray, precision: str) -> DenseCheck:
    """AP against prevalence per class, and mean AUROC with its interval over patients.

    Its variance has two parts. Over patients, the infinitesimal jackknife's, in which the classes'
    errors need not be independent. Over classes, their spread: an untrained network still sees
    how bright an image is, which sets single classes apart either way, but not most of them the
    right way. Classes with fewer than FEW positives or negatives are left out.
    """
    truth = label_matrix(sample.table, sample.class_names)
    table = metrics_table(truth, probabilities, sample.class_names)
    certain = (~np.isnan(truth)).sum(axis=0)
    positives, negatives = (truth == 1).sum(axis=0), (truth == 0).sum(axis=0)
    classes = tuple(
        ClassCheck(
            str(row.class_name),
            int(row.n_positive),
            float(positives[i] / max(certain[i], 1)),
            _number(row.ap),
            _number(row.auroc),
        )
        for i, row in enumerate(table.itertuples())
    )
    enough = np.flatnonzero((positives >= FEW) & (negatives >= FEW))
    low = high = mean = None
    if len(enough):
        parts = [influences(truth[:, c], probabilities[:, c])["auroc"] for c in enough]
        mean = float(np.mean([part.value for part in parts]))
        of_images = np.mean([part.of_images for part in parts], axis=0)
        of_patients = pd.Series(of_images).groupby(sample.table["patient_id"].to_numpy()).sum()
        values = np.array([part.value for part in parts])
        spread = float(values.var(ddof=1)) / len(values) if len(values) > 1 else 0.0
        error = 1.96 * float(np.sqrt((of_patients**2).sum() + spread))
        low, high = max(0.0, mean - error), min(1.0, mean + error)
    measured = [one for one in classes if one.ap is not None]
    return DenseCheck(
        n_images=len(sample.table),
        precision=precision,
        n_measured=len(enough),
        classes=classes,
        mean_ap=_mean([one.ap for one in measured if one.ap is not None]),
        mean_prevalence=_mean([one.prevalence for one in measured]),
        mean_auroc=mean,
        low=low,
        high=high,
    )


def previews(pixels: Pixels) -> tuple[str, ...]:
    """The first few images at the network's own size, as PNG in base64."""
    made = []
    for grey in pixels.read(np.arange(min(PREVIEWS, len(pixels)))):
        buffer = io.BytesIO()
        Image.fromarray(grey).save(buffer, "PNG")
        made.append(base64.b64encode(buffer.getvalue()).decode("ascii"))
    return tuple(made)


def decoding_rate(sample: Labels, images: Path, size: int) -> float:
    """Images decoded per second by one thread, of the first five that can be read."""
    started, n = time.monotonic(), 0
    for path in sample.table["path"].iloc[:5]:
        try:
            read_grey(images / path, size)
        except BadImage:
            continue
        n += 1
    return max(n, 1) / max(time.monotonic() - started, 1e-6)


def _number(value: object) -> float | None:
    return None if pd.isna(value) else float(value)  # type: ignore[call-overload, arg-type]


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
