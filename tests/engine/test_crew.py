"""Runs made at the same time: the same numbers, refusals as they are, and nobody left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from core.engine.crew import Crew, crew_size
from core.engine.pipeline import run_study
from core.errors import InputError, WorkError
from core.study.config import read_config
from tests.engine.small_study import assert_equal_studies
from tests.waiting import lives, until

ROOT = Path(__file__).parents[2]


def count_to(last, advance):
    for n in range(last + 1):
        advance(n, last)


def fail(error, advance):
    raise error


def die(advance):
    os._exit(3)


@pytest.fixture(scope="module")
def crew():
    with Crew(2) as made:
        yield made


def test_runs_made_at_the_same_time_equal_those_made_one_by_one(
    undisturbed, study_file, tmp_path, monkeypatch
):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    config = read_config(study_file, ("runs.at_once=2",))
    assert config.id == undisturbed[0].id
    stages = []
    folder = run_study(config, lambda report: stages.append(report.stage))
    assert_equal_studies(folder, undisturbed[1] / "studies" / config.id)
    which = "runs 1 to 2 of 2" if crew_size(2, 2) == 2 else "run 2 of 2"
    assert f"Training {which}" in stages


def test_progress_is_the_sum_over_runs_and_never_falls(crew):
    seen = []
    crew.do(count_to, [(30,), (10,)], lambda *report: seen.append(report))
    assert seen[-1] == (40, 40)
    assert seen == sorted(seen)


def test_what_a_run_raises_is_raised_and_an_unforeseen_error_is_named(crew):
    with pytest.raises(InputError, match="no image"):
        crew.do(fail, [(InputError("no image"),)], lambda *_: None)
    with pytest.raises(WorkError, match="ZeroDivisionError: by nought"):
        crew.do(fail, [(ZeroDivisionError("by nought"),)], lambda *_: None)


def test_a_process_that_dies_ends_the_work_in_words():
    with Crew(1) as crew, pytest.raises(WorkError, match="ended too early"):
        crew.do(die, [()], lambda *_: None)


def test_a_crew_is_no_larger_than_its_work():
    assert crew_size(wanted=8, n_runs=1) == 1
    assert crew_size(wanted=1, n_runs=8) == 1


def test_members_end_with_the_process_that_started_them(tmp_path):
    script = tmp_path / "start.py"
    script.write_text(
        "import time\nfrom core.engine.crew import Crew\n"
        "if __name__ == '__main__':\n    crew = Crew(2)\n"
        "    print(*(process.pid for process, _ in crew._members), flush=True)\n"
        "    time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    members = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(members) == 2
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    until(lambda: not any(map(lives, members)))


def say_where(found, advance):
    found.write_text(os.environ["PRUNESCOPE_CACHE"])


@pytest.mark.parametrize("cache", ["one", "another"])
def test_members_have_the_environment_of_now_and_do_not_run_a_page_again(
    tmp_path, monkeypatch, cache
):
    page = ModuleType("__main__")  # as Streamlit leaves it
    page.__file__ = str(tmp_path / "page.py")
    Path(page.__file__).write_text("raise SystemExit('This page has run again.')")
    monkeypatch.setitem(sys.modules, "__main__", page)
    monkeypatch.setenv("PRUNESCOPE_CACHE", cache)
    with Crew(1) as crew:
        crew.do(say_where, [(tmp_path / "found",)], lambda *_: None)
    assert (tmp_path / "found").read_text() == cache
    assert sys.modules["__main__"] is page
