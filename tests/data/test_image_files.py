"""Image files as people have them: every file format, files that are not images, images that stay on the disk."""

import errno
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, features

from dlkit import data
from dlkit.data import image_files
from dlkit.data.image_files import LazyImages, read_images
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


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize(
    ("resize", "columns"),
    [  # of an image with five columns of different colors, twice as wide as high
        ("crop", [2, 3, 4]),
        ("stretch", [1, 2, 3, 4, 5]),
        ("pad", [1, 2, 3, 4, 5]),
    ],
)
def test_read_images_of_another_aspect_ratio(tmp_path, resize, columns, in_memory):
    pixels = np.repeat(np.arange(1, 6), 40)[None, :, None] * np.full((100, 1, 3), 40)
    Image.fromarray(pixels.astype("uint8")).save(tmp_path / "wide.png")
    images, _ = read_images([tmp_path / "wide.png"], image_size=(50, 50), resize=resize, in_memory=in_memory)
    (image,) = images[:]
    middle = sorted({int(value) // 40 for value in image[25, :, 0] if value % 40 == 0 and value})
    assert middle == columns
    assert (image[:12].max() == image[-12:].max() == 0) == (resize == "pad"), "black bars"


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_read_images_keeps_what_has_the_aspect_ratio_already(tmp_path, resize):
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype("uint8"))
    photo.save(tmp_path / "a.png")
    expected = np.asarray(photo.resize((20, 15), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(read_one(tmp_path / "a.png", image_size=(15, 20), resize=resize), expected)


def test_read_images_refuses_another_resize(tmp_path):
    with pytest.raises(ValueError, match="resize to be one of crop, pad, stretch. Received: 'fill'"):
        read_images([tmp_path / "a.png"], resize="fill")


@pytest.mark.skipif(not features.check("jpg_2000"), reason="needs a Pillow that reads JPEG 2000")
def test_read_images_of_jpeg_2000(tmp_path):
    Image.new("RGB", (64, 64), RED).save(tmp_path / "a.jp2")
    np.testing.assert_allclose(read_one(tmp_path / "a.jp2")[0, 0], RED, atol=3)


@pytest.mark.skipif(not image_files.READS_HEIF, reason="needs pillow-heif")
def test_read_images_of_heic(tmp_path):
    Image.new("RGB", (64, 32), RED).save(tmp_path / "IMG_1.HEIC", "HEIF")
    image = read_one(tmp_path / "IMG_1.HEIC")
    assert image.shape == (32, 64, 3)
    np.testing.assert_allclose(image[10, 10], RED, atol=6)


# --- files that are not what they seem


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"Hello, w\xc3\xb6rld\n", "it is a text"),
        (b"\n<!DOCTYPE html><HTML><body>404", "it is a web page"),
        (bytes(range(256)), "cannot identify image file"),
    ],
    ids=str,
)
def test_read_images_says_what_a_file_is(tmp_path, content, reason):
    (tmp_path / "a.jpg").write_bytes(content)
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(data.DataError) as caught:
        read_images([tmp_path / "a.jpg", tmp_path / "lost.jpg", tmp_path / "folder.jpg"])
    assert f"a.jpg: {reason}" in str(caught.value)
    assert "lost.jpg: it does not exist" in str(caught.value)
    assert "folder.jpg: it is a folder" in str(caught.value)


def test_read_images_recognizes_heic_under_another_name(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "READS_HEIF", False)
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x24ftypheic\0\0\0\0mif1")
    with pytest.raises(data.DataError, match=r"a.jpg: it is a .heic file under another name.*pip install pillow-heif"):
        read_images([tmp_path / "a.jpg"])


def test_read_images_names_a_broken_file(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "lost.png").write_text("")
    with pytest.raises(data.DataError, match="1 of 2 files.*\n.*lost.png"):
        read_images([tmp_path / "a.png", tmp_path / "lost.png"])


