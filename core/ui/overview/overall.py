"""mAP over sparsity, and from where on it is below dense."""

from __future__ import annotations

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
    widgets.draw(_chart(view), key="mean_ap_chart", of=view)
    overall = table(view, "overall")
    if overall.empty:
        return
    st.markdown("**Where mAP is below dense**, in both readings:")
    for corrected in (True, False):
        st.markdown(f"- {plain(statistic_sentences.first_significant(overall, corrected))}")
    st.caption(plain(statistic_sentences.overall_interval(overall)))
    with st.expander("mAP at every sparsity as a table"):
        tables.show(
            overall,
            OVERALL,
            SHOWN,
            height="content",
            alt="mAP at every sparsity, its difference from dense, intervals and p-values",
        )
    widgets.downloads(view, "overall")


@cached(shared=True)
def _chart(view: View) -> Chart:
    """mAP over sparsity with its interval: the numbers of the table `overall`."""
    overall = losses.banded(table(view, "overall"), "mean_ap")
    if overall.empty:  # no run has a dense model
        overall = mean_ap_band(view)
    n_classes, n_undefined = decay.defined_classes(class_metrics(view))
    return mean_ap_chart(overall, n_classes, n_undefined, split_sizes(view)["test"])
