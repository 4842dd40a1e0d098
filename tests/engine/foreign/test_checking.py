"""Whether a network ranks images better than chance, judged on few of them."""

from __future__ import annotations

import numpy as np

from core.engine.foreign.checking import check_dense
from core.study.labels import label_matrix
from tests.toys import TOY_CLASSES, toy_labels


def sample(n: int = 200):
    return toy_labels(n, seed=5, frequencies=(0.3, 0.2, 0.15, 0.1))


def knowing(strength: float, seed: int = 0) -> np.ndarray:
    truth = label_matrix(sample().table, TOY_CLASSES)
    noise = np.random.default_rng(seed).normal(size=truth.shape)
    return (1 / (1 + np.exp(-(strength * truth + noise)))).astype(np.float32)


def test_knowing_guessing_and_confusing_are_told_apart():
    assert check_dense(sample(), knowing(2.0), "fp32").verdict == "better"
    assert check_dense(sample(), knowing(-2.0), "fp32").verdict == "worse"
    verdicts = [check_dense(sample(), knowing(0, seed), "fp32").verdict for seed in range(60)]
    assert verdicts.count("chance") >= 54  # 95 % intervals


def test_a_shared_brightness_is_not_mistaken_for_knowledge():
    """Untrained outputs rise or fall with one property of an image, that labels go along with."""
    rng = np.random.default_rng(3)
    verdicts = []
    for _ in range(40):
        labels = sample()
        truth = label_matrix(labels.table, TOY_CLASSES)
        bright = truth @ rng.normal(size=truth.shape[1]) + rng.normal(size=len(truth))
        signs = rng.choice([-1.0, 1.0], truth.shape[1])
        scores = bright[:, None] * signs + 0.3 * rng.normal(size=truth.shape)
        outputs = (1 / (1 + np.exp(-scores))).astype(np.float32)
        verdicts.append(check_dense(labels, outputs, "fp32").verdict)
    assert verdicts.count("better") <= 5


def test_too_few_positives_are_not_a_verdict():
    labels = toy_labels(20, frequencies=(0.01,) * 4)
    outputs = np.full((20, 5), 0.5, np.float32)
    assert check_dense(labels, outputs, "fp32").verdict == "unknown"
