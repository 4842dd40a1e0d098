"""Classifiers of several layers, as people put them in place of a network's last layer."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from core.study.given_networks import BATCH_NORM

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "linear": nn.Identity,
}


def classifier(layers: str, n_features: int, n_classes: int) -> nn.Sequential:
    """`layers` as in `model.head`, such as "512 relu": a number is a Linear of that many outputs.
    After them comes a Linear with `n_classes`. Dropout, which predictions know nothing of, is
    left out."""
    made: list[nn.Module] = []
    width = n_features
    for word in layers.split():
        if word.isdecimal():
            made.append(nn.Linear(width, int(word)))
            width = int(word)
        else:
            made.append(nn.BatchNorm1d(width) if word == BATCH_NORM else ACTIVATIONS[word]())
    return nn.Sequential(*made, nn.Linear(width, n_classes))


def with_activation(layers: str, name: str) -> str:
    """The same layers with another activation throughout."""
    return " ".join(name if word in ACTIVATIONS else word for word in layers.split())
