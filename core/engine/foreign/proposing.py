"""What is proposed for a network where nobody says: how it sees images."""

from __future__ import annotations

from typing import Any, get_args

from core.checkpoints.graphs import GraphFacts
from core.checkpoints.preflight import PreflightOptions
from core.engine.foreign.guessing import Match
from core.engine.foreign.hugging_face import LIBRARY
from core.engine.foreign.sidecar import Sidecar
from core.engine.preprocessing import Normalisation, normalisation
from core.study.networks import Network, index, of_library
from core.study.settings import CheckpointSettings, PreprocessingName

OPERATING_POINTS = "op_threshs"
# What timm calls a network of the study file's own names, where it calls it otherwise.
OF_TIMM = {"vit_b_16": "vit_base_patch16_224"}


def _usual(network: Network) -> PreprocessingName | None:
    return _called(network.mean, network.std)


def _called(mean: tuple[float, ...], std: tuple[float, ...]) -> PreprocessingName | None:
    """The name for a library's mean and deviation, if they have one."""
    for name in get_args(PreprocessingName):
        if Normalisation(mean, std) in (normalisation(name, 3), normalisation(name, 1)):
            return name
    return None


def _in_its_library(found: Match) -> Network | None:
    """The network whose preprocessing is the file's own; None where its weights' names are those
    that several libraries use."""
    name = found.settings.architecture
    if not of_library(name):
        name = f"{found.library}/{OF_TIMM.get(name, name)}" if found.library == "timm" else ""
    return index().networks.get(name)


def _of_torchxrayvision(found: Match) -> bool:
    """A DenseNet of one channel is, but for MONAI's under other names."""
    name, channels = found.settings.architecture, found.settings.channels
    return name.startswith("densenet") and channels == 1 and found.library != "MONAI"


