"""Each image is decoded once, whatever interrupts or damages the work."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core.engine import pixels as cache
from core.engine.pixels import decode, refuse_many_skipped, shard_path, without_skipped
from core.errors import InputError
from core.pictures.images import read_grey
from core.study.labels import Labels
from tests.waiting import until

SIZE = 16


def study(folder: Path, n_images: int = 23) -> Labels:
    """Images whose grey is their number, so that a mix-up shows."""
    folder.mkdir(exist_ok=True)
    names = [f"{number:03d}.png" for number in range(n_images)]
    for number, name in enumerate(names):
        Image.fromarray(np.full((20, 24), number, np.uint8)).save(folder / name)
    splits = ("train", "validation", "test")
    table = pd.DataFrame(
        {
            "image_id": names,
            "patient_id": names,
            "path": names,
            "split": [splits[number % 3] for number in range(n_images)],
            "Mass": np.arange(n_images) % 2,
        }
    )
    return Labels(table, ("Mass",))


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    monkeypatch.setattr(cache, "SHARD_IMAGES", 5)
    monkeypatch.setattr(cache, "BATCH_IMAGES", 2)


@pytest.fixture
def images(tmp_path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "pixels"


def numbers(pixels: cache.Pixels, rows: np.ndarray) -> list[int]:
    return pixels.read(rows)[:, 0, 0].tolist()


def decoded_files(monkeypatch) -> list[str]:
    """Names of the files decoded from now on."""
    names = []

    def counting(path: Path, *args) -> np.ndarray:
        names.append(path.name)
        return read_grey(path, *args)

    monkeypatch.setattr(cache, "read_grey", counting)
    return names


def test_pixels_are_the_images_in_any_order(images, store):
    labels = study(images)
    pixels = decode(labels, images, SIZE, store)
    rows = np.array([22, 0, 7, 7, 4, 5])
    assert len(pixels) == 23
    assert pixels.read(rows).shape == (6, SIZE, SIZE)
    assert pixels.read(rows).dtype == np.uint8
    assert numbers(pixels, rows) == rows.tolist()
    assert pixels.rows(pd.Series(["007.png", "000.png"])).tolist() == [7, 0]
    assert pixels.read(np.array([], int)).shape == (0, SIZE, SIZE)
    assert [shard_path(store, shard).exists() for shard in (0, 4, 5)] == [True, True, False]


def test_unknown_images_and_rows_are_refused(images, store):
    pixels = decode(study(images), images, SIZE, store)
    with pytest.raises(InputError, match=r"'999\.png' is not among the 23 images"):
        pixels.rows(["000.png", "999.png"])
    for row in (-1, 23):
        with pytest.raises(IndexError):
            pixels.read(np.array([row]))


def test_progress_counts_images_up_to_all(images, store):
    seen = []
    decode(study(images), images, SIZE, store, advance=lambda done, total: seen.append(done))
    assert seen == sorted(seen)
    assert seen[-1] == 23


def test_nothing_is_decoded_twice(images, store, monkeypatch):
    labels = study(images)
    decode(labels, images, SIZE, store)
    names = decoded_files(monkeypatch)
    assert len(decode(labels, images, SIZE, store)) == 23
    assert names == []


@pytest.mark.parametrize("damage", ["truncated", "longer", "no record", "gone", "garbage"])
def test_a_damaged_shard_is_made_again_and_only_that(images, store, monkeypatch, damage):
    labels = study(images)
    decode(labels, images, SIZE, store)
    shard = shard_path(store, 2)
    content = shard.read_bytes()
    if damage == "truncated":
        shard.write_bytes(content[:-10])
    elif damage == "longer":
        shard.write_bytes(content + b"0")
    elif damage == "garbage":
        shard.write_bytes(b"x" * len(content))
    elif damage == "gone":
        shard.unlink()
    else:
        shard.with_suffix(".json").write_text("{")
    names = decoded_files(monkeypatch)
    pixels = decode(labels, images, SIZE, store)
    assert sorted(names) == [f"{number:03d}.png" for number in range(10, 15)]
    assert shard.read_bytes() == content
    assert numbers(pixels, np.arange(23)) == list(range(23))


def test_a_changed_image_is_decoded_again(images, store, monkeypatch):
    labels = study(images)
    decode(labels, images, SIZE, store)
    Image.fromarray(np.full((20, 24), 200, np.uint8)).save(images / "006.png")
    os.utime(images / "006.png", ns=(1, 1))
    names = decoded_files(monkeypatch)
    pixels = decode(labels, images, SIZE, store)
    assert len(names) == 5
    assert numbers(pixels, np.array([5, 6, 7])) == [5, 200, 7]


def test_fail_names_a_broken_image_and_counts_the_others(images, store):
    labels = study(images)
    for name in ("003.png", "017.png"):
        (images / name).write_bytes(b"no image")
    with pytest.raises(InputError, match=r"003\.png .* no image .* 1 more of 23") as caught:
        decode(labels, images, SIZE, store)
    assert "on_bad_image" in str(caught.value)


def test_fail_names_a_missing_image_before_any_work(images, store, monkeypatch):
    labels = study(images)
    (images / "020.png").unlink()
    names = decoded_files(monkeypatch)
    with pytest.raises(InputError, match=r"020\.png .* there is no such file"):
        decode(labels, images, SIZE, store)
    assert names == []


def test_skip_leaves_bad_images_out_and_keeps_rows_and_labels_together(images, store):
    labels = study(images)
    (images / "003.png").write_bytes(b"no image")
    (images / "020.png").unlink()
    for _ in range(2):  # the second from the cache
        pixels = decode(labels, images, SIZE, store, on_bad_image="skip")
        assert {item["image_id"] for item in pixels.skipped} == {"003.png", "020.png"}
        kept = without_skipped(labels, pixels)
        assert kept.table["image_id"].tolist() == pixels.image_ids.tolist()
        left = [number for number in range(23) if number not in (3, 20)]
        assert numbers(pixels, np.arange(21)) == left
        assert numbers(pixels, pixels.rows(["021.png", "004.png"])) == [21, 4]
    with pytest.raises(InputError, match=r"003\.png"):
        pixels.rows(["003.png"])


def test_an_image_that_can_be_read_again_comes_back(images, store):
    labels = study(images)
    good = (images / "004.png").read_bytes()
    (images / "003.png").write_bytes(b"x" * len(good))
    decode(labels, images, SIZE, store, on_bad_image="skip")
    state = (images / "003.png").stat()
    record = json.loads((store / "shard=0000.json").read_text())
    assert record["skipped"][0]["image_id"] == "003.png"
    # Same name, size and time, as when a drive or a permission comes back.
    (images / "003.png").write_bytes(good)
    os.utime(images / "003.png", ns=(state.st_atime_ns, state.st_mtime_ns))
    pixels = decode(labels, images, SIZE, store, on_bad_image="skip")
    assert pixels.skipped == []
    assert numbers(pixels, np.array([3])) == [4]


def test_a_study_whole_of_good_images_keeps_its_labels(images, store):
    labels = study(images)
    assert without_skipped(labels, decode(labels, images, SIZE, store)) is labels


def test_skipping_may_not_empty_a_split_or_the_study(images, store):
    labels = study(images, n_images=3)
    (images / "002.png").unlink()
    pixels = decode(labels, images, SIZE, store, on_bad_image="skip")
    with pytest.raises(InputError, match="No image of the test split"):
        without_skipped(labels, pixels)
    for name in ("000.png", "001.png"):
        (images / name).unlink()
    with pytest.raises(InputError, match="None of the 3 images"):
        decode(labels, images, SIZE, store, on_bad_image="skip")


@pytest.mark.parametrize(("share", "fits"), [(1, True), (0.1, True), (0.05, False)])
def test_how_many_images_may_be_skipped_is_a_setting(images, store, share, fits):
    labels = study(images)  # 2 of 23 are bad: 8.7 %
    (images / "003.png").write_bytes(b"no image")
    (images / "020.png").unlink()
    pixels = decode(labels, images, SIZE, store, on_bad_image="skip")
    with nullcontext() if fits else pytest.raises(InputError, match=r"2 of 23 .* 5\.00%.*020\.png"):
        refuse_many_skipped(pixels, 23, share)


def test_leftovers_of_a_killed_decode_are_removed_once_they_are_old(images, store):
    store.mkdir()
    old, fresh = store / ".shard=0000.npy.1.tmp", store / ".shard=0000.npy.2.tmp"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    decode(study(images), images, SIZE, store)
    assert not old.exists()
    assert fresh.exists()


def test_pixels_travel_to_other_processes_without_their_content(images, store):
    pixels = decode(study(images), images, SIZE, store)
    pixels.read(np.arange(3))
    sent = pickle.dumps(pixels)
    assert len(sent) < 5_000
    assert numbers(pickle.loads(sent), np.array([9])) == [9]


def test_reading_data_needs_no_torch():
    modules = "core.datasets, core.pictures.images, core.engine.pixels"
    command = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", command], cwd=Path(__file__).parents[2], check=True)


HELD_DECODE = """
import sys, time
from pathlib import Path
from core.engine import pixels as cache
from tests.engine.test_pixels import SIZE, study
cache.SHARD_IMAGES, cache.BATCH_IMAGES = 5, 2
read_grey = cache.read_grey
second = Path(sys.argv[2], "shard=0001.json")
def until_the_second(*args):
    while second.exists():
        time.sleep(0.1)
    return read_grey(*args)
