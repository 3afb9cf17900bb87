"""Images that are in two splits or classes, as they are or in another form."""

import shutil

import numpy as np
import pytest
from PIL import Image

from dlkit import data
from dlkit.data import duplicates
from tests.data.helpers import make_folder, make_photos


@pytest.fixture
def photos(tmp_path):
    """Thirty photographs of 120 x 120 pixels, 24 of them in train and 6 in test, no two of them alike."""
    for k, photo in enumerate(make_photos(30)):
        file = tmp_path / ("test" if k % 5 == 0 else "train") / "ab"[k % 2] / f"{k}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(file)
    return tmp_path


def test_different_photographs_are_no_duplicates(photos, capsys):
    assert data.image_folder(photos).copies == 0
    assert capsys.readouterr().out == ""


def test_copies_of_training_images_are_counted(photos, capsys):
    shutil.copy(photos / "train" / "b" / "1.png", photos / "test" / "b" / "renamed.png")
    assert data.image_folder(photos).copies == 1
    assert capsys.readouterr().out.replace("\\", "/").splitlines() == [
        "1 of 7 test images are copies of training images. Remove them from one of the two, or the test accuracy will "
        "be better than the model. For example:",
        "  test/b/renamed.png and train/b/1.png",
    ]


@pytest.mark.parametrize(
    ("suffix", "scale", "options"), [("jpg", 1, {"quality": 60}), ("png", 2, {}), ("webp", 0.6, {})]
)
def test_images_that_look_the_same_are_counted(photos, capsys, suffix, scale, options):
    for k in (1, 3, 7, 9):
        photo = Image.open(photos / "train" / "b" / f"{k}.png")
        side = round(120 * scale)
        photo.resize((side, side), Image.Resampling.LANCZOS).save(
            photos / "test" / "b" / f"new-{k}.{suffix}", **options
        )
    assert data.image_folder(photos, image_size=(96, 96)).copies == 0, "only copies of a file are certain"
    first, *examples = capsys.readouterr().out.replace("\\", "/").splitlines()
    assert first.startswith("4 of 10 test images look the same as training images. Remove them")
    assert len(examples) == 3
    assert all(line.split(" and ")[0].strip().startswith("test/b/new-") for line in examples)


def test_black_bars_do_not_make_photographs_alike(tmp_path, capsys):
    for k, photo in enumerate(make_photos(30)):
        file = tmp_path / ("test" if k % 5 == 0 else "train") / "ab"[k % 2] / f"{k}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo[:, 40:70]).save(file)
    data.image_folder(tmp_path, image_size=(96, 96), resize="pad")
    assert capsys.readouterr().out == ""


def test_images_without_contrast_are_not_compared(tmp_path, capsys):
    make_folder(tmp_path, a=20, b=20)
    data.image_folder(tmp_path)
    assert capsys.readouterr().out == ""


def test_looks_are_compared_only_as_far_as_it_is_quick(photos, monkeypatch, capsys):
    Image.open(photos / "train" / "b" / "1.png").save(photos / "test" / "a" / "new.bmp")
    data.image_folder(photos, in_memory=False)
    monkeypatch.setattr(duplicates, "_find_similar", lambda *args: pytest.fail("it compares"))
    nothing, no_images = {"train": [], "test": []}, {"train": np.zeros((0, 8, 8, 3))}
    duplicates.report_duplicates(nothing, nothing, no_images, photos, max_pairs=-1)
    assert capsys.readouterr().out == ""


def test_copies_between_three_splits(photos, capsys):
    shutil.copytree(photos / "test", photos / "val")
    shutil.copy(photos / "train" / "b" / "1.png", photos / "test" / "a" / "renamed.png")
    found = data.image_folder(photos)
    assert found.copies == 1
    assert len(found.validation[1]) == 6
    output = capsys.readouterr().out
    assert "6 of 7 test images are copies of validation images" in output
    assert "1 of 7 test images are copies of training images" in output


def test_copies_in_two_classes_of_one_split_are_named(photos, capsys):
    shutil.copy(photos / "train" / "b" / "1.png", photos / "train" / "a" / "renamed.png")
    shutil.copy(photos / "train" / "b" / "3.png", photos / "train" / "b" / "again.png")  # no contradiction
    assert data.image_folder(photos).copies == 0
    first, example = capsys.readouterr().out.replace("\\", "/").splitlines()
    assert first.startswith("1 images are copies of an image of another class. Keep the one that is right.")
    assert sorted(example.strip().split(" and ")) == ["train/a/renamed.png", "train/b/1.png"]