def _of_channels(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Of colours, what grey has."""
    return (sum(values) / len(values),) if channels == 1 else values


def usual_preprocessing(
    found: Match, sidecar: Sidecar, warnings: list[str]
) -> tuple[PreprocessingName, str]:
    """What the network's library normalises with, and why it is taken."""
    channels, name = found.settings.channels, found.settings.architecture
    if found.graph and (seen := seen_by_graph(found.graph)):
        return seen
    if sidecar.mean:
        return _called(sidecar.mean, sidecar.std) or "unit", "from its library's JSON beside it"
    if _of_torchxrayvision(found):
        return "xrv", "a DenseNet of one channel is torchxrayvision's: -1024 to 1024"
    if found.library == LIBRARY and "vit" in name:
        return "half", f"the default of {LIBRARY} for a ViT: -1 to 1"
    if network := _in_its_library(found):
        return _usual(network) or "unit", f"{network.library}'s own for {network.own_name}"
    if channels == 1:
        warnings.append(
            "the first convolution takes one channel, so images stay grey; if the network was "
            "trained on other values, choose another preprocessing"
        )
        if found.library == "MONAI":
            return "unit", "0 to 1, as most networks of MONAI are given"
    if found.graph:
        warnings.append(
            "nothing in an ONNX file says how its images were normalised, so ImageNet's mean and "
            "deviation are taken; if they were others, choose another preprocessing"
        )
        return "imagenet", "ImageNet's mean and deviation, the most usual"
    return "imagenet", "ImageNet's mean and deviation, the architecture's default"


def usual_framing(found: Match, options: PreflightOptions, sidecar: Sidecar) -> dict[str, Any]:
    """The settings of a checkpoint that say how its library frames pictures and what it makes of
    outputs, where nobody chose a preprocessing."""
    settings: dict[str, Any] = {}
    if found.graph:
        settings = of_graph(found.graph, found.output, bool(options.preprocessing))
        if seen_by_graph(found.graph):
            return settings
    points = found.tensors.get(OPERATING_POINTS)
    if points is not None and points.shape == (found.n_outputs,):
        told = points.nan_to_num(0.0).tolist()
        if all(0 <= point < 1 for point in told):
            settings["operating_points"] = tuple(told)
    if options.preprocessing or sidecar.preprocessing:
        return settings
    if sidecar.mean:
        if _called(sidecar.mean, sidecar.std) is None:
            settings["mean"] = _of_channels(sidecar.mean, found.settings.channels)
            settings["std"] = _of_channels(sidecar.std, found.settings.channels)
        return settings | ({"centre_crop": sidecar.centre_crop} if sidecar.centre_crop else {})
    if _of_torchxrayvision(found):
        return settings | {"centre_crop": 1.0}
    if (network := _in_its_library(found)) is None:
        return settings
    if _usual(network) is None:
        settings["mean"] = _of_channels(network.mean, found.settings.channels)
        settings["std"] = _of_channels(network.std, found.settings.channels)
    if found.library in (LIBRARY, "MONAI"):  # pictures are stretched there
        return settings
    return settings | {
        "centre_crop": min(max(network.crop, 0.5), 1.0),  # three of VOLO pad instead: 1.15
        "interpolation": "bicubic" if network.interpolation == "bicubic" else "bilinear",
    }


def framed(checkpoint: CheckpointSettings) -> str:
    """How pictures become squares, and outputs probabilities, where that is not as usual."""
    said = []
    if checkpoint.centre_crop:
        share = "" if checkpoint.centre_crop == 1 else f"{checkpoint.centre_crop:.1%} of "
        said.append(
            f"scaled {checkpoint.interpolation}, {share}the middle cut out rather than stretched"
        )
    if checkpoint.activation == "none":
        said.append("the outputs are probabilities already")
    elif checkpoint.activation != "sigmoid":
        said.append(f"{checkpoint.activation} over the outputs")
    if checkpoint.operating_points:
        said.append("probabilities moved by the file's operating points, as torchxrayvision does")
    return "".join(f"; {one}" for one in said)


def activation_warnings(checkpoint: CheckpointSettings, n_kept: int) -> list[str]:
    """That softmax is not over all that it was trained with."""
    left = len(checkpoint.classes) - n_kept
    if checkpoint.activation != "softmax" or not left:
        return []
    return [
        f"softmax is over the {n_kept} outputs that stand for classes; the network was trained "
        f"with {left} more"
    ]


def of_graph(graph: GraphFacts, output: str, named: bool) -> dict[str, Any]:
    """The settings of a checkpoint that follow from a graph's own operators; where nobody `named` a
    preprocessing, that of whole numbers too."""
    settings: dict[str, Any] = {}
    end = graph.ends.get(output, "")
    # A softmax of logarithms of probabilities gives the probabilities.
    become = {"Sigmoid": "none", "Softmax": "none", "LogSoftmax": "softmax"}.get(end)
    if become:
        settings["activation"] = become
    if graph.input.dtype == "uint8" and not named:
        settings["std"] = (1 / 255,)
    return settings


def seen_by_graph(graph: GraphFacts) -> tuple[PreprocessingName, str] | None:
    """What a graph says of its input by how it begins; None where it says nothing."""
    if graph.input.dtype == "uint8":
        return "unit", "the graph takes whole numbers from 0 to 255 (uint8)"
    if graph.first:
        return "unit", f"the graph scales its input itself ({graph.first})"
    return None


def graph_warnings(graph: GraphFacts, activation: str, probabilities: Any) -> list[str]:
    """What is doubtful of an ONNX graph's outputs, once they are known: probabilities that a second
    sigmoid squeezes into 0.5 to 0.73."""
    low, high = float(probabilities.min()), float(probabilities.max())
    if activation == "sigmoid" and low >= 0.5 and high <= 0.7311:
        return [
            "all probabilities lie between 0.5 and 0.731, as if a sigmoid were taken of "
            "probabilities; if the graph gives probabilities, choose activation none"
        ]
    return []
