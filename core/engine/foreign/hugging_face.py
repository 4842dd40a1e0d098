"""Networks as Hugging Face's transformers names their weights, in the names of timm.

transformers 4 and 5, `models/{vit,deit,swin,resnet,convnext,convnextv2,efficientnet}`. The library
is not needed to read its files. What is said here to compute the same was measured against it.
"""

from __future__ import annotations

import re

import torch

from core.engine.foreign.layouts import Tensors
from core.engine.foreign.translated import Dialect, begun_otherwise
from core.errors import InputError

LIBRARY = "Hugging Face's transformers"

_ATTENTION = (
    (r"attention\.(?:attention|self)\.(query|key|value)\.", r"attn.\1."),
    (r"attention\.([qkv])_proj\.", r"attn.\1."),
    (r"attention\.(?:output\.dense|o_proj)\.", "attn.proj."),
    (r"intermediate\.dense\.", "mlp.fc1."),
    (r"(?<!attn\.)output\.dense\.", "mlp.fc2."),
    (r"layernorm_before\.", "norm1."),
    (r"layernorm_after\.", "norm2."),
    (r"^layernorm\.", "norm."),
)
_VIT = (
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^embeddings\.distillation_token$", "dist_token"),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^(?:encoder\.layer|layers)\.(\d+)\.", r"blocks.\1."),
    *_ATTENTION,
    (r"^(?:cls_)?classifier\.", "head."),
    (r"^distillation_classifier\.", "head_dist."),
)
_SWIN = (
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.norm\.", "patch_embed.norm."),
    (r"^encoder\.", ""),
    *_ATTENTION,
    (r"attention\.(?:self|relative_position_bias)\.", "attn."),
    (r"^classifier\.", "head.fc."),
)
_RESNET = (
    (r"^embedder\.embedder\.convolution\.", "conv1."),
    (r"^embedder\.embedder\.normalization\.", "bn1."),
    (r"shortcut\.convolution\.", "downsample.0."),
    (r"shortcut\.normalization\.", "downsample.1."),
    (r"^classifier\.1\.", "fc."),
)
_CONVNEXT = (
    (r"^embeddings\.patch_embeddings\.", "stem.0."),
    (r"^embeddings\.layernorm\.", "stem.1."),
    (r"^encoder\.", ""),
    (r"\.downsampling_layer\.", ".downsample."),
    (r"^stages\.(\d+)\.layers\.", r"stages.\1.blocks."),
    (r"layer_scale_parameter$", "gamma"),
    (r"\.dwconv\.", ".conv_dw."),
    (r"^layernorm\.", "head.norm."),
    (r"\.layernorm\.", ".norm."),
    (r"\.pwconv([12])\.", r".mlp.fc\1."),
    (r"\.grn\.", ".mlp.grn."),
    (r"^classifier\.", "head.fc."),
)
_EFFICIENTNET = (
    (r"^embeddings\.convolution\.", "conv_stem."),
    (r"^embeddings\.batchnorm\.", "bn1."),
    (r"^encoder\.top_conv\.", "conv_head."),
    (r"^encoder\.top_bn\.", "bn2."),
    (r"^encoder\.", ""),
    (r"\.squeeze_excite\.(reduce|expand)\.", r".se.conv_\1."),
)


def fused(tensors: Tensors) -> Tensors:
    """Queries, keys and values that stand apart, one above the other as timm has them."""
    found: Tensors = {}
    for name, tensor in tensors.items():
        part = re.fullmatch(r"(.*attn\.)(q|k|v|query|key|value)\.(weight|bias)", name)
        if part is None:
            found[name] = tensor
        elif part[2] in ("q", "query"):
            rest = ("k", "v") if part[2] == "q" else ("key", "value")
            three = [tensor, *(tensors.get(f"{part[1]}{one}.{part[3]}") for one in rest)]
            whole = [one for one in three if one is not None and one.shape == tensor.shape]
            if len(whole) == 3:
                found[f"{part[1]}qkv.{part[3]}"] = torch.cat(whole)
    return found


def _vit(tensors: Tensors) -> Tensors:
    found = fused(tensors)
    if "dist_token" in found and "head_dist.weight" not in found:
        raise InputError(
            "It is a DeiT of Hugging Face's transformers without the teacher's classifier: it "
            "reads the first token only, where the DeiT known here takes the mean of two. Bring "
            "predictions made elsewhere: prunescope import-predictions."
        )
    return found


