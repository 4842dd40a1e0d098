"""Up to which sparsity every class is as good as dense, by ranking and by decisions."""

import streamlit as st

from core import ui
from core.analysis.safe_operation import BY_BOTH
from core.analysis.safe_sparsity import ALL
from core.ui import loaders, safety, tables, widgets
from core.wording import safety_sentences

SHOWN = (
    *("class_name", "group", "n_positive_patients", "sparsity", "dense", "pruned"),
    *("relative_change", "ci_low", "ci_high", "smallest_margin", "verdict", "operating_verdict"),
    *("sensitivity_change", "specificity_change", "operating_threshold", "reason"),
)


def show_groups() -> None:
    for scope, answer in answers.items():
        if scope != ALL:
            st.markdown(f"- {ui.plain(safety_sentences.safe_headline(answer, settings))}")


safety.follow_old_address()
opened = ui.open_study()
ui.page_head("Safe sparsity", opened)
loaders.finished_metrics(opened)
top = st.container()
settings = safety.ask_settings()
found = safety.verdicts(opened, settings)
if found is None:
    st.info("No class has this metric in both a dense and a pruned model.")
    st.stop()
answers, table = found.answers, found.table
tag = safety.tag(settings)

with top:
    st.markdown(f"## {ui.plain(safety_sentences.safe_headline(answers[ALL], settings))}")
    for sentence in safety_sentences.by_decisions(found.by_decisions):
        st.markdown(f"**{ui.plain(sentence)}**")
    st.markdown(ui.plain(safety_sentences.safe_details(answers[ALL], settings)))
    st.caption(f"{safety_sentences.OTHER_FIRST} {safety_sentences.NOT_A_LICENCE}")
    safety.note_subgroup()
show_groups()
if found.by_decisions:
    st.caption(ui.plain(safety_sentences.DECISIONS_ARE))
for caveat in safety_sentences.safe_caveats(
    answers[ALL], settings, loaders.patients_caveat(opened)
):
    st.caption(ui.plain(caveat))

widgets.draw(found.chart, key="safety_chart", of=opened, about=(settings.metric, tag))
tables.show(
    table,
    BY_BOTH,
    SHOWN,
    alt="Every class at every sparsity: changes, bounds, and the verdicts by both criteria",
)
widgets.downloads(opened, "safe_sparsity", lambda: table, tag)
