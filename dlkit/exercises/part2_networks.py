"""Checkers of notebooks 11 and 12: convolutional networks."""

from __future__ import annotations

import numpy as np

from dlkit.exercises import checker, wrong_number


@checker("11.multiply_adds")
def multiply_adds(answer):
    """Multiply-adds of a 3x3 convolution from 32 to 64 channels, output 13 x 13, for one image."""
    right = 13 * 13 * 64 * 3 * 3 * 32
    hints = {
        3 * 3 * 32 * 64: "those are the weights; each is used once for every place of the output",
        13 * 13 * 64 * 9: "each output sums over all 32 input channels too",
        13 * 13 * 9 * 32: "that is one output channel; there are 64",
        15 * 15 * 64 * 9 * 32: "without padding the kernel fits 13 times each way, not 15",
        2 * right: "a multiplication and the addition that follows count as one multiply-add here",
        right + 64 * 13 * 13: "additions of the bias are not counted",
    }
    otherwise = "places of the output (13·13) × output channels × kernel (3·3) × input channels"
    return wrong_number(answer, "multiply_adds", right, hints, otherwise)


@checker("11.cutout")
def cutout(student):
    """Zeroes one square of each image, somewhere else in each, and leaves the given array alone."""
    images = np.full((64, 16, 16, 3), 200, "uint8")
    images[:, :, :, 1] = np.arange(1, 17, dtype="uint8")[None, :, None]
    before = images.copy()
    result = student(images, 6, np.random.default_rng(0))
    if result is None:
        return "your function returns nothing; is the `return` missing?"
    result = np.asarray(result)
    if result.shape != images.shape:
        return f"the result has shape {result.shape}, expected {images.shape}"
    if not np.array_equal(images, before):
        return "the images that came in were changed; work on a copy, they are needed again in the next epoch"
    if result.dtype != images.dtype:
        return f"the result is {result.dtype}, the images are {images.dtype}; keep their type"
    zero = result == 0
    if not zero.any():
        return "no pixel was set to zero"
    if not np.array_equal(zero.all(axis=-1), zero.any(axis=-1)):
        return "the square must be cut out of all three channels"
    hole = zero.all(axis=-1)
    if not np.array_equal(result[~hole], images[~hole]):
        return "pixels outside the square were changed"
    return _wrong_squares(hole, 6) or _wrong_places(student)


def _wrong_squares(hole, size):
    """A hint when an image's hole is not one square of size x size; else None."""
    counts = hole.sum(axis=(1, 2))
    if (counts == 0).any():
        return "some images have no hole; every image gets one"
    boxes = [(np.ptp(rows) + 1, np.ptp(columns) + 1) for rows, columns in map(np.nonzero, hole)]
    if any(height * width != count for (height, width), count in zip(boxes, counts, strict=True)):
        return "the hole of an image must be one filled square"
    if max(counts) != size**2 or any(max(box) > size for box in boxes):
        return f"a square of {size} x {size} pixels was asked for; the largest hole has {max(counts)} pixels"
    if min(counts) != size**2:
        return f"a hole has only {min(counts)} pixels: the square must lie inside the image, and touch its edge at most"
    if len({tuple(np.argwhere(image)[0]) for image in hole}) == 1:
        return "every image has its hole at the same place; draw a place for each image"
    return None


def _wrong_places(student):
    """A hint unless `rng` draws all 6 x 4 positions of squares of 3 x 3 in 8 x 6 pixels; else None."""
    images = np.full((600, 8, 6, 1), 7, "uint8")

    def draw(seed):
        hole = (np.asarray(student(images.copy(), 3, np.random.default_rng(seed))) == 0)[..., 0]
        return _wrong_squares(hole, 3), [tuple(np.argwhere(image)[0].tolist()) for image in hole]

    hint, places = draw(0)
    if hint:
        return f"for images of 8 x 6 pixels and size 3: {hint}"
    if draw(0)[1] != places:
        return "the same generator gives other positions; draw them with `rng`"
    if draw(1)[1] == places:
        return "another generator gives the same positions; draw them with `rng`"
    missing = {(row, column) for row in range(6) for column in range(4)} - set(places)
    if missing:
        return f"of 24 positions in 8 x 6 pixels {len(missing)} never occur, such as {min(missing)}; any that fits may"
    if np.any(student(images[:1, :4, :4].copy(), 4, np.random.default_rng(0))):
        return "a square as large as the image covers all of it"
    return None


@checker("11.five_points")
def five_points(measured):
    """The student's experiment: {"before": (accuracy, seconds), "after": (accuracy, seconds)} on validation images."""
    if not isinstance(measured, dict) or set(measured) != {"before", "after"}:
        return 'give {"before": (accuracy, seconds), "after": (accuracy, seconds)}'
    try:
        (before, _), (after, seconds) = ((float(a), float(s)) for a, s in (measured["before"], measured["after"]))
    except (TypeError, ValueError):
        return "each entry is a pair of numbers: (accuracy, seconds)"
    if not 0 <= min(before, after) <= max(before, after) <= 1:
        return "accuracies are shares between 0 and 1, not percentages"
    if seconds > 60:
        return f"the budget is 60 s of training, this took {seconds:.0f} s; where does the time go?"
    if after - before < 0.05:
        return f"{(after - before) * 100:+.1f} points; change one thing at a time, keep what helps"
    return None