def test_read_images_with_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(data.DataError, match="1 of 1 files"):
        read_images([tmp_path / "a.png"], on_error="skip")


@pytest.mark.parametrize("image_size", [16, 16.0, "16", (16,), (16, 16, 3), (0, 0), (16, -1), (16.0, 16.0)], ids=str)
def test_read_images_blames_a_wrong_size_on_the_caller(tmp_path, image_size):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    for on_error in ("raise", "skip"):
        with pytest.raises(ValueError, match="image_size to be") as caught:
            read_images([tmp_path / "a.png"], image_size=image_size, on_error=on_error)
        assert not isinstance(caught.value, data.DataError)


@pytest.mark.parametrize("lack", [MemoryError(), OSError(errno.EMFILE, "Too many open files")], ids=repr)
def test_read_images_does_not_skip_good_files_for_want_of_room(tmp_path, monkeypatch, lack):
    for k in range(20):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{k:02d}.png")
    original = Image.open

    def open_all_but_one(file):
        if file.name == "13.png":
            raise lack
        return original(file)

    monkeypatch.setattr(Image, "open", open_all_but_one)
    with pytest.raises(type(lack)) as caught:
        read_images(sorted(tmp_path.iterdir()), on_error="skip")
    assert caught.value is lack


def test_read_images_names_an_error_without_a_message(tmp_path, monkeypatch):
    def fail(file):
        raise KeyError

    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(data.DataError, match="a.png: KeyError"):
        read_images([tmp_path / "a.png"])


# --- images with more than 8 bits, which would become black


def save_deep(path, highest, dtype="uint16"):
    """Saves a ramp from 0 to a highest value, and returns the path."""
    Image.fromarray(np.linspace(0, highest, 64).reshape(8, 8).astype(dtype)).save(path)
    return path


@pytest.mark.parametrize("highest", [255, 4095, 16383], ids=["8 bits", "12 bits", "14 bits"])
@pytest.mark.parametrize(("suffix", "dtype"), [("png", "uint16"), ("tif", "uint16"), ("tif", "int32")])
def test_read_images_refuses_deep_images_that_would_become_black(tmp_path, highest, suffix, dtype):
    file = save_deep(tmp_path / f"x-ray.{suffix}", highest, dtype)
    for on_error in ("raise", "skip"):
        with pytest.raises(data.DataError, match=f"files with 16 bits have no pixel above {highest} of 65535.*Divide"):
            read_images([file], on_error=on_error)


def test_read_images_refuses_dark_colors_of_16_bits(tmp_path):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    pixels = np.full((4, 4, 3), 4095, ">u2")  # 12 bits
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0))
    content = header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "color.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    with pytest.raises(data.DataError, match="no pixel above 3855 of 65535"):
        read_images([tmp_path / "color.png"])


