"""From images to batches, with the steps in the correct order: cache, shuffle, batch, augment, resize, prefetch."""

import numpy as np

from dlkit.data.augmentation import as_function
from dlkit.data.image_files import LazyImages, check_image_size
from dlkit.validation import check_finite, check_images, check_integer, check_labels, check_seed


def pipeline(
    images, labels, *, batch_size, training=False, augment=None, image_size=None, seed=0, first_epoch=None, shard=(0, 1)
):
    """Builds a `tf.data.Dataset` of batches (images, labels).

    The order of the steps is what matters. Arrays are in memory already, which is what `cache` would do. Shuffling
    comes before batching, so that batches differ between epochs. Augmentation comes after both, so that every epoch
    sees new variants. Resizing comes after that, since it is cheaper to augment small images. Prefetching comes last,
    so that the next batch is made while the model works on this one. Lesson 10 shows what each wrong order does.

    Args:
        images: Array of shape (count, ...) of any real dtype, which stays as it is, or the `LazyImages` of a folder.
        labels: Array of shape (count, ...): the labels of the images, or any other numbers as targets.
        batch_size: Integer, images in a batch. The last batch of an epoch may be smaller.
        training: Boolean, default False. True shuffles in every epoch and augments; False keeps the order and leaves
            the images unchanged.
        augment: Augmentation layer of Keras, such as `keras.layers.RandomRotation`, a list of them, or a function
            (images, seed) -> images that changes a batch, such as `random_crop_and_flip`, where the seed has shape (2,)
            and is different for every batch. None, the default, changes nothing. Training only.
        image_size: Tuple (height, width) that images of shape (height, width[, channels]) are resized to (bilinear),
            also in evaluation; they become float32, 0 to 255 as before. None, the default, is for models that resize.
        seed: Integer, default 0. The same seed gives the same batches.
        first_epoch: Integer or None. With None, the default, one pass over the dataset is one epoch. An integer gives
            an endless dataset that begins with that epoch, for a training that resumes after a stop: the batches of an
            epoch depend only on the seed and the number of the epoch. Training only.
        shard: Tuple (index, count), default (0, 1): this worker's index and the number of workers. Each worker gets its
            shard of the same batches, and augments only that. Training only.

    Returns:
        A `tf.data.Dataset` of (images, labels), of shapes (batch, ...) and (batch, ...).

    Raises:
        ValueError: If images and labels differ in number, there are none, or one is NaN or infinite.

    Example:
        >>> import numpy as np
        >>> train_ds = pipeline(np.zeros((5, 8, 8)), np.arange(5), batch_size=2)
        >>> [len(labels) for images, labels in train_ds]
        [2, 2, 1]
    """
    image_size, augment = check_image_size(image_size), as_function(augment)
    images, labels = _check_examples(images, labels, are_images=image_size is not None)
    batch_size, seed = check_integer("batch_size", batch_size), check_seed(seed)
    workers = check_integer("the count in shard", shard[1], at_most=batch_size)
    worker = check_integer("the index in shard", shard[0], at_least=0, at_most=workers - 1)
    import tensorflow as tf  # late, so that reading data does not wait for TensorFlow

    decode = isinstance(images, LazyImages)
    with tf.device("CPU"):
        pixels, labels = None if decode else tf.constant(images), tf.constant(labels)

    def batch(rows, batch_seed=None):
        chosen = tf.numpy_function(images.__getitem__, [rows], tf.uint8) if decode else tf.gather(pixels, rows)
        chosen = tf.ensure_shape(chosen, (None, *images.shape[1:]))
        if augment is not None and batch_seed is not None:
            chosen = augment(chosen, batch_seed)
        if image_size is not None:
            is_gray = chosen.shape.rank == 3
            floats = tf.cast(chosen, tf.float32)  # resized in two thirds of the time that bytes take
            chosen = tf.image.resize(floats[..., None] if is_gray else floats, image_size)
            chosen = chosen[..., 0] if is_gray else chosen
        return chosen, tf.gather(labels, rows)

    def one_epoch(epoch):
        order = tf.random.experimental.stateless_shuffle(tf.range(len(labels)), seed=[seed, epoch])
        steps = tf.data.Dataset.from_tensor_slices(order).batch(batch_size).enumerate()
        return steps.map(lambda step, rows: (rows[worker::workers], tf.stack([epoch, step * workers + worker])))

    if not training:
        rows = tf.data.Dataset.range(len(labels)).batch(batch_size)
    elif first_epoch is None:
        random_numbers = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
        steps = tf.data.experimental.assert_cardinality(-(-len(labels) // batch_size))
        rows = random_numbers.take(1).flat_map(one_epoch).apply(steps)  # another epoch in each pass
    else:
        first_epoch = check_integer("first_epoch", first_epoch, at_least=0)
        rows = tf.data.Dataset.range(first_epoch, 1 << 40).flat_map(one_epoch)
    return rows.map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _check_examples(images, labels, *, are_images):
    if len(images) != len(labels) or len(images) == 0:
        raise ValueError(f"Expected as many images as labels, at least one. Received: {len(images)} and {len(labels)}.")
    images = check_images(images, shape=None if are_images else np.shape(images)[1:])
    labels = np.asarray(labels)
    if labels.dtype.kind not in "buif":
        check_labels(labels)  # says what to do about names
    return images, check_finite("labels", labels)