def _swin(tensors: Tensors) -> Tensors:
    """Pictures are made smaller at the end of a stage there, at the beginning of the next here."""
    found = {}
    for name, tensor in fused(tensors).items():
        if down := re.fullmatch(r"layers\.(\d{1,3})\.downsample\.(.*)", name):
            name = f"layers.{int(down[1]) + 1}.downsample.{down[2]}"
        found[name] = tensor
    return found


def _resnet(tensors: Tensors) -> Tensors:
    found = {}
    for name, tensor in tensors.items():
        if block := re.fullmatch(r"encoder\.stages\.(\d{1,3})\.layers\.(\d+)\.(.*)", name):
            inner = block[3]
            if layer := re.fullmatch(r"layer\.(\d)\.(convolution|normalization)\.(.*)", inner):
                kind = "conv" if layer[2] == "convolution" else "bn"
                inner = f"{kind}{int(layer[1]) + 1}.{layer[3]}"
            name = f"layer{int(block[1]) + 1}.{block[2]}.{inner}"
        found[name] = tensor
    return found


def _convnext(tensors: Tensors) -> Tensors:
    return {n: t.reshape(-1) if ".grn." in n else t for n, t in tensors.items()}


def _efficientnet(tensors: Tensors) -> Tensors:
    """Blocks are counted through there; a stage begins where the number of channels changes."""
    places: dict[int, tuple[int, int]] = {}
    stage, place, width = -1, 0, -1
    for block in range(200):
        last = tensors.get(f"blocks.{block}.projection.project_conv.weight")
        if last is None:
            break
        stage, place = (stage, place + 1) if last.shape[0] == width else (stage + 1, 0)
        places[block], width = (stage, place), last.shape[0]
    found = {}
    for name, tensor in tensors.items():
        inside = re.fullmatch(r"blocks\.(\d{1,3})\.(.*)", name)
        if inside and int(inside[1]) in places:
            full = f"blocks.{inside[1]}.expansion.expand_conv.weight" in tensors
            where = ".".join(map(str, places[int(inside[1])]))
            name = f"blocks.{where}.{_of_block(inside[2], full)}"
        found[name] = tensor
    return found


def _of_block(name: str, full: bool) -> str:
    words = {
        "expansion.expand_conv.": "conv_pw.",
        "expansion.expand_bn.": "bn1.",
        "depthwise_conv.depthwise_conv.": "conv_dw.",
        "depthwise_conv.depthwise_norm.": "bn2." if full else "bn1.",
        "projection.project_conv.": "conv_pwl." if full else "conv_pw.",
        "projection.project_bn.": "bn3." if full else "bn2.",
    }
    return begun_otherwise(name, words)


_QUERY = r"(?:attention\.(?:attention|self)\.query|attention\.q_proj)\.weight"
DIALECTS = (
    Dialect(
        LIBRARY,
        rf"(?:(?:vit|deit)\.)?(?:encoder\.layer|layers)\.0\.{_QUERY}",
        r"(vit|deit)\.",
        _VIT,
        r"vit_\w+_patch\d+_\d+|vit_b_16|deit_\w+",
        _vit,
        1e-12,
    ),
    Dialect(
        LIBRARY,
        rf"(?:swin\.)?encoder\.layers\.0\.blocks\.0\.{_QUERY}",
        r"swin\.",
        _SWIN,
        r"swin_\w+",
        _swin,
    ),
    Dialect(
        LIBRARY,
        r"(?:resnet\.)?encoder\.stages\.0\.layers\.0\.layer\.0\.convolution\.weight",
        r"resnet\.",
        _RESNET,
        r"resnet\d+",
        _resnet,
    ),
    Dialect(
        LIBRARY,
        r"(?:convnext(?:v2)?\.)?encoder\.stages\.0\.layers\.0\.dwconv\.weight",
        r"convnext(v2)?\.",
        _CONVNEXT,
        r"convnext\w*",
        _convnext,
        1e-12,
    ),
    Dialect(
        LIBRARY,
        r"(?:efficientnet\.)?encoder\.blocks\.0\.depthwise_conv\.depthwise_conv\.weight",
        r"efficientnet\.",
        _EFFICIENTNET,
        r"tf_efficientnet_b\d",
        _efficientnet,
        padded=True,
    ),
)
