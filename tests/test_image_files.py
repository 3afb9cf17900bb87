"""Folders of images as they come: every kind of file, odd names, odd places, and files that are no images."""

import shutil
import struct
import sys
import unicodedata
import zlib

import numpy as np
import pytest
from PIL import Image

from dlkit import data
from dlkit.data.image_files import list_image_folder, read_images
from tests.faults import growth

RED = (200, 30, 30)


def read_one(path, **options):
    images, kept = read_images([path], **options)
    assert kept.tolist() == [0]
    return images[0]


# --- kinds of files


@pytest.mark.parametrize(
    ("mode", "suffix", "expected"),
    [
        ("RGB", "png", RED),
        ("RGB", "jpg", RED),
        ("RGB", "webp", RED),
        ("RGBA", "png", RED),
        ("P", "png", RED),
        ("P", "gif", RED),
        ("CMYK", "tif", RED),
        ("CMYK", "jpg", RED),
        ("YCbCr", "jpg", RED),
        ("L", "png", (81, 81, 81)),
        ("L", "jpg", (81, 81, 81)),
        ("1", "png", (0, 0, 0)),
        ("LA", "png", (81, 81, 81)),
    ],
)
def test_every_kind_of_image_becomes_rgb(tmp_path, mode, suffix, expected):
    options = {"dither": Image.Dither.NONE} if mode in ("1", "P") else {}
    picture = Image.new("RGB", (8, 8), RED).convert("L").convert("LA") if mode == "LA" else None
    (picture or Image.new("RGB", (8, 8), RED).convert(mode, **options)).save(tmp_path / f"a.{suffix}")
    image = read_one(tmp_path / f"a.{suffix}")
    assert image.shape == (8, 8, 3)
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image[0, 0], expected, atol=25)  # a palette has few reds


@pytest.mark.parametrize(("suffix", "dtype"), [("png", "uint16"), ("tif", "uint16"), ("tif", ">u2"), ("tif", "int32")])
def test_16_bits_become_8(tmp_path, suffix, dtype):
    levels = (np.arange(16).reshape(4, 4) * 16 * 256 + 7).astype(dtype)
    Image.fromarray(levels).save(tmp_path / f"deep.{suffix}")
    np.testing.assert_array_equal(read_one(tmp_path / f"deep.{suffix}")[..., 0], np.arange(16).reshape(4, 4) * 16)


def test_transparent_shows_white_in_every_kind(tmp_path):
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "alpha.png")
    Image.new("RGB", (4, 4), (0, 0, 0)).save(tmp_path / "key.png", transparency=(0, 0, 0))
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0, 200, 30, 30])
    palette.save(tmp_path / "palette.png", transparency=0)
    palette.save(tmp_path / "palette.gif", transparency=0)
    for name in ("alpha.png", "key.png", "palette.png", "palette.gif"):
        assert (read_one(tmp_path / name) == 255).all(), name
    Image.new("RGBA", (4, 4), (0, 0, 0, 128)).save(tmp_path / "half.png")
    np.testing.assert_allclose(read_one(tmp_path / "half.png"), 127, atol=1)


# Where the upper left pixel of the file belongs, for each way a camera can be held (EXIF orientation 1 to 8).
CORNERS = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}


