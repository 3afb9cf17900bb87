"""load, image_folder, locate: every form of data, and what is said when there is none."""

import gzip
import re
import shutil
import struct

import numpy as np
import pytest

from dlkit import data, runtime
from tests.conftest import write_cifar_batches


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(
        ValueError, match='digits, mnist, cifar10, shapes10, reviews, prose, sunspots. Received: "imagenet"'
    ):
        data.load("imagenet")


def test_digits_are_real_and_split_without_overlap():
    digits = data.load("digits")
    assert digits.is_real
    (train_images, _), (test_images, test_labels) = digits.train, digits.test
    assert train_images.shape == (1347, 8, 8)
    assert test_images.shape == (450, 8, 8)
    assert train_images.dtype == np.uint8
    assert train_images.max() == 255
    assert 43 <= np.bincount(test_labels).min() <= np.bincount(test_labels).max() <= 47, "equal shares"
    assert not {image.tobytes() for image in train_images} & {image.tobytes() for image in test_images}
    assert digits.class_names == list("0123456789")


def test_the_card_says_what_it_is_without_paths(empty_room):
    card = repr(data.load("cifar10"))
    assert card.startswith("cifar10: stand-in, from dlkit (generated)\n")
    assert "no photographs" in card
    assert str(empty_room) not in card


def test_the_card_of_images():
    images, labels = np.zeros((1200, 8, 6, 3), "uint8"), np.arange(1200) % 3
    parts = (images, labels), (images[:40], labels[:40])
    card = repr(data.Dataset("pets", *parts, ["cat", "dog", "owl"], True, "here", "Mine."))
    assert card.splitlines() == [
        "pets: real, from here",
        "  1,200 training and 40 test images of 8 x 6 x 3, uint8",
        "  3 classes: cat, dog, owl",
        "  Mine.",
    ]


def test_the_card_of_texts():
    texts, labels = np.array(["one two", "one", "one two three"], object), np.array([0, 1, 0])
    parts = (texts, labels), (texts[:1], labels[:1])
    card = repr(data.Dataset("notes", *parts, ["bad", "good"], True, "here", "Mine."))
    assert card.splitlines() == [
        "notes: real, from here",
        "  3 training and 1 test texts of 2 words on average",
        "  2 classes: bad, good",
        "  Mine.",
    ]


def test_the_card_of_one_long_text():
    card = repr(data.Dataset("play", "a" * 9_000, "b" * 1_000, [], True, "here", "A play."))
    assert card.splitlines() == ["play: real, from here", "  9,000 training and 1,000 test characters", "  A play."]


def test_the_card_of_months():
    months, values = np.arange("1990-01", "1991-01", dtype="datetime64[M]"), np.zeros(12)
    parts = (months[:8], values[:8]), (months[8:], values[8:])
    card = repr(data.Dataset("rain", *parts, [], True, "here", "Rain."))
    assert card.splitlines() == [
        "rain: real, from here",
        "  8 training and 4 test months, 1990-01 to 1990-08 and 1990-09 to 1990-12",
        "  Rain.",
    ]


@pytest.mark.parametrize(
    ("labels", "received"),
    [
        ([0, 1, 3], r"int\d+ of shape \(3,\) from 0 to 3"),
        ([-1, 1, 2], r"int\d+ of shape \(3,\) from -1 to 2"),
        ([0.0, 1.0, 2.0], r"float64 of shape \(3,\) from 0.0 to 2.0"),
        (["a", "b", "c"], r"<U1 of shape \(3,\)"),
        ([[0], [1], [2]], r"int\d+ of shape \(3, 1\) from 0 to 2"),
        ([0, 1], r"int\d+ of shape \(2,\) from 0 to 1"),
    ],
)
@pytest.mark.parametrize("part", ["train", "test"])
def test_labels_that_do_not_fit_the_class_names_are_refused(part, labels, received):
    images = np.zeros((3, 8, 8), "uint8")
    parts = {"train": (images, np.arange(3)), "test": (images, np.arange(3)), part: (images, np.array(labels))}
    said = f"pets: expected 3 labels in {part}, integers from 0 to 2 for 3 class names. Received: {received}"
    with pytest.raises(ValueError, match=said):
        data.Dataset("pets", **parts, class_names=["cat", "dog", "owl"], is_real=True, source="here")


def test_without_class_names_labels_may_be_anything():
    months = np.arange("1990-01", "1991-01", dtype="datetime64[M]"), np.full(12, -1.5)
    assert data.Dataset("rain", months, months, [], True, "here").train is months


def test_without_data_a_stand_in_is_announced(empty_room, capsys):
    for name in ("mnist", "cifar10"):
        found = data.load(name)
        assert not found.is_real
        assert f"No {name} found and none downloaded: using a stand-in" in capsys.readouterr().out
        assert data.locate(name) is None


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_real_never_falls_back_and_says_how_to_get_it(name, empty_room):
    line = re.escape(runtime.command("data", "fetch", name))
    with pytest.raises(data.DataError, match=f"With a network run `{line}`, or set DLKIT_DATA to a folder"):
        data.load(name, real=True)


