"""Model registry: name -> network with one output per class. Torchvision, plus one small ResNet."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torchvision import models as tv
from torchvision.models.resnet import BasicBlock

from core.engine.classifiers import classifier
from core.engine.libraries import build_of_library
from core.engine.onnx import ONNX, OnnxNetwork
from core.engine.registry import chosen
from core.errors import InputError, WorkError
from core.study.networks import of_library
from core.study.settings import ModelSettings


def _replace_last(network: nn.Module, n_classes: int) -> nn.Module:
    """Swap the last Linear layer, wherever the architecture keeps it, for one of `n_classes`."""
    name, last = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Linear)][-1]
    parent, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(parent), leaf, nn.Linear(last.in_features, n_classes))
    return network


def _with_one_channel(network: nn.Module) -> nn.Module:
    """Swap the first convolution for one that takes grey images as they are."""
    name, first = next((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d))
    parent, _, leaf = name.rpartition(".")
    grey = nn.Conv2d(
        1,
        first.out_channels,
        first.kernel_size,  # type: ignore[arg-type]
        stride=first.stride,  # type: ignore[arg-type]
        padding=first.padding,  # type: ignore[arg-type]
        bias=first.bias is not None,
    )
    setattr(network.get_submodule(parent), leaf, grey)
    return network


def _torchvision(build: Callable, weights: str) -> Callable[[ModelSettings, int], nn.Module]:
    def make(settings: ModelSettings, n_classes: int) -> nn.Module:
        chosen = weights if settings.weights == "imagenet" else None
        try:
            return _replace_last(build(weights=chosen), n_classes)
        except OSError as error:  # the download of the weights
            raise WorkError(
                f"ImageNet weights of {settings.architecture} could not be fetched ({error}). "
                f'Connect once so that they are kept, or set model.weights = "none".'
            ) from error

    return make


def _vit_b_16(settings: ModelSettings, n_classes: int) -> nn.Module:
    if settings.image_size % 16:
        raise InputError(
            f"vit_b_16 needs an image_size divisible by 16, not {settings.image_size}."
        )
    if settings.weights == "imagenet" and settings.image_size != 224:
        raise InputError("vit_b_16 with ImageNet weights needs model.image_size = 224.")

    def build(weights: str | None) -> nn.Module:
        return tv.vit_b_16(weights=weights, image_size=settings.image_size)

    return _torchvision(build, "IMAGENET1K_V1")(settings, n_classes)


class SmallResNet(nn.Module):
    """Four stages of one basic block each (He et al., CVPR 2016), for images of about 64 px."""

    WIDTHS = (32, 64, 128, 256)

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, self.WIDTHS[0], 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(self.WIDTHS[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
        stages, width_in = [], self.WIDTHS[0]
        for width in self.WIDTHS:
            stride = 1 if width == width_in else 2
            shortcut = None
            if stride == 2:
                shortcut = nn.Sequential(
                    nn.Conv2d(width_in, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
                )
            stages.append(BasicBlock(width_in, width, stride, shortcut))
            width_in = width
        self.stages = nn.Sequential(*stages)
        self.classifier = nn.Linear(width_in, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(images, 3, height, width) -> (images, classes) logits."""
        return self.classifier(self.stages(self.stem(images)).mean(dim=(2, 3)))


def _resnet_small(settings: ModelSettings, n_classes: int) -> nn.Module:
    if settings.weights != "none":
        raise InputError('resnet_small has no ImageNet weights; set model.weights = "none".')
    return SmallResNet(n_classes)


MODELS: dict[str, Callable[[ModelSettings, int], nn.Module]] = {
    "resnet_small": _resnet_small,
    "resnet18": _torchvision(tv.resnet18, "IMAGENET1K_V1"),
    "resnet34": _torchvision(tv.resnet34, "IMAGENET1K_V1"),
    "resnet50": _torchvision(tv.resnet50, "IMAGENET1K_V1"),
    "resnet101": _torchvision(tv.resnet101, "IMAGENET1K_V1"),
    "resnet152": _torchvision(tv.resnet152, "IMAGENET1K_V1"),
    "densenet121": _torchvision(tv.densenet121, "IMAGENET1K_V1"),
    "densenet169": _torchvision(tv.densenet169, "IMAGENET1K_V1"),
    "densenet201": _torchvision(tv.densenet201, "IMAGENET1K_V1"),
    "efficientnet_b0": _torchvision(tv.efficientnet_b0, "IMAGENET1K_V1"),
    "efficientnet_b1": _torchvision(tv.efficientnet_b1, "IMAGENET1K_V1"),
    "efficientnet_b2": _torchvision(tv.efficientnet_b2, "IMAGENET1K_V1"),
    "efficientnet_b3": _torchvision(tv.efficientnet_b3, "IMAGENET1K_V1"),
    "convnext_tiny": _torchvision(tv.convnext_tiny, "IMAGENET1K_V1"),
    "convnext_small": _torchvision(tv.convnext_small, "IMAGENET1K_V1"),
    "convnext_base": _torchvision(tv.convnext_base, "IMAGENET1K_V1"),
    "mobilenet_v3_small": _torchvision(tv.mobilenet_v3_small, "IMAGENET1K_V1"),
    "mobilenet_v3_large": _torchvision(tv.mobilenet_v3_large, "IMAGENET1K_V1"),
    "vit_b_16": _vit_b_16,
    "swin_t": _torchvision(tv.swin_t, "IMAGENET1K_V1"),
}


def output_layers(model: nn.Module) -> list[nn.Linear | nn.Conv2d]:
    """The layers with a row for each class: a library's network names them, else the last."""
    names = getattr(model, "output_layers", None)
    if names is not None:
        return [model.get_submodule(name) for name in names]  # type: ignore[misc]
    return [[module for module in model.modules() if isinstance(module, nn.Linear)][-1]]


def _put_head(network: nn.Module, layers: str, n_classes: int) -> None:
    """Several layers in place of the last one."""
    last, *more = output_layers(network)
    if more or not isinstance(last, nn.Linear):
        raise InputError(f"model.head: {layers!r} can only stand before a single linear layer.")
    name = next(name for name, module in network.named_modules() if module is last)
    parent, _, leaf = name.rpartition(".")
    made = classifier(layers, last.in_features, n_classes)
    setattr(network.get_submodule(parent), leaf, made)
    if getattr(network, "output_layers", None):
        network.output_layers = (f"{name}.{len(made) - 1}",)  # type: ignore[assignment]


def _with_eps(network: nn.Module, settings: ModelSettings) -> nn.Module:
    """With `norm_eps` in its layer norms; of a ConvNeXt only in the last, as in Hugging Face's."""
    norms = [module for module in network.modules() if isinstance(module, nn.LayerNorm)]
    for norm in norms[-1:] if "convnext" in settings.architecture else norms:
        norm.eps = settings.norm_eps or norm.eps
    return network


def build_model(settings: ModelSettings, n_classes: int, seed: int) -> nn.Module:
    """A network of `n_classes` logits whose random weights depend only on `seed`; an ONNX graph
    has its own, and is empty until they are loaded."""
    if settings.architecture == ONNX:
        return OnnxNetwork()
    library = of_library(settings.architecture)
    build = build_of_library if library else chosen(MODELS, settings.architecture, "architecture")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(settings, n_classes)
        if settings.head:
            _put_head(network, settings.head, n_classes)
    if not library and settings.channels != 3:
        network = _with_one_channel(network)
    return _with_eps(network, settings) if settings.norm_eps else network
