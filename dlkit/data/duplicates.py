"""Images that are in two splits or classes: copies of a file, and images that look the same."""

import hashlib
import os
from collections import Counter
from itertools import combinations

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min
from tqdm import tqdm

from dlkit.data.image_files import LazyImages, printable

CHUNK = 500  # images that are looked at together
SAME_LOOK = 0.07  # copies in another size or JPEG quality differ by less, the most similar photographs by more
MAX_PAIRS = 20_000_000  # that a training compares, which takes a few seconds; `dlkit data check` compares all


def report_duplicates(files, classes, images, folder, *, max_pairs=MAX_PAIRS):
    """Prints how many images of a split are copies of images in another one, or look the same, with three examples.

    Copies of one file in two classes are printed too, since one of their labels is wrong. `files`, `classes` and
    `images` have the paths, class names and uint8 images of "train" and the other splits. The looks of `LazyImages`,
    and of more than `max_pairs` pairs of a training and a test image, are not compared. Returns the number of test
    images whose files are copies of training images.
    """
    compare = not isinstance(images["train"], LazyImages) and len(files["train"]) * len(files["test"]) <= max_pairs
    looks = {split: _compute_looks(images[split]) for split in files} if compare else {}
    digests, copies = _digest(files), {}
    _report_contradictions(files, classes, digests, folder)
    for first, later in combinations(files, 2):
        known = {digest: k for k, digest in enumerate(digests[first]) if digest}
        same = {k: known[digest] for k, digest in enumerate(digests[later]) if digest in known}
        copies[first, later] = same
        similar = _find_similar(looks[first], looks[later]) if compare else {}
        alike = {k: found for k, found in similar.items() if k not in same}
        for pairs, relation in ((same, "are copies of"), (alike, "look the same as")):
            if pairs:
                print(
                    f"{len(pairs)} of {len(files[later])} {later} images {relation} "
                    f"{first.replace('train', 'training')} images. Remove them from one of the two, or the {later} "
                    "accuracy will be better than the model. For example:"
                )
            for k, found in list(pairs.items())[:3]:
                paths = files[later][k], files[first][found]
                print("  " + _name_pair(paths, folder))
    return len(copies["train", "test"])


def _digest(files):
    """A checksum of the content of each file, {split: list}; None if no other file has the same size."""
    sizes = {file: file.stat().st_size for split in files.values() for file in split}
    counts = Counter(sizes.values())
    progress = tqdm(
        desc="comparing files", total=sum(counts[size] > 1 for size in sizes.values()), delay=1, disable=None
    )

    def digest(file):
        progress.update()
        return hashlib.sha256(file.read_bytes()).digest()

    with progress:
        return {
            split: [digest(file) if counts[sizes[file]] > 1 else None for file in found]
            for split, found in files.items()
        }


def _report_contradictions(files, classes, digests, folder):
    """Prints how many files are copies of files with another label, with three examples."""
    known, pairs = {}, []
    for split in files:
        for file, name, digest in zip(files[split], classes[split], digests[split], strict=True):
            first, label = known.setdefault(digest, (file, name))
            if digest and label != name:
                pairs.append((file, first))
    if pairs:
        print(f"{len(pairs)} images are copies of an image of another class. Keep the one that is right. For example:")
    for pair in pairs[:3]:
        print("  " + _name_pair(pair, folder))


def _name_pair(paths, folder):
    return " and ".join(printable(os.path.relpath(path, folder)) for path in paths)


def _compute_looks(images):
    """The mean colors of 8 x 8 parts of each image, an array of shape (count, 192)."""
    rows, columns = (np.linspace(0, side, 9).astype(int) for side in images.shape[1:3])
    areas = np.outer(np.diff(rows).clip(1), np.diff(columns).clip(1))[..., None].astype("float32")
    looks = np.empty((len(images), 192), "float32")
    for start in range(0, len(images), CHUNK):
        part = images[start : start + CHUNK].astype("float32")
        sums = np.add.reduceat(np.add.reduceat(part, rows[:-1], axis=1), columns[:-1], axis=2)
        looks[start : start + CHUNK] = (sums / areas).reshape(len(part), -1)
    return looks


def _find_similar(first, later):
    """For each image of a split that looks like one of an earlier split, {position: position there}, by their looks."""
    similar = {}
    for start in tqdm(range(0, len(later), CHUNK), "comparing images", delay=1, disable=None):
        part = later[start : start + CHUNK]
        nearest, distances = pairwise_distances_argmin_min(part, first)
        contrast = part.reshape(-1, 64, 3).var(axis=1).mean(axis=1) ** 0.5  # among the parts
        same = (distances < SAME_LOOK * contrast * part.shape[1] ** 0.5) & (contrast > 4)
        similar |= {int(start + k): int(nearest[k]) for k in np.flatnonzero(same)}
    return similar
