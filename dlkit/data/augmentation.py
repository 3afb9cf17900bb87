"""Data augmentation: random changes to a batch of images that leave the labels correct.

Each is a function (images, seed) -> images, which `data.pipeline` calls with another seed for every batch. They work on
complete batches, which makes them fast. All others are Keras's own layers.
"""

import contextlib

from dlkit.validation import check_integer


def random_crop_and_flip(images, seed, *, padding=4, flip=True):
    """Shifts each image of a batch by up to `padding` pixels in each direction and flips half of them horizontally.

    This is the standard augmentation for CIFAR-10: pad, crop at random, flip. `keras.layers.RandomCrop` would draw one
    window for the complete batch.

    Args:
        images: Tensor or array of shape (batch, height, width[, channels]).
        seed: Integer tensor or tuple of shape (2,), a stateless seed, such as `data.pipeline` passes.
        padding: Integer, pixels of zeros on each side before the crop, default 4; less than height and width.
        flip: Boolean, default True. False leaves left and right as they are, for classes that a mirror exchanges.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: If the images have another shape, or `padding` does not fit them.

    References:
        - [He et al., 2015](https://arxiv.org/abs/1512.03385), section 4.2
    """
    import tensorflow as tf

    images, count, height, width = _measure(images)
    padding = check_integer("padding", padding, at_least=0, at_most=min(height, width) - 1)
    seed = tf.cast(seed, tf.int64)
    draws = tf.random.stateless_uniform((2, count), seed, 0, 2 * padding + 1, tf.int32)
    chance = 0.5 if flip else 0.0
    flipped = tf.random.stateless_uniform((count,), tf.bitwise.invert(seed)) < chance  # independent of the shifts
    padded = tf.pad(images, [[0, 0], [padding, padding], [padding, padding], [0, 0]][: images.shape.rank])
    rows = draws[0][:, None] + tf.range(height)
    columns = draws[1][:, None] + tf.range(width)
    columns = tf.where(flipped[:, None], columns[:, ::-1], columns)
    return tf.gather(tf.gather(padded, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def random_cutout(images, seed, *, size=8):
    """Sets a square of each image to zero, at a random position, so that a model cannot rely on a single detail.

    Built by hand in an exercise of lesson 11.

    Args:
        images: Tensor or array of shape (batch, height, width[, channels]).
        seed: Integer tensor or tuple of shape (2,), a stateless seed, such as `data.pipeline` passes.
        size: Integer, the side of the square in pixels, default 8; at most half of height and width. The square lies
            inside the image.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: If the images have another shape, or `size` does not fit them.

    References:
        - [DeVries and Taylor, 2017](https://arxiv.org/abs/1708.04552)
    """
    import tensorflow as tf

    images, count, height, width = _measure(images)
    size = check_integer("size", size, at_most=min(height, width) // 2)
    seed = tf.bitwise.bitwise_xor(tf.cast(seed, tf.int64), 1 << 40)  # independent of other augmentations
    draws = tf.random.stateless_uniform((2, count, 1), seed)
    hidden = []  # rows and columns, boolean of shape (batch, height) and (batch, width)
    for draw, side in zip(tf.unstack(draws), (height, width), strict=True):
        first = tf.cast(draw * (side - size + 1), tf.int32)
        hidden.append((tf.range(side) >= first) & (tf.range(side) < first + size))
    square = hidden[0][:, :, None] & hidden[1][:, None, :]
    return tf.where(square if images.shape.rank == 3 else square[..., None], tf.zeros_like(images), images)


def _measure(images):
    """A batch of images as a tensor, and its count, height and width."""
    import tensorflow as tf

    images = tf.convert_to_tensor(images)
    if images.shape.rank not in (3, 4) or None in images.shape[1:3]:
        raise ValueError(f"Expected images of shape (batch, height, width[, channels]). Received: {images.shape}.")
    return images, tf.shape(images)[0], images.shape[1], images.shape[2]


def as_function(augment):
    """Makes a function (images, seed) -> images of what `data.pipeline` accepts as `augment`; None stays None.

    Keras's layers draw from generators that count in variables, so that a training that resumes after a stop would go
    on with other draws. In this function their draws depend only on the seed. Integers are rounded.
    """
    import keras
    import tensorflow as tf

    if augment is None or (callable(augment) and not isinstance(augment, keras.Layer)):
        return augment
    layers = _check_layers(augment)

    class BatchSeeds(keras.random.SeedGenerator):
        def __init__(self, seed):
            self.seed, self.draws = seed, 0

        def next(self, ordered=True):
            self.draws += 1
            return tf.random.experimental.stateless_fold_in(self.seed, self.draws)

    def apply_layers(images, seed):
        images = tf.convert_to_tensor(images)
        is_gray = images.shape.rank == 3
        changed = tf.cast(images[..., None] if is_gray else images, tf.float32)  # bytes would overflow in some layers
        with _generators_replaced(layers, BatchSeeds(tf.cast(seed, tf.int64))):
            for layer in layers:
                changed = layer(changed, training=True)
        changed = changed[..., 0] if is_gray else changed
        return tf.saturate_cast(tf.round(changed) if images.dtype.is_integer else changed, images.dtype)

    return apply_layers


def _check_layers(augment):
    """A list of Keras's augmentation layers that compute in float32. Raises a ValueError if they are something else."""
    import keras

    layers = augment.layers if isinstance(augment, keras.Sequential) else augment
    layers = list(layers) if isinstance(layers, (list, tuple)) else [layers]
    unfit = (keras.layers.MixUp, keras.layers.CutMix, keras.layers.AugMix)
    for layer in layers:
        if isinstance(layer, unfit) or not hasattr(layer, "get_random_transformation"):
            raise ValueError(
                "Expected augment to be a function (images, seed) -> images or augmentation layers of Keras other than "
                f"MixUp and CutMix, which change labels, and AugMix, which ignores seeds. Received: {layer!r}."
            )
        for part in layer._flatten_layers():
            part.dtype_policy = "float32"  # 16 bits, if they are the global policy, would misplace pixels
    return layers


@contextlib.contextmanager
def _generators_replaced(layers, generator):
    """Lets layers, and the layers inside them, draw from this seed generator in place of their own ones."""
    kind = type(generator).__base__
    parts = [vars(part) for layer in layers for part in layer._flatten_layers()]
    own = [(part, name, value) for part in parts for name, value in part.items() if isinstance(value, kind)]
    try:
        for part, name, _ in own:
            part[name] = generator  # past Keras, which would take it for new state
        yield
    finally:
        for part, name, value in own:
            part[name] = value
