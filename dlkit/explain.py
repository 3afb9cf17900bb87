"""Where does a classifier look? Gradients, integrated gradients, Grad-CAM, occlusion: images in, maps out.

Every function takes a `keras.Model` from raw pixels to logits, images of shape (count, height, width, channels), and
the class to explain: one integer for each image, or None for the class that the model itself gives it.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf


def feature_maps(model, images, layer):
    """What a layer answers to images.

    Args:
        model, images: see above.
        layer: name of a layer of the model.

    Returns:
        float32 array of shape (count, height, width, channels) of that layer.

    Raises:
        ValueError: for a layer that the model does not have.
    """
    return _until(model, layer).predict(_checked(model, images), verbose=0)


def input_gradients(model, images, classes=None):
    """Slope of the class's logit with each pixel value.

    Returns:
        float32 array of the images' shape.

    Source: Simonyan et al. 2013, arXiv 1312.6034. The map usually shown, *saliency*, is
    `abs(gradients(…)).max(axis=-1)`.
    """
    images = _checked(model, images)
    return _slopes(model, _chosen(model, images, classes))(tf.constant(images)).numpy()


def smooth_grad(model, images, classes=None, *, noise=0.15, samples=25, seed=0):
    """Mean of the gradients at copies of the image with noise on them.

    Args:
        noise: standard deviation of the normal noise, as a share of each image's range of values.
        samples: copies of each image.
        seed: of the noise.

    Returns:
        float32 array of the images' shape.

    Source: Smilkov et al. 2017, arXiv 1706.03825.
    """
    images = _checked(model, images)
    slopes, rng = _slopes(model, _chosen(model, images, classes)), np.random.default_rng(seed)
    spread = noise * np.ptp(images, axis=(1, 2, 3), keepdims=True)
    total = np.zeros_like(images)
    for _ in range(samples):
        noisy = images + spread * rng.standard_normal(images.shape).astype("float32")
        total += slopes(tf.constant(noisy)).numpy()
    return total / samples


def integrated_gradients(model, images, classes=None, *, baseline=0.0, steps=64):
    """Shares of the pixel values in the change of the class's logit on the way from a baseline image to the image.

    They are *complete*: for each image they sum to logit(image) - logit(baseline), up to the error of the sum that
    stands for the integral, which falls with `steps`.

    Args:
        baseline: one value for all pixels, or an image that shows nothing.
        steps: points on the way, at the middles of as many equal parts.

    Returns:
        float32 array of the images' shape.

    Source: Sundararajan et al. 2017, arXiv 1703.01365.
    """
    images = _checked(model, images)
    slopes = _slopes(model, _chosen(model, images, classes))
    way = images - np.broadcast_to(np.asarray(baseline, "float32"), images.shape)
    total = np.zeros_like(images)
    for place in (np.arange(steps) + 0.5) / steps:
        total += slopes(tf.constant(images - np.float32(1 - place) * way)).numpy()
    return way * total / steps


def grad_cam(model, images, classes=None, *, layer):
    """How much each place of a layer's maps speaks for the class.

    Every channel is weighted with the mean slope of the class's logit with it; negative sums are cut to zero.

    Args:
        layer: name of a layer whose output has the shape (count, rows, columns, channels), usually the last
            convolution's activation.

    Returns:
        float32 array of shape (count, height, width): the maps, enlarged to the images' size.

    Raises:
        ValueError: for a layer that the model does not have, or that has no rows and columns.

    Source: Selvaraju et al. 2017, arXiv 1610.02391. Built by hand in notebook 22.
    """
    images = _checked(model, images)
    inner = _until(model, layer)
    if len(inner.output.shape) != 4:
        raise ValueError(
            f'Expected a layer with rows, columns and channels. Received: "{layer}" with the output shape '
            f"{tuple(inner.output.shape)}. Take the last convolution's activation."
        )
    both = keras.Model(model.inputs, [inner.output, model.outputs[0]])
    classes = _chosen(model, images, classes)

    @tf.function  # as in _slopes
    def maps_and_slopes(images):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            maps, logits = both(images, training=False)
            scores = tf.gather(logits, classes, axis=1, batch_dims=1)
        return maps, tape.gradient(scores, maps)

    maps, slopes = maps_and_slopes(tf.constant(images))
    weights = tf.reduce_mean(slopes, axis=(1, 2), keepdims=True)
    cam = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1, keepdims=True))
    return tf.cast(tf.image.resize(cam, images.shape[1:3]), "float32")[..., 0].numpy()


def occlusion(model, images, classes=None, *, size=4, stride=2, fill=128):
    """How far the class's logit falls when a square of the image is covered.

    Args:
        size: side of the square, in pixels.
        stride: pixels from one square to the next.
        fill: the value that covers.

    Returns:
        float32 array of shape (count, height, width): the mean fall over all squares that covered a pixel; positive
        where the pixel speaks for the class.

    Source: Zeiler and Fergus 2013, arXiv 1311.2901.
    """
    images = _checked(model, images)
    classes = _chosen(model, images, classes)
    falls = np.zeros(images.shape[:3], "float32")
    covered = np.zeros(images.shape[1:3], "float32")
    before = _logits(model, images, classes)
    for top in range(0, images.shape[1] - size + 1, stride):
        for left in range(0, images.shape[2] - size + 1, stride):
            square = (slice(None), slice(top, top + size), slice(left, left + size))
            hidden = images.copy()
            hidden[square] = fill
            fall = before - _logits(model, hidden, classes)
            falls[square] += fall[:, None, None]
            covered[square[1:]] += 1
    return falls / np.maximum(covered, 1)


def _checked(model, images):
    images = np.asarray(images, "float32")
    expected = model.input_shape[1:]
    fits = (e in (None, n) for e, n in zip(expected, images.shape[1:], strict=False))
    if images.ndim != len(expected) + 1 or not all(fits):
        raise ValueError(
            f"Expected images of shape (count, {', '.join(map(str, expected))}). Received: {images.shape}. "
            "One image alone is a batch of one: `image[None]`."
        )
    return images


def _chosen(model, images, classes):
    count = model.output_shape[-1]
    if classes is None:
        return model.predict_on_batch(images).argmax(axis=1).astype("int32")
    classes = np.broadcast_to(np.asarray(classes, "int32"), len(images))
    if classes.min() < 0 or classes.max() >= count:
        raise ValueError(f"Expected classes from 0 to {count - 1}. Received: {sorted(set(classes.tolist()))}.")
    return classes


def _slopes(model, classes):
    """A compiled function from images to the slope of the class's logit with each pixel value.

    Compiled, because that leaves out the slopes with the weights, which nobody asked for: they would cost as much
    again, and TensorFlow 2.21 on processors crashes in them for 8 channels and 3 images.
    """

    @tf.function
    def slopes(images):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            scores = tf.gather(model(images, training=False), classes, axis=1, batch_dims=1)
        return tape.gradient(scores, images)

    return slopes


def _logits(model, images, classes):
    return model.predict_on_batch(images)[np.arange(len(images)), classes].astype("float32")


def _until(model, layer):
    names = [each.name for each in model.layers]
    if layer not in names:
        raise ValueError(f'Expected one of the layers {", ".join(names)}. Received: "{layer}".')
    return keras.Model(model.inputs, model.get_layer(layer).output)
