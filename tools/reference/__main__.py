"""`python -m tools.reference` writes the reference pages of the documentation."""

import sys

from core.errors import InputError
from tools.reference.pages import ROOT, write

try:
    for path in write():
        print(path.relative_to(ROOT))
except InputError as error:
    sys.exit(str(error))
