"""Networks whose weights have equal names and shapes, and that compute something else from them.

Nothing in a file tells them apart, so a person says which it is. How well each predicts the sample
is what a proposal can go by: a network with another's arithmetic predicts worse.
"""

from __future__ import annotations

import numpy as np

from core.checkpoints.checks import Twin
from core.engine.foreign import checking
from core.engine.foreign.adopting import keep_outputs, network_of
from core.engine.foreign.guessing import Match, match
from core.engine.foreign.layouts import Tensors
from core.engine.pixels import Pixels
from core.engine.preprocessing import Activation, Normalisation
from core.engine.sweep import for_inference, predict
from core.study.labels import Labels
from core.study.progress import Advance


def compare(
    tensors: Tensors,
    found: Match,
    rows: list[int],
    sample: Labels,
    pixels: Pixels,
    seen: tuple[Normalisation, Activation],
    precision: str,
    advance: Advance,
) -> tuple[Twin, ...]:
    """`found`, which the file's `tensors` fit, and its alternatives on the same pictures, the best
    first. rows: the output of each of the sample's classes."""
    names = (found.settings.architecture, *found.alternatives)
    twins = []
    for number, name in enumerate(names):
        advance(number, len(names))
        one = match(tensors, name, found.settings.image_size) if number else found
        model = network_of(one)
        keep_outputs(model, rows)
        network = for_inference(model, precision)
        order = np.arange(len(pixels))
        answers = predict(network, pixels, order, checking.BATCH, lambda done, n: None, *seen)
        twins.append(Twin(name, checking.check_dense(sample, answers, precision).mean_auroc))
    return tuple(sorted(twins, key=lambda twin: -(twin.mean_auroc or 0)))
