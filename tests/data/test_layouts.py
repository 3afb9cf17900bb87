"""Splits and classes in the layouts that people have, and an account of every file."""

import os
import sys

import numpy as np
import pytest
from PIL import Image

from dlkit import data
from dlkit.data import layouts
from dlkit.data.layouts import scan
from tests.data.helpers import make_folder, make_image

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="Windows lets administrators only make links")


def count(layout):
    """{split: {class: number of files}}."""
    return {split: {name: len(files) for name, files in found.items()} for split, found in layout.splits.items()}


PETS = {"cat": 3, "dog": 2}


@pytest.mark.parametrize(
    ("splits", "expected", "note"),
    [
        (["train", "test"], ["train", "test"], ""),
        (["Train", "TEST"], ["train", "test"], ""),
        (["training", "Testing"], ["train", "test"], ""),
        (["train", "val"], ["train", "test"], "its validation split is used for testing"),
        (["train", "Valid"], ["train", "test"], "its validation split is used for testing"),
        (["train", "validation"], ["train", "test"], "its validation split is used for testing"),
        (["train", "val", "test"], ["train", "validation", "test"], ""),
        (["train", "Validation", "test"], ["train", "validation", "test"], ""),
        (["."], ["train"], ""),
        (["train"], ["train"], "the only folder"),
        (["photos/train", "photos/test"], ["train", "test"], "photos/photos is used, the only folder in"),
        (["photos"], ["train"], "photos/photos is used, the only folder in"),
        (["photos/images/photos"], ["train"], "photos/photos/images/photos is used, the only folder in"),
    ],
    ids=str,
)
def test_scan_finds_splits(tmp_path, splits, expected, note):
    layout = scan(make_folder(tmp_path / "photos", splits, **PETS))
    assert count(layout) == dict.fromkeys(expected, PETS)
    assert list(layout.splits) == expected
    assert (note in "".join(layout.notes).replace(os.sep, "/")) if note else not layout.notes


def test_scan_takes_train_and_test_for_classes_if_they_hold_no_folders(tmp_path):
    make_folder(tmp_path, ["."], train=2, car=3)
    assert count(scan(tmp_path)) == {"train": {"car": 3, "train": 2}}


def test_scan_of_a_flat_folder_names_two_ways_out(tmp_path):
    for k in range(40):
        make_image(tmp_path / f"{k}.png")
    assert count(scan(tmp_path)) == {"train": {}}
    with pytest.raises(
        data.DataError, match=r"none, and 40 images outside. Make a folder for each class .* labels.csv"
    ):
        data.image_folder(tmp_path)


def test_scan_of_a_test_folder_without_classes(tmp_path):
    make_folder(tmp_path, ["train"], **PETS)
    make_image(tmp_path / "test" / "1.png")
    with pytest.raises(data.DataError, match=r"test: expected class folders.*classes are unknown do not belong here"):
        data.image_folder(tmp_path)


@pytest.mark.parametrize("folders", [["test"], ["train"], ["val", "test"], ["train", "training", "test"]], ids=str)
def test_scan_refuses_splits_that_it_cannot_make_out(tmp_path, folders):
    make_folder(tmp_path, folders, **PETS)
    make_folder(tmp_path, ["extra"], **PETS)
    with pytest.raises(data.DataError, match=f"Received: {', '.join(sorted(folders))}, extra. Rename or merge"):
        scan(tmp_path)


@pytest.mark.parametrize("name", ["dog ", "Cat", "CAT"])
def test_scan_names_classes_that_differ_only_in_case_or_blanks(tmp_path, name):
    make_folder(tmp_path, ["."], **PETS)
    make_image(tmp_path / name / "x.png")
    if len(list(tmp_path.iterdir())) < 3:
        pytest.skip("this file system does not tell them apart")
    (note,) = scan(tmp_path).notes
    assert note.startswith("Classes that differ only in case or blanks: ")
    assert f'"{name}"' in note


def test_scan_of_nested_and_hidden_folders(tmp_path):
    make_image(tmp_path / "cat" / "indoors" / "2024" / "a.png")
    make_image(tmp_path / "cat" / "b.png")
    make_image(tmp_path / "dog" / "c.jpeg")
    make_image(tmp_path / "dog" / ".thumbnails" / "c.jpeg")
    make_image(tmp_path / ".git" / "d.png")
    make_image(tmp_path / "__MACOSX" / "e.png")
    make_image(tmp_path / "loose.png")
    (tmp_path / "dog" / "album.jpg").mkdir()  # a folder with the name of an image
    for name in ("._b.png", "Thumbs.db", "desktop.ini", ".DS_Store"):
        (tmp_path / "cat" / name).write_text("")
    layout = scan(tmp_path)
    names = {
        name: [file.relative_to(tmp_path).as_posix() for file in files]
        for name, files in layout.splits["train"].items()
    }
    assert names == {"cat": ["cat/b.png", "cat/indoors/2024/a.png"], "dog": ["dog/c.jpeg"]}
    left_out = {reason: len(files) for reason, files in layout.left_out.items()}
    assert left_out == {"hidden": 5, ".db": 1, ".ini": 1, "outside the class folders": 1}


