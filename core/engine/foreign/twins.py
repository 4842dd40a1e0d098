"""What nothing in a file tells apart: networks whose weights have equal names and shapes, and what
a classifier of several layers computes between them.

A person says which it is. How well each predicts the sample is what a proposal can go by: with
another's arithmetic a network predicts worse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

import numpy as np

from core.checkpoints.checks import Twin
from core.engine.classifiers import with_activation
from core.engine.foreign import checking
from core.engine.foreign.adopting import keep_outputs, network_of
from core.engine.foreign.guessing import Match, match
from core.engine.foreign.layouts import Tensors
from core.engine.pixels import Pixels
from core.engine.preprocessing import Activation, Normalisation
from core.engine.sweep import for_inference, predict
from core.study import given_networks
from core.study.labels import Labels
from core.study.progress import Advance

# The output of each class, the sample and its pictures, how they are seen, and the precision.
How = tuple[list[int], Labels, Pixels, tuple[Normalisation, Activation], str]


def networks(tensors: Tensors, found: Match) -> dict[str, Match]:
    """`found`, which the file's tensors fit, and those of its alternatives that they fit too at
    its size of image, by architecture."""
    size = found.settings.image_size
    others = {name: match(tensors, name, size) for name in found.alternatives}
    fit = {name: other for name, other in others.items() if other.keys.fit}
    return {found.settings.architecture: found} | fit


def activations(found: Match) -> dict[str, Match]:
    """With each activation in its classifier of several layers, by name."""
    by_name = {}
    for name in get_args(given_networks.Activation):
        head = {"head": with_activation(found.settings.head, name)}
        by_name[name] = replace(found, settings=found.settings.model_copy(update=head))
    return by_name


def compare(candidates: Mapping[str, Match], how: How, advance: Advance) -> tuple[Twin, ...]:
    """Each on the same pictures, the best first."""
    rows, sample, pixels, seen, precision = how
    twins, order = [], np.arange(len(pixels))
    for number, (name, candidate) in enumerate(candidates.items()):
        advance(number, len(candidates))
        model = network_of(candidate)
        keep_outputs(model, rows)
        network = for_inference(model, precision)
        answers = predict(network, pixels, order, checking.BATCH, lambda done, n: None, *seen)
        twins.append(Twin(name, checking.check_dense(sample, answers, precision).mean_auroc))
    return tuple(sorted(twins, key=lambda twin: -(twin.mean_auroc or 0)))
