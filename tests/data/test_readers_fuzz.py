"""Fuzzing: each reader is given thousands of damaged files, and must read them or name them in its error.

Hypothesis cuts, overwrites, repeats and swaps pieces of a valid file; where a format has a checksum, also of what the
checksum protects. Plain `pytest` tries the same examples every time; `make test-all` tries many more, and new ones.
"""

import gzip
import io
import json
import shutil
import tarfile
import warnings
import zipfile

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dlkit import data, recipes, training
from dlkit.data import image_files, readers, text
from tests.data.helpers import write_cifar_batches, write_cifar_npz, write_idx

# Pieces that have a meaning in one of the formats, or are at the limits of a number.
SPECIAL = [
    b"",
    b"\0",
    b"\xff",
    b"\n",
    b",",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"r\0\0\0\x7f",  # in a pickle: store an object at an index of two billion
    b"nan",
]


def positions(size):
    """Positions in a file: headers are at its start or end, so these come more often."""
    return st.one_of(st.integers(0, min(200, size)), st.integers(0, size), st.integers(max(0, size - 200), size))


@st.composite
def damaged(draw, valid):
    """A file's content after one to four kinds of damage."""
    content = valid
    for _ in range(draw(st.integers(1, 4))):
        start, other = draw(positions(len(content))), draw(positions(len(content)))
        piece = draw(st.one_of(st.sampled_from(SPECIAL), st.binary(min_size=1, max_size=9)))
        kind = draw(st.sampled_from(["overwrite", "overwrite", "insert", "cut out", "cut off", "repeat"]))
        if kind == "overwrite":
            content = content[:start] + piece + content[start + len(piece) :]
        elif kind == "insert":
            content = content[:start] + piece + content[start:]
        elif kind == "cut out":
            content = content[: min(start, other)] + content[max(start, other) :]
        elif kind == "cut off":
            content = content[:start]
        else:
            content = content[:start] + content[min(start, other) : max(start, other)] + content[start:]
    return content


class Case:
    """A valid file, and how it is read; `wrap` packs the damaged content into the form that the reader wants."""

    def __init__(self, path, read, wrap=bytes, unwrap=bytes):
        self.path, self.read, self.wrap = path, read, wrap
        self.valid = unwrap(path.read_bytes())

    def check(self, content):
        self.path.write_bytes(self.wrap(content))
        message = str(self.path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's about damaged metadata and large images
                self.read()
        except data.DataError as error:
            message = str(error)
        assert str(self.path.parent) in message, "the message names the file or its folder"


def with_member(path, name):
    """Functions that read one member of a zip file, and that replace its content."""
    archive = path.read_bytes()

    def wrap(content):
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(buffer, "w") as new:
            for member in old.namelist():
                new.writestr(member, content if member == name else old.read(member))
        return buffer.getvalue()

    return {"wrap": wrap, "unwrap": lambda content: zipfile.ZipFile(io.BytesIO(content)).read(name)}


def cifar_pickle(folder):
    write_cifar_batches(folder, per_batch=1)
    return Case(folder / "data_batch_2", lambda: readers.read_cifar_batches(folder))


def cifar_names(folder):
    write_cifar_batches(folder, per_batch=1)
    return Case(folder / "batches.meta", lambda: readers.read_cifar_batches(folder))


def cifar_archive(folder, **codec):
    write_cifar_batches(folder / "cifar-10-batches-py", per_batch=1)
    path = folder / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder / "cifar-10-batches-py", "cifar-10-batches-py")
    return Case(path, lambda: readers.read_cifar_batches(path), **codec)


def cifar_archive_inside(folder):
    return cifar_archive(folder, wrap=lambda content: gzip.compress(content, 1), unwrap=gzip.decompress)


def mnist_idx(folder, which="images-idx3", **codec):
    write_idx(folder / "mnist" / "t10k-images-idx3-ubyte.gz", np.zeros((60, 28, 28), "uint8"))
    write_idx(folder / "mnist" / "t10k-labels-idx1-ubyte.gz", (np.arange(60) % 10).astype("uint8"))
    return Case(folder / "mnist" / f"t10k-{which}-ubyte.gz", lambda: data.load("mnist"), **codec)


def mnist_idx_inside(folder):
    return mnist_idx(folder, wrap=lambda content: gzip.compress(content, 1), unwrap=gzip.decompress)


def mnist_labels_inside(folder):
    return mnist_idx(folder, "labels-idx1", wrap=lambda content: gzip.compress(content, 1), unwrap=gzip.decompress)


