"""A preflight as one readable page: the verdict first, then what was found, and what can be chosen.

Everything here only shows; what a person changes comes back as `PreflightOptions`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import pandas as pd
import streamlit as st

from core.checkpoints.checks import ReferenceCheck, Twin
from core.checkpoints.class_orders import known_orders
from core.checkpoints.graphs import GraphFacts
from core.checkpoints.preflight import (
    ArchitectureFacts,
    DenseCheck,
    FileFacts,
    Keys,
    Outputs,
    Preflight,
    PreflightOptions,
    WeightFacts,
)
from core.study.given_networks import Activation
from core.study.networks import index
from core.study.settings import Architecture
from core.ui import markup, plain
from core.ui.analyse import waiting
from core.ui.analyse.seeing import pick, preprocessing
from core.wording.amounts import size, some
from core.wording.words import duration

LEFT_OUT = "(no class: left out)"
AS_SUGGESTED = "what these images suggest"
NAMED_BY = {
    "file": "The file itself names its outputs.",
    "torchxrayvision": "18 outputs of a DenseNet on grey images: torchxrayvision's own order.",
    "person": "As you said.",
    "order": "**The file names no classes**, so its outputs are taken in the dataset's own order. "
    "Change them here if they are in another.",
    "nobody": "**Nothing says which output stands for which class.** Say so here.",
}
# What is said for the command line, in the words of a page.
REWORDED = (
    (r'(, in order|, with - for those that have none)?: --classes ".*"\.', " in the table below."),
    (r"give --classes if they are in another", "change them below if they are in another"),
    (r"give --classes", "say so in the table below"),
    (r"Say which it is: --(arch|set) .*", "Choose one below."),
    (r"(with |give )?--arch\b", "the architecture below"),
    (r"Say which to study: --network .*", "Choose one below."),
    (r"leave --network out", "choose it below"),
    (r"--rename ", "The rule "),
)


def verdict(report: Preflight) -> None:
    """The one thing to know, and what to be warned of."""
    if report.refusal:
        waiting.refuse(on_page(report.refusal))
    else:
        _verdict_of_the_fit(report)
    chance = ("no better than chance", "worse than chance")
    for warning in report.warnings:
        if not warning.startswith(chance):
            st.warning(plain(_sentence(on_page(warning))), icon=":material/warning:")


def _verdict_of_the_fit(report: Preflight) -> None:
    check = report.check
    if check is None or check.mean_auroc is None or check.verdict == "unknown":
        st.info(
            "**Fit to run.** Whether it beats chance is not known: too few positives among the "
            "images looked at.",
            icon=":material/help:",
        )
        return
    numbers = (
        f"mean AUROC {check.mean_auroc:.2f}, 95 % interval {check.low:.2f} to {check.high:.2f}, "
        f"on {check.n_images} test images"
    )
    if check.verdict == "better":
        st.success(f"**Fit to run**, and better than chance: {numbers}.", icon=":material/check:")
        return
    how = "No better than chance" if check.verdict == "chance" else "Worse than chance"
    st.warning(
        f"**{how}: check class order and preprocessing** ({numbers}). You can run it, but the "
        "losses of a network that knows nothing mean nothing.",
        icon=":material/warning:",
    )


def facts(report: Preflight) -> None:
    """The numbers of a preflight at a glance."""
    said = {"File": f"{report.file.format}, {size(report.file.n_bytes)}"}
    if report.graph:
        said["Graph"] = f"{report.graph.n_nodes:,} operators, {report.graph.n_weights:,} weights"
    elif found := report.architecture:
        said["Architecture"] = f"{found.architecture} ({found.chosen_by})"
    if report.weights:
        said["Prunable weights"] = f"{report.weights.n_weights:,}"
        said["Zero already"] = f"{report.weights.sparsity:.1%}"
    if report.outputs:
        used = sum(bool(name) for name in report.outputs.classes)
        said["Outputs"] = f"{report.outputs.n_outputs}, {used} of them classes"
    if report.seen:
        said["Input"] = (
            f"{report.seen.image_size} px, "
            f"{'grey' if report.seen.channels == 1 else 'three channels'}, {report.seen.name}"
        )
    if report.estimate:
        said["Whole study"] = f"about {duration(report.estimate.seconds)}"
        said["Disk"] = (
            f"{size(report.estimate.disk_bytes)} of {size(report.estimate.free_bytes)} free"
        )
    st.html(markup.facts(said))


def order(report: Preflight) -> tuple[str, ...]:
    """What the outputs of a file that names none stand for, in a published order that a person
    chose; empty where they chose none. Outside the form, so that its table is filled at once."""
    outputs = report.outputs
    if outputs is None:
        return ()
    orders = {AS_SUGGESTED: report.proposed} if report.proposed else {}
    if outputs.named_by not in ("file", "torchxrayvision"):
        orders |= known_orders(outputs)
    known = {name: order for name, order in orders.items() if order != outputs.classes}
    if not known:
        return ()
    chosen = st.selectbox(
        f"These {outputs.n_outputs} outputs are in the order of",
        list(known),
        index=None,
        placeholder="Choose a list, or name them one by one below",
        key="order_of_outputs",
        help="Fills the table of outputs below. Change there what differs, then look again.",
        width=480,
    )
    return known[chosen] if chosen else ()


def details(
    report: Preflight, options: PreflightOptions, classes: tuple[str, ...] = ()
) -> PreflightOptions:
    """Every part of a report; returns the choices as they stand in its widgets. `classes` fill the
    table of outputs in place of the report's own."""
    if report.graph:
        options = _graph(report.graph, report.file, options)
    else:
        options = _architecture(
            report.architecture, report.file, report.twins, report.activations, options
        )
    if report.keys:
        _keys(report.keys)
    if report.weights:
        _weights(report.weights)
    if report.outputs:
        options = _outputs(report.outputs, options, classes)
        st.caption(plain(report.order_checked))
    if report.architecture:
        options = preprocessing(report.seen, report.architecture, options)
    if report.check:
        _check(report.check)
        options = _reference(report.reference, options)
    return options


