"""Folders of your own images: their classes, unusual names, and an account of every file that was found."""

import shutil
import sys
import unicodedata

import numpy as np
import pytest
from PIL import Image, features

from dlkit import data
from dlkit.data import image_files
from dlkit.data.folders import list_classes
from dlkit.data.image_files import LazyImages, read_images

RED = (200, 30, 30)


def make_image(path, color=RED):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), color).save(path)


def test_image_folder_with_spaces_accents_and_chinese(tmp_path):
    names = ["Äpfel und Birnen", "chat noir", "été", "猫"]
    for split in ("train", "test"):
        for name in names:
            make_image(tmp_path / split / name / "IMG 0001.JPG")
            make_image(tmp_path / split / name / "ü.PnG")
    photos = data.image_folder(tmp_path)
    assert photos.class_names == sorted(names)
    assert len(photos.train[1]) == 8
    assert "猫" in repr(photos)


def test_image_folder_with_a_name_in_two_encodings(tmp_path):
    for split, form in (("train", "NFD"), ("test", "NFC")):
        for name in ("été", "hiver"):
            make_image(tmp_path / split / unicodedata.normalize(form, name) / "a.png")
    assert data.image_folder(tmp_path).class_names == ["hiver", unicodedata.normalize("NFC", "été")]


def test_list_classes_of_nested_and_hidden_folders(tmp_path):
    make_image(tmp_path / "cat" / "indoors" / "2024" / "a.png")
    make_image(tmp_path / "cat" / "b.png")
    make_image(tmp_path / "dog" / "c.jpeg")
    make_image(tmp_path / "dog" / ".thumbnails" / "c.jpeg")
    make_image(tmp_path / ".git" / "d.png")
    make_image(tmp_path / "__MACOSX" / "e.png")
    make_image(tmp_path / "loose.png")
    (tmp_path / "dog" / "album.jpg").mkdir()  # a folder with the name of an image
    (tmp_path / "cat" / "._b.png").write_text("")
    (tmp_path / "cat" / "Thumbs.db").write_text("")
    images, left_out = list_classes(tmp_path)
    assert list(images) == ["cat", "dog"]
    assert [file.relative_to(tmp_path).as_posix() for file in images["cat"]] == ["cat/b.png", "cat/indoors/2024/a.png"]
    assert images["dog"] == [tmp_path / "dog" / "c.jpeg"]
    assert left_out == {".db": 1, "outside the class folders": 1}


