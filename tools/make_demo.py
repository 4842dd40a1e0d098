"""Run the study of a file here and now, and print how it goes: what the image's demo is made by.

It imports what a run needs and no more, so that the Dockerfile's stage depends on no more.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from core.engine.pipeline import run_study
from core.study.config import read_config
from core.study.progress import Report


class Stages:
    """Prints each stage of a run once, with the seconds since the start."""

    def __init__(self) -> None:
        self._began, self._stage = time.monotonic(), ""

    def __call__(self, report: Report) -> None:
        if report.stage != self._stage:
            self._stage = report.stage
            print(f"{time.monotonic() - self._began:5.0f} s  {report.stage}", flush=True)


if __name__ == "__main__":
    print(run_study(read_config(Path(sys.argv[1])), Stages()))
