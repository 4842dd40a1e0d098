"""Networks that a library builds: torchvision, timm or torchxrayvision, imported when needed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from core.errors import InputError, WorkError
from core.study.networks import index
from core.study.settings import ModelSettings

# Built without the heads that only training uses.
WITHOUT_AUXILIARY = ("inception_v3", "googlenet")


def build_of_library(settings: ModelSettings, n_classes: int) -> nn.Module:
    """The network `settings.architecture` of the index, with `n_classes` outputs.

    Raises InputError for an image size, a number of channels or weights that it cannot have, and
    WorkError where its weights cannot be fetched.
    """
    network = index().networks[settings.architecture]
    # The size is said only where it is not the one the network is made for anyway.
    other = network.fixed_size and settings.image_size != network.image_size
    size = settings.image_size if other else None
    trained = settings.weights == "imagenet"
    try:
        model = make(network.name, n_classes, settings.channels, size, trained)
    except InputError:
        raise
    except OSError as error:  # the download of the weights
        raise WorkError(
            f"Weights of {network.name} could not be fetched ({error}). Connect once so that they "
            'are kept, or set model.weights = "none".'
        ) from error
    except (AssertionError, ValueError, RuntimeError, TypeError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InputError(
            f"{network.name} cannot be built for images of {settings.image_size} px with "
            f"{settings.channels} channels: {said.rstrip('.')}. It is made for "
            f"{network.image_size} px."
        ) from error
    model.output_layers = output_layers(settings.architecture)  # type: ignore[assignment]
    return model


@lru_cache(maxsize=64)
def output_layers(architecture: str) -> tuple[str, ...]:
    """The modules with a row for each class, by name, such as ("head", "head_dist")."""
    head = index().networks[architecture].head
    return tuple(dict.fromkeys(name.rpartition(".")[0] for name in head))


def make(
    name: str,
    n_classes: int,
    channels: int = 3,
    image_size: int | None = None,
    trained: bool = False,
) -> nn.Module:
    """A network by its library's own builder. `image_size` only for those that are made for one;
    `trained`: on ImageNet, else random."""
    library, _, own = name.partition("/")
    build = {"torchvision": _torchvision, "timm": _timm, "torchxrayvision": _torchxrayvision}
    return build[library](own, n_classes, channels, image_size, trained)


def _timm(
    name: str, n_classes: int, channels: int, image_size: int | None, trained: bool
) -> nn.Module:
    import timm

    size: dict[str, Any] = {"img_size": image_size} if image_size else {}
    return timm.create_model(
        name, pretrained=trained, num_classes=n_classes, in_chans=channels, **size
    )


def _torchvision(
    name: str, n_classes: int, channels: int, image_size: int | None, trained: bool
) -> nn.Module:
    from torchvision import models

    more: dict[str, Any] = {"image_size": image_size} if image_size else {}
    if name in WITHOUT_AUXILIARY:
        if trained:
            raise InputError(f'torchvision/{name} starts from model.weights = "none" here.')
        more |= {"aux_logits": False, "init_weights": not torch.empty(0).is_meta}
    with _widths_of_regnets():
        if trained:
            model = models.get_model(name, weights="IMAGENET1K_V1", **more)
            for layer in output_layers(f"torchvision/{name}"):
                _set(model, layer, _like(model.get_submodule(layer), n_classes, 1))
        else:
            model = models.get_model(name, weights=None, num_classes=n_classes, **more)
    if channels != 3:
        stem, first = next((n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d))
        _set(model, stem, _like(first, channels, 0))
    return model


@contextmanager
def _widths_of_regnets() -> Iterator[None]:
    """torchvision works out a RegNet's widths with tensors, which on the meta device have none."""
    from torchvision.models.regnet import BlockParams

    kept = BlockParams.from_init_params

    def on_cpu(*given: Any, **named: Any) -> BlockParams:
        with torch.device("cpu"):
            return kept(*given, **named)

    BlockParams.from_init_params = on_cpu  # type: ignore[method-assign]
    try:
        yield
    finally:
        BlockParams.from_init_params = kept  # type: ignore[method-assign]


def _torchxrayvision(
    name: str, n_classes: int, channels: int, image_size: int | None, trained: bool
) -> nn.Module:
    if trained:
        raise InputError(f'torchxrayvision/{name} starts from model.weights = "none".')
    with warnings.catch_warnings():  # it silences everybody's
        from torchxrayvision.models import DenseNet

    return DenseNet(num_classes=n_classes, in_channels=channels)


def _like(layer: nn.Module, n: int, dimension: int) -> nn.Module:
    """A new layer with other inputs (dimension 0) or outputs (1)."""
    bias = layer.bias is not None
    if isinstance(layer, nn.Linear):
        return nn.Linear(layer.in_features, n, bias)
    if not isinstance(layer, nn.Conv2d):
        raise TypeError(f"a layer of kind {type(layer).__name__} cannot be replaced")
    channels = (n, layer.out_channels) if dimension == 0 else (layer.in_channels, n)
    how = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
    return nn.Conv2d(*channels, layer.kernel_size, bias=bias, **how)  # type: ignore[arg-type]


def _set(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module where another one of that name was."""
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, module)