def npz(folder, member=None):
    images, labels = np.zeros((20, 28, 28), "uint8"), np.arange(20) % 10
    np.savez_compressed(folder / "mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    codec = with_member(folder / "mnist.npz", member) if member else {}
    return Case(folder / "mnist.npz", lambda: data.load("mnist"), **codec)


def npz_images(folder):
    return npz(folder, "x_train.npy")


def npz_labels(folder):
    return npz(folder, "y_test.npy")


def cifar_npz(folder):
    write_cifar_npz(folder)
    codec = with_member(folder / "cifar10.npz", "class_names.npy")
    return Case(folder / "cifar10.npz", lambda: data.load("cifar10"), **codec)


def reviews(folder):
    (folder / "rt-polarity.neg").write_text("".join(f"a bad film , number {k} \n" for k in range(30)))
    (folder / "rt-polarity.pos").write_text("".join(f"a fine film , number {k} \n" for k in range(30)))
    return Case(folder / "rt-polarity.pos", lambda: data.load("reviews"))


def prose(folder):
    (folder / "tinyshakespeare.txt").write_text("".join(f"line {k} \u2014 of a play\n" for k in range(9)), "utf-8")
    return Case(folder / "tinyshakespeare.txt", lambda: data.load("prose"))


def sunspots(folder):
    lines = text.SUNSPOTS.read_text().splitlines(keepends=True)[:800]
    text.SUNSPOTS = folder / "sunspots.csv"  # the fixture `folder` restores it
    text.SUNSPOTS.write_text("".join(lines))
    return Case(text.SUNSPOTS, lambda: data.load("sunspots"))


def keras_file(folder, member=None):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.save(folder / "model.keras")
    codec = with_member(folder / "model.keras", member) if member else {}
    return Case(folder / "model.keras", lambda: recipes._load_model(folder / "model.keras", 2), **codec)


def keras_config(folder):
    return keras_file(folder, "config.json")


def metrics(folder):
    (folder / "metrics.json").write_text(json.dumps({"class_names": ["a", "b"], "flip_tta": True, "seconds": 1.5}))
    return Case(folder / "metrics.json", lambda: recipes._read_metrics(folder / "metrics.json"))


def checkpoint(folder, member=None):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    saver = training.Checkpoint(folder / "checkpoint.npz")
    model.fit(np.zeros((4, 3)), np.zeros((4, 2)), callbacks=[saver], verbose=0)
    codec = with_member(folder / "checkpoint.npz", member) if member else {}

    def restore():
        try:
            training.Checkpoint(folder / "checkpoint.npz").restore(model)
        except ValueError as error:
            raise data.DataError(str(error)) from error

    return Case(folder / "checkpoint.npz", restore, **codec)


def checkpoint_about(folder):
    return checkpoint(folder, "about.npy")


def image(suffix):
    def case(folder):
        pixels = np.random.default_rng(0).integers(0, 256, (12, 10, 3)).astype("uint8")
        Image.fromarray(pixels).save(folder / f"a.{suffix}")
        return Case(
            folder / f"a.{suffix}", lambda: image_files.read_images([folder / f"a.{suffix}"], image_size=(8, 8))
        )

    case.__name__ = f"image_{suffix}"
    return case


IMAGES = [image(suffix) for suffix in ("png", "jpg", "gif", "bmp", "tif", "webp", "ppm")]
QUICK = [cifar_pickle, cifar_names, cifar_archive, cifar_archive_inside, mnist_idx, mnist_idx_inside, npz, npz_images]
QUICK += [
    mnist_labels_inside,
    npz_labels,
    cifar_npz,
    reviews,
    prose,
    sunspots,
    metrics,
    checkpoint,
    checkpoint_about,
    *IMAGES,
]
SLOW = [keras_file, keras_config]  # a twentieth of a second each


@pytest.fixture
def folder(no_data_env, monkeypatch):
    """The folder that DLKIT_DATA names, for the damaged files; it is deleted after the test, since it becomes large."""
    monkeypatch.setattr(text, "SUNSPOTS", text.SUNSPOTS)  # restored after the test, see `sunspots`
    yield no_data_env
    shutil.rmtree(no_data_env)


def fuzz(make, folder, **options):
    """Gives a reader the valid file of a case and many damaged ones; `make` builds the `Case` in the folder."""
    case = make(folder)
    case.check(case.valid)
    case.read()  # the valid file is read

    @settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), **options)
    @given(damaged(case.valid))
    def check_damaged(content):
        case.check(content)

    check_damaged()


@pytest.mark.parametrize("make", [*QUICK, *SLOW], ids=lambda make: make.__name__)
def test_damaged_files_are_read_or_named(make, folder):
    fuzz(make, folder, max_examples=40 if make in SLOW else 200, derandomize=True)


@pytest.mark.slow
@pytest.mark.parametrize("make", [*QUICK, *SLOW], ids=lambda make: make.__name__)
def test_thousands_of_damaged_files_are_read_or_named(make, folder):
    fuzz(make, folder, max_examples=200 if make in SLOW else 3_000)


def test_fuzz_finds_the_errors_of_a_reader_without_checks(folder):
    """The fuzzing itself can fail: it does with a reader that checks nothing."""

    def unchecked(folder):
        (folder / "a.csv").write_text("month,value\n1,2\n3,4\n")
        return Case(folder / "a.csv", lambda: np.loadtxt(folder / "a.csv", delimiter=",", skiprows=1))

    with pytest.raises((ValueError, IndexError)):
        fuzz(unchecked, folder, max_examples=200, derandomize=True, report_multiple_bugs=False)
