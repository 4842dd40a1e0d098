"""The frame of every page: who is looking, the pages for them, the study picker, and errors in
words."""

import streamlit as st

from core import ui
from core.errors import InputError, WorkError
from core.people.access import SEES_STUDIES, Person, Role
from core.people.sign_in import Nobody
from core.ui import markup, people
from core.ui.document import WITHOUT_SIDEBAR

EVERYONE: tuple[Role, ...] = ("reader", "researcher", "admin")
HOME = "overview.py"
READINGS = "reader_study.py"
PAGES: dict[str, tuple[str, str, tuple[Role, ...]]] = {
    HOME: ("Overview", ":material/dashboard:", SEES_STUDIES),
    "class_ap.py": ("Class AP", ":material/show_chart:", SEES_STUDIES),
    "forgettability.py": ("Forgettability", ":material/grid_on:", SEES_STUDIES),
    "safe_sparsity.py": ("Safe sparsity", ":material/verified_user:", SEES_STUDIES),
    "pie_browser.py": ("PIE browser", ":material/radiology:", SEES_STUDIES),
    "analyse.py": ("Analyse a checkpoint", ":material/upload_file:", SEES_STUDIES),
    "jobs.py": ("Jobs", ":material/pending_actions:", SEES_STUDIES),
    READINGS: ("Reader study", ":material/rate_review:", EVERYONE),
    "reader_results.py": ("Reader results", ":material/groups:", SEES_STUDIES),
    "administration.py": ("Administration", ":material/shield_person:", ("admin",)),
}


def listed(file: str, looking: Person | Nobody, pages: dict[str, st.Page]) -> st.Page:
    """A page in the list, or in its place, unlisted, what says that it is not for this person."""
    title, icon, roles = PAGES[file]
    home = file == HOME
    if isinstance(looking, Person) and looking.role in roles:
        return st.Page(file, title=title, icon=icon, default=home)

    def instead() -> None:
        if not isinstance(looking, Person):
            people.ask_to_sign_in(looking)
        if home:
            st.switch_page(pages[READINGS])
        people.refuse(back=pages[HOME if looking.role in SEES_STUDIES else READINGS])

    path = None if home else file.removesuffix(".py")
    return st.Page(instead, title=title, url_path=path, default=home, visibility="hidden")


# An X-ray to be read has the whole window, from the start.
sidebar = "collapsed" if (st.context.url or "").endswith(f"/{WITHOUT_SIDEBAR}") else "auto"
st.set_page_config(
    page_title="PruneScope",
    page_icon=markup.FAVICON,
    layout="wide",
    initial_sidebar_state=sidebar,
)
looking = people.enter()
pages: dict[str, st.Page] = {}
pages |= {file: listed(file, looking, pages) for file in PAGES}
page = st.navigation(list(pages.values()))
if isinstance(looking, Person):
    n_pages = sum(looking.role in roles for _, _, roles in PAGES.values())
    with st.sidebar, st.container(key="one-page" if n_pages == 1 else "many-pages"):
        if looking.role in SEES_STUDIES:
            ui.pick_study()
        people.show_person(looking)
        st.caption("For research only. Not a medical device, not for diagnosis.")
try:
    page.run()
except (InputError, WorkError) as error:
    st.error(ui.plain(str(error)), icon=":material/error:")
