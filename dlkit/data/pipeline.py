"""From arrays to batches, with the steps in the correct order: cache, shuffle, batch, augment, resize, prefetch."""

from __future__ import annotations


def pipeline(
    images,
    labels,
    *,
    batch_size,
    training=False,
    augment=None,
    image_size=None,
    seed=0,
    first_epoch=None,
    shard=(0, 1),
):
    """Builds a `tf.data.Dataset` of batches (images, labels).

    The order of the steps is what matters. The arrays are in memory already, which is what `cache` would do. Shuffling
    comes before batching, so that batches differ between epochs. Augmentation comes after both, so that every epoch
    sees new variants. Resizing comes after that, since it is cheaper to augment small images. Prefetching comes last,
    so that the next batch is made while the model works on this one. Lesson 10 shows what each wrong order does.

    Args:
        images: Array of shape (count, ...), any dtype. uint8 pixels stay uint8, since models scale them themselves.
        labels: Array of shape (count,).
        batch_size: Integer, images in a batch. The last batch of an epoch may be smaller.
        training: Boolean, default False. True shuffles in every epoch and augments; False keeps the order and leaves
            the images unchanged.
        augment: Function (images, seed) -> images that changes a batch, such as `random_crop_and_flip`, or None, the
            default. The seed has shape (2,) and is different for every batch. Training only.
        image_size: Tuple (height, width) that images of shape (height, width, channels) are resized to (bilinear), in
            training and evaluation alike; they become float32, 0 to 255 as before. None, the default, leaves them as
            they are, for models that resize.
        seed: Integer, default 0. The same seed gives the same batches.
        first_epoch: Integer or None. With None, the default, one pass over the dataset is one epoch. An integer gives
            an endless dataset that begins with that epoch, for a training that resumes after a stop: the batches of an
            epoch depend only on the seed and the number of the epoch. Training only.
        shard: Tuple (index, count), default (0, 1): this worker's index and the number of workers. Each worker gets its
            shard of the same batches, and augments only that. Training only.

    Returns:
        A `tf.data.Dataset` of (images, labels), of shapes (batch, ...) and (batch,).

    Raises:
        ValueError: If images and labels differ in number, or there are none.

    Example:
        >>> import numpy as np
        >>> train_ds = pipeline(np.zeros((5, 8, 8)), np.arange(5), batch_size=2)
        >>> [len(labels) for images, labels in train_ds]
        [2, 2, 1]
    """
    if len(images) != len(labels) or len(images) == 0:
        raise ValueError(f"Expected as many images as labels, at least one. Received: {len(images)} and {len(labels)}.")
    import tensorflow as tf  # late, so that reading data does not wait for TensorFlow

    if not training:
        batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size)
        if image_size is not None:
            batches = batches.map(lambda x, y: (tf.image.resize(x, image_size), y), num_parallel_calls=tf.data.AUTOTUNE)
        return batches.prefetch(tf.data.AUTOTUNE)
    with tf.device("CPU"):
        images, labels = tf.constant(images), tf.constant(labels)

    def one_epoch(epoch):
        order = tf.random.experimental.stateless_shuffle(tf.range(len(labels)), seed=[seed, epoch])
        batches = tf.data.Dataset.from_tensor_slices(order).batch(batch_size).enumerate()
        return batches.map(
            lambda step, rows: batch([epoch, step * shard[1] + shard[0]], rows), num_parallel_calls=tf.data.AUTOTUNE
        )

    def batch(batch_seed, rows):
        rows = rows[shard[0] :: shard[1]]  # (batch,)
        chosen = tf.gather(images, rows)
        chosen = chosen if augment is None else augment(chosen, batch_seed)
        chosen = chosen if image_size is None else tf.image.resize(chosen, image_size)
        return chosen, tf.gather(labels, rows)

    if first_epoch is None:
        random_numbers = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
        epochs = random_numbers.take(1)  # a different one in each pass
        steps = tf.data.experimental.assert_cardinality(-(-len(labels) // batch_size))
        return epochs.flat_map(one_epoch).apply(steps).prefetch(tf.data.AUTOTUNE)
    return tf.data.Dataset.range(first_epoch, 1 << 40).flat_map(one_epoch).prefetch(tf.data.AUTOTUNE)