def test_read_images_looks_at_the_range_of_each_folder(tmp_path):
    """One dark image of several is no reason; but a class that is dark as a whole would be recognized by it."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
    bright, dark = save_deep(tmp_path / "cat" / "a.png", 65535), save_deep(tmp_path / "cat" / "b.png", 4095)
    assert read_images([bright, dark])[0].shape == (2, 8, 8, 3)
    Image.new("RGB", (8, 8)).save(tmp_path / "dog" / "8-bits.png")
    assert len(read_images([bright, tmp_path / "dog" / "8-bits.png"])[0]) == 2
    with pytest.raises(data.DataError, match="dog: 1 files with 16 bits"):
        read_images([bright, dark, save_deep(tmp_path / "dog" / "c.png", 4095)])


@pytest.mark.parametrize("values", [(0, 70_000), (-5, 65_535)])
def test_read_images_refuses_integers_beyond_16_bits(tmp_path, values):
    Image.fromarray(np.linspace(*values, 16).reshape(4, 4).astype("int32")).save(tmp_path / "a.tif")
    with pytest.raises(data.DataError, match=f"a.tif: its pixels go from {values[0]} to {values[1]}, not from 0"):
        read_images([tmp_path / "a.tif"])


# --- images that stay in their files


@pytest.fixture
def files(tmp_path):
    """Thirty images, each of one color, all of the same size."""
    for k in range(30):
        Image.new("RGB", (6, 4), (k, 2 * k, 255 - k)).save(tmp_path / f"{k:02d}.png")
    return sorted(tmp_path.iterdir())


def test_lazy_images_equal_an_array(files):
    (images, indices), (lazy, lazy_indices) = read_images(files), read_images(files, in_memory=False)
    assert isinstance(lazy, LazyImages)
    np.testing.assert_array_equal(lazy_indices, indices)
    assert (lazy.shape, lazy.dtype, lazy.ndim, len(lazy)) == (images.shape, images.dtype, images.ndim, 30)
    for index in (slice(3, 25), slice(None), [4, 2, 2], np.arange(30)[::-7], np.arange(30) % 3 == 0, 5, -1, []):
        found = lazy[index]
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, images[index], strict=True)
    with pytest.raises(IndexError):
        lazy[[30]]


def test_lazy_images_with_a_size(files):
    images, _ = read_images(files, image_size=(8, 5))
    lazy, _ = read_images(files, image_size=(8, 5), in_memory=False)
    assert lazy.shape == (30, 8, 5, 3)
    np.testing.assert_array_equal(lazy[:], images)


def test_lazy_images_take_decodes_nothing(files):
    lazy, _ = read_images(files, in_memory=False)
    chosen = lazy.take([7, 7, 2])
    files[2].unlink()
    assert chosen.shape == (3, 4, 6, 3)
    assert chosen[:2][0, 0, 0].tolist() == [7, 14, 248]
    with pytest.raises(data.DataError, match="02.png could be decoded when the folder was read, but not any more"):
        chosen[2:]


def test_lazy_images_leave_broken_files_out(files):
    files[3].write_text("broken")
    with pytest.raises(data.DataError, match="1 of 30 files could not be decoded"):
        read_images(files, in_memory=False)
    lazy, indices = read_images(files, in_memory=False, on_error="skip")
    assert indices.tolist() == [k for k in range(30) if k != 3]
    assert lazy[3][0, 0, 0] == 4


def test_lazy_images_refuse_to_become_an_array(files):
    lazy, _ = read_images(files, in_memory=False)
    with pytest.raises(TypeError, match=r"LazyImages of shape \(30, 4, 6, 3\).*images\[start:stop\]"):
        np.asarray(lazy)


def test_read_images_chooses_where_images_stay(files, monkeypatch):
    assert isinstance(read_images(files, in_memory=None)[0], np.ndarray)
    monkeypatch.setattr(image_files, "MAX_IN_MEMORY", 30 * 4 * 6 * 3 - 1)
    assert isinstance(read_images(files, in_memory=None)[0], LazyImages)
    assert isinstance(read_images(files)[0], np.ndarray)


def test_lazy_images_need_no_memory_for_all_of_them(tmp_path):
    """An epoch over 900 MB of pixels, from files that are read and then decoded batch by batch."""
    Image.new("RGB", (1000, 1000), RED).save(tmp_path / "a.jpg")
    files, seen = [tmp_path / "a.jpg"] * 300, []

    def read():
        images, _ = read_images(files, in_memory=False)
        for batch, _ in data.pipeline(images, np.arange(300), batch_size=2, training=True):
            seen.append(len(batch))

    data.pipeline(np.zeros((2, 4, 4, 3), "uint8"), np.arange(2), batch_size=2)  # imports TensorFlow, if nothing did yet
    # tf.data keeps some batches ready: 100 MB here, up to 250 MB were seen. All of the images would be 900 MB.
    assert memory_growth(read) < 450_000_000
    assert sum(seen) == 300
