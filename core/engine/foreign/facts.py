"""What a checkpoint is by itself: the facts of a preflight for which no dataset is needed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from torch import nn

from core.checkpoints.formats import shown
from core.checkpoints.preflight import (
    ArchitectureFacts,
    FileFacts,
    LayerZeros,
    Outputs,
    Preflight,
    PreflightOptions,
    WeightFacts,
)
from core.engine.classifiers import with_activation
from core.engine.foreign.adopting import network_of, not_finite
from core.engine.foreign.given import Given
from core.engine.foreign.graph_files import match_given, read_given
from core.engine.foreign.guessing import Match
from core.engine.foreign.heads import UNSAID
from core.engine.foreign.reading import Reader
from core.engine.foreign.sidecar import Sidecar, read_sidecar
from core.engine.foreign.stated import order_of
from core.engine.pruning import prunable_weights
from core.errors import InputError
from core.wording.amounts import some

# (stage in words, done, total)
Listener = Callable[[str, int, int], None]
ELSEWHERE = (
    "If it is another network, bring predictions made elsewhere: prunescope import-predictions."
)


def facts(
    path: Path,
    options: PreflightOptions | None = None,
    listener: Listener | None = None,
    reader: Reader | None = None,
) -> Preflight:
    """A report that ends where the preflight would begin to ask the dataset. Nothing is kept.

    Raises InputError, in one sentence, for a file that cannot be read; weights that are of no
    known network are the report's `refusal`.
    """
    options, path = options or PreflightOptions(), Path(path)
    tell = listener or (lambda stage, done, total: None)
    sidecar = read_sidecar(path)
    with Reader() if reader is None else nullcontext(reader) as running:
        given = read_given(
            running,
            path,
            options,
            options.image_size or sidecar.image_size,
            lambda done, n: tell("Reading the file", done, n),
        )
    found: dict[str, Any] = {}
    refusal, prefix = None, ""
    try:
        refuse_unclear(given, options)
        refuse_not_finite(given)
        tell("Comparing weights", 0, 1)
        network = matched(given, sidecar, options)
        prefix = network.prefix
        found |= network_facts(network, options)
        found["outputs"] = _outputs(network, given, sidecar)
        refuse_unfit(network)
        if not network.graph:
            found["weights"] = weight_facts(network_of(network))
    except InputError as refused:
        refusal = str(refused)
    file = file_facts(path, given, prefix, options)
    return Preflight(key="", file=file, dataset_fingerprint="", refusal=refusal, **found)


def matched(given: Given, sidecar: Sidecar, options: PreflightOptions) -> Match:
    """Which network it is, by its weights and by what is said beside them."""
    if sidecar.refusal:
        raise InputError(sidecar.refusal)
    size, stated = options.image_size or sidecar.image_size, given.stated or sidecar.stated
    found = match_given(given, options.architecture, size, stated)
    if found.graph:
        return found
    head = with_activation(found.settings.head, options.head or UNSAID)
    eps = found.settings.norm_eps and (sidecar.norm_eps or found.settings.norm_eps)
    return replace(
        found, settings=found.settings.model_copy(update={"norm_eps": eps, "head": head})
    )


def file_facts(path: Path, given: Given, prefix: str, options: PreflightOptions) -> FileFacts:
    return FileFacts(
        name=shown(path.name),
        sha256=given.sha256,
        n_bytes=given.n_bytes,
        format=given.format,
        dtypes=given.dtypes,
        wrapper=given.wrapper,
        prefix=prefix,
        beside=given.beside,
        joined=given.joined,
        not_finite=given.not_finite,
        networks=given.networks,
        network=options.network,
    )


def network_facts(found: Match, options: PreflightOptions) -> dict[str, Any]:
    """The parts of a report that say which network it is; a graph has no names of weights."""
    which = {"architecture": architecture_facts(found, options)}
    return which | ({"graph": found.graph} if found.graph else {"keys": found.keys})


def architecture_facts(found: Match, options: PreflightOptions) -> ArchitectureFacts:
    """Which network it is, and who says so."""
    stated: Literal["stated", "guessed"] = "stated" if found.stated else "guessed"
    return ArchitectureFacts(
        architecture=found.settings.architecture,
        chosen_by="chosen" if options.architecture else stated,
        alternatives=found.alternatives,
        library=found.library,
        share=found.share,
        channels=found.settings.channels,
        image_size=found.settings.image_size,
        head=found.settings.head,
        runner_ups=found.runner_ups,
    )


def weight_facts(model: nn.Module) -> WeightFacts:
    weights = prunable_weights(model)
    layers = tuple(
        LayerZeros(name.removesuffix(".weight"), w.numel(), int((w == 0).sum()))
        for name, w in weights.items()
    )
    return WeightFacts(
        n_weights=sum(layer.n_weights for layer in layers),
        n_zero=sum(layer.n_zero for layer in layers),
        layers=layers,
    )


def refuse_unclear(given: Given, options: PreflightOptions) -> None:
    """Raise InputError where nobody said which of several networks, or it is not there."""
    if question := given.wrong_choice or file_facts(Path(), given, "", options).question:
        raise InputError(question)


def refuse_not_finite(given: Given) -> None:
    """Raise InputError where a weight is NaN or infinite."""
    bad = not_finite(given)
    if bad:
        named = [f"{name} ({count:,})" for name, count in bad.items()]
        raise InputError(f"Weights are NaN or infinite: {some(named)}.")


def refuse_unfit(found: Match) -> None:
    """Raise InputError where names or shapes differ from the architecture's."""
    keys, architecture = found.keys, found.settings.architecture
    if keys.fit:
        return
    parts = []
    if keys.missing:
        parts.append(f"{len(keys.missing)} weights are missing ({some(keys.missing, 2)})")
    if keys.unexpected:
        parts.append(f"{len(keys.unexpected)} are unexpected ({some(keys.unexpected, 2)})")
    if keys.reshaped:
        one = keys.reshaped[0]
        parts.append(
            f"{len(keys.reshaped)} have another shape ({one.name} is {one.in_file}, not "
            f"{one.expected})"
        )
    raise InputError(
        f"The weights are not those of {architecture}: {', '.join(parts)}. {ELSEWHERE}"
    )


def _outputs(found: Match, given: Given, sidecar: Sidecar) -> Outputs:
    """Which class an output stands for is a question of the dataset's classes."""
    names, _ = order_of((*given.orders, *sidecar.orders), found.n_outputs)
    return Outputs(found.n_outputs, "nobody", ("",) * found.n_outputs, names, (), ())
