"""Up to which sparsity every class is as good as dense, by ranking and by decisions."""

import streamlit as st

from core import ui
from core.ui import results
from core.ui.safe_sparsity import settings, verdicts

settings.follow_old_address()
view = ui.open_study()
ui.page_head("Safe sparsity", view)
results.finished_metrics(view)
asked = settings.ask()
found = verdicts.verdicts(view, asked)
if found is None:
    st.info("No class has this metric in both a dense and a pruned model.")
    st.stop()
verdicts.show_answer(view, found, asked)
verdicts.show_more(view, found, asked)
