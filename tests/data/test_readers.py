"""Readers of CIFAR-10, idx and npz files: files that are damaged or malicious give an error that names the file."""

import gzip
import io
import os
import pickle
import struct
import tarfile
import tracemalloc

import numpy as np
import pytest

from dlkit.data import readers
from dlkit.data.dataset import DataError
from tests.data.helpers import write_cifar_batches
from tests.faults import memory_growth


@pytest.fixture
def batches(tmp_path):
    """The folder of CIFAR-10's batches, with a few random images."""
    write_cifar_batches(tmp_path / "cifar-10-batches-py")
    return tmp_path / "cifar-10-batches-py"


class Malicious:
    """An object whose pickle makes a folder when it is loaded."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_read_cifar_batches_runs_no_code_of_a_pickle(batches, tmp_path):
    marker = tmp_path / "it ran"
    (batches / "data_batch_3").write_bytes(pickle.dumps({b"data": Malicious(marker), b"labels": []}))
    with pytest.raises(DataError, match=r"data_batch_3 is not a readable.*it asks for (posix|nt)\.mkdir"):
        readers.read_cifar_batches(batches)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["builtins.eval", "os.system", "numpy.f2py.crackfortran.myeval", "numpy.load"])
def test_read_cifar_batches_refuses_other_globals(batches, name):
    module, function = name.rsplit(".", 1)
    (batches / "test_batch").write_bytes(f"c{module}\n{function}\n(S'1'\ntR.".encode())
    with pytest.raises(DataError, match=f"it asks for {name}"):
        readers.read_cifar_batches(batches)


def test_read_cifar_batches_accepts_old_numpy_names(batches):
    old = pickle.dumps({b"data": np.zeros((4, 3072), "uint8"), b"labels": [0, 1, 2, 3]}, protocol=2)
    assert b"numpy" in old
    (batches / "test_batch").write_bytes(old.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    _, (images, labels), _ = readers.read_cifar_batches(batches)
    assert images.sum() == 0
    assert labels.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "record",
    [
        {b"labels": [1]},
        {b"data": np.zeros((2, 3072), "uint8"), b"labels": [1]},
        {b"data": np.zeros((1, 100), "uint8"), b"labels": [1]},
        {b"data": np.zeros((1, 3072), "float64"), b"labels": [1]},
        {b"data": np.zeros((1, 3072), "int8"), b"labels": [1]},
        {b"data": np.zeros((1, 3072), "bool"), b"labels": [1]},
        {b"data": np.zeros((1, 3072), "uint8"), b"labels": [10]},
        {b"data": np.zeros((1, 3072), "uint8"), b"labels": ["cat"]},
        {b"data": np.zeros((1, 3072), "uint8"), b"labels": []},
        [1, 2],
    ],
)
def test_read_cifar_batches_names_a_batch_of_another_form(batches, record):
    (batches / "data_batch_2").write_bytes(pickle.dumps(record, protocol=2))
    with pytest.raises(DataError, match="data_batch_2: expected"):
        readers.read_cifar_batches(batches)


def test_read_cifar_batches_names_missing_and_truncated_ones(batches):
    complete = (batches / "test_batch").read_bytes()
    (batches / "test_batch").write_bytes(complete[:500])
    with pytest.raises(DataError, match="test_batch is not a readable"):
        readers.read_cifar_batches(batches)
    (batches / "test_batch").unlink()
    with pytest.raises(DataError, match="lacks test_batch"):
        readers.read_cifar_batches(batches)


def test_read_cifar_batches_names_a_truncated_archive(batches, tmp_path):
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(batches, "cifar-10-batches-py")
    archive.write_bytes(archive.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz is truncated or not a tar\.gz"):
        readers.read_cifar_batches(archive)
    archive.write_text("<html>not found</html>")
    with pytest.raises(DataError, match="is truncated or not a tar.gz archive"):
        readers.read_cifar_batches(archive)


def test_read_cifar_batches_writes_no_member_of_an_archive(batches, tmp_path):
    archive = tmp_path / "made" / "cifar-10-python.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(batches, "../../escaped")
    before = sorted(tmp_path.rglob("*"))
    readers.read_cifar_batches(archive)
    assert sorted(tmp_path.rglob("*")) == before


def test_read_cifar_batches_ignores_links_in_an_archive(batches, tmp_path):
    """A link does not count as a batch, whether it points to a file of yours or outside the archive."""
    for target in ("/etc/passwd", "../../secret"):
        archive = tmp_path / "cifar-10-python.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            for path in batches.iterdir():
                if path.name != "data_batch_4":
                    tar.add(path, f"cifar-10-batches-py/{path.name}")
            link = tarfile.TarInfo("cifar-10-batches-py/data_batch_4")
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
        with pytest.raises(DataError, match="lacks data_batch_4"):
            readers.read_cifar_batches(archive)


def test_read_cifar_batches_refuses_labels_that_hold_themselves(batches):
    labels = []
    labels += [labels, labels]
    (batches / "test_batch").write_bytes(pickle.dumps({b"data": np.zeros((2, 3072), "uint8"), b"labels": labels}))
    with pytest.raises(DataError, match="labels that are not integers"):
        readers.read_cifar_batches(batches)


@pytest.mark.parametrize(
    "content", [b"", b"\0\0", b"\0\0\x08\x03\0\0\0\x09", b"\0\0\x0d\x01\0\0\0\x01abcd", b"\x1f\x8bbroken"]
)
def test_read_idx_names_broken_files(tmp_path, content):
    (tmp_path / "t10k").write_bytes(content)
    with pytest.raises(DataError, match="t10k is not a readable idx file"):
        readers.read_idx(tmp_path / "t10k")


def test_read_npz_refuses_objects(tmp_path):
    np.savez(tmp_path / "mnist.npz", x_train=np.array([Malicious("no")], dtype=object))
    with pytest.raises(DataError, match=r"mnist\.npz is not a readable"):
        readers.read_npz(tmp_path / "mnist.npz", ["x_train"])
    with pytest.raises(DataError, match="y_train"):
        readers.read_npz(tmp_path / "mnist.npz", ["y_train"])


# --- small files that would unpack to gigabytes


def peak_memory(function):
    """The most bytes that Python and NumPy allocated while `function` ran."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_read_cifar_batches_does_not_unpack_gigabytes(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MAX_UNPACKED", 5_000_000)
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        member.size = 60_000_000
        tar.addfile(member, io.BytesIO(bytes(member.size)))

    def read():
        with pytest.raises(DataError, match="unpacks to more than 5,000,000 bytes"):
            readers.read_cifar_batches(archive)

    assert archive.stat().st_size < 100_000
    assert peak_memory(read) < 5_000_000


def test_read_idx_does_not_unpack_gigabytes(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MAX_UNPACKED", 5_000_000)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 60_000_000) + bytes(60_000_000)))

    def read():
        with pytest.raises(DataError, match="unpacks to more than 5,000,000 bytes"):
            readers.read_idx(path)

    assert peak_memory(read) < 20_000_000


def test_read_npz_does_not_unpack_gigabytes(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MAX_UNPACKED", 5_000_000)
    np.savez_compressed(tmp_path / "mnist.npz", x_train=np.zeros(60_000_000, "uint8"))

    def read():
        with pytest.raises(DataError, match="unpacks to more than 5,000,000 bytes"):
            readers.read_npz(tmp_path / "mnist.npz", ["x_train"])

    assert peak_memory(read) < 5_000_000


def test_read_cifar_batches_checks_the_memo_index(batches):
    """The opcode `r` stores an object at an index; the unpickler's table grows to that index, here to two gigabytes."""
    (batches / "test_batch").write_bytes(b"\x80\x02]r" + struct.pack("<I", 1 << 27) + b".")

    def read():
        with pytest.raises(DataError, match="test_batch is not a readable.*invalid memo index"):
            readers.read_cifar_batches(batches)

    assert memory_growth(read) < 100_000_000
