"""Checkers of lesson 10."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import checker


@checker("10.order_of_steps")
def order_of_steps(answer):
    """Checks the orders for small and for large images; a hint says what a wrong order does."""
    if not isinstance(answer, dict) or set(answer) != {"small", "large"}:
        return 'give a dictionary with two lists: {"small": [...], "large": [...]}'
    for size in ("small", "large"):
        if hint := _wrong_steps(answer[size], is_small=size == "small"):
            return f"{size} images: {hint}"
    return None


def _wrong_steps(steps, *, is_small):
    """A hint when the steps are not in the best order for images smaller or larger than the network's input."""
    words = ("augment", "batch", "cache", "prefetch", "read", "resize", "shuffle")
    steps = steps.tolist() if isinstance(steps, np.ndarray) else steps
    if not isinstance(steps, (list, tuple)) or sorted(map(str, steps)) != sorted(words):
        return f"give a list of these seven words, each once: {', '.join(words)}"
    position = {word: list(steps).index(word) for word in words}
    rules = [  # the first must come before the second, because of the third
        ("read", "cache", "there is nothing to cache before the files are read"),
        ("read", "resize", "there are no pixels to resize before the files are read"),
        ("cache", "augment", "the cache would store the first epoch's augmented images and repeat them in every epoch"),
        ("cache", "shuffle", "the cache would store the first epoch's order and repeat it in every epoch"),
        ("shuffle", "batch", "complete batches would be shuffled, and the same images would always be in one batch"),
        ("cache", "batch", "shuffling needs single images, so what is cached should be single images too"),
        ("batch", "augment", "images would be augmented one by one; a complete batch at once is faster"),
    ]
    if is_small:
        rules += [
            ("cache", "resize", "the cache would store enlarged images, which need many times the memory"),
            ("augment", "resize", "augmenting the enlarged images is many times the work"),
        ]
    else:
        rules += [("resize", "cache", "the cache would store photographs of full size, many times the memory")]
    for first, second, consequence in rules:
        if position[first] > position[second]:
            return f"{second} comes before {first} here: {consequence}"
    if position["prefetch"] != 6:
        return "prefetch hands finished batches to the network, so it comes last"
    return None


@checker("10.stratified_split")
def stratified_split(student):
    """Checks two arrays of indices: disjoint, complete, with the same fraction of every class, drawn at random."""
    labels = np.repeat([0, 1, 2], [60, 30, 10])[np.random.default_rng(1).permutation(100)]
    returned = student(labels.copy(), 0.23, np.random.default_rng(0))
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        return "return two arrays of indices: for training and for validation"
    train, val = (np.asarray(rows) for rows in returned)
    if not all(rows.ndim == 1 and np.issubdtype(rows.dtype, np.integer) for rows in (train, val)):
        return f"expected two one-dimensional arrays of integers; these are {train.dtype} and {val.dtype}"
    if shared := set(train.tolist()) & set(val.tolist()):
        return f"a leak: {len(shared)} images are in both splits"
    both = np.sort(np.concatenate([train, val]))
    if len(both) and (both[0] < 0 or both[-1] > 99 or len(set(both.tolist())) < len(both)):
        return "indices are drawn twice or do not exist; each of the 100 images belongs to one split, once"
    if len(both) != 100:
        return f"{100 - len(both)} of 100 images are in neither split"
    counts = np.bincount(labels[val], minlength=3)
    if counts.sum() == 77:
        return "the two arrays are exchanged: first the indices for training, then those for validation"
    if counts.tolist() != [14, 7, 2]:
        return f"23% of 60, 30 and 10 images are 13.8, 6.9 and 2.3, so 14, 7 and 2; validation has {counts.tolist()}"
    third = np.asarray(student(np.repeat([4, 9], [3, 5]), 1 / 3, np.random.default_rng(0))[1])
    if sorted(np.repeat([4, 9], [3, 5])[third].tolist()) != [4, 9, 9]:
        return (
            "this is correct for classes 0, 1, 2, but not for 3 images of class 4 and 5 of class 9, "
            "of which a third is 1 and 2 images"
        )
    return _wrong_draws(lambda seed: student(labels.copy(), 0.23, np.random.default_rng(seed))[1])


def _wrong_draws(validation_rows):
    """A hint when the indices do not come from the generator, or some of 100 rows can never be drawn; else None."""
    draws = [frozenset(np.asarray(validation_rows(seed)).tolist()) for seed in range(100)]
    if frozenset(np.asarray(validation_rows(0)).tolist()) != draws[0]:
        return "the same generator gives different indices in a second call; draw all of them with `rng`"
    if len(set(draws)) < 100:
        return "another generator gives the same indices; draw them with `rng`"
    if left := 100 - len(frozenset().union(*draws)):
        return f"in 100 splits, {left} of the 100 images are never drawn for validation; every image must have a chance"
    return None


@checker("10.repaired_datasets")
def repaired_datasets(student):
    """Checks datasets of images whose label is their own index, so that every wrong pair is found."""
    labels = np.arange(1300)
    images = np.broadcast_to(labels[:, None, None], (1300, 2, 2)).copy()
    returned = student(images, labels)
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        return "return two datasets: train_ds, val_ds"

    train_ds, val_ds = returned
    (train_x, train_y), (val_x, val_y) = _gather(train_ds), _gather(val_ds)
    for name, x, y in (("training", train_x, train_y), ("validation", val_x, val_y)):
        if x.ndim != 3 or len(x) != len(y):
            return f"the {name} dataset should give batches of images and labels; joined they have shape {x.shape}"
        if (wrong := np.mean(x[:, 0, 0] != y)) > 0:
            advice = "shuffle images and labels together, as pairs"
            return f"{wrong:.0%} of the {name} images have another image's label; {advice}"
    if set(train_y.tolist()) & set(val_y.tolist()):
        return "some images are in both datasets"
    if sorted(val_y.tolist()) != list(range(1000, 1300)) or sorted(train_y.tolist()) != list(range(1000)):
        return f"expected the first 1,000 images and the other 300; you give {len(train_y)} and {len(val_y)}"
    return _wrong_order(train_y, lambda: _gather(train_ds)[1])


def _gather(dataset):
    """All images and all labels of one epoch."""
    pairs = [(np.asarray(x), np.asarray(y)) for x, y in dataset]
    return [np.concatenate(parts) for parts in zip(*pairs, strict=True)]


def _wrong_order(labels, next_epoch):
    """A hint when 0 to 999 are not well shuffled, or not again in each epoch; else None."""
    if (labels == np.arange(1000)).all():
        return "the pairs are correct, but the training images are not shuffled any more"
    if np.abs(labels - np.arange(1000)).mean() < 150:  # 333 with a buffer of 1,000
        return "the images are hardly shuffled: use a buffer as large as the training set"
    if np.mean(np.abs(np.diff(labels)) == 1) > 0.2:
        return "complete batches are shuffled, and the same images are always in one batch: shuffle before batching"
    if np.array_equal(next_epoch(), labels):
        return "the second epoch has the order of the first; shuffle again in each epoch"
    return None