@pytest.mark.parametrize("orientation", CORNERS)
def test_the_cameras_rotation_is_undone(tmp_path, orientation):
    pixels = np.zeros((4, 6, 3), "uint8")
    pixels[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    image = read_one(tmp_path / "turned.png")
    assert image.shape == ((4, 6, 3) if orientation < 5 else (6, 4, 3))
    row, column = CORNERS[orientation]
    assert image[row, column].min() == 255
    assert image.sum() == 3 * 255


def test_a_turned_photograph_is_resized_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = Image.new("RGB", (600, 400), "black")
    photo.paste("white", (0, 0, 600, 200))  # the upper half, which belongs on the right
    photo.save(tmp_path / "photo.jpg", exif=exif)
    image = read_one(tmp_path / "photo.jpg", image_size=(60, 40))
    assert image.shape == (60, 40, 3)
    assert image[:, 25:].min() > 250
    assert image[:, :15].max() < 5


def test_a_large_jpeg_looks_the_same_as_resized_from_its_whole(tmp_path):
    ramp = np.linspace(0, 255, 1200).astype("uint8")
    photo = Image.fromarray(np.stack(np.broadcast_arrays(ramp[None, :], ramp[:900, None], np.uint8(90)), axis=-1))
    photo.save(tmp_path / "photo.jpg", quality=95)
    whole = np.asarray(photo.resize((40, 30), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(read_one(tmp_path / "photo.jpg", image_size=(30, 40)) - whole).max() <= 4


def test_an_animation_counts_as_its_first_picture(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("white", "black")]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    assert (read_one(tmp_path / "film.gif") == 255).all()


def test_an_image_of_billions_of_pixels_is_named_and_not_decoded(tmp_path):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1_000_000), 9))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b""))

    def read():
        with pytest.raises(data.DataError, match=r"bomb\.png: Image size \(2500000000 pixels\) exceeds limit"):
            read_images([tmp_path / "bomb.png"], image_size=(8, 8))

    assert growth(read) < 100_000_000


def test_floating_point_pixels_are_refused_with_the_reason(tmp_path):
    Image.fromarray(np.ones((4, 4), "float32")).save(tmp_path / "f.tif")
    with pytest.raises(data.DataError, match="f.tif: its pixels are floating-point"):
        read_images([tmp_path / "f.tif"])


# --- odd names, odd places


def make_image(path, colour=RED):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), colour).save(path)


def test_spaces_accents_chinese_and_upper_case(tmp_path):
    names = ["Äpfel und Birnen", "chat noir", "été", "猫"]
    for part in ("train", "test"):
        for name in names:
            make_image(tmp_path / part / name / "IMG 0001.JPG")
            make_image(tmp_path / part / name / "ü.PnG")
    photos = data.image_folder(tmp_path)
    assert photos.class_names == sorted(names)
    assert len(photos.train[1]) == 8
    assert "猫" in repr(photos)


def test_a_name_in_two_spellings_is_one_class(tmp_path):
    make_image(tmp_path / "train" / unicodedata.normalize("NFD", "été") / "a.png")
    make_image(tmp_path / "test" / unicodedata.normalize("NFC", "été") / "a.png")
    assert data.image_folder(tmp_path).class_names == [unicodedata.normalize("NFC", "été")]


def test_nested_folders_belong_to_their_class_and_hidden_ones_to_none(tmp_path):
    make_image(tmp_path / "cat" / "indoors" / "2024" / "a.png")
    make_image(tmp_path / "cat" / "b.png")
    make_image(tmp_path / "dog" / "c.jpeg")
    make_image(tmp_path / "dog" / ".thumbnails" / "c.jpeg")
    make_image(tmp_path / ".git" / "d.png")
    make_image(tmp_path / "__MACOSX" / "e.png")
    make_image(tmp_path / "loose.png")
    (tmp_path / "dog" / "album.jpg").mkdir()  # a folder that is named like an image
    (tmp_path / "cat" / "._b.png").write_text("")
    (tmp_path / "cat" / "Thumbs.db").write_text("")
    files, labels, class_names = list_image_folder(tmp_path)
    assert [file.relative_to(tmp_path).as_posix() for file in files] == [
        "cat/b.png",
        "cat/indoors/2024/a.png",
        "dog/c.jpeg",
    ]
    assert labels.tolist() == [0, 0, 1]
    assert class_names == ["cat", "dog"]


def test_a_hidden_folder_above_the_data_does_not_hide_it(tmp_path):
    make_image(tmp_path / ".data" / "cat" / "a.png")
    assert len(list_image_folder(tmp_path / ".data")[0]) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets administrators only make links")
