"""Image data sets in every layout in which they are accepted, and their stand-ins."""

import hashlib
import re
import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest

from dlkit import data
from dlkit.data import loading
from dlkit.data.registry import REGISTRY
from tests.data.helpers import CIFAR10_CLASSES, write_cifar_archive, write_cifar_npz, write_idx
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


@pytest.fixture
def write_mnist(no_data_env, monkeypatch):
    """A function that writes a small file of MNIST, whose checksum is then taken for the published one."""

    def write(name, array):
        path = no_data_env / "mnist" / f"{name}-ubyte.gz"
        write_idx(path, array.astype("uint8"))
        monkeypatch.setitem(data.images.MNIST_MD5, path.name, hashlib.md5(path.read_bytes()).hexdigest())

    return write


def test_read_mnist_from_the_published_files(write_mnist):
    images = np.random.default_rng(0).integers(0, 256, (60, 28, 28))
    labels = np.arange(60) % 10
    write_mnist("t10k-images-idx3", images)
    with pytest.raises(FileNotFoundError, match="t10k-labels-idx1-ubyte.gz"):
        data.load("mnist")
    write_mnist("t10k-labels-idx1", labels)
    only_test = data.load("mnist")
    assert (len(only_test.train[1]), len(only_test.test[1])) == (48, 12)
    assert "Only the 10,000 of the original test set" in only_test.description
    write_mnist("train-images-idx3", images[:50])
    write_mnist("train-labels-idx1", labels[:50])
    both = data.load("mnist")
    np.testing.assert_array_equal(both.train[0], images[:50])
    np.testing.assert_array_equal(both.test[1], labels)
    assert both.train[0].dtype == np.uint8


