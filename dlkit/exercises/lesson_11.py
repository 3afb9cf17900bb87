"""Checkers of lesson 11."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, check_shape, checker


@checker("11.count_macs")
def count_macs(answer):
    """Checks the multiply-adds of a 3x3 convolution from 32 to 64 channels, output 13 x 13, for one image."""
    expected = 13 * 13 * 64 * 3 * 3 * 32
    hints = {
        3 * 3 * 32 * 64: "those are the weights; each is used once at every position of the output",
        13 * 13 * 64 * 9: "each output sums over all 32 input channels too",
        13 * 13 * 9 * 32: "that is one output channel; there are 64",
        15 * 15 * 64 * 9 * 32: "without padding, the kernel fits 13 times each way, not 15",
        2 * expected: "a multiplication and the addition that follows count as one multiply-add here",
        expected + 64 * 13 * 13: "additions of the bias are not counted",
    }
    default_hint = "compute positions of the output (13·13) × output channels × kernel (3·3) × input channels"
    return check_number(answer, "macs", expected, hints, default_hint)


@checker("11.cutout")
def cutout(student):
    """Checks that a square of each image is set to zero, at a random position, in a copy of the array."""
    images = np.full((64, 16, 16, 3), 200, "uint8")
    images[:, :, :, 1] = np.arange(1, 17, dtype="uint8")[None, :, None]
    before = images.copy()
    result = student(images, 6, np.random.default_rng(0))
    if hint := check_shape(result, images.shape, f"return an array of the shape of the images, {images.shape}"):
        return hint
    result = np.asarray(result)
    if not np.array_equal(images, before):
        return "the given images were changed; work on a copy, since they are needed again in the next epoch"
    if result.dtype != images.dtype:
        return f"the result is {result.dtype}, but the images are {images.dtype}; keep their type"
    zero = result == 0
    if not zero.any():
        return "no pixel was set to zero"
    if not np.array_equal(zero.all(axis=-1), zero.any(axis=-1)):
        return "the square must be cut out of all three channels"
    hole = zero.all(axis=-1)
    if not np.array_equal(result[~hole], images[~hole]):
        return "pixels outside the square were changed"
    return _wrong_squares(hole, 6) or _wrong_positions(student)


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
        return "every image has its hole at the same position; draw a position for each image"
    return None


def _wrong_positions(student):
    """A hint unless `rng` draws all 6 x 4 positions of squares of 3 x 3 in 8 x 6 pixels; else None."""
    images = np.full((600, 8, 6, 1), 7, "uint8")

    def draw(seed):
        hole = (np.asarray(student(images.copy(), 3, np.random.default_rng(seed))) == 0)[..., 0]
        return _wrong_squares(hole, 3), [tuple(np.argwhere(image)[0].tolist()) for image in hole]

    hint, positions = draw(0)
    if hint:
        return f"for images of 8 x 6 pixels and size 3: {hint}"
    if draw(0)[1] != positions:
        return "the same generator gives different positions in a second call; draw them with `rng`"
    if draw(1)[1] == positions:
        return "another generator gives the same positions; draw them with `rng`"
    missing = {(row, column) for row in range(6) for column in range(4)} - set(positions)
    if missing:
        return (
            f"of 24 positions in 8 x 6 pixels, {len(missing)} never occur, such as {min(missing)}; all of them should"
        )
    if np.any(student(images[:1, :4, :4].copy(), 4, np.random.default_rng(0))):
        return "a square as large as the image should set all of it to zero"
    return None


@checker("11.predict_with_flip")
def predict_with_flip(student):
    """Checks the mean of the probabilities of images and of their mirror images."""
    for shape in ((6, 5, 4, 3), (3, 4, 6, 1)):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, shape).astype("uint8")
        weights = rng.normal(0, 0.01, (np.prod(shape[1:]), 4))

        def predict(batch, weights=weights):
            scores = np.exp(np.reshape(np.asarray(batch, "float64"), (len(batch), -1)) @ weights)
            return scores / scores.sum(axis=1, keepdims=True)

        if hint := _wrong_average(student, predict, images):
            return hint
    return None


def _wrong_average(student, predict, images):
    """A hint unless the student's function averages over the images and their mirror images; else None."""
    plain, flipped = predict(images), predict(images[:, :, ::-1])
    before = images.copy()
    result = student(predict, images)
    if not np.array_equal(images, before):
        return "the given images were changed; flip a copy"
    if hint := check_shape(result, plain.shape, f"return an array of the shape of the probabilities, {plain.shape}"):
        return hint
    mistakes = {
        "this is only the prediction for the images as they are; average it with that for the mirror images": plain,
        "this is only the prediction for the mirror images; average it with that for the images as they are": flipped,
        "take the mean of the two predictions, not their sum; probabilities of an image sum to 1": plain + flipped,
        "these images are upside down; axis 1 counts the rows, axis 2 the columns": (
            (plain + predict(images[:, ::-1])) / 2
        ),
        "here the order of the images was reversed; axis 0 counts the images": (plain + plain[::-1]) / 2,
        "here the color channels were reversed; axis 2 counts the columns": (plain + predict(images[..., ::-1])) / 2,
        "average the probabilities, not the pixels": predict((images.astype(float) + images[:, :, ::-1]) / 2),
    }
    expected = (plain + flipped) / 2
    if np.allclose(result, expected, atol=1e-6):
        return None
    for hint, values in mistakes.items():
        if np.allclose(result, values, atol=1e-6):
            return hint
    return "average `predict(images)` and the prediction for the images with their columns in reversed order"
