"""Every class over sparsity, and what each has lost: for more than one page."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from core.analysis import decay, losses
from core.charts import Chart
from core.charts.curves import class_curves_chart
from core.ui.results import cached, chance_levels, class_metrics, table
from core.ui.view import View

MOST = 512  # charts of one kind; each takes 10 to 100 KB


@cached("metric")
def curves(view: View) -> pd.DataFrame:
    return decay.ForgettabilityCurves(view.metric)(class_metrics(view))


@cached("metric", "corrected", "relative")
def bands(view: View) -> pd.DataFrame:
    """Each class's curve with median, lower and upper: with its 95 % intervals over runs and
    patients (of a subgroup over runs), or with quartiles over runs as `losses.class_curves`."""
    if view.corrected and view.relative:
        return losses.banded(table(view, "forgettability"), "mean_change")
    return losses.class_curves(class_metrics(view), view.metric, view.relative)


@cached("metric", "corrected", "sparsity", entries=256)
def class_losses(view: View) -> pd.DataFrame:
    """`losses.Losses`: medians over runs with quartiles, or means with their intervals."""
    lost = losses.Losses(view.metric, view.at)(
        curves(view), class_metrics(view), table(view, "class_frequencies"), chance_levels(view)
    )
    if not view.corrected:
        return lost
    return losses.with_intervals(lost, table(view, "forgettability"), view.at)


@cached("metric", "corrected", "relative", "sparsity", entries=MOST, shared=True)
def curves_chart(view: View, picked: tuple[str, ...] = ()) -> Chart:
    """Every class over sparsity; `picked` are named, or else those that lost most."""
    last = float(class_metrics(view)["sparsity"].max())
    at = last if view.sparsity is None else view.sparsity
    lost = class_losses(replace(view, sparsity=at, corrected=view.corrected and view.relative))
    return class_curves_chart(
        bands(view),
        lost,
        list(picked) or losses.most_lost(lost),
        chance_levels(view),
        view.metric,
        view.relative,
        view.sparsity,
        asked_for=bool(picked),
    )
