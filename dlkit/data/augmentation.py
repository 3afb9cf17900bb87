"""Data augmentation: random changes to a batch of images that leave the labels correct.

Each is a function (images, seed) -> images, which `data.pipeline` calls with another seed for every batch. They work on
complete batches and at the images' own size, which makes them fast.
"""

from __future__ import annotations

import math


def random_crop_and_flip(images, seed, *, padding=4):
    """Shifts each image of a batch by up to `padding` pixels in each direction and flips half of them horizontally.

    This is the standard augmentation for CIFAR-10: pad, crop at random, flip.

    Args:
        images: Tensor or array of shape (batch, height, width, channels).
        seed: Integer tensor or tuple of shape (2,), a stateless seed, such as `data.pipeline` passes.
        padding: Integer, pixels of zeros that are added on each side before the image is cropped to its old size,
            default 4. With 0, images are only flipped.

    Returns:
        Tensor of the same shape and dtype.

    References:
        - [He et al., 2015](https://arxiv.org/abs/1512.03385), section 4.2
    """
    import tensorflow as tf

    images = tf.convert_to_tensor(images)
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    seed = tf.cast(seed, tf.int64)
    draws = tf.random.stateless_uniform((2, count), seed, 0, 2 * padding + 1, tf.int32)
    flipped = tf.random.stateless_uniform((count,), tf.bitwise.invert(seed)) < 0.5  # independent of the shifts
    padded = tf.pad(images, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
    rows = draws[0][:, None] + tf.range(height)
    columns = draws[1][:, None] + tf.range(width)
    columns = tf.where(flipped[:, None], columns[:, ::-1], columns)
    return tf.gather(tf.gather(padded, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def random_cutout(images, seed, *, size=8):
    """Sets a square of each image to zero, at a random position, so that a model cannot rely on a single detail.

    Built by hand in an exercise of lesson 11.

    Args:
        images: Tensor or array of shape (batch, height, width, channels).
        seed: Integer tensor or tuple of shape (2,), a stateless seed, such as `data.pipeline` passes.
        size: Integer, the side of the square in pixels, default 8. The square lies inside the image.

    Returns:
        Tensor of the same shape and dtype.

    References:
        - [DeVries and Taylor, 2017](https://arxiv.org/abs/1708.04552)
    """
    import tensorflow as tf

    images = tf.convert_to_tensor(images)
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    seed = tf.bitwise.bitwise_xor(tf.cast(seed, tf.int64), 1 << 40)  # independent of other augmentations
    draws = tf.random.stateless_uniform((2, count, 1), seed)
    hidden = []  # rows and columns, boolean of shape (batch, height) and (batch, width)
    for draw, side in zip(tf.unstack(draws), (height, width), strict=True):
        first = tf.cast(draw * (side - size + 1), tf.int32)
        hidden.append((tf.range(side) >= first) & (tf.range(side) < first + size))
    square = hidden[0][:, :, None, None] & hidden[1][:, None, :, None]
    return tf.where(square, tf.zeros_like(images), images)


def random_affine(images, seed, *, rotation=20.0, shift=0.2, shear=0.2, zoom=0.2, flip=True):
    """Rotates, shifts, shears, zooms and flips each image of a batch, all in one resampling (bilinear).

    Pixels outside the image repeat the nearest pixel inside. The ranges and their meaning, even the shear in degrees,
    are those of Keras's legacy `ImageDataGenerator`, so that its settings can be used unchanged. Built by hand in
    lesson 10.

    Args:
        images: Tensor or array of shape (batch, height, width, channels), of any real dtype.
        seed: Integer tensor or tuple of shape (2,), a stateless seed, such as `data.pipeline` passes.
        rotation: Float, the largest angle in either direction, in degrees, default 20.
        shift: Float, the largest shift in either direction, as a fraction of height and of width, default 0.2.
        shear: Float, the largest shear in either direction, in degrees, default 0.2.
        zoom: Float, default 0.2. Height and width are stretched by factors between 1 / (1 + zoom) and 1 / (1 - zoom).
        flip: Boolean, default True, whether half of the images are flipped horizontally.

    Returns:
        Tensor of the same shape and dtype; integers are rounded.
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
        flip=tf.sign(draws[6]) if flip else tf.ones(count),
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


def _affine_transforms(height, width, *, angle, right, down, shear, zoom_x, zoom_y, flip):
    """Where each pixel of the result comes from: rows (a, b, c, d, e, f, 0, 0) of x' = ax + by + c, y' = dx + ey + f.

    They are the product rotate · shift · shear · zoom · flip about the center of the image, in the order of Keras's
    legacy generator. Angles are in radians, shifts in pixels, and `flip` is -1 or 1, each of shape (batch,).
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
        matrices(flip * zoom_x, zero, zero, zero, zoom_y, zero),
        matrices(one, zero, -x, zero, one, -y),
    ):
        product = product @ step
    return tf.concat([tf.reshape(product[:, :2], (-1, 6)), tf.zeros((tf.shape(angle)[0], 2))], axis=1)
