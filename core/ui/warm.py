"""What the first visitor would otherwise wait for, made when the server starts."""

from __future__ import annotations

import inspect
import logging
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from core.analysis.class_changes import PRIMARY
from core.ui import meant_study, results

# What takes longest of the first page.
TABLES = ("class_frequencies", "class_summary", "forgettability", "overall", "claims")

log = logging.getLogger(__name__)


def warm() -> None:
    """What pages import takes seconds, and the tables of the study shown first another; both are
    there before anybody is let in."""
    for module in walk_packages([str(Path(__file__).parent)], "core.ui."):
        import_module(module.name)
    for name in ("scipy.stats", "jinja2"):  # put off by scipy itself, and by markup and pandas
        import_module(name)
    # Streamlit looks at the stack when it draws for the first time. Python looks for each module's
    # file then, which takes 0.2 s, and remembers.
    inspect.stack()
    try:
        if view := meant_study():
            for table in TABLES:
                results.table(view, table, metric=PRIMARY)
            results.split_sizes(view)
    except Exception as error:  # the page tells whoever asks for it
        log.info("the study shown first is not ready for the first page: %s", error)
