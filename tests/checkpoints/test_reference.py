"""The owner's own probabilities against ours, from the CSV that they give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.checkpoints.reference import MOST_IMAGES, compare, read_reference
from core.errors import InputError
from tests.toys import TOY_CLASSES, toy_labels

LABELS = toy_labels(60)
IDS = [f"image-{n:05d}.png" for n in range(60)]


def test_names_of_images_and_classes_are_matched_as_people_write_them():
    text = "\ufefffile,no finding,EFFUSION\nimages/image-00003.png,0.25,0.5\nimage-00001.png,,1\n"
    found = read_reference(text, LABELS)
    assert list(found.index) == [IDS[3], IDS[1]]
    assert found.loc[IDS[3]].to_dict() == {"No Finding": 0.25, "Effusion": 0.5}
    assert pd.isna(found.loc[IDS[1], "No Finding"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "needs a column `image_id`"),
        ("image_id,weight\nimage-00001.png,0.1", "needs a column `image_id`"),
        ("image_id,Hernia\nother.png,0.1", "'other.png', which is no image of the dataset"),
        ("image_id,Hernia\nimage-00001.png,2.5", "'2.5'; probabilities lie between 0 and 1"),
        ("image_id,Hernia\nimage-00001.png,high", "'high'; probabilities lie"),
        ("image_id,Hernia\nimage-00001.png,nan", "'nan'; probabilities lie"),
        ("image_id,Hernia\nimage-00001.png,0\nimage-00001.png,0", "image-00001.png' twice"),
        ("image_id,Hernia,hernia\nimage-00001.png,0,0", "needs a column"),
        ("image_id,Hernia\nimage-00001.png,0,25", "image-00001.png' has more fields than"),
        ('image_id,Hernia\n"image-00001.png,0', "is no CSV"),
        ("image_id,Hernia\n" + "image-00001.png,0\n" * (MOST_IMAGES + 1), "at most 50"),
    ],
)
def test_what_cannot_be_compared_is_said(text, why):
    with pytest.raises(InputError, match=why):
        read_reference(text, LABELS)


def test_largest_difference_and_rank_correlation_are_those_of_plain_numbers():
    rows = "\n".join(f"{IDS[n]},{n / 10},{0.5}" for n in range(4))
    theirs = read_reference(f"image_id,Hernia,Nodule\n{rows}", LABELS)
    ours = np.zeros((4, 5))
    ours[:, TOY_CLASSES.index("Hernia")] = [0.0, 0.1, 0.205, 0.3]
    ours[:, TOY_CLASSES.index("Nodule")] = 0.5
    found = compare(theirs, IDS[:4], TOY_CLASSES, ours)
    assert (found.n_images, found.image_id, found.agrees) == (4, IDS[2], True)
    of = {one.class_name: (one.largest, one.rank_correlation) for one in found.classes}
    assert of["Hernia"] == (pytest.approx(0.005), pytest.approx(1))
    assert of["Nodule"] == (0, None)  # one value cannot be ranked
    assert found.sentence == (
        f"equal to the owner's on 4 images: by at most 0.005 (Hernia, {IDS[2]}); rank correlation "
        "1.000 or more in each class"
    )
    ours[:, TOY_CLASSES.index("Hernia")] = [0.3, 0.2, 0.1, 0.0]
    other = compare(theirs, IDS[:4], TOY_CLASSES, ours)
    assert not other.agrees
    assert other.sentence.startswith("different from the owner's on 4 images: by at most 0.3 (")