cache.read_grey = until_the_second
images = Path(sys.argv[1])
cache.decode(study(images), images, SIZE, Path(sys.argv[2]))
"""


def test_a_killed_decode_goes_on_where_it_was(images, store, tmp_path, monkeypatch):
    labels = study(images)
    undisturbed = tmp_path / "undisturbed"
    decode(labels, images, SIZE, undisturbed)
    command = [sys.executable, "-c", HELD_DECODE, str(images), str(store)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    until((store / "shard=0001.json").exists)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = len(list(store.glob("shard=*.json")))
    assert finished == 2
    names = decoded_files(monkeypatch)
    pixels = decode(labels, images, SIZE, store)
    assert len(names) == 23 - 5 * finished
    assert numbers(pixels, np.arange(23)) == list(range(23))
    for shard in range(5):
        ours, theirs = shard_path(store, shard), shard_path(undisturbed, shard)
        assert ours.read_bytes() == theirs.read_bytes()


def test_what_was_repaired_is_counted_also_of_shards_decoded_before(images, store):
    far = (np.arange(4096, dtype=np.uint16) + 1000).reshape(64, 64)
    far[3, 3] = 65535
    labels = study(images)
    for name in ("002.png", "017.png"):  # of two shards
        Image.fromarray(far).save(images / name)
    expected = [{"repair": "far_pixels", "n_images": 2}]
    for _ in range(2):
        repairs = decode(labels, images, SIZE, store).repairs
        assert [{key: one[key] for key in expected[0]} for one in repairs] == expected
        assert repairs[0]["first"] == "002.png"
