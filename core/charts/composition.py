"""What PIEs hold more of than other images, and how far from dense they are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.charts import parts
from core.charts.whiskers import add_arrows, reach, whiskers
from core.study.labels import FEW_PATIENTS
from core.wording import words
from core.wording.pie_sentences import composition, held_against_dense

SIGNIFICANT = 0.05
QUALITY_SHOWN = ("difference", "pie_median", "non_pie_median", "q")
LEAST_RATIO = 0.05  # where a log axis ends: a class that no PIE has, has no logarithm


def class_ratio_chart(ratios: pd.DataFrame, groups: dict[str, str]) -> parts.Chart:
    """Frequency of every class among PIEs over that among other images, largest first."""
    by = "pruned_ratio" if held_against_dense(ratios) else "ratio"
    known = ratios[ratios["ratio"].notna()].sort_values(
        ["unstable", by], ascending=[True, False], kind="stable"
    )
    colours = known["class_name"].map(groups).map(parts.GROUP_COLOURS).tolist()
    names = known["class_name"].tolist()
    return _ratio_chart(known, names, colours, _title(known, names, "carry {}"))


def finding_count_chart(ratios: pd.DataFrame) -> parts.Chart:
    """The same by number of findings."""
    known = ratios[ratios["ratio"].notna()]
    names = [
        words.count(int(n), "finding") if n.isdigit() else "4 or more findings"
        for n in known["finding_count"]
    ]
    colours = [parts.OTHER] * len(known)
    return _ratio_chart(known, names, colours, _title(known, names, "have {}"))


def label_noise_chart(noise: pd.DataFrame, title: str) -> parts.Chart:
    """How much more often PIEs carry a wrong label. noise: `PieLabelNoise`."""
    known = noise[noise["ratio"].notna()].assign(
        n_pie_positive=noise["n_pie_wrong"],
        n_positive=noise["n_pie_wrong"] + noise["n_non_pie_wrong"],
    )
    known = known.assign(unstable=known["n_wrong_patients"] < FEW_PATIENTS)
    names = [f"{name[0].upper()}{name[1:]}" for name in known["images"]]
    return _ratio_chart(known, names, [parts.OTHER] * len(known), title)


def quality_chart(quality: pd.DataFrame, names: dict[str, str], title: str) -> parts.Chart:
    """In which measures of image quality PIEs differ. quality: `PieQuality`."""
    known = quality[quality["difference"].notna()]
    figure = parts.empty_figure(max(220, parts.ROW_HEIGHT * len(known) + 80))
    clear = known["q"] < SIGNIFICANT
    figure.add_scatter(
        x=known["difference"],
        y=np.arange(len(known)),
        mode="markers",
        marker={
            "size": 11,
            "color": parts.OTHER,
            "symbol": np.where(clear, "circle", "circle-open"),
            "line": {"width": 2},
        },
        error_x=whiskers(known["ci_low"], known["ci_high"], known["difference"]),
        text=known["measure"].map(names),
        **parts.hover(
            "%{text}: difference {difference}<br>median {pie_median} in PIEs, {non_pie_median} in "
            "others<br>q = {q}",
            **{name: known[name].map(lambda v: words.significant(v)) for name in QUALITY_SHOWN},
        ),
    )
    held = held_against_dense(known, "difference")
    drawn = ["difference", "ci_low", "ci_high"] + ["dense_difference"] * held
    if held:
        figure.add_scatter(
            x=known["dense_difference"],
            y=np.arange(len(known)),
            mode="markers",
            marker={"size": 9, "color": parts.GREY, "symbol": "diamond"},
            text=known["measure"].map(names),
            **parts.hover(
                "%{text}, nothing pruned: difference {dense}",
                dense=known["dense_difference"].map(words.number),
            ),
        )
    parts.no_difference(figure, 0)
    parts.class_axis(figure, known["measure"].map(names).tolist())
    ends = known[drawn].abs().max(axis=None)
    far = min(1.05, 1.15 * ends) if len(known) and ends > 0.2 else 0.25
    figure.update_xaxes(
        title="Lower in PIEs \u2190 difference (rank-biserial) \u2192 higher in PIEs",
        range=[-far, far],
        zeroline=False,
    )
    pies, others = (int(quality[name].max()) for name in ("n_pie", "n_non_pie"))
    caption = (
        f"n = {words.count(pies, 'PIE')}, {words.count(others, 'other image')}. Chance that a PIE "
        "lies higher minus chance that it lies lower. Whiskers: 95 % over patients. Hollow: "
        "q of 0.05 or more (Benjamini-Hochberg)."
    )
    if held:
        caption += " Grey diamonds: PIEs of dense against dense models, nothing pruned."
    return parts.Chart(title, figure, caption)


def z_chart(definitions: pd.DataFrame, title: str) -> parts.Chart:
    """How agreement_z is distributed among PIEs and other images. definitions: the table `pies`."""
    known = definitions[definitions["agreement_z"].notna()]
    z = known["agreement_z"].to_numpy(float)
    figure = parts.empty_figure(280)
    low, high = (np.percentile(z, [0.5, 99.5])) if len(z) else (-1.0, 1.0)
    edges = np.linspace(min(low, -1), max(high, 1), 41)
    middles = (edges[1:] + edges[:-1]) / 2
    pie = known["is_pie"].to_numpy(bool)
    for mask, name, colour in (
        (~pie, "other", parts.GREY),
        (pie, "PIE", parts.OTHER),
    ):
        counts, _ = np.histogram(np.clip(z[mask], edges[0], edges[-1]), edges)
        figure.add_bar(
            x=middles,
            y=counts,
            name=name,
            marker_color=colour,
            hovertemplate="z %{x}: %{y} images<extra>" + name + "</extra>",
        )
    parts.no_difference(figure, 0)
    parts.legend_above(figure, 1.02)
    figure.update_layout(barmode="stack", bargap=0.05, margin_t=36)
    axis = "z: agreement with the pruned model against dense with dense"
    figure.update_xaxes(title=axis, hoverformat=".1f")
    figure.update_yaxes(title="Test images")
    caption = (
        f"n = {words.count(len(known), 'test image')}; below 0: dense and pruned models agree "
        "less than dense models do. Halves of the runs overlap, so z orders images; it is no test."
    )
    return parts.Chart(title, figure, caption)


def _ratio_chart(
    known: pd.DataFrame, names: list[str], colours: list[str], title: str
) -> parts.Chart:
    figure = parts.empty_figure(max(220, parts.ROW_HEIGHT * len(known) + 80))
    positions = np.arange(len(known))
    held = held_against_dense(known)
    shown = "pruned_ratio" if held else "ratio"
    ends = ("pruned_ci_low", "pruned_ci_high") if held else ("ci_low", "ci_high")
    ratio = known[shown].clip(lower=LEAST_RATIO)
    low, high = (known[end].clip(lower=LEAST_RATIO) for end in ends)
    stable = ~known["unstable"] if not known["unstable"].all() else known["unstable"]
    values, lows, highs = (np.log10(end) for end in (ratio, low[stable], high[stable]))
    logs = reach(values, lows, highs, always=(0.0,), least=0.7)
    within = 10 ** logs[0], 10 ** logs[1]
    if held:  # quieter, and below the dots
        figure.add_scatter(
            x=known["dense_ratio"].clip(lower=LEAST_RATIO),
            y=positions,
            mode="markers",
            marker={"size": 9, "color": parts.GREY, "symbol": "diamond"},
            text=parts.escaped(names),
            **parts.hover(
                "%{text}, nothing pruned: {ratio} times<br>{n} PIEs of dense against dense",
                ratio=known["dense_ratio"].map(words.number),
                n=known["n_dense"],
            ),
        )
    figure.add_scatter(
        x=ratio,
        y=positions,
        mode="markers",
        marker={
            "size": 11,
            "color": colours,
            "symbol": np.where(known["unstable"], "circle-open", "circle"),
            "line": {"width": 2},
        },
        error_x=whiskers(low, high, ratio, within),
        text=parts.escaped(names),
        **parts.hover(
            "%{text}: {ratio} times<br>{n} PIEs of {n_images} images",
            ratio=known[shown].map(words.number),
            n=known["n_pruned" if held else "n_pie_positive"],
            n_images=known["n_positive"],
        ),
    )
    said = [
        f"{name}: 95 % interval {words.number(a)} to {words.number(b)} times"
        for name, a, b in zip(parts.escaped(names), known[ends[0]], known[ends[1]], strict=True)
    ]
    arrows = add_arrows(figure, low, high, within, said)
    parts.no_difference(figure, 1)
    parts.class_axis(figure, names)
    figure.update_xaxes(
        title="Share among PIEs over that among others (log scale)",
        type="log",
        range=logs,
        tickvals=[LEAST_RATIO, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100],
        ticktext=["0", "0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50", "100"],
    )
    return parts.Chart(title, figure, _ratio_caption(known, held) + arrows)


def _ratio_caption(known: pd.DataFrame, held: bool) -> str:
    if held:
        caption = (
            "Dots: single pruned against single dense models of other runs, by ranks within class; "
            "whiskers: 95 % over runs and patients, PIEs found again in each draw. Grey diamonds: "
            "dense against dense, nothing pruned. Dotted: as often as elsewhere."
        )
    else:
        caption = (
            "Whiskers: 95 % over patients, with the PIEs as found. Dotted: as often as elsewhere."
        )
    if known["unstable"].any():
        caption += f" Hollow: fewer than {FEW_PATIENTS} patients, unstable."
    if held and (known["n_pruned"] == 0).any():
        caption += " Half a PIE is added, so what is on no PIE lies above 0."
    if not held and (known["ratio"] == 0).any():
        caption += " At 0: on no PIE, where resampling gives no interval."
    return caption


def _title(known: pd.DataFrame, names: list[str], verb: str) -> str:
    stable = ~known["unstable"].to_numpy(bool)
    there = [name for name, keep in zip(names, stable, strict=True) if keep]
    return composition(known[stable], there, verb)
