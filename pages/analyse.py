"""A checkpoint somebody brings: what it is, whether it fits, and the start of its study."""

import streamlit as st

from core import ui
from core.people.access import SEES_STUDIES
from core.ui import people
from core.ui.analyse import steps
from core.upload import uploads
from core.wording import terms

person = people.require(*SEES_STUDIES)
ui.page_head("Analyse a checkpoint")
visitor = people.visitor()
if not uploads.may_upload(visitor):
    st.info(uploads.why_not(visitor), icon=":material/lock:")
    st.stop()
st.markdown(
    "Upload a trained network and learn what pruning would make it forget. The file is checked "
    "first, in seconds; the study itself takes minutes to hours, in the background."
)

st.header("1. The checkpoint")
upload = steps.choose_file(person.email)

st.header("2. The dataset")
base = steps.choose_dataset()

st.header("3. Preflight", help=terms.TERMS["preflight"])
report = None
if upload and base:
    report = steps.preflight(upload, base)
else:
    st.caption("Says what the file is and whether it fits, once there is a file and a dataset.")

st.header("4. Run")
if report and base and report.fit:
    steps.run(report, base)
else:
    st.caption("Grid, precision, pruning and a name, once the preflight finds the file fit.")
