"""Random changes to a batch of images that leave its labels true: each a function (images, seed) -> images.

`pipeline` calls them with another seed for every batch. They work on whole batches and at the images' own size, which
is what makes them fast.
"""

from __future__ import annotations

import math


def random_crop_and_flip(images, seed, *, padding=4):
    """Shifts each image of a batch by up to `padding` pixels, each way, and mirrors half of them.

    The standard CIFAR-10 augmentation: pad, crop at random, flip (He et al. 2015, arXiv 1512.03385, section 4.2).

    Args:
        images: tensor or array of shape (batch, height, width, channels).
        seed: a pair of integers, as `pipeline` hands it over.
        padding: pixels of zeros added on each side before cropping back to the old size; 0 only mirrors.

    Returns:
        Tensor of the same shape and dtype.
    """
    import tensorflow as tf

    images = tf.convert_to_tensor(images)
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    seed = tf.cast(seed, tf.int64)
    draws = tf.random.stateless_uniform((2, count), seed, 0, 2 * padding + 1, tf.int32)
    mirrored = tf.random.stateless_uniform((count,), tf.bitwise.invert(seed)) < 0.5  # a stream of its own
    padded = tf.pad(images, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
    rows = draws[0][:, None] + tf.range(height)
    columns = draws[1][:, None] + tf.range(width)
    columns = tf.where(mirrored[:, None], columns[:, ::-1], columns)
    return tf.gather(tf.gather(padded, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def random_cutout(images, seed, *, size=8):
    """Blackens a square of each image, in another place of each, so that no single part can be relied on.

    Args:
        images: tensor or array of shape (batch, height, width, channels).
        seed: a pair of integers, as `pipeline` hands it over.
        size: side of the square in pixels; it lies inside the image.

    Returns:
        Tensor of the same shape and dtype.

    Source: DeVries and Taylor 2017, arXiv 1708.04552. Built by hand in an exercise of notebook 11.
    """
    import tensorflow as tf

    images = tf.convert_to_tensor(images)
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    seed = tf.bitwise.bitwise_xor(tf.cast(seed, tf.int64), 1 << 40)  # a stream of its own
    draws = tf.random.stateless_uniform((2, count, 1), seed)
    hidden = []
    for draw, side in zip(tf.unstack(draws), (height, width), strict=True):
        first = tf.cast(draw * (side - size + 1), tf.int32)
        hidden.append((tf.range(side) >= first) & (tf.range(side) < first + size))
    square = hidden[0][:, :, None, None] & hidden[1][:, None, :, None]
    return tf.where(square, tf.zeros_like(images), images)


def random_affine(images, seed, *, rotation=20.0, shift=0.2, shear=0.2, zoom=0.2, flip=True):
    """Turns, moves, shears, zooms and mirrors each image of a batch, all in one resampling (bilinear).

    What lies outside the image repeats its nearest pixel. Ranges and their meaning, and even the shear in *degrees*,
    are those of Keras's legacy `ImageDataGenerator`, so that settings can be taken over as they are.

    Args:
        images: tensor or array of shape (batch, height, width, channels), any real dtype.
        seed: a pair of integers, as `pipeline` hands it over.
        rotation: largest angle, either way, in degrees.
        shift: largest shift, either way, as a share of height and of width.
        shear: largest shear, either way, in degrees.
        zoom: height and width are stretched by factors between 1 / (1 + zoom) and 1 / (1 - zoom).
        flip: mirrors half of the images left to right.

    Returns:
        Tensor of the same shape and dtype; integers are rounded.

    Built by hand in notebook 10.
    """
    import tensorflow as tf

    images = tf.convert_to_tensor(images)
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    draws = tf.random.stateless_uniform((7, count), tf.cast(seed, tf.int64), -1.0, 1.0)
    transforms = _affine_transforms(
        height,
        width,
        angle=math.radians(rotation) * draws[0],
        right=shift * width * draws[1],
        down=shift * height * draws[2],
        shear=math.radians(shear) * draws[3],
        zoom_x=1 + zoom * draws[4],
        zoom_y=1 + zoom * draws[5],
        mirror=tf.sign(draws[6]) if flip else tf.ones(count),
    )
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=transforms,
        output_shape=[height, width],
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )
    return tf.cast(tf.round(moved) if images.dtype.is_integer else moved, images.dtype)


def _affine_transforms(height, width, *, angle, right, down, shear, zoom_x, zoom_y, mirror):
    """Where each pixel of the result comes from: rows (a, b, c, d, e, f, 0, 0) of x' = ax + by + c, y' = dx + ey + f.

    The product rotate · move · shear · zoom · mirror about the centre of the image, in this order the legacy
    generator's; angles in radians, shifts in pixels, each argument of shape (batch,).
    """
    import tensorflow as tf

    one, zero = tf.ones_like(angle), tf.zeros_like(angle)

    def matrices(*numbers):
        return tf.reshape(tf.stack([*numbers, zero, zero, one], axis=-1), (-1, 3, 3))

    x, y = (width - 1) / 2 * one, (height - 1) / 2 * one
    product = matrices(one, zero, x, zero, one, y)
    for step in (
        matrices(tf.cos(angle), -tf.sin(angle), zero, tf.sin(angle), tf.cos(angle), zero),
        matrices(one, zero, right, zero, one, down),
        matrices(one, -tf.sin(shear), zero, zero, tf.cos(shear), zero),
        matrices(mirror * zoom_x, zero, zero, zero, zoom_y, zero),
        matrices(one, zero, -x, zero, one, -y),
    ):
        product = product @ step
    return tf.concat([tf.reshape(product[:, :2], (-1, 6)), tf.zeros((tf.shape(angle)[0], 2))], axis=1)