def test_list_classes_below_a_hidden_folder(tmp_path):
    make_image(tmp_path / ".data" / "cat" / "a.png")
    assert list(list_classes(tmp_path / ".data")[0]) == ["cat"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets administrators only make links")
def test_read_images_names_a_broken_link(tmp_path):
    make_image(tmp_path / "cat" / "a.png")
    (tmp_path / "cat" / "lost.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(data.DataError, match="1 of 2 files.*\n.*lost.png"):
        read_images(list_classes(tmp_path)[0]["cat"])


def make_folder(path, **classes):
    """Makes train and test folders with some images of each class, no two of them equal."""
    shade = 0
    for split in ("train", "test"):
        for name, count in classes.items():
            for k in range(count):
                make_image(path / split / name / f"{k}.png", (shade := shade + 1, 0, 0))
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets administrators only make links")
def test_image_folder_follows_links_to_folders_once(tmp_path):
    make_folder(tmp_path / "photos", cat=2, dog=1)
    make_image(tmp_path / "elsewhere" / "cats" / "more.png", (0, 99, 0))
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "elsewhere")  # a circle
    (tmp_path / "photos" / "train" / "cat" / "more").symlink_to(tmp_path / "elsewhere")
    photos = data.image_folder(tmp_path / "photos")
    assert np.bincount(photos.train[1]).tolist() == [3, 1]


def test_image_folder_counts_the_files_it_left_out(tmp_path, capsys):
    make_folder(tmp_path, cat=2, dog=2)
    for name in ("IMG_1.HEIC", "IMG_2.HEIC", "notes.txt", "README", ".hidden.heic"):
        (tmp_path / "train" / "cat" / name).write_text("")
    make_image(tmp_path / "test" / "loose.png")
    photos = data.image_folder(tmp_path)
    left_out = "other files that were left out: 2 .heic, 1 .txt, 1 without a suffix, 1 outside the class folders."
    assert f"Your own images; {left_out}" in repr(photos).replace(
        "1 without a suffix, 1 .txt", "1 .txt, 1 without a suffix"
    )
    assert capsys.readouterr().out == ""
    assert "left out" not in repr(data.image_folder(make_folder(tmp_path / "clean", cat=1, dog=1)))


@pytest.mark.parametrize("suffix", ["jfif", "JPE", "avif"])
def test_image_folder_reads_rarer_suffixes(tmp_path, suffix):
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("needs a Pillow that reads AVIF")
    make_folder(tmp_path, cat=1, dog=1)
    file = tmp_path / "train" / "cat" / f"b.{suffix}"
    Image.new("RGB", (4, 4), RED).save(file, format="AVIF" if suffix == "avif" else "JPEG")
    assert len(data.image_folder(tmp_path).train[1]) == 3


def test_image_folder_of_one_class_is_refused(tmp_path):
    make_folder(tmp_path, cat=2)
    message = r"train: expected two or more class folders. Received: cat. Make one for each class"
    with pytest.raises(data.DataError, match=message):
        data.image_folder(tmp_path)
    with pytest.raises(data.DataError, match=message):
        data.image_sizes(tmp_path)


def test_image_folder_without_class_folders_is_refused(tmp_path):
    for split in ("train", "test"):
        make_image(tmp_path / split / "loose.png")
    with pytest.raises(data.DataError, match="expected two or more class folders. Received: none. Make one for each"):
        data.image_folder(tmp_path)


def test_image_folder_finds_classes_that_are_one_folder_too_deep(tmp_path):
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            make_image(tmp_path / split / "images" / name / "a.png")
    with pytest.raises(data.DataError, match=r"Received: images. If images holds the class folders \(cat, dog\), move"):
        data.image_folder(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow only names that are text")
def test_image_folder_names_a_class_folder_whose_name_is_no_text(tmp_path):
    make_folder(tmp_path, cat=1, dog=1)
    (tmp_path / "test" / "caf\udce9").mkdir()  # é in Latin-1, as from an old zip file
    with pytest.raises(data.DataError, match=r"names in UTF-8. Received: .*caf\\xe9. Rename it") as caught:
        data.image_folder(tmp_path)
    str(caught.value).encode()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow only names that are text")
def test_image_folder_prints_file_names_that_are_no_text(tmp_path, capsys):
    make_folder(tmp_path, cat=1, dog=1)
    (tmp_path / "train" / "cat" / "caf\udce9.png").write_text("broken")
    data.image_folder(tmp_path, on_error="skip")
    assert r"caf\xe9.png" in capsys.readouterr().out


def test_image_folder_counts_test_images_that_are_training_images(tmp_path, capsys):
    make_folder(tmp_path, cat=5, dog=3)
    data.image_folder(tmp_path)
    assert capsys.readouterr().out == ""
    shutil.copy(tmp_path / "train" / "cat" / "2.png", tmp_path / "test" / "dog" / "renamed.png")
    data.image_folder(tmp_path)
    assert capsys.readouterr().out.startswith("1 of 9 test images are copies of training images. Remove them")
    shutil.rmtree(tmp_path / "test")
    shutil.copytree(tmp_path / "train", tmp_path / "test")
    data.image_folder(tmp_path)
    assert "8 of 8 test images are copies" in capsys.readouterr().out


def test_image_folder_that_does_not_fit_into_memory(class_folders, monkeypatch):
    photos = data.image_folder(class_folders)
    monkeypatch.setattr(image_files, "MAX_IN_MEMORY", 10_000)
    streamed = data.image_folder(class_folders)
    assert repr(streamed) == repr(photos).replace("uint8", "uint8, decoded from disk as needed")
    for (images, labels), (lazy, lazy_labels) in zip(
        (photos.train, photos.test), (streamed.train, streamed.test), strict=True
    ):
        assert isinstance(lazy, LazyImages)
        np.testing.assert_array_equal(lazy[:], images)
        np.testing.assert_array_equal(lazy_labels, labels)
    kept = data.image_folder(class_folders, in_memory=True)
    assert isinstance(kept.train[0], np.ndarray)
    assert isinstance(data.image_folder(class_folders, in_memory=False).test[0], LazyImages)


def test_image_folder_that_does_not_fit_into_memory_is_decoded_only_when_used(class_folders, monkeypatch):
    monkeypatch.setattr(LazyImages, "__getitem__", lambda images, index: pytest.fail("it decodes images"))
    assert len(data.image_folder(class_folders, in_memory=False).train[0]) == 24


@pytest.mark.parametrize("image_size", [16, (0, 0), (16, 16, 3)], ids=str)
def test_image_folder_blames_a_wrong_size_on_the_caller(class_folders, image_size):
    for on_error in ("raise", "skip"):
        with pytest.raises(ValueError, match="image_size to be") as caught:
            data.image_folder(class_folders, image_size=image_size, on_error=on_error)
        assert not isinstance(caught.value, data.DataError)


def test_image_sizes_are_those_stored_in_the_files(tmp_path):
    make_folder(tmp_path, cat=1, dog=1)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(tmp_path / "train" / "cat" / "rotated.png", exif=exif)
    (tmp_path / "train" / "cat" / "text.png").write_text("not an image")
    assert data.image_sizes(tmp_path) == {(4, 4), (4, 6)}


# --- what image_folder says about folders that are not as expected


def test_image_folder(class_folders):
    photos = data.image_folder(class_folders)
    images, labels = photos.train
    assert images.shape == (24, 12, 12, 3)
    assert photos.class_names == ["dark", "light"]
    assert ((images.mean(axis=(1, 2, 3)) > 120) == labels).all(), "each image has its own label"
    assert 0 < labels[:12].sum() < 12, "in random order"
    np.testing.assert_array_equal(data.image_folder(class_folders).train[0], images)


def test_image_folder_says_what_it_expected(tmp_path, class_folders):
    with pytest.raises(data.DataError, match=r"does not exist. Expected class folders: .*/train/<class>/<image>"):
        data.image_folder(tmp_path / "nowhere")
    shutil.rmtree(class_folders / "test" / "light")
    with pytest.raises(data.DataError, match=r"the same in train and test. In one only: light"):
        data.image_folder(class_folders)
    shutil.rmtree(class_folders / "test")
    with pytest.raises(data.DataError, match="lacks test"):
        data.image_folder(class_folders)


def test_image_folder_names_an_empty_class(class_folders):
    (class_folders / "train" / "empty").mkdir()
    with pytest.raises(data.DataError, match="no readable image in class folder empty"):
        data.image_folder(class_folders)


def test_image_folder_names_every_unreadable_file(class_folders):
    (class_folders / "train" / "dark" / "text.jpg").write_text("no image")
    complete = (class_folders / "train" / "dark" / "00.png").read_bytes()
    (class_folders / "train" / "light" / "cut.png").write_bytes(complete[: len(complete) // 2])
    (class_folders / "test" / "light" / "empty.JPG").write_bytes(b"")
    with pytest.raises(data.DataError, match="3 of 35 files could not be decoded as images") as refusal:
        data.image_folder(class_folders)
    for name in ("text.jpg", "cut.png", "empty.JPG"):
        assert name in str(refusal.value)


def test_image_folder_of_different_sizes(class_folders):
    Image.new("RGB", (20, 10)).save(class_folders / "train" / "dark" / "wide.png")
    with pytest.raises(data.DataError, match=r"2 sizes.*image_size=\(height, width\)"):
        data.image_folder(class_folders)
    assert data.image_folder(class_folders, image_size=(6, 8)).train[0].shape == (25, 6, 8, 3)


def test_image_folder_ignores_hidden_and_other_files(class_folders):
    (class_folders / "train" / ".cache").mkdir()
    (class_folders / "train" / "dark" / ".DS_Store").write_text("")
    (class_folders / "train" / "dark" / "._00.png").write_text("")
    (class_folders / "train" / "dark" / "notes.txt").write_text("")
    assert len(data.image_folder(class_folders).train[1]) == 24


@pytest.fixture
def folder_with_broken_files(class_folders):
    """The class folders with three more files that are not images: a text, an empty file and a truncated image."""
    complete = (class_folders / "train" / "dark" / "00.png").read_bytes()
    for split, name, content in (
        ("train", "dark/aa.png", b"no image"),
        ("train", "light/zz.jpg", b""),
        ("test", "light/cut.png", complete[:60]),
    ):
        (class_folders / split / name).write_bytes(content)
    return class_folders


def test_image_folder_skips_and_counts_broken_files(folder_with_broken_files, capsys):
    photos = data.image_folder(folder_with_broken_files, on_error="skip")
    output = capsys.readouterr().out
    assert "3 of 35 files could not be decoded as images and were skipped" in output
    assert all(name in output for name in ("aa.png", "zz.jpg", "cut.png"))
    assert "unreadable files that were skipped: 3" in repr(photos)
    for images, labels in (photos.train, photos.test):
        assert ((images.mean(axis=(1, 2, 3)) > 120) == labels).all(), "each image keeps its own label"
    assert (len(photos.train[1]), len(photos.test[1])) == (24, 8)
    for file in folder_with_broken_files.rglob("*"):
        if file.name in ("aa.png", "zz.jpg", "cut.png"):
            file.unlink()
    untouched = data.image_folder(folder_with_broken_files)
    assert sorted(image.tobytes() for image in untouched.train[0]) == sorted(i.tobytes() for i in photos.train[0])
    assert "skipped" not in repr(untouched)


def test_image_folder_names_a_class_of_broken_files(folder_with_broken_files):
    for file in (folder_with_broken_files / "test" / "light").iterdir():
        file.write_bytes(b"")
    with pytest.raises(data.DataError, match="test: no readable image in class folder light"):
        data.image_folder(folder_with_broken_files, on_error="skip")


def test_image_folder_refuses_another_on_error(class_folders):
    with pytest.raises(ValueError, match='"raise" or "skip". Received: \'ignore\''):
        data.image_folder(class_folders, on_error="ignore")
