"""CIFAR-10 as one file of plain arrays, cifar10.npz: found first, checked, read without pickles."""

import re

import numpy as np
import pytest

from dlkit import data
from tests.conftest import write_cifar_batches

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def write_npz(folder, **changed):
    """Writes a small cifar10.npz and returns its arrays; `changed` replaces some, None leaves one out."""
    images = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3)).astype("uint8")
    labels = (np.arange(30) % 10).astype("uint8")
    parts = {"x_train": images[:20], "y_train": labels[:20], "x_test": images[20:], "y_test": labels[20:]}
    arrays = {**parts, "class_names": np.array(NAMES), **changed}
    arrays = {name: array for name, array in arrays.items() if array is not None}
    np.savez(folder / "cifar10.npz", **arrays)
    return arrays


def test_arrays_come_back_as_they_were_written(empty_room):
    arrays = write_npz(empty_room)
    cifar = data.load("cifar10", real=True)
    np.testing.assert_array_equal(cifar.train[0], arrays["x_train"])
    np.testing.assert_array_equal(cifar.test[0], arrays["x_test"])
    np.testing.assert_array_equal(cifar.train[1], arrays["y_train"])
    np.testing.assert_array_equal(cifar.test[1], arrays["y_test"])
    assert cifar.train[0].dtype == np.uint8
    assert cifar.train[1].dtype == np.int64
    assert cifar.class_names == NAMES
    assert type(cifar.class_names[0]) is str


def test_it_is_found_before_the_other_forms(empty_room):
    write_cifar_batches(empty_room / "cifar-10-batches-py")
    arrays = write_npz(empty_room)
    assert data.locate("cifar10") == "DLKIT_DATA: cifar10.npz"
    np.testing.assert_array_equal(data.load("cifar10").test[0], arrays["x_test"])


def test_the_card_says_that_it_is_not_the_publishers_file(empty_room):
    write_npz(empty_room)
    card = repr(data.load("cifar10"))
    assert card.startswith("cifar10: real, from DLKIT_DATA\n")
    assert card.endswith("Plain arrays from cifar10.npz, which is not a file of the publisher.")
    assert str(empty_room) not in card


def test_npz_and_batches_give_the_same(empty_room):
    write_cifar_batches(empty_room / "cifar-10-batches-py")
    one = data.load("cifar10")
    write_npz(empty_room, x_train=one.train[0], y_train=one.train[1], x_test=one.test[0], y_test=one.test[1])
    other = data.load("cifar10")
    assert other.class_names == one.class_names
    for part, same in ((one.train, other.train), (one.test, other.test)):
        for array, other_array in zip(part, same, strict=True):
            np.testing.assert_array_equal(other_array, array, strict=True)


@pytest.mark.parametrize(
    ("changed", "received"),
    [
        ({"x_train": np.zeros((20, 28, 28), "uint8")}, "images uint8 (20, 28, 28), labels uint8 (20,) from 0 to 9"),
        ({"x_test": np.zeros((10, 32, 32, 3), "float32")}, "images float32 (10, 32, 32, 3)"),
        ({"x_test": np.uint8(0)}, "images uint8 ()"),
        ({"y_train": np.zeros(19, "uint8")}, "labels uint8 (19,)"),
        ({"y_train": np.zeros((20, 1), "uint8")}, "labels uint8 (20, 1)"),
        ({"y_test": np.arange(1, 11)}, "labels int64 (10,) from 1 to 10"),
        ({"y_test": np.full(10, -1)}, "labels int64 (10,) from -1 to -1"),
        ({"y_test": np.zeros(10)}, "labels float64 (10,)"),
        ({"x_test": np.zeros((0, 32, 32, 3), "uint8"), "y_test": np.zeros(0, "uint8")}, "labels uint8 (0,)"),
    ],
)
def test_other_images_or_labels_are_refused(empty_room, changed, received):
    write_npz(empty_room, **changed)
    expected = "cifar10.npz: expected uint8 images (count, 32, 32, 3) and as many labels from 0 to 9. Received: "
    with pytest.raises(data.DataError, match=f"{re.escape(expected)}.*{re.escape(received)}.* Delete it"):
        data.load("cifar10")


@pytest.mark.parametrize("names", [NAMES[:9], ["cat"] * 10, list(range(10)), [NAMES]])
def test_other_class_names_are_refused(empty_room, names):
    write_npz(empty_room, class_names=np.array(names))
    with pytest.raises(data.DataError, match=r"cifar10\.npz: expected class_names, ten different texts.*Delete it"):
        data.load("cifar10")


def test_a_missing_array_is_named(empty_room):
    write_npz(empty_room, y_test=None)
    with pytest.raises(data.DataError, match=r"cifar10\.npz is not a readable \.npz.*y_test"):
        data.load("cifar10")


def test_pickled_objects_are_refused(empty_room):
    write_npz(empty_room, class_names=np.array(NAMES, object))
    with pytest.raises(data.DataError, match="allow_pickle=False"):
        data.load("cifar10")


def test_a_file_cut_short_is_refused(empty_room):
    write_npz(empty_room)
    file = empty_room / "cifar10.npz"
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(data.DataError, match=r"cifar10\.npz is not a readable"):
        data.load("cifar10")
