"""Small data sets in the file layouts in which they are published, and folders of images, for several tests."""

import functools
import gzip
import hashlib
import io
import pickle
import struct
import tarfile

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from dlkit.data.images import CIFAR10_CLASSES


def write_cifar_archive(path):
    """CIFAR-10's archive of pickles with few images: one in each training batch, which Keras repeats, and four to test.

    Returns:
        (test images, SHA-256 of the archive).
    """
    rng = np.random.default_rng(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, count in [*((f"data_batch_{k}", 1) for k in range(1, 6)), ("test_batch", 4)]:
            rows = rng.integers(0, 256, (count, 3072)).astype("uint8")
            content = pickle.dumps({b"data": rows, b"labels": list(range(count))}, protocol=3)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return rows.reshape(count, 3, 32, 32).transpose(0, 2, 3, 1), hashlib.sha256(path.read_bytes()).hexdigest()


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


def make_image(path, color=(200, 30, 30), side=4):
    """Saves a square image of one color, and makes the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), color).save(path)


def make_folder(path, splits=("train", "test"), *, side=4, **classes):
    """Makes folders with some images of each class in each split, no two of them equal; "." is no split."""
    shade = 0
    for split in splits:
        for name, count in classes.items():
            for k in range(count):
                make_image(path / split / name / f"{k}.png", ((shade := shade + 1) % 256, shade // 256, 0), side)
    return path


@functools.cache
def make_photos(count, side=120):
    """Different photographs: crops of the two of scikit-learn, as arrays of shape (side, side, 3)."""
    crops = []
    for photo in load_sample_images().images:
        rows, columns = ((size - side) // 60 + 1 for size in photo.shape[:2])
        crops += [photo[60 * r :, 60 * c :][:side, :side] for r in range(rows) for c in range(columns)]
    return crops[:: len(crops) // count][:count]
