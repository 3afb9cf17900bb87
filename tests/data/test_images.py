"""Image data sets in every layout in which they are accepted, their stand-ins, and folders of your own images."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

from dlkit import data
from tests.data.helpers import CIFAR10_CLASSES, write_cifar_batches, write_cifar_npz, write_idx
from tools.notebooks import ROOT

# --- digits and MNIST


def test_read_digits_splits_do_not_overlap():
    digits = data.load("digits")
    assert digits.is_real
    (train_images, _), (test_images, test_labels) = digits.train, digits.test
    assert train_images.shape == (1347, 8, 8)
    assert test_images.shape == (450, 8, 8)
    assert train_images.dtype == np.uint8
    assert train_images.max() == 255
    assert 43 <= np.bincount(test_labels).min() <= np.bincount(test_labels).max() <= 47, "balanced classes"
    assert not {image.tobytes() for image in train_images} & {image.tobytes() for image in test_images}
    assert digits.class_names == list("0123456789")


def test_read_digits28_splits_share_no_digit(monkeypatch):
    made_from, digits28 = [], data.images.synthetic.digits28
    monkeypatch.setattr(
        data.images.synthetic, "digits28", lambda images, *rest: made_from.append(images) or digits28(images, *rest)
    )
    digits = data.load("digits28")
    assert digits.train[0].shape == (8000, 28, 28)
    assert digits.test[0].shape == (2000, 28, 28)
    assert set(digits.train[1]) == set(digits.test[1]) == set(range(10))
    assert not {i.tobytes() for i in made_from[0]} & {i.tobytes() for i in made_from[1]}


def test_read_mnist_from_idx_files(no_data_env):
    images = np.random.default_rng(0).integers(0, 256, (60, 28, 28)).astype("uint8")
    labels = (np.arange(60) % 10).astype("uint8")
    write_idx(no_data_env / "mnist" / "t10k-images-idx3-ubyte.gz", images)
    write_idx(no_data_env / "mnist" / "t10k-labels-idx1-ubyte.gz", labels)
    only_test = data.load("mnist")
    assert (len(only_test.train[1]), len(only_test.test[1])) == (48, 12)
    assert "Only the 10,000 of the original test set" in only_test.description
    write_idx(no_data_env / "mnist" / "train-images-idx3-ubyte.gz", images[:50])
    with pytest.raises(data.DataError, match=r"lacks train-labels-idx1-ubyte\.gz"):
        data.load("mnist")
    write_idx(no_data_env / "mnist" / "train-labels-idx1-ubyte.gz", labels[:50])
    both = data.load("mnist")
    np.testing.assert_array_equal(both.train[0], images[:50])
    np.testing.assert_array_equal(both.test[1], labels)


def test_read_mnist_from_npz(no_data_env):
    x, y = np.zeros((3, 28, 28), "uint8"), np.arange(3)
    np.savez(no_data_env / "mnist.npz", x_train=x, y_train=y, x_test=x, y_test=y)
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
def test_read_mnist_refuses_other_images_or_labels(no_data_env, images, labels):
    np.savez(no_data_env / "mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    with pytest.raises(data.DataError, match=r"mnist\.npz: expected uint8 images \(count, 28, 28\) and as many labels"):
        data.load("mnist")


def test_read_mnist_refuses_too_few_to_hold_out(no_data_env):
    write_idx(no_data_env / "mnist" / "t10k-images-idx3-ubyte.gz", np.zeros((60, 28, 28), "uint8"))
    write_idx(no_data_env / "mnist" / "t10k-labels-idx1-ubyte.gz", np.array([*[0] * 59, 1], "uint8"))
    with pytest.raises(data.DataError, match="60 test images, and 1 of one digit: too few"):
        data.load("mnist")


# --- CIFAR-10


def test_read_cifar10_from_batches(no_data_env):
    test_images = write_cifar_batches(no_data_env / "cifar-10-batches-py")
    cifar = data.load("cifar10", real=True)
    assert (cifar.is_real, cifar.source) == (True, "DLKIT_DATA")
    assert cifar.train[0].shape == (20, 32, 32, 3)
    np.testing.assert_array_equal(cifar.test[0], test_images)
    assert cifar.class_names[3] == "cat"
    assert data.locate("cifar10") == "DLKIT_DATA: cifar-10-batches-py"


def test_read_cifar10_from_archive(no_data_env, tmp_path):
    test_images = write_cifar_batches(tmp_path / "made" / "cifar-10-batches-py")
    archive = shutil.make_archive(str(tmp_path / "archive"), "gztar", tmp_path / "made")
    shutil.move(archive, no_data_env / "cifar-10-python.tar.gz")
    np.testing.assert_array_equal(data.load("cifar10").test[0], test_images)


def test_read_cifar10_from_class_folders(no_data_env, class_folders):
    shutil.move(class_folders, no_data_env / "cifar10")
    cifar = data.load("cifar10")
    assert (cifar.name, cifar.is_real, cifar.class_names) == ("cifar10", True, ["dark", "light"])


def test_read_cifar10_from_keras_cache(no_data_env, tmp_path):
    write_cifar_batches(tmp_path / "keras" / "datasets" / "cifar-10-batches-py-target" / "cifar-10-batches-py")
    assert data.load("cifar10").source == "Keras's cache"


def test_read_cifar10_npz_returns_what_was_written(no_data_env):
    arrays = write_cifar_npz(no_data_env)
    cifar = data.load("cifar10", real=True)
    np.testing.assert_array_equal(cifar.train[0], arrays["x_train"])
    np.testing.assert_array_equal(cifar.test[0], arrays["x_test"])
    np.testing.assert_array_equal(cifar.train[1], arrays["y_train"])
    np.testing.assert_array_equal(cifar.test[1], arrays["y_test"])
    assert cifar.train[0].dtype == np.uint8
    assert cifar.train[1].dtype == np.int64
    assert cifar.class_names == CIFAR10_CLASSES
    assert type(cifar.class_names[0]) is str


def test_read_cifar10_npz_comes_first(no_data_env):
    write_cifar_batches(no_data_env / "cifar-10-batches-py")
    arrays = write_cifar_npz(no_data_env)
    assert data.locate("cifar10") == "DLKIT_DATA: cifar10.npz"
    np.testing.assert_array_equal(data.load("cifar10").test[0], arrays["x_test"])


def test_read_cifar10_npz_says_it_is_not_the_original(no_data_env):
    write_cifar_npz(no_data_env)
    summary = repr(data.load("cifar10"))
    assert summary.startswith("cifar10: real, from DLKIT_DATA\n")
    assert summary.endswith("Plain arrays from cifar10.npz, which is not a file of the publisher.")
    assert str(no_data_env) not in summary


def test_read_cifar10_npz_equals_batches(no_data_env):
    write_cifar_batches(no_data_env / "cifar-10-batches-py")
    one = data.load("cifar10")
    write_cifar_npz(no_data_env, x_train=one.train[0], y_train=one.train[1], x_test=one.test[0], y_test=one.test[1])
    other = data.load("cifar10")
    assert other.class_names == one.class_names
    for split, same in ((one.train, other.train), (one.test, other.test)):
        for array, other_array in zip(split, same, strict=True):
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
def test_read_cifar10_npz_refuses_other_images_or_labels(no_data_env, changed, received):
    write_cifar_npz(no_data_env, **changed)
    expected = "cifar10.npz: expected uint8 images (count, 32, 32, 3) and as many labels from 0 to 9. Received: "
    with pytest.raises(data.DataError, match=f"{re.escape(expected)}.*{re.escape(received)}.* Delete it"):
        data.load("cifar10")


@pytest.mark.parametrize("names", [CIFAR10_CLASSES[:9], ["cat"] * 10, list(range(10)), [CIFAR10_CLASSES]])
def test_read_cifar10_npz_refuses_other_class_names(no_data_env, names):
    write_cifar_npz(no_data_env, class_names=np.array(names))
    with pytest.raises(data.DataError, match=r"cifar10\.npz: expected class_names, ten different texts.*Delete it"):
        data.load("cifar10")


def test_read_cifar10_npz_names_a_missing_array(no_data_env):
    write_cifar_npz(no_data_env, y_test=None)
    with pytest.raises(data.DataError, match=r"cifar10\.npz is not a readable \.npz.*y_test"):
        data.load("cifar10")


def test_read_cifar10_npz_refuses_pickled_objects(no_data_env):
    write_cifar_npz(no_data_env, class_names=np.array(CIFAR10_CLASSES, object))
    with pytest.raises(data.DataError, match="allow_pickle=False"):
        data.load("cifar10")


def test_read_cifar10_npz_refuses_a_truncated_file(no_data_env):
    write_cifar_npz(no_data_env)
    file = no_data_env / "cifar10.npz"
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(data.DataError, match=r"cifar10\.npz is not a readable"):
        data.load("cifar10")


def test_code_in_the_data_readme_writes_cifar10_npz(no_data_env, monkeypatch):
    write_cifar_batches(no_data_env / "cifar-10-batches-py")
    batches = data.load("cifar10")
    monkeypatch.chdir(no_data_env)
    (code,) = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "data" / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    exec(code, {})
    assert data.locate("cifar10") == "DLKIT_DATA: cifar10.npz"
    arrays = data.load("cifar10")
    np.testing.assert_array_equal(arrays.train[0], batches.train[0])
    np.testing.assert_array_equal(arrays.test[1], batches.test[1])


def test_read_shapes10_is_a_stand_in_by_its_own_name():
    shapes = data.load("shapes10", real=True)
    assert (shapes.name, shapes.is_real, shapes.train[0].shape) == ("shapes10", False, (12_000, 32, 32, 3))


# --- folders of your own images


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
    with pytest.raises(data.DataError, match="no image in class folder empty"):
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
    with pytest.raises(data.DataError, match="test: none of the images of class light is readable"):
        data.image_folder(folder_with_broken_files, on_error="skip")


def test_image_folder_refuses_another_on_error(class_folders):
    with pytest.raises(ValueError, match='"raise" or "skip". Received: \'ignore\''):
        data.image_folder(class_folders, on_error="ignore")