def _reference(found: ReferenceCheck | None, options: PreflightOptions) -> PreflightOptions:
    with st.expander("Compare with your own probabilities"):
        if found:
            st.markdown(plain(_sentence(found.sentence)))
            rows = [(one.class_name, one.largest, one.rank_correlation) for one in found.classes]
            names = ["Class", "Largest difference", "Rank correlation"]
            formats = dict.fromkeys(names[1:], st.column_config.NumberColumn(format="%.3g"))
            table(rows, names, "Our probabilities against yours", column_config=formats)
        text = st.text_area(
            "Your probabilities of a few images, as CSV",
            value=options.reference or "",
            key="reference",
            placeholder="image_id,Hernia,Mass\n00000001_000.png,0.013,0.270",
            help="Up to 50 images of the dataset and a column for each class. If they agree, the "
            "network gets the same input here as in your own code.",
        )
    return replace(options, reference=text.strip() or None)


def on_page(text: str) -> str:
    """A sentence of the engine where it points to an option of the command line."""
    for pattern, words in REWORDED:
        text = re.sub(pattern, words, text)
    return text


def _architecture(
    found: ArchitectureFacts | None,
    file: FileFacts,
    twins: tuple[Twin, ...],
    activations: tuple[Twin, ...],
    options: PreflightOptions,
) -> PreflightOptions:
    st.markdown("#### File and architecture")
    notes = [f"{count} tensors of {name}" for name, count in file.dtypes.items()] + file.notes
    if {"float16", "bfloat16"} & {name.removeprefix("torch.") for name in file.dtypes}:
        notes.append("half precision, converted to full precision without loss")
    if notes:
        st.markdown(plain("; ".join(notes)) + ".")
    if found:
        st.markdown(
            f"**{plain(found.architecture)}**: {found.share:.1%} of the weights agree in name and "
            f"shape, names of {plain(found.library)}. Next: {plain(found.next)}."
        )
    if file.networks[1:]:
        options = _network(file, options)
    best = {str(twin): twin.name for twin in twins}
    names = dict.fromkeys((*get_args(Architecture), *index().networks))
    known = {"Choose one" if twins else "As guessed": None} | best
    known |= {name: name for name in names if name not in best.values()}
    chosen = pick("Architecture", known, options.architecture, key="architecture", width=420)
    options = replace(options, architecture=chosen)
    if found and found.head:
        options = replace(options, head=_activation(found.head, activations, options.head))
    return replace(options, rename=_renaming(options.rename))


def _activation(
    head: str, measured: tuple[Twin, ...], chosen: Activation | None
) -> Activation | None:
    """Of a classifier of several layers, what is computed between them."""
    auroc = {twin.name: str(twin) for twin in measured}
    names = sorted(get_args(Activation), key=list(auroc).index) if auroc else get_args(Activation)
    known: dict[str, Activation | None] = {auroc.get(name, name): name for name in names}
    if chosen is None:
        known = {"Choose one": None, **known}
    st.markdown(f"Layers before the outputs: {plain(head)}.")
    return pick("Between the classifier's layers", known, chosen, key="head", width=420)


def _graph(graph: GraphFacts, file: FileFacts, options: PreflightOptions) -> PreflightOptions:
    st.markdown("#### File and graph")
    operators = ", ".join(f"{n:,} {name}" for name, n in graph.operators)
    st.markdown(plain(f"{graph.sentence}. Most of its operators: {operators}."))
    return _network(file, options) if file.networks[1:] else options


def _network(file: FileFacts, options: PreflightOptions) -> PreflightOptions:
    label, each = "Network in the file", "weights"
    if file.format == "onnx":
        label, each = "Output of the graph", "classes"
    known: dict[str, str | None] = {
        f"{one.name} ({one.n_weights:,} {each})": one.name for one in file.networks
    }
    if options.network is None:
        known = {"Choose one": None, **known}
    chosen = pick(label, known, options.network, key="network_in_file", width=480)
    return replace(options, network=chosen)


