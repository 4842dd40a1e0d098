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
# The pages in groups, by file: title, icon, and who has it in their list.
SECTIONS: dict[str, dict[str, tuple[str, str, tuple[Role, ...]]]] = {
    "Results": {
        HOME: ("Overview", ":material/dashboard:", SEES_STUDIES),
        "class_ap.py": ("Class AP", ":material/show_chart:", SEES_STUDIES),
        "forgettability.py": ("Forgettability", ":material/grid_on:", SEES_STUDIES),
        "safe_sparsity.py": ("Safe sparsity", ":material/verified_user:", SEES_STUDIES),
    },
    "Images": {
        "pie_browser.py": ("PIE browser", ":material/radiology:", SEES_STUDIES),
        READINGS: ("Reader study", ":material/rate_review:", EVERYONE),
        "reader_results.py": ("Reader results", ":material/groups:", SEES_STUDIES),
    },
    "Work": {
        "analyse.py": ("Analyse a checkpoint", ":material/upload_file:", SEES_STUDIES),
        "look.py": ("Look at a file", ":material/visibility:", SEES_STUDIES),
        "jobs.py": ("Jobs", ":material/pending_actions:", SEES_STUDIES),
    },
    "Administration": {
        "administration.py": ("Administration", ":material/shield_person:", ("admin",)),
    },
}


def listed(file: str, looking: Person | Nobody, pages: dict[str, st.Page]) -> st.Page:
    """A page in the list, or in its place, unlisted, what says that it is not for this person."""
    title, icon, roles = known[file]
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


def grouped(pages: dict[str, st.Page]) -> dict[str, list[st.Page]]:
    """The pages by group, of those groups in which this person has any listed."""
    shown = {
        name: [pages[file] for file in section if pages[file].visibility == "visible"]
        for name, section in SECTIONS.items()
    }
    groups = {name: listed for name, listed in shown.items() if listed}
    hidden = [page for page in pages.values() if page.visibility == "hidden"]
    first = next(iter(groups), "")
    return {**groups, first: [*groups.get(first, []), *hidden]}


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
known = {file: told for section in SECTIONS.values() for file, told in section.items()}
pages |= {file: listed(file, looking, pages) for file in known}
page = st.navigation(grouped(pages))
if isinstance(looking, Person):
    n_pages = sum(looking.role in roles for _, _, roles in known.values())
    with st.sidebar, st.container(key="one-page" if n_pages == 1 else "many-pages"):
        if looking.role in SEES_STUDIES:
            ui.pick_study()
        people.show_person(looking)
        st.caption("For research only. Not a medical device, not for diagnosis.")
try:
    page.run()
except (InputError, WorkError) as error:
    st.error(ui.plain(str(error)), icon=":material/error:")
