"""mAP over sparsity, and from where on it is below dense."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.analysis import decay, losses
from core.analysis.overall import OVERALL
from core.charts import Chart
from core.charts.curves import mean_ap_chart
from core.ui import plain, tables, widgets
from core.ui.results import cached, class_metrics, mean_ap_band, split_sizes, table
from core.ui.view import View
from core.wording import statistic_sentences

SHOWN = (
    *("sparsity", "n_runs", "mean_ap", "ci_low", "ci_high", "difference"),
    *("difference_ci_low", "difference_ci_high", "welch_p", "paired_p"),
)


def show(view: View) -> None:
    overall = table(view, "overall")
    downloads = partial(widgets.downloads, view, "overall")
    widgets.draw(
        _chart(view), key="mean_ap_chart", of=view, also=None if overall.empty else downloads
    )
    if overall.empty:
        return
    said = (
        statistic_sentences.first_significant(overall, corrected) for corrected in (True, False)
    )
    if overall["sparsity"].max() > 0:
        st.markdown(f"**mAP is below dense.** {plain(' '.join(said))}")
    widgets.caption(statistic_sentences.overall_interval(overall))
    tables.show(
        overall,
        OVERALL,
        SHOWN,
        alt="mAP at every sparsity, its difference from dense, intervals and p-values",
    )


@cached(shared=True)
def _chart(view: View) -> Chart:
    """mAP over sparsity with its interval: the numbers of the table `overall`."""
    overall = losses.banded(table(view, "overall"), "mean_ap")
    if overall.empty:  # no run has a dense model
        overall = mean_ap_band(view)
    n_classes, n_undefined = decay.defined_classes(class_metrics(view))
    return mean_ap_chart(overall, n_classes, n_undefined, split_sizes(view)["test"])