def test_read_mnist_from_npz(no_data_env, monkeypatch):
    x, y = np.zeros((3, 28, 28), "uint8"), np.arange(3)
    np.savez(no_data_env / "mnist.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    checksum = hashlib.sha256((no_data_env / "mnist.npz").read_bytes()).hexdigest()
    monkeypatch.setattr(data.images, "MNIST", replace(data.images.MNIST, sha256=checksum))
    mnist = data.load("mnist", real=True)
    assert mnist.train[0].shape == (3, 28, 28)
    assert mnist.class_names == list("0123456789")


@pytest.mark.parametrize("path", REGISTRY["mnist"].paths)
def test_read_mnist_refuses_other_files_before_they_are_opened(no_data_env, path):
    (no_data_env / path).parent.mkdir(exist_ok=True)
    (no_data_env / path).write_bytes(b"something else")
    with pytest.raises(data.DataError, match=rf"{path}: wrong checksum. Expected (SHA256|MD5) .* Delete the file"):
        data.load("mnist")


# --- CIFAR-10


@pytest.fixture
def cifar_archive(tmp_path, keras_cache, monkeypatch):
    """A small archive of CIFAR-10 and its test images; dlkit and Keras take its checksum for the published one."""
    path = tmp_path / "made" / "cifar-10-python.tar.gz"
    test_images, checksum = write_cifar_archive(path)
    monkeypatch.setattr(data.images, "CIFAR10", replace(data.images.CIFAR10, sha256=checksum, urls=(path.as_uri(),)))
    get_file = keras.utils.get_file
    monkeypatch.setattr(
        "keras.src.datasets.cifar10.get_file", lambda **options: get_file(**{**options, "file_hash": checksum})
    )
    return path, test_images


def test_read_cifar10_from_archive(no_data_env, cifar_archive, keras_cache):
    path, test_images = cifar_archive
    shutil.copy(path, no_data_env)
    cifar = data.load("cifar10", real=True)
    assert (cifar.is_real, cifar.source, cifar.class_names) == (True, "DLKIT_DATA", CIFAR10_CLASSES)
    assert cifar.train[0].shape == (50_000, 32, 32, 3)
    assert cifar.train[1].shape == (50_000,), "Keras has labels of shape (count, 1)"
    np.testing.assert_array_equal(cifar.test[0], test_images)
    assert cifar.test[1].tolist() == [0, 1, 2, 3]
    assert data.locate("cifar10") == "DLKIT_DATA: cifar-10-python.tar.gz"
    (no_data_env / path.name).unlink()
    assert data.load("cifar10").source == "Keras's cache"


def test_read_cifar10_refuses_another_archive_before_it_is_unpacked(no_data_env, keras_cache):
    write_cifar_archive(no_data_env / "cifar-10-python.tar.gz")
    with pytest.raises(data.DataError, match=r"cifar-10-python\.tar\.gz: wrong checksum.*Expected SHA256 6d958be0"):
        data.load("cifar10")
    assert not keras_cache.exists()


def test_read_cifar10_unpacks_the_batches_in_the_cache_anew(cifar_archive, keras_cache):
    """A batch in Keras's cache that was exchanged for another pickle is replaced before it is opened."""
    path, test_images = cifar_archive
    batch = keras_cache / "cifar-10-batches-py-target" / "cifar-10-batches-py" / "test_batch"
    batch.parent.mkdir(parents=True)
    batch.write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    shutil.copy(path, keras_cache / data.images.CIFAR10.filename)
    np.testing.assert_array_equal(data.load("cifar10").test[0], test_images)


def test_read_cifar10_ignores_channels_first_in_keras_json(no_data_env, cifar_archive, monkeypatch):
    shutil.copy(cifar_archive[0], no_data_env)
    monkeypatch.setattr("keras.src.backend.config._IMAGE_DATA_FORMAT", "channels_first")
    np.testing.assert_array_equal(data.load("cifar10").test[0], cifar_archive[1])


def test_fetch_cifar10_writes_plain_arrays(cifar_archive, tmp_path, monkeypatch):
    monkeypatch.delenv("DLKIT_OFFLINE")
    path = loading.fetch("cifar10")
    assert path == tmp_path / "project-data" / "cifar10.npz"
    assert [entry.name for entry in path.parent.iterdir()] == ["cifar10.npz"]
    cifar = data.images.read_cifar10(path, "data/")
    np.testing.assert_array_equal(cifar.test[0], cifar_archive[1])
    assert cifar.class_names == CIFAR10_CLASSES
    cifar_archive[0].unlink()
    assert loading.fetch("cifar10") == path, "it is not downloaded twice"
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(data.DataError, match=r"cifar10\.npz could not be read"):
        loading.fetch("cifar10")


def test_fetch_cifar10_leaves_no_file_when_it_fails(cifar_archive, tmp_path, monkeypatch):
    def full_disk(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.delenv("DLKIT_OFFLINE")
    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(data.DataError, match=r"cifar10\.npz could not be written: .*No space.* Make room on the disk"):
        loading.fetch("cifar10")
    assert list((tmp_path / "project-data").iterdir()) == []


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
    (no_data_env / "cifar-10-python.tar.gz").touch()
    write_cifar_npz(no_data_env)
    assert data.locate("cifar10") == "DLKIT_DATA: cifar10.npz"


def test_read_cifar10_npz_says_it_is_not_the_original(no_data_env):
    write_cifar_npz(no_data_env)
    summary = repr(data.load("cifar10"))
    assert summary.startswith("cifar10: real, from DLKIT_DATA\n")
    assert summary.endswith("Plain arrays from cifar10.npz, which is not a file of the publisher.")
    assert str(no_data_env) not in summary


def test_read_cifar10_npz_takes_labels_in_a_column(no_data_env):
    arrays = write_cifar_npz(no_data_env, y_train=(np.arange(20) % 10)[:, None])
    assert data.load("cifar10").train[1].tolist() == arrays["y_train"][:, 0].tolist()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_train": np.zeros((20, 28, 28), "uint8")}, "uint8 images (count, 32, 32, 3). Received: uint8 (20, 28, 28)"),
        ({"x_test": np.zeros((10, 32, 32, 3), "float32")}, "Received: float32 (10, 32, 32, 3)"),
        ({"x_test": np.uint8(0)}, "Received: uint8 ()"),
        ({"x_test": np.zeros((0, 32, 32, 3), "uint8"), "y_test": np.zeros(0, "uint8")}, "uint8 (0, 32, 32, 3)"),
        (
            {"y_train": np.zeros(19, "uint8")},
            "labels of cifar10 of shape (20,), integers from 0 to 9. Received: uint8 of shape (19,)",
        ),
        ({"y_test": np.arange(1, 11)}, "int64 of shape (10,) from 1 to 10."),
        ({"y_test": np.full(10, -1)}, "int64 of shape (10,) from -1 to -1."),
        ({"y_test": np.zeros(10)}, "float64 of shape (10,) from 0 to 0."),
    ],
)
def test_read_cifar10_npz_refuses_other_images_or_labels(no_data_env, changed, message):
    write_cifar_npz(no_data_env, **changed)
    with pytest.raises(
        data.DataError, match=f"cifar10.npz could not be read: Expected .*{re.escape(message)}.* Delete it"
    ):
        data.load("cifar10")


