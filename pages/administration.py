"""What administrators see: the audit log, and the deletion of a study."""

import streamlit as st

from core import ui
from core.ui import administration, people
from core.wording import words

COLUMNS = {
    "when": st.column_config.DatetimeColumn("When (UTC)", format="YYYY-MM-DD HH:mm:ss"),
    "who": "Who",
    "what": "What",
    "about": "About",
}

people.require("admin")
st.title("Administration")
st.subheader("Audit log")
st.caption("Who did what, newest first. The file itself is cache/audit.jsonl; nothing is removed.")
who = st.selectbox("Person", administration.people_in_log(), index=None, placeholder="Everybody")
table = administration.log_table(who)
st.dataframe(
    table, hide_index=True, height=400, column_config=COLUMNS, alt="The audit log, newest first"
)
newest = words.count(len(table), "line")
st.caption(f"{newest}, the newest. The command prunescope audit prints all.")

st.subheader("Delete a study")
studies = ui.visible_studies()
if not studies:
    st.info("There is no study.", icon=":material/info:")
    st.stop()
name = st.selectbox("Study to delete", list(studies), index=None)
if name:
    st.caption("Its models, predictions and tables go for good. Images and study files stay.")
    administration.deletion(studies[name])
