"""A reader's own readings: one X-ray at a time, its labels, the questions. Nothing of a model."""

import streamlit as st

from core.people.access import LOCAL
from core.ui import people
from core.ui.reader_study import room, screen

st.set_page_config(initial_sidebar_state="collapsed")  # room for the X-ray
person = people.require("reader", "researcher", "admin")
reader = screen.who_reads(person)
of = screen.choose_study(reader)
entered, known = room.enter(of, reader, person.email)
entered.note_showing(known.order[entered.place])
screen.listen(entered, known)
with st.container(key="reading-room"):
    left, right = st.columns([5, 3], gap="medium")
with left:
    screen.show_xray(entered, known)
with right:
    screen.show_questions(entered, known)
    if person == LOCAL:
        screen.show_name(reader)
entered.settle()
