"""What `dlkit data check` says about a folder of images, and whether it keeps its word."""

import shutil

import numpy as np
import pytest
from PIL import Image

from dlkit.data import image_files
from dlkit.recipes import folder_check
from dlkit.recipes.folder_check import check_folder
from tests.data.helpers import make_folder, make_photos


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Thirty photographs of three classes, without splits, in a folder that holds nothing else but another file."""
    for k, photo in enumerate(make_photos(30)):
        file = tmp_path / "photos" / "all" / ["cat", "dog", "猫 $x$"][k % 3] / f"IMG {k}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo[: 90 + k]).save(file)
    (tmp_path / "photos" / "notes.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def lines(capsys):
    return capsys.readouterr().out.replace("\\", "/").splitlines()


def test_check_folder_says_what_is_there(photos, capsys):
    assert check_folder("photos", sheet="sheet.jpg")
    found = lines(capsys)
    assert found[0] == "photos/all is used, the only folder in photos."
    assert found[1].startswith("photos/all has no test split: 6 of 30 images are set aside for testing")
    assert [line.split() for line in found[3:8]] == [
        ["train", "test"],
        ["cat", "8", "2"],
        ["dog", "8", "2"],
        ["猫", "$x$", "8", "2"],
        ["all", "classes", "24", "6"],
    ]
    assert found[8] == "Left out: 1 outside the class folders, such as photos/notes.txt"
    assert found[9] == "Sizes (height x width): 30, from 90 x 120 to 119 x 120 pixels, the middle one 105 x 120."
    assert found[10].startswith("Memory for the decoded images: 1 MB at 96 x 96, 5 MB at 224 x 224, 1 MB as they are;")
    assert found[-2] == "Training images: sheet.jpg"
    assert found[-1].startswith("✓ A training would work: ")
    assert found[-1].endswith("train mobilenet --data photos --out RUN")


def test_check_folder_counts_unreadable_files_and_reads_nothing_into_names(photos, capsys):
    (photos / "all" / "cat" / "notes.skipped").write_text("no image was skipped here")
    assert check_folder("photos")
    (photos / "all" / "cat" / "broken.jpg").write_text("no image")
    assert not check_folder("photos")
    assert lines(capsys)[-1].endswith("--skip-broken")


def test_check_folder_draws_some_images_of_each_class(photos, recwarn):
    check_folder(photos)
    with Image.open("contact-sheet.png") as sheet:
        assert sheet.size[0] == 1050
        assert len(np.unique(np.asarray(sheet)[..., 0])) > 100
    assert not [warning for warning in recwarn if "glyph" in str(warning.message).lower()]


def test_check_folder_names_a_sheet_that_cannot_be_written(photos):
    with pytest.raises(ValueError, match=r"an existing folder for the contact sheet. Received: nowhere.a.png"):
        check_folder(photos, sheet="nowhere/a.png")


def test_check_folder_names_all_unreadable_files(photos, monkeypatch, capsys):
    for k in (0, 4, 8):
        (photos / "all" / "cat" / f"broken {k}.jpg").write_text("no image")
    monkeypatch.setattr(folder_check, "_draw_sheet", lambda *args: None)
    assert not check_folder(photos)
    found = lines(capsys)
    assert sum("it is a text" in line for line in found) == 3
    assert found[-1].startswith("✗ A training would stop at the unreadable files. Remove them, or leave them out: ")
    assert found[-1].endswith("--skip-broken")


def test_check_folder_counts_duplicates(photos, monkeypatch, capsys):
    (photos / "all" / "dog" / "IMG 1.jpg").rename(photos / "elsewhere.jpg")
    for split in ("train", "test"):
        shutil.copytree(photos / "all", photos / split)
    shutil.rmtree(photos / "all")
    monkeypatch.setattr(folder_check, "_draw_sheet", lambda *args: None)
    assert check_folder(photos)
    assert "29 of 29 test images are copies of training images" in capsys.readouterr().out


def deep(folder):
    """Images of 12 bits, stored in 16, which would be black."""
    for name in ("cat", "dog"):
        for k in range(20):
            file = folder / name / f"{k}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((4, 4), 4000 + k, "uint16")).save(file)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder.mkdir(), "expected class folders. Received: none, and 0 images outside."),
        (lambda folder: make_folder(folder, ["."], cat=20), "expected two or more classes. Received: cat."),
        (lambda folder: make_folder(folder, ["."], cat=20, dog=1), "Received: one image of dog."),
        (
            lambda folder: make_folder(folder, ["train", "test"], cat=9, dog=1),
            "of each of the 2 classes",
        ),
        (lambda folder: make_folder(folder, ["."], **{f"c{k}": 2 for k in range(12)}), "of each of the 12 classes"),
        (deep, "files with 16 bits have no pixel above"),
    ],
    ids=["empty", "one class", "one image", "one image in train", "few images", "16 bits"],
)
def test_check_folder_says_what_a_training_would_stop_at(tmp_path, monkeypatch, capsys, make, message):
    monkeypatch.setattr(folder_check, "_draw_sheet", lambda *args: None)
    make(tmp_path / "photos")
    assert not check_folder(tmp_path / "photos")
    last = lines(capsys)[-1]
    assert last.startswith("✗ A training would not work: ")
    assert message in last


def test_check_folder_of_images_that_do_not_fit_into_memory(photos, monkeypatch, capsys):
    monkeypatch.setattr(image_files, "MAX_IN_MEMORY", 1000)
    monkeypatch.setattr(folder_check, "_draw_sheet", lambda *args: None)
    assert check_folder(photos)
    assert "so copies of files were looked for, but not images that look the same." in capsys.readouterr().out


def test_check_folder_of_many_classes_draws_the_first(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(folder_check, "MAX_ROWS", 2)
    assert check_folder(make_folder(tmp_path / "photos", ["."], a=20, b=20, c=20))
    assert "Training images of the first 2 classes: contact-sheet.png" in lines(capsys)
