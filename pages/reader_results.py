"""Reader studies for those who make them: a new one, how far the readers are, what they found."""

import streamlit as st

from core import ui
from core.actions import reader_study
from core.reader_study import results, words
from core.ui import people, widgets
from core.ui.reader_results import making, sections

person = people.require("researcher", "admin")
opened = ui.open_study()
ui.page_head("Reader results", opened)
if people.visitor().synthetic_only:
    st.info(
        "Reader studies are for people who sign in, or who sit at the server's own machine.",
        icon=":material/lock:",
    )
    st.stop()
known = {one.name: one for one in reader_study.visible(opened.folder.name, person)}
if not known:
    making.show(opened, person, first=True)
    st.stop()

names = list(known)
of = known[widgets.addressed("reader-study", names, names[0])]
st.selectbox("Reader study", names, key="reader-study")
# Not a caption, in whose grey the address of who made it, a link, is hard to read.
st.markdown(f":small[{ui.plain(words.made(of, results.image_table(of)))}]")
sections.show_results(opened, of)
sections.show_readers(of, person)
sections.show_downloads(opened, of, person)
making.show(opened, person, first=False)
