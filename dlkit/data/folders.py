"""Folders of your own images, with or without splits, with every file accounted for."""

import contextlib

import numpy as np
from PIL import Image
from tqdm import tqdm

from dlkit.data.dataset import DataError, Dataset
from dlkit.data.duplicates import MAX_PAIRS, report_duplicates
from dlkit.data.image_files import LazyImages, read_images
from dlkit.data.layouts import IMAGE_SUFFIXES, find_reason, name_similar, scan
from dlkit.validation import check_number, check_seed


def image_folder(path, *, image_size=None, resize="crop", test_split=0.2, seed=0, on_error="raise", in_memory=None):
    """Loads your own images from class folders, or from a folder with a table labels.csv.

    It understands `train/<class>/*` with `test`, or `val` (`valid`, `validation`), or both, in any case; `<class>/*`,
    of which a part is set aside for testing; a table with the columns file, label and, if wanted, split; and a folder
    that holds nothing but one of these. What is not obvious is printed.

    Grayscale, transparent, palette, 16-bit, CMYK and rotated images all become 8-bit RGB, the right way up. Subfolders
    of a class are read too, links are followed, and files without a known suffix are read if they hold an image. Images
    of a split that are copies of images in another one, or look the same, are counted in a line of output.

    Args:
        path: String or path of the folder.
        image_size: Tuple (height, width) to resize to. None, the default, expects images of one size.
        resize: String, "crop" (the default), "pad" or "stretch", as for `read_images`.
        test_split: Float, the fraction of the images of each class that is set aside for testing where the folder has
            neither a test nor a validation split, default 0.2.
        seed: Integer, the seed of that choice, default 0.
        on_error: String, what to do about files that cannot be decoded as images: "raise", the default, names them all
            in an error; "skip" leaves them out and prints them.
        in_memory: Boolean, whether the decoded images are kept in memory. None, the default, keeps up to two gigabytes;
            a larger folder is decoded while it is used.

    Returns:
        A `Dataset` whose images are uint8 RGB, in random order within each split (the same order every time): arrays,
        or `LazyImages` where they do not stay in memory. Its description counts the files that were left out.

    Raises:
        DataError: If the layout is not one of these, the splits do not have the same two or more classes, a class
            has no readable image or a name that is not valid text, files cannot be decoded as images (all of them are
            named), 16-bit images would become almost black, or the images differ in size.
        ValueError: If `image_size`, `resize`, `test_split` or `on_error` has another value.
    """
    layout = find(path, test_split, seed)
    return read(layout, image_size=image_size, resize=resize, on_error=on_error, in_memory=in_memory)


def find(path, test_split=0.2, seed=0):
    """The complete `Layout` of a folder, for `read`; its notes are printed. The arguments are as for `image_folder`."""
    layout = scan(path)
    print(*layout.notes, sep="\n", end="\n" * bool(layout.notes))
    complete(layout, test_split, seed)
    return layout


def stored_sizes(files):
    """List of the (height, width) of image files, as far as they are readable, before a rotation that they note."""
    sizes = []
    for file in tqdm(files, "sizes", delay=1, disable=None):
        with contextlib.suppress(Exception), Image.open(file) as image:
            sizes.append(image.size[::-1])
    return sizes


def complete(layout, test_split=0.2, seed=0):
    """Checks the classes of a `Layout`, and sets a part of each class aside for testing if it has no test split."""
    fraction, seed = check_number("test_split", test_split, above=0, at_most=0.9), check_seed(seed)
    check_classes(layout)
    if "test" in layout.splits:
        return
    train, test, rng = layout.splits["train"], {}, np.random.default_rng(seed)
    if few := [name for name, files in train.items() if len(files) == 1]:
        raise DataError(
            f"{layout.path}: expected two or more images of each class, because some are set aside for testing. "
            f"Received: one image of {', '.join(few[:5])}{' …' * (len(few) > 5)}. Add images."
        )
    for name, files in train.items():
        count = min(max(round(fraction * len(files)), 1), len(files) - 1)
        chosen = set(rng.permutation(len(files))[:count].tolist())
        test[name] = [file for k, file in enumerate(files) if k in chosen]
        train[name] = [file for k, file in enumerate(files) if k not in chosen]
    layout.splits["test"] = test
    count, rest = (sum(map(len, classes.values())) for classes in (test, train))
    print(
        f"{layout.path} has no test split: {count} of {count + rest} images are set aside for testing, {fraction:.0%} "
        f"of each class, at random with seed {seed}."
    )


