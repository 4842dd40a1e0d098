"""X-rays of PIEs in the report. They leave only for somebody who may see them and asked for them,
or where the study is synthetic; ids of images never do."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import InputError
from core.people import audit
from core.pictures.samples import BadImage
from core.pictures.thumbnails import picture
from core.pictures.xrays import image_path
from core.results.agreements import paper_pies
from core.study.study import Study
from core.wording import words

MOST = 12
SIZE = 256  # pixels of the longer side
# The PNG of an image of the study, or None where there is none to be read.
Xrays = Callable[[str], bytes | None]


@dataclass(frozen=True)
class ShownPie:
    """One PIE: its PNG as base64, and what is said below it."""

    png: str
    caption: str


def xrays_of(study: Study, who: str) -> Xrays:
    """Thumbnails of a study's images; that `who` took each along is logged before."""

    def xray(image_id: str) -> bytes | None:
        path = image_path(study.folder, study.config, image_id)
        if path is None:
            return None
        about = {"study": study.folder.name, "image": image_id}
        audit.record(who, "x-ray thumbnail", about, durable=False)
        try:
            return picture(path, SIZE)
        except (BadImage, OSError):
            return None

    return xray


def shown_pies(study: Study, sparsity: float, xray: Xrays) -> list[ShownPie]:
    """The PIEs of the lowest agreement at a sparsity, MOST of them."""
    found = paper_pies(study, sparsity)
    pies = found[found["is_pie"]].nsmallest(MOST, "agreement", keep="first")
    test, names = study.test.rows.set_index("image_id"), study.labels.class_names
    shown = []
    for place, row in enumerate(pies.itertuples(), start=1):
        png = xray(str(row.image_id))
        if png is None:
            continue
        given = test.loc[row.image_id, list(names)]
        labels = [name for name in names if given[name] == 1]
        said = words.names(labels, len(labels)) if labels else "no label"
        caption = f"{place}. {said}; agreement {words.number(row.agreement)}"
        shown.append(ShownPie(base64.b64encode(png).decode(), caption))
    if not shown:
        raise InputError("none of their X-rays can be read.")
    return shown
