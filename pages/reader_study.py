"""A reader's own readings: one X-ray at a time, its labels, three questions. Nothing of a model."""

import streamlit as st

from core.ui import people
from core.ui.reader_study import room, screen

st.set_page_config(initial_sidebar_state="collapsed")  # room for the X-ray
person = people.require("reader", "researcher", "admin")
of = screen.choose_study(person)
entered, known = room.enter(of, person.email)
entered.note_showing(known.order[entered.place])
with st.container(key="reading-room"):
    left, right = st.columns([5, 3], gap="medium")
with left:
    screen.show_xray(entered, known)
with right:
    screen.show_questions(entered, known)
entered.settle()
