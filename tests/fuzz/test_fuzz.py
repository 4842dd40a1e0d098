"""Whatever a stranger's file holds, reading it ends in an answer or in a refusal: soon, and small.

A portion of `make fuzz`, which takes 10,000 cases of each kind; so does the slow test.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.fuzz import child
from tests.fuzz.__main__ import CASES
from tests.fuzz.case import rng_of
from tests.fuzz.clock import processor_seconds
from tests.fuzz.kinds import KINDS, make_kind
from tests.fuzz.runner import Summary, fuzz

PORTION = 150


def _no_failure(summary: Summary) -> None:
    assert not summary.failures, "\n\n".join(map(str, summary.failures[:3]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_portion_of_each_kind_is_read_or_refused(kind):
    summary = fuzz(kind, 0, PORTION)
    _no_failure(summary)
    assert summary.cases == PORTION
    assert summary.accepted, "no case gets past the first look, so the rest is not tried"
    assert summary.refused


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_of_each_kind_are_read_or_refused(kind):
    _no_failure(fuzz(kind, 0, CASES))


@pytest.mark.parametrize("kind", ["study", "predictions", "dicom", "pictures"])
def test_a_case_is_made_from_its_kind_and_number_alone(kind, tmp_path):
    made = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        maker = make_kind(kind, tmp_path / name)
        if name == "other":
            maker.make(rng_of(kind, 1))
        made.append(maker.make(rng_of(kind, 41)).read_bytes())
    assert made[0] == made[1]


class _Bad:
    """A reader that does what none may."""

    refusals = (ValueError,)

    def read(self, path):
        if path == "grows":
            bytearray(b"x" * (child.MOST_BYTES + 2**26))
        elif path == "hides":
            try:
                bytearray(2**60)
            except MemoryError as error:
                raise ValueError("it is damaged") from error
        elif path == "breaks":
            raise KeyError("x")
        else:
            raise ValueError("it is damaged")


def _measured(path):
    return child._measured(_Bad(), path, int(child._pages()[1]) * 4096)


@pytest.mark.parametrize(
    ("path", "outcome", "why"),
    [
        ("grows", "failed", "MB"),
        ("hides", "failed", "more memory than there is"),
        ("breaks", "failed", "KeyError"),
        ("refuses", "refused", ""),
    ],
)
def test_the_fuzz_sees_what_a_reader_may_not_do(path, outcome, why):
    # In a process of its own: how large children ever were is counted for all of one's life.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        said = pool.submit(_measured, path).result()
    assert said["outcome"] == outcome
    assert why in said["why"]


WORKS_AND_WAITS = """
import time
while time.process_time() < 1: pass
print(flush=True)
input()
"""


def test_a_helper_that_ends_in_a_case_is_not_charged_for_earlier_ones():
    helper = subprocess.Popen(
        [sys.executable, "-c", WORKS_AND_WAITS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert helper.stdout
    helper.stdout.readline()  # it has worked for a second
    before = processor_seconds(os.getpid())
    helper.communicate(b"\n")
    assert processor_seconds(os.getpid()) - before < 0.5
