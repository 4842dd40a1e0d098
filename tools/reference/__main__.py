"""`python -m tools.reference` writes the reference pages of the documentation."""

import logging
import sys

from core.errors import InputError

logging.disable(logging.WARNING)  # Streamlit's, of pages that no server shows
from tools.reference.pages import ROOT, write  # noqa: E402

try:
    for path in write():
        print(path.relative_to(ROOT))
except InputError as error:
    sys.exit(str(error))