def test_a_link_to_nowhere_is_named(tmp_path):
    make_image(tmp_path / "cat" / "a.png")
    (tmp_path / "cat" / "lost.png").symlink_to(tmp_path / "nowhere.png")
    files, _, _ = list_image_folder(tmp_path)
    with pytest.raises(data.DataError, match="1 of 2 files.*\n.*lost.png"):
        read_images(files)


# --- whole folders


def test_image_folder_reads_what_is_there(class_folders):
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
    with pytest.raises(data.DataError, match="no image in class folder empty"):
        data.image_folder(class_folders)


def test_image_folder_names_every_file_that_is_no_image(class_folders):
    (class_folders / "train" / "dark" / "text.jpg").write_text("no image")
    whole = (class_folders / "train" / "dark" / "00.png").read_bytes()
    (class_folders / "train" / "light" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (class_folders / "test" / "light" / "empty.JPG").write_bytes(b"")
    with pytest.raises(data.DataError, match="3 of 35 files are no readable images") as refusal:
        data.image_folder(class_folders)
    for name in ("text.jpg", "cut.png", "empty.JPG"):
        assert name in str(refusal.value)


def test_uneven_sizes_are_told_and_resized_on_request(class_folders):
    Image.new("RGB", (20, 10)).save(class_folders / "train" / "dark" / "wide.png")
    with pytest.raises(data.DataError, match=r"2 sizes.*image_size=\(height, width\)"):
        data.image_folder(class_folders)
    assert data.image_folder(class_folders, image_size=(6, 8)).train[0].shape == (25, 6, 8, 3)


def test_hidden_and_foreign_files_do_not_count(class_folders):
    (class_folders / "train" / ".cache").mkdir()
    (class_folders / "train" / "dark" / ".DS_Store").write_text("")
    (class_folders / "train" / "dark" / "._00.png").write_text("")
    (class_folders / "train" / "dark" / "notes.txt").write_text("")
    assert len(data.image_folder(class_folders).train[1]) == 24


@pytest.fixture
def with_broken_files(class_folders):
    whole = (class_folders / "train" / "dark" / "00.png").read_bytes()
    for part, name, content in (
        ("train", "dark/aa.png", b"no image"),
        ("train", "light/zz.jpg", b""),
        ("test", "light/cut.png", whole[:60]),
    ):
        (class_folders / part / name).write_bytes(content)
    return class_folders


def test_skipping_leaves_out_the_broken_ones_and_counts_them(with_broken_files, capsys):
    photos = data.image_folder(with_broken_files, on_error="skip")
    said = capsys.readouterr().out
    assert "3 of 35 files are no readable images and were skipped" in said
    assert all(name in said for name in ("aa.png", "zz.jpg", "cut.png"))
    assert "unreadable files that were skipped: 3" in repr(photos)
    for images, labels in (photos.train, photos.test):
        assert ((images.mean(axis=(1, 2, 3)) > 120) == labels).all(), "each image keeps its own label"
    assert (len(photos.train[1]), len(photos.test[1])) == (24, 8)
    for file in with_broken_files.rglob("*"):
        if file.name in ("aa.png", "zz.jpg", "cut.png"):
            file.unlink()
    untouched = data.image_folder(with_broken_files)
    assert sorted(image.tobytes() for image in untouched.train[0]) == sorted(i.tobytes() for i in photos.train[0])
    assert "skipped" not in repr(untouched)


def test_a_class_of_broken_files_only_is_told(with_broken_files):
    for file in (with_broken_files / "test" / "light").iterdir():
        file.write_bytes(b"")
    with pytest.raises(data.DataError, match="test: none of the images of class light is readable"):
        data.image_folder(with_broken_files, on_error="skip")


def test_nothing_readable_is_an_error_even_when_skipping(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(data.DataError, match="1 of 1 files"):
        read_images([tmp_path / "a.png"], on_error="skip")


def test_another_on_error_is_refused_before_any_reading(class_folders):
    with pytest.raises(ValueError, match='"raise" or "skip". Received: \'ignore\''):
        data.image_folder(class_folders, on_error="ignore")