def test_the_mnist_stand_in_shares_no_digit_between_its_parts(empty_room, monkeypatch):
    made_from, mnist_like = [], data.images.synthetic.mnist_like
    monkeypatch.setattr(
        data.images.synthetic, "mnist_like", lambda images, *rest: made_from.append(images) or mnist_like(images, *rest)
    )
    mnist = data.load("mnist")
    assert mnist.train[0].shape == (8000, 28, 28)
    assert mnist.test[0].shape == (2000, 28, 28)
    assert set(mnist.train[1]) == set(mnist.test[1]) == set(range(10))
    assert not {i.tobytes() for i in made_from[0]} & {i.tobytes() for i in made_from[1]}


def test_cifar_from_pickled_batches(empty_room):
    test_images = write_cifar_batches(empty_room / "cifar-10-batches-py")
    cifar = data.load("cifar10", real=True)
    assert (cifar.is_real, cifar.source) == (True, "DLKIT_DATA")
    assert cifar.train[0].shape == (20, 32, 32, 3)
    np.testing.assert_array_equal(cifar.test[0], test_images)
    assert cifar.class_names[3] == "cat"
    assert data.locate("cifar10") == "DLKIT_DATA: cifar-10-batches-py"


def test_cifar_from_the_archive(empty_room, tmp_path):
    test_images = write_cifar_batches(tmp_path / "made" / "cifar-10-batches-py")
    archive = shutil.make_archive(str(tmp_path / "archive"), "gztar", tmp_path / "made")
    shutil.move(archive, empty_room / "cifar-10-python.tar.gz")
    np.testing.assert_array_equal(data.load("cifar10").test[0], test_images)


def test_cifar_from_class_folders(empty_room, class_folders):
    shutil.move(class_folders, empty_room / "cifar10")
    cifar = data.load("cifar10")
    assert (cifar.name, cifar.is_real, cifar.class_names) == ("cifar10", True, ["dark", "light"])


def test_cifar_from_keras_cache(empty_room, tmp_path):
    write_cifar_batches(tmp_path / "keras" / "datasets" / "cifar-10-batches-py-target" / "cifar-10-batches-py")
    assert data.load("cifar10").source == "Keras's cache"


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(header + array.tobytes()))


def test_mnist_from_idx_files(empty_room):
    images = np.random.default_rng(0).integers(0, 256, (60, 28, 28)).astype("uint8")
    labels = (np.arange(60) % 10).astype("uint8")
    write_idx(empty_room / "mnist" / "t10k-images-idx3-ubyte.gz", images)
    write_idx(empty_room / "mnist" / "t10k-labels-idx1-ubyte.gz", labels)
    only_test = data.load("mnist")
    assert (len(only_test.train[1]), len(only_test.test[1])) == (48, 12)
    assert "Only the 10,000 of the original test set" in only_test.description
    write_idx(empty_room / "mnist" / "train-images-idx3-ubyte.gz", images[:50])
    with pytest.raises(data.DataError, match=r"lacks train-labels-idx1-ubyte\.gz"):
        data.load("mnist")
    write_idx(empty_room / "mnist" / "train-labels-idx1-ubyte.gz", labels[:50])
    both = data.load("mnist")
    np.testing.assert_array_equal(both.train[0], images[:50])
    np.testing.assert_array_equal(both.test[1], labels)


def test_mnist_from_npz(empty_room):
    x, y = np.zeros((3, 28, 28), "uint8"), np.arange(3)
    np.savez(empty_room / "mnist.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    mnist = data.load("mnist", real=True)
    assert mnist.train[0].shape == (3, 28, 28)
    assert mnist.class_names == list("0123456789")


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((3, 28, 28), "uint8"), [0, 1, 10]),
        (np.zeros((3, 28, 28), "uint8"), [0, 1, -1]),
        (np.zeros((3, 28, 28), "uint8"), [0, 1]),
        (np.zeros((3, 28, 28), "uint8"), [0.0, 1.0, 2.0]),
        (np.zeros((3, 20, 28), "uint8"), [0, 1, 2]),
        (np.zeros((3, 28, 28)), [0, 1, 2]),
        (np.zeros((0, 28, 28), "uint8"), []),
    ],
)
def test_digits_of_the_wrong_make_are_told(empty_room, images, labels):
    np.savez(empty_room / "mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    with pytest.raises(data.DataError, match=r"mnist\.npz: expected uint8 images \(count, 28, 28\) and as many labels"):
        data.load("mnist")


def test_too_few_digits_to_hold_some_out_are_told(empty_room):
    write_idx(empty_room / "mnist" / "t10k-images-idx3-ubyte.gz", np.zeros((60, 28, 28), "uint8"))
    write_idx(empty_room / "mnist" / "t10k-labels-idx1-ubyte.gz", np.array([*[0] * 59, 1], "uint8"))
    with pytest.raises(data.DataError, match="60 test images, and 1 of one digit: too few"):
        data.load("mnist")


def test_a_wrong_dlkit_data_is_a_slip_and_told(empty_room, monkeypatch):
    monkeypatch.setenv("DLKIT_DATA", str(empty_room / "nowhere"))
    with pytest.raises(data.DataError, match="nowhere, which is not a folder"):
        data.load("cifar10")