def test_scan_below_a_hidden_folder(tmp_path):
    make_folder(tmp_path / ".data", ["."], **PETS)
    assert count(scan(tmp_path / ".data")) == {"train": PETS}


@needs_links
def test_scan_takes_a_broken_link_which_is_reported_when_it_is_read(tmp_path):
    make_folder(tmp_path, **PETS)
    (tmp_path / "train" / "cat" / "lost.png").symlink_to(tmp_path / "nowhere.png")
    assert count(scan(tmp_path))["train"] == {"cat": 4, "dog": 2}
    with pytest.raises(data.DataError, match="1 of 11 files.*\n.*lost.png: its link leads nowhere"):
        data.image_folder(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_scan_does_not_wait_for_a_pipe(tmp_path):
    make_folder(tmp_path, ["."], **PETS)
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    os.mkfifo(tmp_path / "cat" / "pipe")
    layout = scan(tmp_path)
    assert count(layout) == {"train": PETS}
    assert len(layout.left_out["special files"]) == 2


# --- which files are images


@pytest.mark.parametrize("name", ["photo", "photo.dat", "photo.jpg_large", "IMG.PNG ", "photo.JFIF"])
def test_scan_looks_into_files_without_a_known_suffix(tmp_path, name):
    make_folder(tmp_path, ["."], **PETS)
    Image.new("RGB", (4, 4)).save(tmp_path / "cat" / name, "JPEG")
    assert count(scan(tmp_path)) == {"train": {"cat": 4, "dog": 2}}


@pytest.mark.parametrize(
    "content", [b"", b"a text", b"<html>", b"\x00\x01\x02\x03" * 99, b"BM is no bitmap", b"P1"], ids=str
)
@pytest.mark.parametrize("name", ["other", "other.txt"])
def test_scan_leaves_out_what_holds_no_image(tmp_path, name, content):
    make_folder(tmp_path, ["."], **PETS)
    (tmp_path / "cat" / name).write_bytes(content)
    layout = scan(tmp_path)
    assert count(layout) == {"train": PETS}
    assert layout.left_out == {".txt" if "." in name else "without a suffix": [tmp_path / "cat" / name]}


def test_scan_without_pillow_heif_says_how_to_read_heic(tmp_path, monkeypatch):
    monkeypatch.setattr(layouts, "READS_HEIF", False)
    make_folder(tmp_path, ["."], **PETS)
    for k in range(12):
        make_image(tmp_path / "flower" / f"{k}.png")
        (tmp_path / "flower" / f"{k}.png").rename(tmp_path / "flower" / f"{k}.HEIC")
    assert [len(files) for files in scan(tmp_path).left_out.values()] == [12]
    with pytest.raises(
        data.DataError, match=r"in class folder flower, but 12 .heic \(to read them: pip install pillow-"
    ):
        data.image_folder(tmp_path)


# --- every file is accounted for

NAMES = ["a.png", "b.JPG", "c", "notes.txt", ".hidden", "d.heic", "e.tiff", "film.mp4", "._f.png"]
FOLDERS = ["train", "test", "val", "cat", "dog", "Cat", ".git", "__MACOSX", "x y", "images"]


def make_random_tree(folder, rng, depth=0):
    folder.mkdir(exist_ok=True)
    for name in rng.permutation(NAMES)[: rng.integers(0, 5)]:
        if rng.random() < 0.7:
            Image.new("RGB", (2, 2)).save(folder / name, "PNG")
        else:
            (folder / name).write_text("no image")
    for name in rng.permutation(FOLDERS)[: rng.integers(0, 5) if depth < 3 else 0]:
        make_random_tree(folder / name, rng, depth + 1)


@pytest.mark.parametrize("with_table", [False, True])
def test_every_file_of_a_random_tree_is_taken_or_left_out_once(tmp_path, with_table):
    scanned = 0
    for seed in range(12):
        make_random_tree(root := tmp_path / str(seed), np.random.default_rng(seed))
        files = sorted(file for file in root.rglob("*") if file.is_file())
        if with_table:
            rows = [f"{file.relative_to(root).as_posix()},{k % 3}" for k, file in enumerate(files)]
            (root / "labels.csv").write_text("\n".join(["file,label", *rows[::2], "lost.png,1"]))
        try:
            layout = scan(root)
        except data.DataError:
            continue
        taken = [file for found in layout.splits.values() for files in found.values() for file in files]
        left_out = [file for files in layout.left_out.values() for file in files]
        expected = [*files, root / "lost.png"] if with_table else files
        assert sorted(taken + left_out) == sorted(expected)
        scanned += 1
    assert scanned >= 5
