"""How libraries name the same weights, and what torchvision calls them.

torchvision, timm and torchxrayvision agree on the names of ResNets and DenseNets. timm's ViT,
ConvNeXt and EfficientNet hold the same weights under other names; the tables below translate them
(timm 1.0, `models/vision_transformer.py`, `convnext.py`, `efficientnet.py`). Neither library is
needed to read its files.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch

Tensors = dict[str, torch.Tensor]
RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
DENSENETS = ("densenet121", "densenet169", "densenet201")
MOBILENETS = ("mobilenet_v3_small", "mobilenet_v3_large")
CONVNEXTS = ("convnext_tiny", "convnext_small", "convnext_base")
EFFICIENTNETS = ("efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3")


def as_they_are(tensors: Tensors) -> Tensors:
    return tensors


@dataclass(frozen=True)
class Layout:
    """A family of networks in one library's names: `marker` is a name that all of them have."""

    library: str
    marker: str
    architectures: tuple[str, ...]
    rename: Callable[[Tensors], Tensors] = as_they_are


def densenet_of_old(tensors: Tensors) -> Tensors:
    """Before torch 0.4, `denselayer1.norm.1.weight`; torchvision renames these as it loads."""
    pattern = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")
    return {pattern.sub(r"\1\2.", name): tensor for name, tensor in tensors.items()}


def densenet_of_monai(tensors: Tensors) -> Tensors:
    """MONAI 1.x, `networks/nets/densenet.py`: a layer's parts under `layers`, another head."""
    renamed = {re.sub(r"(denselayer\d+)\.layers\.", r"\1.", n): t for n, t in tensors.items()}
    return {n.replace("class_layers.out.", "classifier."): t for n, t in renamed.items()}


def vit_of_timm(tensors: Tensors) -> Tensors:
    words = {
        "cls_token": "class_token",
        "pos_embed": "encoder.pos_embedding",
        "patch_embed.proj.": "conv_proj.",
        "norm.": "encoder.ln.",
        "head.": "heads.head.",
    }
    inside = {
        "norm1.": "ln_1.",
        "attn.qkv.weight": "self_attention.in_proj_weight",
        "attn.qkv.bias": "self_attention.in_proj_bias",
        "attn.proj.": "self_attention.out_proj.",
        "norm2.": "ln_2.",
        "mlp.fc1.": "mlp.0.",
        "mlp.fc2.": "mlp.3.",
    }

    def renamed(name: str) -> str:
        if block := re.match(r"blocks\.(\d+)\.(.*)", name):
            return f"encoder.layers.encoder_layer_{block[1]}.{_start(block[2], inside)}"
        return _start(name, words)

    return {renamed(name): tensor for name, tensor in tensors.items()}


def convnext_of_timm(tensors: Tensors) -> Tensors:
    words = {"stem.": "features.0.", "head.norm.": "classifier.0.", "head.fc.": "classifier.2."}
    inside = {
        "conv_dw.": "block.0.",
        "norm.": "block.2.",
        "mlp.fc1.": "block.3.",
        "mlp.fc2.": "block.5.",
        "gamma": "layer_scale",
    }
    renamed = {}
    for name, tensor in tensors.items():
        if block := re.match(r"stages\.(\d+)\.blocks\.(\d+)\.(.*)", name):
            stage = 2 * int(block[1]) + 1
            new = f"features.{stage}.{block[2]}.{_start(block[3], inside)}"
            renamed[new] = tensor.reshape(-1, 1, 1) if block[3] == "gamma" else tensor
        elif down := re.match(r"stages\.(\d+)\.downsample\.(.*)", name):
            renamed[f"features.{2 * int(down[1])}.{down[2]}"] = tensor
        else:
            renamed[_start(name, words)] = tensor
    return renamed


def efficientnet_of_timm(tensors: Tensors) -> Tensors:
    words = {
        "conv_stem.": "features.0.0.",
        "bn1.": "features.0.1.",
        "conv_head.": "features.8.0.",
        "bn2.": "features.8.1.",
        "classifier.": "classifier.1.",
    }
    separable = {
        "conv_dw.": "0.0.",
        "bn1.": "0.1.",
        "se.conv_reduce.": "1.fc1.",
        "se.conv_expand.": "1.fc2.",
        "conv_pw.": "2.0.",
        "bn2.": "2.1.",
    }
    inverted = {
        "conv_pw.": "0.0.",
        "bn1.": "0.1.",
        "conv_dw.": "1.0.",
        "bn2.": "1.1.",
        "se.conv_reduce.": "2.fc1.",
        "se.conv_expand.": "2.fc2.",
        "conv_pwl.": "3.0.",
        "bn3.": "3.1.",
    }

    def renamed(name: str) -> str:
        if block := re.match(r"blocks\.(\d+)\.(\d+)\.(.*)", name):
            full = f"blocks.{block[1]}.{block[2]}.conv_pwl.weight" in tensors
            inner = _start(block[3], inverted if full else separable)
            return f"features.{int(block[1]) + 1}.{block[2]}.block.{inner}"
        return _start(name, words)

    return {renamed(name): tensor for name, tensor in tensors.items()}


def _start(name: str, words: dict[str, str]) -> str:
    for old, new in words.items():
        if name.startswith(old):
            return new + name[len(old) :]
    return name


LAYOUTS: tuple[Layout, ...] = (
    Layout("torchvision or timm", "layer1.0.conv1.weight", RESNETS),
    Layout(
        "torchvision, timm or torchxrayvision",
        "features.denseblock1.denselayer1.conv1.weight",
        DENSENETS,
    ),
    Layout(
        "torchvision of old",
        "features.denseblock1.denselayer1.conv.1.weight",
        DENSENETS,
        densenet_of_old,
    ),
    Layout(
        "MONAI",
        "features.denseblock1.denselayer1.layers.conv1.weight",
        DENSENETS,
        densenet_of_monai,
    ),
    Layout("PruneScope", "stages.0.conv1.weight", ("resnet_small",)),
    Layout("torchvision", "features.1.0.block.0.0.weight", EFFICIENTNETS),
    Layout("timm", "blocks.0.0.conv_dw.weight", EFFICIENTNETS, efficientnet_of_timm),
    Layout("torchvision", "features.1.block.0.0.weight", MOBILENETS),
    Layout("torchvision", "features.1.0.layer_scale", CONVNEXTS),
    Layout("timm", "stages.0.blocks.0.conv_dw.weight", CONVNEXTS, convnext_of_timm),
    Layout("torchvision", "encoder.layers.encoder_layer_0.ln_1.weight", ("vit_b_16",)),
    Layout("timm", "blocks.0.attn.qkv.weight", ("vit_b_16",), vit_of_timm),
    Layout("torchvision", "features.1.0.attn.qkv.weight", ("swin_t",)),
)
