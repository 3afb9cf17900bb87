"""Folders of your own images: their classes, unusual names, and an account of every file that was found."""

import shutil
import sys
import unicodedata

import numpy as np
import pytest
from PIL import Image, features

from dlkit import data
from dlkit.data import folders, image_files
from dlkit.data.image_files import LazyImages
from tests.data.helpers import make_folder, make_image


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


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets administrators only make links")
def test_image_folder_follows_links_to_folders_once(tmp_path):
    make_folder(tmp_path / "photos", cat=2, dog=1)
    make_image(tmp_path / "elsewhere" / "cats" / "more.png", (0, 99, 0))
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "elsewhere")  # a circle
    (tmp_path / "photos" / "train" / "cat" / "more").symlink_to(tmp_path / "elsewhere")
    photos = data.image_folder(tmp_path / "photos")
    assert np.bincount(photos.train[1]).tolist() == [3, 1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets administrators only make links")
def test_image_folder_whose_test_split_is_a_link_to_train(tmp_path, capsys):
    make_folder(tmp_path, ["train"], cat=2, dog=1)
    (tmp_path / "test").symlink_to(tmp_path / "train")
    assert data.image_folder(tmp_path).copies == 3
    assert "3 of 3 test images are copies of training images" in capsys.readouterr().out


def test_image_folder_counts_the_files_it_left_out(tmp_path, capsys):
    make_folder(tmp_path, cat=2, dog=2)
    for name in ("a.mp4", "b.MP4", "notes.txt", "README", ".hidden.heic"):
        (tmp_path / "train" / "cat" / name).write_text("")
    make_image(tmp_path / "test" / "loose.png")
    photos = data.image_folder(tmp_path)
    left_out = "2 .mp4, 1 .txt, 1 hidden, 1 outside the class folders, 1 without a suffix"
    assert f"Your own images; other files that were left out: {left_out}." in repr(photos)
    assert capsys.readouterr().out == ""
    assert "left out" not in repr(data.image_folder(make_folder(tmp_path / "clean", cat=1, dog=1)))


def read_format(folder, name, renamed):
    """Reads a folder with one more image, of the format that the suffix of its name stands for, which it may lose."""
    make_folder(folder, cat=1, dog=1, side=64)
    file = folder / "train" / "cat" / name
    Image.new("RGB", (64, 64), "red").save(file, "JPEG" if "jfif" in name else None)
    if renamed:
        file = file.rename(file.with_suffix(""))
    photos = data.image_folder(folder)
    assert len(photos.train[1]) == 3
    assert "left out" not in repr(photos)


@pytest.mark.parametrize("name", ["a.JPG", "a.jpeg", "a.JPE", "a.jfif", "a.png", "a.bmp", "a.gif", "a.TIF", "a.tiff"])
@pytest.mark.parametrize("renamed", [False, True], ids=["with suffix", "without suffix"])
def test_image_folder_reads_every_format(tmp_path, name, renamed):
    read_format(tmp_path, name, renamed)


@pytest.mark.parametrize(
    ("name", "feature"), [("a.webp", "webp"), ("a.avif", "avif"), ("a.jp2", "jpg_2000"), ("a.heic", None)]
)
@pytest.mark.parametrize("renamed", [False, True], ids=["with suffix", "without suffix"])
def test_image_folder_reads_formats_that_not_every_pillow_has(tmp_path, name, feature, renamed):
    if not (features.check(feature) if feature else image_files.READS_HEIF):
        pytest.skip("needs another Pillow, or pillow-heif")
    read_format(tmp_path, name, renamed)


def test_image_folder_of_one_class_is_refused(tmp_path):
    make_folder(tmp_path, cat=2)
    message = r"train: expected two or more classes. Received: cat. Add another class"
    with pytest.raises(data.DataError, match=message):
        data.image_folder(tmp_path)


def test_image_folder_without_class_folders_is_refused(tmp_path):
    for split in ("train", "test"):
        make_image(tmp_path / split / "loose.png")
    with pytest.raises(
        data.DataError, match="train: expected class folders. Received: none, and 1 images outside. Make a folder"
    ):
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
    shutil.copy(tmp_path / "train" / "cat" / "2.png", tmp_path / "test" / "cat" / "renamed.png")
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


def test_stored_sizes_are_those_in_the_files(tmp_path):
    make_folder(tmp_path, cat=1, dog=1)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(tmp_path / "train" / "cat" / "rotated.png", exif=exif)
    (tmp_path / "train" / "cat" / "text.png").write_text("not an image")
    assert set(folders.stored_sizes(folders.find(tmp_path).files())) == {(4, 4), (4, 6)}


# --- a test split that is set aside


def test_image_folder_sets_a_part_of_each_class_aside(tmp_path, capsys):
    make_folder(tmp_path, ["."], cat=50, dog=20, rare=2)
    photos = data.image_folder(tmp_path)
    assert [np.bincount(labels).tolist() for _, labels in (photos.train, photos.test)] == [[40, 16, 1], [10, 4, 1]]
    assert photos.validation is None
    message = f"{tmp_path} has no test split: 15 of 72 images are set aside for testing, 20% of each class, at random"
    assert message in capsys.readouterr().out
    everything = np.concatenate([photos.train[0], photos.test[0]])
    assert len(np.unique(everything[:, 0, 0], axis=0)) == 72, "each image is in one split"
    np.testing.assert_array_equal(data.image_folder(tmp_path).test[0], photos.test[0])
    other = data.image_folder(tmp_path, seed=1, test_split=0.5)
    assert np.bincount(other.test[1]).tolist() == [25, 10, 1]
    assert not np.array_equal(other.test[0][:10], photos.test[0][:10])


def test_image_folder_cannot_split_a_single_image(tmp_path):
    make_folder(tmp_path, ["."], cat=5, dog=1, emu=1)
    with pytest.raises(data.DataError, match=r"two or more images of each class.*Received: one image of dog, emu. Add"):
        data.image_folder(tmp_path)


@pytest.mark.parametrize("options", [{"test_split": 0}, {"test_split": 1}, {"test_split": "a"}, {"seed": -1}], ids=str)
def test_image_folder_checks_how_the_test_split_is_made(class_folders, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} to be"):
        data.image_folder(class_folders, **options)


def test_image_folder_with_three_splits(tmp_path):
    photos = data.image_folder(make_folder(tmp_path, ["train", "val", "test"], cat=3, dog=2))
    assert [len(labels) for _, labels in (photos.train, photos.validation, photos.test)] == [5, 5, 5]
    assert "5 training, 5 validation and 5 test images" in repr(photos)
    streamed = data.image_folder(tmp_path, in_memory=False)
    np.testing.assert_array_equal(streamed.validation[0][:], photos.validation[0])


@pytest.mark.parametrize("split", ["val", "test"])
def test_image_folder_names_a_class_that_a_split_lacks(tmp_path, split):
    make_folder(tmp_path, ["train", "val", "test"], cat=1, dog=1, Owl=1)
    (tmp_path / split / "Owl").rename(tmp_path / split / "owl")
    with pytest.raises(data.DataError) as caught:
        data.image_folder(tmp_path)
    name = "validation" if split == "val" else "test"
    assert f'the same in train and {name}. In one only: "Owl" (train), "owl" ({name}).' in str(caught.value)
    assert 'differ only in case or blanks: "Owl" and "owl". Rename them.' in str(caught.value)


# --- what image_folder says about folders that are not as expected


def test_image_folder(class_folders):
    photos = data.image_folder(class_folders)
    images, labels = photos.train
    assert images.shape == (24, 12, 12, 3)
    assert photos.class_names == ["dark", "light"]
    assert ((images.mean(axis=(1, 2, 3)) > 120) == labels).all(), "each image has its own label"
    assert 0 < labels[:12].sum() < 12, "in random order"
    np.testing.assert_array_equal(data.image_folder(class_folders).train[0], images)


def test_image_folder_of_the_current_folder(class_folders, monkeypatch):
    monkeypatch.chdir(class_folders)
    photos = data.image_folder(".")
    assert photos.name == "photos"
    assert len(photos.train[1]) == 24


def test_image_folder_says_what_it_expected(tmp_path, class_folders):
    with pytest.raises(data.DataError, match=r"does not exist. Expected class folders: .*/<class>/<image>, or train,"):
        data.image_folder(tmp_path / "nowhere")
    shutil.rmtree(class_folders / "test" / "light")
    with pytest.raises(data.DataError, match=r'the same in train and test. In one only: "light" \(train\). Add images'):
        data.image_folder(class_folders)
    shutil.rmtree(class_folders / "train")
    with pytest.raises(data.DataError, match=r"Received: test. Rename or merge"):
        data.image_folder(class_folders)
    with pytest.raises(data.DataError, match="00.png is a file, not a folder. Expected class folders"):
        data.image_folder(class_folders / "test" / "dark" / "00.png")


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
    with pytest.raises(ValueError, match="on_error to be one of raise, skip. Received: 'ignore'"):
        data.image_folder(class_folders, on_error="ignore")
