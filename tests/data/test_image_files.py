"""Image files as people have them: every file format, unusual names, and files that are not images."""

import struct
import sys
import unicodedata
import zlib

import numpy as np
import pytest
from PIL import Image

from dlkit import data
from dlkit.data.image_files import list_image_folder, read_images, sizes
from tests.faults import memory_growth

RED = (200, 30, 30)


def read_one(path, **options):
    images, indices = read_images([path], **options)
    assert indices.tolist() == [0]
    return images[0]


# --- formats


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
def test_read_images_of_every_mode_gives_rgb(tmp_path, mode, suffix, expected):
    options = {"dither": Image.Dither.NONE} if mode in ("1", "P") else {}
    image = Image.new("RGB", (8, 8), RED).convert("L").convert("LA") if mode == "LA" else None
    (image or Image.new("RGB", (8, 8), RED).convert(mode, **options)).save(tmp_path / f"a.{suffix}")
    image = read_one(tmp_path / f"a.{suffix}")
    assert image.shape == (8, 8, 3)
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image[0, 0], expected, atol=25)  # a palette has only a few reds


@pytest.mark.parametrize(("suffix", "dtype"), [("png", "uint16"), ("tif", "uint16"), ("tif", ">u2"), ("tif", "int32")])
def test_read_images_of_16_bits(tmp_path, suffix, dtype):
    levels = (np.arange(16).reshape(4, 4) * 16 * 256 + 7).astype(dtype)
    Image.fromarray(levels).save(tmp_path / f"deep.{suffix}")
    np.testing.assert_array_equal(read_one(tmp_path / f"deep.{suffix}")[..., 0], np.arange(16).reshape(4, 4) * 16)


def test_read_images_puts_transparent_pixels_on_white(tmp_path):
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


# Where the upper left pixel of the file belongs, for each way of holding a camera (EXIF orientation 1 to 8).
CORNERS = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}


@pytest.mark.parametrize("orientation", CORNERS)
def test_read_images_undoes_the_cameras_rotation(tmp_path, orientation):
    pixels = np.zeros((4, 6, 3), "uint8")
    pixels[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "rotated.png", exif=exif)
    image = read_one(tmp_path / "rotated.png")
    assert image.shape == ((4, 6, 3) if orientation < 5 else (6, 4, 3))
    row, column = CORNERS[orientation]
    assert image[row, column].min() == 255
    assert image.sum() == 3 * 255


def test_read_images_resizes_a_rotated_photograph(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = Image.new("RGB", (600, 400), "black")
    photo.paste("white", (0, 0, 600, 200))  # the upper half, which belongs on the right
    photo.save(tmp_path / "photo.jpg", exif=exif)
    image = read_one(tmp_path / "photo.jpg", image_size=(60, 40))
    assert image.shape == (60, 40, 3)
    assert image[:, 25:].min() > 250
    assert image[:, :15].max() < 5


def test_read_images_of_a_large_jpeg_equals_full_decoding(tmp_path):
    ramp = np.linspace(0, 255, 1200).astype("uint8")
    photo = Image.fromarray(np.stack(np.broadcast_arrays(ramp[None, :], ramp[:900, None], np.uint8(90)), axis=-1))
    photo.save(tmp_path / "photo.jpg", quality=95)
    expected = np.asarray(photo.resize((40, 30), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(read_one(tmp_path / "photo.jpg", image_size=(30, 40)) - expected).max() <= 4


def test_read_images_of_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 4), color) for color in ("white", "black")]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    assert (read_one(tmp_path / "film.gif") == 255).all()


def test_read_images_does_not_decode_billions_of_pixels(tmp_path):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1_000_000), 9))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b""))

    def read():
        with pytest.raises(data.DataError, match=r"bomb\.png: Image size \(2500000000 pixels\) exceeds limit"):
            read_images([tmp_path / "bomb.png"], image_size=(8, 8))

    assert memory_growth(read) < 100_000_000


def test_read_images_refuses_floating_point_pixels(tmp_path):
    Image.fromarray(np.ones((4, 4), "float32")).save(tmp_path / "f.tif")
    with pytest.raises(data.DataError, match="f.tif: its pixels are floating-point"):
        read_images([tmp_path / "f.tif"])


def test_sizes_are_those_stored_in_the_files(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(tmp_path / "rotated.png", exif=exif)
    (tmp_path / "text.png").write_text("not an image")
    assert sizes(sorted(tmp_path.iterdir())) == {(4, 6)}


# --- names and folders


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
    make_image(tmp_path / "train" / unicodedata.normalize("NFD", "été") / "a.png")
    make_image(tmp_path / "test" / unicodedata.normalize("NFC", "été") / "a.png")
    assert data.image_folder(tmp_path).class_names == [unicodedata.normalize("NFC", "été")]


def test_list_image_folder_of_nested_and_hidden_folders(tmp_path):
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
    files, labels, class_names = list_image_folder(tmp_path)
    assert [file.relative_to(tmp_path).as_posix() for file in files] == [
        "cat/b.png",
        "cat/indoors/2024/a.png",
        "dog/c.jpeg",
    ]
    assert labels.tolist() == [0, 0, 1]
    assert class_names == ["cat", "dog"]


def test_list_image_folder_below_a_hidden_folder(tmp_path):
    make_image(tmp_path / ".data" / "cat" / "a.png")
    assert len(list_image_folder(tmp_path / ".data")[0]) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets administrators only make links")
def test_read_images_names_a_broken_link(tmp_path):
    make_image(tmp_path / "cat" / "a.png")
    (tmp_path / "cat" / "lost.png").symlink_to(tmp_path / "nowhere.png")
    files, _, _ = list_image_folder(tmp_path)
    with pytest.raises(data.DataError, match="1 of 2 files.*\n.*lost.png"):
        read_images(files)


def test_read_images_with_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(data.DataError, match="1 of 1 files"):
        read_images([tmp_path / "a.png"], on_error="skip")
