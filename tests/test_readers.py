"""Files that are damaged or mean harm: each a clear error that names the file."""

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
from tests.conftest import write_cifar_batches
from tests.faults import growth


@pytest.fixture
def batches(tmp_path):
    write_cifar_batches(tmp_path / "cifar-10-batches-py")
    return tmp_path / "cifar-10-batches-py"


class Harmful:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_a_pickle_that_runs_code_is_refused_and_nothing_runs(batches, tmp_path):
    marker = tmp_path / "it ran"
    (batches / "data_batch_3").write_bytes(pickle.dumps({b"data": Harmful(marker), b"labels": []}))
    with pytest.raises(readers.DataError, match=r"data_batch_3 is not a readable.*it asks for (posix|nt)\.mkdir"):
        readers.read_cifar_batches(batches)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["builtins.eval", "os.system", "numpy.f2py.crackfortran.myeval", "numpy.load"])
def test_no_global_but_numpys_arrays_is_admitted(batches, name):
    module, function = name.rsplit(".", 1)
    (batches / "test_batch").write_bytes(f"c{module}\n{function}\n(S'1'\ntR.".encode())
    with pytest.raises(readers.DataError, match=f"it asks for {name}"):
        readers.read_cifar_batches(batches)


def test_the_originals_protocol_with_old_numpy_names_is_admitted(batches):
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
def test_batches_of_the_wrong_make_are_named(batches, record):
    (batches / "data_batch_2").write_bytes(pickle.dumps(record, protocol=2))
    with pytest.raises(readers.DataError, match="data_batch_2: expected"):
        readers.read_cifar_batches(batches)


def test_missing_and_truncated_batches_are_named(batches):
    whole = (batches / "test_batch").read_bytes()
    (batches / "test_batch").write_bytes(whole[:500])
    with pytest.raises(readers.DataError, match="test_batch is not a readable"):
        readers.read_cifar_batches(batches)
    (batches / "test_batch").unlink()
    with pytest.raises(readers.DataError, match="lacks test_batch"):
        readers.read_cifar_batches(batches)


def test_a_truncated_archive_is_named(batches, tmp_path):
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(batches, "cifar-10-batches-py")
    archive.write_bytes(archive.read_bytes()[:-2000])
    with pytest.raises(readers.DataError, match=r"cifar-10-python\.tar\.gz is not a whole tar\.gz"):
        readers.read_cifar_batches(archive)
    archive.write_text("<html>not found</html>")
    with pytest.raises(readers.DataError, match="is not a whole"):
        readers.read_cifar_batches(archive)


def test_an_archive_cannot_write_anywhere(batches, tmp_path):
    archive = tmp_path / "made" / "cifar-10-python.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(batches, "../../escaped")
    before = sorted(tmp_path.rglob("*"))
    readers.read_cifar_batches(archive)
    assert sorted(tmp_path.rglob("*")) == before


def test_links_in_an_archive_lead_nowhere(batches, tmp_path):
    """A link is no batch: neither one to a file of yours nor one to a place outside."""
    for target in ("/etc/passwd", "../../secret"):
        archive = tmp_path / "cifar-10-python.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            for path in batches.iterdir():
                if path.name != "data_batch_4":
                    tar.add(path, f"cifar-10-batches-py/{path.name}")
            link = tarfile.TarInfo("cifar-10-batches-py/data_batch_4")
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
        with pytest.raises(readers.DataError, match="lacks data_batch_4"):
            readers.read_cifar_batches(archive)


# --- small files that would unpack to gigabytes


def peak_memory(function):
    """Bytes that Python and NumPy held at most while `function` ran."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_archive_that_unpacks_to_gigabytes_is_refused_before_it_does(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MOST", 5_000_000)
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        member.size = 60_000_000
        tar.addfile(member, io.BytesIO(bytes(member.size)))

    def read():
        with pytest.raises(readers.DataError, match="unpacks to more than 5,000,000 bytes"):
            readers.read_cifar_batches(archive)

    assert archive.stat().st_size < 100_000
    assert peak_memory(read) < 5_000_000


def test_a_gzip_file_that_unpacks_to_gigabytes_is_refused_before_it_does(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MOST", 5_000_000)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 60_000_000) + bytes(60_000_000)))

    def read():
        with pytest.raises(readers.DataError, match="unpacks to more than 5,000,000 bytes"):
            readers.read_idx(path)

    assert peak_memory(read) < 20_000_000


def test_an_npz_that_unpacks_to_gigabytes_is_refused_before_it_does(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MOST", 5_000_000)
    np.savez_compressed(tmp_path / "mnist.npz", x_train=np.zeros(60_000_000, "uint8"))

    def read():
        with pytest.raises(readers.DataError, match="unpacks to more than 5,000,000 bytes"):
            readers.read_npz(tmp_path / "mnist.npz", ["x_train"])

    assert peak_memory(read) < 5_000_000


def test_a_pickle_of_ten_bytes_cannot_make_room_for_gigabytes(batches):
    """`r` numbers an object; the unpickler keeps a table up to that number, here of two gigabytes."""
    (batches / "test_batch").write_bytes(b"\x80\x02]r" + struct.pack("<I", 1 << 27) + b".")

    def read():
        with pytest.raises(readers.DataError, match="test_batch is not a readable.*more objects than it can hold"):
            readers.read_cifar_batches(batches)

    assert growth(read) < 100_000_000


def test_labels_that_hold_themselves_do_not_keep_numpy_busy(batches):
    labels = []
    labels += [labels, labels]
    (batches / "test_batch").write_bytes(pickle.dumps({b"data": np.zeros((2, 3072), "uint8"), b"labels": labels}))
    with pytest.raises(readers.DataError, match="labels that are no whole numbers"):
        readers.read_cifar_batches(batches)


@pytest.mark.parametrize(
    "content", [b"", b"\0\0", b"\0\0\x08\x03\0\0\0\x09", b"\0\0\x0d\x01\0\0\0\x01abcd", b"\x1f\x8bbroken"]
)
def test_broken_idx_files_are_named(tmp_path, content):
    (tmp_path / "t10k").write_bytes(content)
    with pytest.raises(readers.DataError, match="t10k is not a readable idx file"):
        readers.read_idx(tmp_path / "t10k")


def test_npz_with_objects_is_refused(tmp_path):
    np.savez(tmp_path / "mnist.npz", x_train=np.array([Harmful("no")], dtype=object))
    with pytest.raises(readers.DataError, match=r"mnist\.npz is not a readable"):
        readers.read_npz(tmp_path / "mnist.npz", ["x_train"])
    with pytest.raises(readers.DataError, match="y_train"):
        readers.read_npz(tmp_path / "mnist.npz", ["y_train"])
