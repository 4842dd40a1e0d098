"""Whatever somebody sends: one sentence, soon, and nothing in it runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from core.engine.foreign import preflight as module
from core.engine.foreign import reading
from core.engine.foreign.preflight import preflight
from core.engine.foreign.reading import Reader
from core.errors import InputError
from core.processes import limited
from core.study import paths
from core.study.config import StudyConfig
from tests.engine.foreign import hostile
from tests.engine.foreign.hostile import NAMES
from tests.toys import toy_config, toy_labels

SECONDS = 30
# These are read without harm, and refused for what they hold.
READABLE = {
    "nan.pt",
    "infinite.pt",
    "shape.pt",
    "three-classes.pt",
    "unknown-network.pt",
    "half-a-network.pt",
    "no-classifier.pt",
    "squeeze.pt",
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    canary = tmp_path_factory.mktemp("canary") / "something-ran"
    (folder / "files").mkdir()
    return hostile.make(folder / "files", canary), canary, folder


@pytest.fixture(scope="module")
def reader():
    with Reader() as running:
        yield running


@pytest.fixture
def twenty(monkeypatch, tmp_path) -> StudyConfig:
    """A dataset of 20 classes whose labels need no file."""
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    classes = (*(f"Finding {number}" for number in range(19)), "No Finding")
    labels = toy_labels(40, class_names=classes, frequencies=(0.2,) * 19)
    monkeypatch.setattr(module, "load_labels", lambda settings, advance: labels)
    return toy_config("twenty", tmp_path)


def test_there_are_at_least_forty_each_made(corpus):
    assert len(set(NAMES)) >= 40
    assert sorted(corpus[0]) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_refused_in_a_sentence_and_nothing_runs(name, corpus, reader, twenty):
    files, canary, folder = corpus
    before = sorted(folder.rglob("*"))
    started = time.monotonic()
    if name in READABLE:
        report = preflight(files[name], twenty, reader=reader)
        sentence = report.refusal
        assert not report.fit
    else:
        with pytest.raises(InputError) as refused:
            preflight(files[name], twenty, reader=reader)
        sentence = str(refused.value)
    assert time.monotonic() - started < SECONDS
    assert sentence
    assert sentence.endswith((".", '"'))
    assert len(sentence.splitlines()) == 1
    assert len(sentence) < 600
    assert sentence.isprintable()
    assert not canary.exists(), f"{name} ran something"
    assert sorted(folder.rglob("*")) == before
    assert not list(paths.cache_dir().rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("os-system.pt", "nothing|not run|no checkpoint|damaged"),
        ("archive-os-system.pt", r"names (posix|os)\.system, which is not run"),
        ("archive-exec.pt", r"exec, which is not run"),
        ("whole-model.pt", r"save model\.state_dict\(\)"),
        ("photo.pt", "JPEG"),
        ("empty.pt", "is empty"),
        ("folder.pt", "is a folder"),
        ("pipe.pt", "no plain file"),
        ("device.pt", "no plain file"),
        ("text.pt", "is text"),
        ("zip-bomb.pt", "compressed, as torch.save never does"),
        ("torchscript.pt", "TorchScript"),
        ("expanded.pt", "says it has 1,000,000,000,000 values"),
        ("sparse.pt", "sparse"),
        ("float8.pt", "float8_e4m3fn"),
        ("header-too-long.safetensors", "header has"),
        ("tar.pt", "tar archive"),
    ],
)
def test_the_sentence_says_what_it_is(name, words, corpus, reader):
    with pytest.raises(InputError, match=words):
        reader.read(corpus[0][name])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nan.pt", r"NaN or infinite: stages\.0\.conv1\.weight \("),
        ("three-classes.pt", "3 outputs, the dataset 20 classes"),
        ("shape.pt", r"stages\.0\.conv1\.weight is \(7, 7, 3, 3\)"),
        ("no-classifier.pt", r"missing \(classifier"),
        ("squeeze.pt", r"1 are unexpected \(stages\.0\.se"),
        ("unknown-network.pt", "No network known here"),
    ],
)
def test_what_does_not_fit_is_named(name, words, corpus, reader, twenty):
    refusal = preflight(corpus[0][name], twenty, reader=reader).refusal
    import re

    assert re.search(words, refusal), refusal


def test_a_good_file_is_still_read_after_all_of_them(corpus, reader, tmp_path):
    given = reader.read(hostile.one_good(tmp_path))
    assert set(given.tensors) == set(hostile.good_state())


def test_a_file_that_takes_too_much_memory_ends_its_child_alone(tmp_path, reader, monkeypatch):
    """Ten thousand views of one storage would be ten thousand copies."""
    import torch

    storage = torch.zeros(2_000_000)
    path = tmp_path / "views.pt"
    torch.save({f"w{n}.weight": storage.view(2, -1) for n in range(3000)}, path)
    with pytest.raises(InputError, match=r"weights; 500,000,000 are the most"):
        reader.read(path)


def test_a_process_without_an_answer_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "CHILD", "tests.engine.foreign.slow_child")
    monkeypatch.setattr(reading, "SECONDS", 1.0)
    started = time.monotonic()
    with Reader() as running, pytest.raises(InputError) as refused:
        running.read(hostile.one_good(tmp_path))
    assert time.monotonic() - started < 20
    assert str(refused.value).endswith(" took longer than 1 s to read; given up.")


def test_nothing_of_our_environment_reaches_the_child(monkeypatch):
    monkeypatch.setenv("A_SECRET", "hidden")
    with Reader():
        environment = Path(f"/proc/{limited._idle[reading.CHILD][-1]._process.pid}/environ")
        if not environment.exists():
            pytest.skip("no /proc")
        assert b"hidden" not in environment.read_bytes()
