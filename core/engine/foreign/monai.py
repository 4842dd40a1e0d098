"""Networks as MONAI names their weights (MONAI 1.6, `networks/nets`), in the names of timm.

Its DenseNets are in `layouts`. What is said here to compute the same was measured against it.
"""

from __future__ import annotations

import re

from core.engine.foreign.layouts import Tensors
from core.engine.foreign.translated import Dialect, begun_otherwise
from core.errors import InputError

LIBRARY = "MONAI"
ELSEWHERE = (
    "Predict the test images at each sparsity where it was trained, and bring the predictions: "
    "prunescope import-predictions."
)


def _efficientnet(tensors: Tensors) -> Tensors:
    """`_blocks.2.3.`: the stage, and the block counted through all stages."""
    blocks = {
        (int(one[1]), int(one[2]))
        for name in tensors
        if (one := re.match(r"blocks\.(\d{1,3})\.(\d{1,3})\.", name))
    }
    first = {stage: min(b for s, b in blocks if s == stage) for stage, _ in blocks}
    found = {}
    for name, tensor in tensors.items():
        if one := re.fullmatch(r"blocks\.(\d{1,3})\.(\d{1,3})\.(.*)", name):
            full = f"blocks.{one[1]}.{one[2]}._expand_conv.weight" in tensors
            place = int(one[2]) - first[int(one[1])]
            name = f"blocks.{one[1]}.{place}.{_of_block(one[3], full)}"
        found[name] = tensor
    return found


def _of_block(name: str, full: bool) -> str:
    words = {
        "_expand_conv.": "conv_pw.",
        "_bn0.": "bn1.",
        "_depthwise_conv.": "conv_dw.",
        "_bn1.": "bn2." if full else "bn1.",
        "_se_reduce.": "se.conv_reduce.",
        "_se_expand.": "se.conv_expand.",
        "_project_conv.": "conv_pwl." if full else "conv_pw.",
        "_bn2.": "bn3." if full else "bn2.",
    }
    return begun_otherwise(name, words)


def _resnet(tensors: Tensors) -> Tensors:
    raise InputError(
        "It is a ResNet of MONAI (its shortcuts have biases), whose first convolution moves by one "
        f"pixel where every ResNet known here moves by two. {ELSEWHERE}"
    )


def _vit(tensors: Tensors) -> Tensors:
    raise InputError(
        "It is a ViT of MONAI, which no network known here computes: it adds no position to its "
        f"first token, and often ends in tanh. {ELSEWHERE}"
    )


DIALECTS = (
    Dialect(
        LIBRARY,
        r"_blocks\.0\.0\._depthwise_conv\.weight",
        "",
        (
            (r"^_blocks\.", "blocks."),
            (r"^_conv_stem\.", "conv_stem."),
            (r"^_bn0\.", "bn1."),
            (r"^_conv_head\.", "conv_head."),
            (r"^_bn1\.", "bn2."),
            (r"^_fc\.", "classifier."),
        ),
        r"tf_efficientnet_b\d",
        _efficientnet,
        padded=True,
    ),
    Dialect(LIBRARY, r"layer2\.0\.downsample\.0\.bias", "", (), "", _resnet),
    Dialect(LIBRARY, r"patch_embedding\.position_embeddings", "", (), "", _vit),
)
