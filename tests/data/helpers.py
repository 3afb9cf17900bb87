"""Small data sets in the file layouts in which they are published, for the tests of several modules."""

import gzip
import pickle
import struct

import numpy as np

CIFAR10_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def write_cifar_batches(folder, per_batch=4):
    """CIFAR-10's six pickles and batches.meta, with random pixels. Returns the images of the test batch."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]:
        rows = rng.integers(0, 256, (per_batch, 3072)).astype("uint8")
        record = {b"data": rows, b"labels": [k % 10 for k in range(per_batch)], b"batch_label": name.encode()}
        (folder / name).write_bytes(pickle.dumps(record, protocol=2))
    names = [name.encode() for name in CIFAR10_CLASSES]
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": names}, protocol=2))
    return rows.reshape(per_batch, 3, 32, 32).transpose(0, 2, 3, 1)


def write_cifar_npz(folder, **changed):
    """Writes a small cifar10.npz and returns its arrays. `changed` replaces some of them; None leaves one out."""
    images = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3)).astype("uint8")
    labels = (np.arange(30) % 10).astype("uint8")
    splits = {"x_train": images[:20], "y_train": labels[:20], "x_test": images[20:], "y_test": labels[20:]}
    arrays = {**splits, "class_names": np.array(CIFAR10_CLASSES), **changed}
    arrays = {name: array for name, array in arrays.items() if array is not None}
    np.savez(folder / "cifar10.npz", **arrays)
    return arrays


def write_idx(path, array):
    """Writes an array of uint8 as a gzipped idx file, the format of MNIST."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(header + array.tobytes()))


def write_rt_polarity(folder, count=20):
    """The two files of rt-polarity, with empty lines, a repeated line, and characters of Latin-1."""
    folder.mkdir(parents=True)
    for kind in ("pos", "neg"):
        lines = [f"{kind} review number {k} \x85 caf\xe9" for k in range(count)] + [
            "",
            f"{kind} review number 0 \x85 caf\xe9",
        ]
        (folder / f"rt-polarity.{kind}").write_text("\n".join(lines) + "\n", encoding="latin-1")