@pytest.mark.parametrize("names", [CIFAR10_CLASSES[:9], ["cat"] * 10, list(range(10)), [CIFAR10_CLASSES], 10])
def test_read_cifar10_npz_refuses_other_class_names(no_data_env, names):
    write_cifar_npz(no_data_env, class_names=np.array(names))
    with pytest.raises(data.DataError, match=r"cifar10\.npz could not be read: .*Delete it"):
        data.load("cifar10")


def test_read_cifar10_npz_names_a_missing_array(no_data_env):
    write_cifar_npz(no_data_env, y_test=None)
    with pytest.raises(data.DataError, match=r"cifar10\.npz could not be read: .*y_test"):
        data.load("cifar10")


def test_read_cifar10_npz_refuses_pickled_objects(no_data_env):
    write_cifar_npz(no_data_env, class_names=np.array(CIFAR10_CLASSES, object))
    with pytest.raises(data.DataError, match="allow_pickle=False"):
        data.load("cifar10")


@pytest.mark.parametrize("error", [PermissionError(13, "denied"), MemoryError("146 MiB"), OSError(24, "too many")])
def test_read_cifar10_npz_does_not_blame_the_file_for_other_causes(no_data_env, monkeypatch, error):
    def fail(*arguments, **options):
        raise error

    write_cifar_npz(no_data_env)
    monkeypatch.setattr(np, "load", fail)
    with pytest.raises(type(error)) as caught:
        data.load("cifar10")
    assert caught.value is error


def test_read_cifar10_npz_refuses_a_truncated_file(no_data_env):
    write_cifar_npz(no_data_env)
    file = no_data_env / "cifar10.npz"
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(data.DataError, match=r"cifar10\.npz could not be read: .* Delete it"):
        data.load("cifar10")


def test_code_in_the_data_readme_writes_cifar10_npz(no_data_env, tmp_path, monkeypatch):
    write_cifar_npz(no_data_env)
    original = data.load("cifar10")
    (tmp_path / "copy").mkdir()
    monkeypatch.chdir(tmp_path / "copy")
    (code,) = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "data" / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    exec(code, {})
    monkeypatch.setenv("DLKIT_DATA", str(tmp_path / "copy"))
    copy = data.load("cifar10")
    np.testing.assert_array_equal(copy.train[0], original.train[0])
    np.testing.assert_array_equal(copy.test[1], original.test[1])
    assert copy.class_names == CIFAR10_CLASSES


def test_read_shapes10_is_a_stand_in_by_its_own_name(small_stand_ins):
    shapes = data.load("shapes10", real=True)
    assert (shapes.name, shapes.is_real) == ("shapes10", False)
    assert shapes.train[0].shape == (12_000 / 100, 32, 32, 3)