@checker("12.vgg_dense_layer")
def vgg_dense_layer(answer):
    """7·7·512 inputs, 4096 units: weights and biases."""
    weights = 7 * 7 * 512 * 4096
    hints = {
        weights: "those are the weights; each of the 4096 units has a bias too",
        7 * 512 * 4096 + 4096: "the map has 7 rows *and* 7 columns",
        7 * 7 * 4096 + 4096: "there are 512 numbers at each of the 7 · 7 places",
        512 * 4096 + 4096: "flattening keeps all 7 · 7 places; a mean over the image would leave 512",
        4096 * 4096 + 4096: "that is the second dense layer",
        138_357_544: "that is the whole network",
    }
    otherwise = "inputs (7 · 7 · 512) times units (4096), plus a bias for each unit"
    return wrong_number(answer, "first_dense_layer", weights + 4096, hints, otherwise)


@checker("12.bottleneck_block")
def bottleneck_block(student):
    """Models with the student's block at two sizes: their layers, then their numbers."""
    for shape, width in (((6, 6, 8), 4), ((5, 7, 9), 2)):
        if hint := _wrong_block(student, shape, width):
            return hint
    return None


def _wrong_block(student, shape, width):
    import keras

    channels = shape[-1]
    inputs = keras.Input(shape)
    outputs = student(inputs, width)
    if not isinstance(outputs, keras.KerasTensor):
        return f"return the Keras tensor of the result; this is {type(outputs).__name__}"
    if outputs.shape != inputs.shape:
        return f"from shape {inputs.shape} the block should lead to the same shape; this one leads to {outputs.shape}"
    model = None if outputs is inputs else keras.Model(inputs, outputs)
    layers = list(_layers(model)) if model else []
    convolutions = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D)]
    found = [(layer.kernel_size[0], layer.filters) for layer in convolutions]
    wanted = [(1, width), (3, width), (1, channels)]
    if found != wanted:
        told = f"expected kernels and channels {', '.join(map(str, wanted))} for width {width}"
        return f"{told} and {channels} channels in x; found {found}"
    if any(layer.use_bias for layer in convolutions):
        return "the convolutions have biases; the normalisation after each has its own, so use_bias=False"
    count = sum(isinstance(layer, keras.layers.BatchNormalization) for layer in layers)
    if count != 3:
        return f"batch normalisation follows each of the three convolutions; found {count}"
    return _wrong_numbers(model, shape, width)


def _layers(model):
    """All layers, those of models inside too."""
    for layer in model.layers:
        yield from _layers(layer) if hasattr(layer, "layers") else [layer]


def _wrong_numbers(model, shape, width):
    """Compares with the right block, and with typical wrong ones, under the same random weights."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, *shape)).astype("float32")
    weights = [
        0.3 * rng.normal(size=values.shape) if values.ndim == 4 else rng.uniform(0.5, 1.5, values.shape)
        for values in model.get_weights()
    ]

    def result(block):
        block.set_weights(weights)
        return np.asarray(block(images))

    theirs = result(model)
    variants = {
        None: {},
        "x is not added to the result of the three convolutions": {"shortcut": False},
        "ReLU is missing after the sum": {"last": False},
        "ReLU after the last normalisation comes before the sum; it belongs after it": {"last": False, "early": True},
        "ReLU is missing between the convolutions": {"inner": False},
    }
    for hint, options in variants.items():
        if np.allclose(theirs, result(_bottleneck(shape, width, **options)), rtol=1e-4, atol=1e-4):
            return hint
    return "layers and shapes are right, the numbers are not; is each step applied to the result of the one before?"


def _bottleneck(shape, width, *, shortcut=True, last=True, early=False, inner=True):
    from keras import Input, Model, layers

    x = y = Input(shape)
    for kernel, channels, activated in ((1, width, inner), (3, width, inner), (1, shape[-1], early)):
        y = layers.Conv2D(channels, kernel, padding="same", use_bias=False)(y)
        y = layers.BatchNormalization()(y)
        y = layers.ReLU()(y) if activated else y
    y = layers.Add()([x, y]) if shortcut else y
    return Model(x, layers.ReLU()(y) if last else y)


@checker("12.separable_cnn")
def separable_cnn(measured):
    """The student's experiment; checked for method, since the accuracies are the data's and the seeds'."""
    if not isinstance(measured, dict) or set(measured) != {"ordinary", "separable"}:
        return 'give {"ordinary": (multiply_adds, [accuracies]), "separable": (multiply_adds, [accuracies])}'
    try:
        work = {name: float(entry[0]) for name, entry in measured.items()}
        runs = {name: [float(value) for value in entry[1]] for name, entry in measured.items()}
    except (TypeError, ValueError, IndexError, KeyError):
        return "each entry is a pair: the number of multiply-adds, and a list of accuracies"
    for name, values in runs.items():
        if len(values) < 3:
            return f"{name}: {len(values)} run; at least three show the spread"
        if not all(0 <= value <= 1 for value in values):
            return "accuracies are shares between 0 and 1, not percentages"
        if len(set(values)) == 1:
            return f"{name}: all runs have the same accuracy; give each another seed"
    if work["separable"] >= work["ordinary"]:
        return "the separable network should need fewer multiply-adds; are the two entries exchanged?"
    if work["separable"] > work["ordinary"] / 2:
        return "less than half of the multiply-adds should be left; are both convolutions replaced?"
    return None
