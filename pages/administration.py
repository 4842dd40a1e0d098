"""What administrators see: the audit log, everybody's own images, and the deletion of these and of
studies."""

from functools import partial

import streamlit as st

from core import ui
from core.ui import administration, people, tables, widgets
from core.wording import words

DATASETS = {"name": "Dataset", "whose": "Whose", "size": "Size", "folder": "Folder"}

people.require("admin")
st.title("Administration")
st.subheader("Audit log")
st.caption("Who did what, newest first. The file itself is cache/audit.jsonl; nothing is removed.")
who = st.selectbox("Person", administration.people_in_log(), index=None, placeholder="Everybody")
table = administration.newest_lines(who)
tables.show(table, administration.AUDIT_LOG, height=400, alt="The audit log, newest first")
newest = words.count(len(table), "line")
st.caption(f"{newest}, the newest. The command prunescope audit prints all; the files hold all.")
widgets.downloads(None, "audit_log", partial(administration.whole_log, who), who or "")

st.subheader("Delete a study")
studies = ui.visible_studies()
if studies:
    name = st.selectbox("Study to delete", list(studies), index=None)
    if name:
        st.caption("Its models, predictions and tables go for good. Images and study files stay.")
        administration.delete_a_study(studies[name])
else:
    st.info("There is no study.", icon=":material/info:")

st.subheader("People's own images")
datasets = administration.own_datasets()
if datasets:
    st.dataframe(
        administration.datasets_table(datasets.values()),
        hide_index=True,
        column_config=DATASETS,
        alt="Datasets of people's own",
    )
    chosen = st.selectbox("Dataset to delete", list(datasets), index=None)
    if chosen:
        st.caption("Its images and its table go for good, and so does what was made of them.")
        administration.delete_a_dataset(datasets[chosen])
else:
    st.info("Nobody has brought images of their own.", icon=":material/info:")
