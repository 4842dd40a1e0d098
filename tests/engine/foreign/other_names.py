"""Weights of small networks under the names that other libraries give them, with values that are
the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch

from core.engine.libraries import make

CLASSES = 3
WORDS = {
    "vit": (
        ("cls_token", "vit.embeddings.cls_token"),
        ("pos_embed", "vit.embeddings.position_embeddings"),
        (r"patch_embed\.proj", "vit.embeddings.patch_embeddings.projection"),
        (r"^norm\.", "vit.layernorm."),
        (r"^head\.", "classifier."),
        (r"^blocks\.(\d+)\.", r"vit.encoder.layer.\1."),
        (r"attn\.(query|key|value)", r"attention.attention.\1"),
        (r"attn\.proj", "attention.output.dense"),
        ("norm1", "layernorm_before"),
        ("norm2", "layernorm_after"),
        (r"mlp\.fc1", "intermediate.dense"),
        (r"mlp\.fc2", "output.dense"),
    ),
    "swin": (
        (r"^patch_embed\.proj", "swin.embeddings.patch_embeddings.projection"),
        (r"^patch_embed\.norm", "swin.embeddings.norm"),
        (r"^norm\.", "swin.layernorm."),
        (r"^head\.fc\.", "classifier."),
        (r"^layers\.", "swin.encoder.layers."),
        (r"attn\.(query|key|value|relative)", r"attention.self.\1"),
        (r"attn\.proj", "attention.output.dense"),
        ("norm1", "layernorm_before"),
        ("norm2", "layernorm_after"),
        (r"mlp\.fc1", "intermediate.dense"),
        (r"mlp\.fc2", "output.dense"),
    ),
    "resnet": (
        (r"^conv1", "resnet.embedder.embedder.convolution"),
        (r"^bn1", "resnet.embedder.embedder.normalization"),
        (r"^fc\.", "classifier.1."),
        (r"^layer(\d)\.", lambda m: f"resnet.encoder.stages.{int(m[1]) - 1}.layers."),
        (r"\.conv(\d)\.", lambda m: f".layer.{int(m[1]) - 1}.convolution."),
        (r"\.bn(\d)\.", lambda m: f".layer.{int(m[1]) - 1}.normalization."),
        (r"downsample\.0", "shortcut.convolution"),
        (r"downsample\.1", "shortcut.normalization"),
    ),
    "convnext": (
        (r"^stem\.0", "convnext.embeddings.patch_embeddings"),
        (r"^stem\.1", "convnext.embeddings.layernorm"),
        (r"^head\.norm", "convnext.layernorm"),
        (r"^head\.fc", "classifier"),
        (r"^stages", "convnext.encoder.stages"),
        (r"\.downsample\.", ".downsampling_layer."),
        (r"\.blocks\.", ".layers."),
        (r"\.conv_dw\.", ".dwconv."),
        (r"(layers\.\d+)\.norm\.", r"\1.layernorm."),
        (r"\.mlp\.fc", ".pwconv"),
        (r"\.gamma$", ".layer_scale_parameter"),
    ),
    "efficientnet": (
        (r"^conv_stem", "efficientnet.embeddings.convolution"),
        (r"^bn1", "efficientnet.embeddings.batchnorm"),
        (r"^conv_head", "efficientnet.encoder.top_conv"),
        (r"^bn2", "efficientnet.encoder.top_bn"),
        (r"\.se\.conv_", ".squeeze_excite."),
        (r"^blocks", "efficientnet.encoder.blocks"),
    ),
    "monai_efficientnet": (
        (r"^conv_stem", "_conv_stem"),
        (r"^bn1", "_bn0"),
        (r"^conv_head", "_conv_head"),
        (r"^bn2", "_bn1"),
        (r"^classifier", "_fc"),
        (r"\.se\.conv_", "._se_"),
        (r"^blocks", "_blocks"),
    ),
}
FULL = {"conv_pw": 0, "bn1": 1, "conv_dw": 2, "bn2": 3, "conv_pwl": 4, "bn3": 5}
SEPARABLE = {"conv_dw": 2, "bn1": 3, "conv_pw": 4, "bn2": 5}
HUGGING_FACE_BLOCK = (
    *("expansion.expand_conv", "expansion.expand_bn", "depthwise_conv.depthwise_conv"),
    *("depthwise_conv.depthwise_norm", "projection.project_conv", "projection.project_bn"),
)
MONAI_BLOCK = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2")


def weights(network: str) -> dict[str, torch.Tensor]:
    """Of a network of timm, in its names: waves about as high as trained weights."""
    found = {}
    for number, (name, tensor) in enumerate(make(network, CLASSES).state_dict().items()):
        wave = torch.sin(torch.arange(tensor.numel(), dtype=torch.float64) * (1.7 + number / 97))
        fan = max(tensor[0].numel(), 1) if tensor.dim() > 1 else 25
        value = wave * (2 / fan) ** 0.5
        if name.endswith("running_var") or (tensor.dim() == 1 and name.endswith("weight")):
            value = value / 4 + 1
        if name.endswith("gamma"):
            value = value / 4 + 0.5
        if name.endswith("num_batches_tracked"):
            value = torch.zeros(1)
        found[name] = value.reshape(tensor.shape).to(tensor.dtype)
    return found


def renamed(tensors: dict[str, torch.Tensor], words: Iterable[tuple]) -> dict[str, torch.Tensor]:
    found = {}
    for name, tensor in tensors.items():
        for pattern, word in words:
            name = re.sub(pattern, word, name)
        found[name] = tensor
    return found


def hugging_face(family: str, network: str) -> dict[str, torch.Tensor]:
    """As transformers 4 saves them: queries, keys and values apart."""
    tensors = weights(network)
    for name in [name for name in tensors if ".qkv." in name]:
        parts = tensors.pop(name).chunk(3)
        for part, tensor in zip(("query", "key", "value"), parts, strict=True):
            tensors[name.replace("qkv", part)] = tensor
    for name in [name for name in tensors if family == "swin" and "downsample" in name]:
        stage = int(name.split(".")[1]) - 1
        tensors[re.sub(r"^layers\.\d+", f"layers.{stage}", name)] = tensors.pop(name)
    if family == "efficientnet":
        tensors = _blocks(tensors, HUGGING_FACE_BLOCK, "{block}")
    return {name: tensor.clone() for name, tensor in renamed(tensors, WORDS[family]).items()}


def monai_efficientnet() -> dict[str, torch.Tensor]:
    blocks = _blocks(weights("timm/tf_efficientnet_b0"), MONAI_BLOCK, "{stage}.{block}")
    return renamed(blocks, WORDS["monai_efficientnet"])


def _blocks(tensors: dict, words: tuple[str, ...], where: str) -> dict[str, torch.Tensor]:
    """Counted through all stages."""
    places = dict.fromkeys(".".join(n.split(".")[1:3]) for n in tensors if n.startswith("blocks."))
    counts = {place: number for number, place in enumerate(places)}
    found = {}
    for name, tensor in tensors.items():
        if name.startswith("blocks."):
            _, stage, place, part, *rest = name.split(".")
            kinds = FULL if f"blocks.{stage}.{place}.conv_pwl.weight" in tensors else SEPARABLE
            at = where.format(stage=stage, block=counts[f"{stage}.{place}"])
            part = words[kinds[part]] if part in kinds else part
            name = ".".join(["blocks", at, part, *rest])
        found[name] = tensor
    return found


def picture(size: int = 224, channels: int = 3) -> torch.Tensor:
    """(2, channels, size, size), the same everywhere."""
    values = torch.arange(2 * channels * size * size, dtype=torch.float64)
    return (
        torch.sin(values * 0.37).add(torch.cos(values / 501)).float().view(2, channels, size, size)
    )
