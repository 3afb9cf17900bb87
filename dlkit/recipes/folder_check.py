"""What `dlkit data check` prints about a folder of images: what is in it, and whether a training would work."""

import math
from pathlib import Path

import numpy as np
import psutil

from dlkit import plots, runtime
from dlkit.data import DataError, folders, image_files, layouts
from dlkit.plots.style import literal
from dlkit.recipes import run_folder

SIDE = 96  # pixels, the size at which the images are read
COLUMNS, MAX_ROWS = 8, 20  # images and classes on the contact sheet


def check_folder(path, *, sheet="contact-sheet.png"):
    """Prints what is in a folder of images, draws some of each class, and returns whether a training would work.

    The picture, `sheet`, is overwritten. Raises a ValueError if there is no folder for it.
    """
    if not (sheet := Path(sheet)).absolute().parent.is_dir():
        raise ValueError(f"Expected a file in an existing folder for the contact sheet. Received: {sheet}.")
    try:
        layout = layouts.scan(path)
        print(*layout.notes, sep="\n", end="\n" * bool(layout.notes))
        try:
            folders.complete(layout)
        finally:
            _print_counts(layout)
        _print_sizes(layout.files())
        dataset = folders.read(layout, image_size=(SIDE, SIDE), on_error="skip", max_pairs=math.inf)
        if not isinstance(dataset.train[0], np.ndarray):
            print(
                f"The images take more than {image_files.MAX_IN_MEMORY / 1e9:g} GB of memory, so copies of files were "
                "looked for, but not images that look the same."
            )
        _draw_sheet(dataset, sheet)
        splits = [dataset.train, dataset.test, dataset.validation]
        has_unreadable = sum(len(labels) for _, labels in filter(None, splits)) < len(layout.files())
        run_folder.split_validation(dataset, 0.1, 0)
    except DataError as error:
        print(f"✗ A training would not work: {error}")
        return False
    command = runtime.dlkit_command("train", "mobilenet", "--data", str(path), "--out", "RUN")
    if has_unreadable:
        print(
            f"✗ A training would stop at the unreadable files. Remove them, or leave them out: {command} --skip-broken"
        )
        return False
    print(f"✓ A training would work: {command}")
    return True


def _print_counts(layout):
    """A table of the classes by split, and the files that were left out, by reason."""
    print(f"{layout.path}: {'labels.csv' if layout.table else 'class folders'}")
    names = sorted({name for classes in layout.splits.values() for name in classes})
    width = max(map(len, [*names, "all classes"]))
    print(" " * width, *(f"{split:>10}" for split in layout.splits))
    for name in names:
        print(f"{name:{width}}", *(f"{len(classes.get(name, [])):10,}" for classes in layout.splits.values()))
    print(f"{'all classes':{width}}", *(f"{sum(map(len, found.values())):10,}" for found in layout.splits.values()))
    for reason, files in layout.left_out.items():
        print(f"Left out: {len(files):,} {reason}, such as {layouts.printable(files[0])}")


def _print_sizes(files):
    """The sizes of the images, and the memory that they take."""
    sizes = sorted(folders.stored_sizes(files), key=math.prod)
    if not sizes:
        return
    low, middle, high = (f"{height} x {width}" for height, width in (sizes[0], sizes[len(sizes) // 2], sizes[-1]))
    print(f"Sizes (height x width): {len(set(sizes)):,}, from {low} to {high} pixels, the middle one {middle}.")
    needed = {f"at {side} x {side}": len(sizes) * side**2 for side in (96, 224)}
    needed["as they are"] = sum(map(math.prod, sizes))
    needs = ", ".join(f"{3 * pixels / 1e6:,.0f} MB {how}" for how, pixels in needed.items())
    print(f"Memory for the decoded images: {needs}; free: {psutil.virtual_memory().available / 1e6:,.0f} MB.")


def _draw_sheet(dataset, sheet):
    """Saves a picture with some training images of each class in a row."""
    (images, labels), names = dataset.train, dataset.class_names[:MAX_ROWS]
    pixels = np.full((len(names), SIDE, COLUMNS, SIDE, 3), 255, "uint8")
    for k in range(len(names)):
        chosen = images[np.flatnonzero(labels == k)[:COLUMNS]]
        pixels[k, :, : len(chosen)] = chosen.swapaxes(0, 1)
    with plots.figure(height=0.4 + 0.75 * len(names)) as (fig, ax):
        ax.imshow(pixels.reshape(len(names) * SIDE, COLUMNS * SIDE, 3), aspect="equal")
        ax.set_xticks([])
        ax.set_yticks(SIDE * (np.arange(len(names)) + 0.5), map(literal, names))
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    fig.savefig(sheet, dpi=150)
    rest = f" of the first {MAX_ROWS} classes" if len(dataset.class_names) > MAX_ROWS else ""
    print(f"Training images{rest}: {sheet}")