def check_classes(layout):
    """Raises a DataError if there are not the same two or more classes, each with images, in all splits."""
    train = layout.splits["train"]
    for split, classes in layout.splits.items():
        folder = layout.folders.get(split, layout.path)
        if not classes:
            others = [file for file in layout.left_out.get("outside the class folders", []) if folder in file.parents]
            loose = sum(find_reason(file) is None for file in others)
            raise DataError(
                f"{folder}: expected class folders. Received: none, and {loose} images outside. Make a folder for each "
                "class and put its images there, or write a table labels.csv with the columns file and label. Images "
                "whose classes are unknown do not belong here."
            )
        _check_counts(layout, split, list(classes), map(len, classes.values()))
        if unmatched := sorted(set(classes) ^ set(train)):
            names = ", ".join(f'"{name}" ({split if name in classes else "train"})' for name in unmatched)
            advice = name_similar(unmatched) or "Add images of them to the other one, or remove them."
            raise DataError(
                f"{layout.path}: classes must be the same in train and {split}. In one only: {names}. {advice}"
            )
    if len(train) < 2:
        (name,), folder = train, layout.folders.get("train", layout.path)
        paths = [file.relative_to(folder).parts for file in train[name] if not layout.table]
        inner = ", ".join(sorted({parts[1] for parts in paths if len(parts) > 2}))
        advice = f"If {name} holds the class folders ({inner}), move them up." if inner else "Add another class."
        raise DataError(f"{folder}: expected two or more classes. Received: {name}. {advice}")


def _check_counts(layout, split, class_names, counts):
    """Raises a DataError if there are no images of a class."""
    if not (empty := [name for name, count in zip(class_names, counts, strict=True) if not count]):
        return
    folder = layout.folders.get(split, layout.path)
    inside = {folder / name for name in empty}
    others = {
        kind: sum(not inside.isdisjoint(file.parents) for file in files) for kind, files in layout.left_out.items()
    }
    found = ", ".join(f"{count} {kind}" for kind, count in others.items() if count)
    raise DataError(
        f"{folder}: no readable image in class {'' if layout.table else 'folder '}{', '.join(empty)}"
        f"{f', but {found}' if found else ''}. Put images there ({', '.join(IMAGE_SUFFIXES)}) or remove the class."
    )


def read(layout, *, image_size=None, resize="crop", on_error="raise", in_memory=None, max_pairs=MAX_PAIRS):
    """Reads the images of a `Layout` that is complete; the arguments are those of `image_folder`."""
    examples, ends = [], []
    for classes in layout.splits.values():
        split = [(file, label) for label, files in enumerate(classes.values()) for file in files]
        examples += [split[k] for k in np.random.default_rng(0).permutation(len(split))]
        ends.append(len(examples))
    files, labels = zip(*examples, strict=True)
    images, indices = read_images(files, image_size=image_size, resize=resize, on_error=on_error, in_memory=in_memory)
    names, parts = list(layout.splits["train"]), np.searchsorted(indices, [0, *ends])
    found, pixels, kept = {}, {}, {}
    for split, start, stop in zip(layout.splits, parts[:-1], parts[1:], strict=True):
        pixels[split] = images.take(np.arange(start, stop)) if isinstance(images, LazyImages) else images[start:stop]
        found[split] = pixels[split], np.array(labels)[indices[start:stop]]
        kept[split] = [files[k] for k in indices[start:stop]]
        _check_counts(layout, split, names, np.bincount(found[split][1], minlength=len(names)))
    max_pairs = 0 if resize == "pad" else max_pairs  # black bars look the same
    classes = {split: [names[label] for label in answers] for split, (_, answers) in found.items()}
    copies = report_duplicates(kept, classes, pixels, layout.path, max_pairs=max_pairs)
    source = "labels.csv" if layout.table else "class folders"
    description = _describe(len(files) - len(indices), layout.left_out)
    splits = found["train"], found["test"]
    return Dataset(
        layout.path.absolute().name, *splits, names, True, source, description, found.get("validation"), copies
    )


def _describe(skipped, left_out):
    description = "Your own images"
    if skipped:
        description += f"; unreadable files that were skipped: {skipped}"
    if left_out:
        kinds = sorted(left_out.items(), key=lambda item: (-len(item[1]), item[0]))
        description += f"; other files that were left out: {', '.join(f'{len(files)} {kind}' for kind, files in kinds)}"
    return description + "."
