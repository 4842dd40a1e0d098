"""A grid of 0, 50 and 70 %: whatever a page, the report or an export says, nothing is said to
happen where nothing was measured."""

from __future__ import annotations

import re

import numpy as np
import pytest

from core import results
from core.reporting.report import write_report
from core.study.study import Study
from tests.page_studies import with_validation
from tests.pages.test_pages import open_page, said
from tests.toys import TOY_CLASSES, toy_config, write_toy_study

GRID = [0, 0.5, 0.7]
PAGES = ("overview.py", "class_ap.py", "forgettability.py", "safe_sparsity.py")
NAMED = re.compile(rf"({'|'.join(TOY_CLASSES)}) \(([\d.]+)[\s\u00a0]?%\)")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each place says of a study all of whose classes are lost by 50 %."""
    cache = tmp_path_factory.mktemp("coarse")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(cache))
        sections = {"runs": {"count": 4}, "sweep": {"sparsities": GRID}}
        config = toy_config("coarse", cache / "images", **sections)
        folder = write_toy_study(config=config, n_images=800)
        with_validation(folder)
        found = {page: said(open_page(page)) for page in PAGES}
        write_report("coarse", cache / "report.html")
        found["report"] = (cache / "report.html").read_text("utf-8")
        study = Study(folder)
        found["claims"] = results.table(study, "claims").to_csv()
        summary = results.table(study, "class_summary")
    lost = summary["first_drop_sparsity"].eq(0.5)
    assert lost.any(), "the toy loses classes across the gap"
    assert summary.loc[lost, "first_drop_interpolated"].isna().all()
    return found


@pytest.mark.parametrize("place", [*PAGES, "report", "claims"])
def test_no_class_is_said_to_be_lost_between_two_far_points(texts, place: str) -> None:
    at = {float(number) / 100 for _, number in NAMED.findall(texts[place])}
    assert at <= set(np.round(GRID, 4)), texts[place][:500]
    assert "already at 50" not in texts[place].replace("\u00a0", " ")


def test_the_headlines_say_where_nothing_was_measured(texts) -> None:
    of_all = " ".join(texts[place] for place in ("overview.py", "report")).replace("\u00a0", " ")
    assert "where nothing was measured" in of_all or "the lowest sparsity tried" in of_all
