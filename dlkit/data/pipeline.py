"""From arrays to batches, with the steps in the one right order: cache, shuffle, batch, augment, prefetch."""

from __future__ import annotations


def pipeline(images, labels, *, batch_size, training=False, augment=None, seed=0, first_epoch=None):
    """Makes a `tf.data.Dataset` of (images, labels) batches.

    The order of the steps is the point. The arrays are in memory already, which is what `cache` would do. Shuffling
    comes before batching, so that batches differ between epochs; augmentation comes after both, so that every epoch
    sees new variants; prefetching comes last, so that the next batch is made while the model works on this one.

    Args:
        images: array of shape (count, ...), any dtype; uint8 pixels stay uint8, models scale them themselves.
        labels: array of shape (count,).
        batch_size: images in a batch; the last batch of an epoch may be smaller.
        training: True shuffles, anew in every epoch, and augments; False keeps the order and leaves images alone.
        augment: function (images, seed) -> images on a whole batch, such as `random_crop_and_flip`; seed is a pair of
            integers, another one for every batch. Training only.
        seed: the same seed gives the same batches.
        first_epoch: None makes a dataset of which one pass is one epoch. A number makes an endless one that begins
            with that epoch, for a training that goes on after a stop: the batches of an epoch depend on the seed and
            the epoch's number alone. Training only.

    Returns:
        A `tf.data.Dataset`.

    Raises:
        ValueError: when images and labels differ in number, or there are none.

    Example:
        >>> import numpy as np
        >>> train_ds = pipeline(np.zeros((5, 8, 8)), np.arange(5), batch_size=2)
        >>> [len(labels) for images, labels in train_ds]
        [2, 2, 1]
    """
    if len(images) != len(labels) or len(images) == 0:
        raise ValueError(f"Expected as many images as labels, at least one. Received: {len(images)} and {len(labels)}.")
    import tensorflow as tf  # here, so that reading data does not wait for TensorFlow

    if not training:
        return tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size).prefetch(tf.data.AUTOTUNE)
    with tf.device("CPU"):
        images, labels = tf.constant(images), tf.constant(labels)

    def one_epoch(epoch):
        order = tf.random.experimental.stateless_shuffle(tf.range(len(labels)), seed=[seed, epoch])
        batches = tf.data.Dataset.from_tensor_slices(order).batch(batch_size).enumerate()
        return batches.map(lambda step, rows: batch([epoch, step], rows), num_parallel_calls=tf.data.AUTOTUNE)

    def batch(fresh_seed, rows):
        chosen = tf.gather(images, rows)
        return chosen if augment is None else augment(chosen, fresh_seed), tf.gather(labels, rows)

    if first_epoch is None:
        epochs = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).take(1)  # another one in each pass
        steps = tf.data.experimental.assert_cardinality(-(-len(labels) // batch_size))
        return epochs.flat_map(one_epoch).apply(steps).prefetch(tf.data.AUTOTUNE)
    return tf.data.Dataset.range(first_epoch, 1 << 40).flat_map(one_epoch).prefetch(tf.data.AUTOTUNE)


def random_crop_and_flip(images, seed, *, padding=4):
    """Shifts each image of a batch by up to `padding` pixels, each way, and mirrors half of them.

    The standard CIFAR-10 augmentation: pad, crop at random, flip (He et al. 2015, arXiv 1512.03385, section 4.2).

    Args:
        images: tensor of shape (batch, height, width, channels).
        seed: a pair of integers, as `pipeline` hands it over.
        padding: pixels of zeros added on each side before cropping back to the old size; 0 only mirrors.

    Returns:
        Tensor of the same shape and dtype.
    """
    import tensorflow as tf

    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    seed = tf.cast(seed, tf.int64)
    draws = tf.random.stateless_uniform((2, count), seed, 0, 2 * padding + 1, tf.int32)
    mirrored = tf.random.stateless_uniform((count,), tf.bitwise.invert(seed)) < 0.5  # a stream of its own
    padded = tf.pad(images, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
    rows = draws[0][:, None] + tf.range(height)
    columns = draws[1][:, None] + tf.range(width)
    columns = tf.where(mirrored[:, None], columns[:, ::-1], columns)
    return tf.gather(tf.gather(padded, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)