def _renaming(rules: tuple[str, ...]) -> tuple[str, ...]:
    """Of use to few: weights under names that no library gives them."""
    with st.expander("Weights under other names", expanded=bool(rules)):
        typed = st.text_area(
            "Rules, one a line",
            "\n".join(rules),
            key="rename_weights",
            max_chars=6000,
            placeholder="encoder.=",
            help="old=new changes the beginning of every name that begins with old; /pattern/=new "
            "is a regular expression. Empty after = takes it away.",
        )
    return tuple(line.strip() for line in typed.splitlines() if line.strip())


def _keys(keys: Keys) -> None:
    st.markdown("#### Weights by name")
    if keys.fit:
        also = f" {len(keys.ignored)} others change nothing (counters, losses)."
        st.markdown(f"All {keys.n_matching} match.{also if keys.ignored else ''}")
        return
    rows = [("missing", name, "", "") for name in keys.missing]
    rows += [("unexpected", name, "", "") for name in keys.unexpected]
    rows += [
        ("another shape", one.name, str(one.in_file), str(one.expected)) for one in keys.reshaped
    ]
    st.markdown(f"{keys.n_matching} match, {len(rows)} do not:")
    table(rows, ["What", "Weight", "In the file", "Expected"], "Weights that do not match")


def _weights(weights: WeightFacts) -> None:
    st.markdown("#### Weights")
    st.markdown(
        f"{weights.n_weights:,} prunable weights in {len(weights.layers)} layers, all finite; "
        f"{weights.n_zero:,} ({weights.sparsity:.1%}) are zero already."
    )
    zero = [layer for layer in weights.layers if layer.n_zero]
    if zero:
        with st.expander(f"Zeros in {len(zero)} layers"):
            rows = [(one.layer, one.n_weights, 100 * one.n_zero / one.n_weights) for one in zero]
            table(rows, ["Layer", "Weights", "Zero (%)"], "Zeros by layer", most=402)


def _outputs(
    outputs: Outputs, options: PreflightOptions, classes: tuple[str, ...]
) -> PreflightOptions:
    st.markdown("#### Which class each output stands for")
    st.markdown(
        "In the order chosen above. Change what differs, then look again."
        if classes
        else _named_by(outputs)
    )
    if outputs.n_outputs > len(outputs.dataset_classes):
        st.caption("Outputs without a class are left out before anything is pruned.")
    if outputs.classes_without_output and outputs.named_by != "nobody":
        left = some(outputs.classes_without_output)
        st.caption(f"Classes without an output are left out of the study: {plain(left)}.")
    given = [name or LEFT_OUT for name in classes or outputs.classes]
    columns: dict[str, Sequence] = {"Output": range(1, len(given) + 1)}
    if len(outputs.file_names) == len(given):
        columns["In the file"] = outputs.file_names
    edited = st.data_editor(
        pd.DataFrame(columns | {"Class": given}),
        key=f"classes_of_outputs {hash(classes)}",  # changes to one list are none to another
        hide_index=True,
        disabled=["Output", "In the file"],
        height=_height(given, 760),
        column_config={
            "Output": st.column_config.NumberColumn(width="small"),
            "Class": st.column_config.SelectboxColumn(
                options=[LEFT_OUT, *outputs.dataset_classes], required=True
            ),
        },
    )
    chosen = tuple("" if name == LEFT_OUT else str(name) for name in edited["Class"])
    return options if chosen == outputs.classes else replace(options, classes=chosen)


def _named_by(outputs: Outputs) -> str:
    if outputs.named_by == "order" and outputs.file_names:
        n = len(outputs.file_names)
        return NAMED_BY["order"].replace("names no classes", f"names {n} classes, which do not fit")
    return NAMED_BY[outputs.named_by]


def _check(check: DenseCheck) -> None:
    st.markdown("#### Before pruning, against chance")
    rows: list[tuple] = [
        (one.class_name, one.n_positive, one.ap, one.prevalence, one.auroc) for one in check.classes
    ]
    if check.mean_ap is not None:
        means = (check.mean_ap, check.mean_prevalence, check.mean_auroc)
        rows.insert(0, (f"Mean of {check.n_measured} classes", None, *means))
    names = ["AP", "Prevalence", "AUROC"]
    formats = dict.fromkeys(names, st.column_config.NumberColumn(format="%.3f"))
    alt = "AP and AUROC of the dense network"
    table(rows, ["Class", "Positives", *names], alt, most=760, column_config=formats)
    st.caption(
        f"{check.n_images} test images, in {check.precision}. A network that knows nothing has an "
        "AP near the prevalence and an AUROC of 0.5; classes with few positives say little."
    )


def table(rows: Sequence, columns: list[str], alt: str, most: int = 320, **settings: Any) -> None:
    """A table of at most so many pixels in height."""
    found = pd.DataFrame(rows, columns=columns)
    st.dataframe(found, hide_index=True, height=_height(rows, most), alt=alt, **settings)


def _height(rows: Sequence, most: int) -> int:
    return min(most, 35 * (len(rows) + 1) + 2)


def _sentence(text: str) -> str:
    whole = text[:1].upper() + text[1:]
    return whole if whole.endswith((".", '"')) else f"{whole}."
