"""An ONNX file as a given network: read, and put in the terms in which weights are matched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from core.checkpoints.formats import format_of, shown
from core.checkpoints.preflight import Keys, NetworkInFile, PreflightOptions
from core.engine.foreign.given import Given
from core.engine.foreign.guessing import Match, match
from core.engine.foreign.reading import Reader, sha256_of
from core.engine.foreign.stated import notes_of_metadata, stated_orders
from core.engine.onnx import ONNX, Described, OnnxNetwork, describe
from core.errors import InputError
from core.study.progress import Advance
from core.study.settings import ModelSettings
from core.wording.amounts import some
from core.wording.dense_sentences import UNPRUNED


def read_given(
    reader: Reader,
    path: Path,
    options: PreflightOptions,
    image_size: int | None,
    advance: Advance | None = None,
) -> Given:
    """What `Reader.read` says of a file, or of an ONNX graph: its `network` names an output, and it
    is tried on an image of `image_size` where it takes any.

    Raises InputError for what cannot be read, is refused, or does not run.
    """
    if format_of(path) != "onnx":
        return reader.read(path, advance, options.network, options.rename)
    sha256 = sha256_of(path, advance)
    network, rename = options.network, options.rename
    graph = path.read_bytes()
    try:
        found = describe(graph, image_size)
    except InputError as error:
        raise InputError(f"{shown(path.name)}: {str(error).rstrip('.')}.") from error
    wrong, position = _chosen(found, network)
    if rename:
        wrong = "An ONNX file's weights need no other names; leave --rename out."
    tensors: dict[str, torch.Tensor] = {}
    if position is not None and not wrong:
        output, _, n = found.outputs[position]
        tensors = dict(OnnxNetwork.of(graph, output, n).state_dict())
    return Given(
        sha256=sha256,
        n_bytes=len(graph),
        format="onnx",
        wrapper="",
        beside=(),
        orders=stated_orders(notes_of_metadata(found.facts.notes)),
        stated=None,
        networks=tuple(NetworkInFile(name, n) for _, name, n in found.outputs),
        joined=(),
        dtypes=found.facts.dtypes,
        not_finite={},
        wrong_choice=wrong,
        tensors=tensors,
        graph=found,
    )


def _chosen(found: Described, network: str | None) -> tuple[str, int | None]:
    """Why there is no such output, and the place of the one to study; None where nobody said."""
    names = [name for _, name, _ in found.outputs]
    if network is None:
        return "", 0 if len(names) == 1 else None
    if network not in names:
        return f"The file has no output {network[:80]!r}; it has: {some(names)}.", None
    return "", names.index(network)


def match_given(
    given: Given, architecture: str | None, image_size: int | None, stated: str | None = None
) -> Match:
    """What `match` says of weights, of a graph too, which is its own network.

    Raises InputError where weights are of no known network, or a graph is said to be one.
    """
    if given.graph is None:
        return match(given.tensors, architecture, image_size, stated)
    if architecture not in (None, ONNX):
        raise InputError(f"An ONNX file is its own network; leave --arch out. {UNPRUNED}")
    settings: dict[str, Any] = {
        "architecture": ONNX,
        "image_size": given.graph.image_size,
        "channels": given.graph.facts.input.channels,
    }
    return Match(
        settings=ModelSettings.model_validate(settings),
        n_outputs=len(given.tensors["rows"]),
        library="ONNX",
        prefix="",
        share=1.0,
        tensors=given.tensors,
        keys=Keys(0),
        runner_ups=(),
        stated=True,
        graph=given.graph.facts,
        output=given.graph.facts.outputs[int(given.tensors["output"])],
    )
