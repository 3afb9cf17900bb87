"""Attribution methods for image classifiers: gradients, integrated gradients, Grad-CAM, occlusion.

Every function takes a `keras.Model` from raw pixels to logits and images of shape (count, height, width, channels). The
class to explain is one integer for all images, one integer for each image, or None for the predicted class.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf


def feature_maps(model, images, layer):
    """Activations of a layer.

    Args:
        model: A `keras.Model`.
        images: Array of shape (count, height, width, channels).
        layer: String, name of a layer of the model.

    Returns:
        Array of the layer's dtype, usually float32; of shape (count, rows, columns, channels) for a convolution.

    Raises:
        ValueError: If the model does not have that layer, or the images have a shape that the model does not take.
    """
    return _truncate_at(model, layer).predict(_validate_images(model, images), verbose=0)


def input_gradients(model, images, classes=None):
    """Gradient of the class logit with respect to the input pixels.

    `abs(input_gradients(…)).max(axis=-1)` is the **saliency map** that is usually shown.

    Args:
        model: A `keras.Model` from images to logits.
        images: Array of shape (count, height, width, channels).
        classes: Integer or integer array of shape (count,), the classes to explain; None takes the predicted ones.

    Returns:
        float32 array of the shape of the images.

    Raises:
        ValueError: If the images have a shape that the model does not take, or a class does not exist.

    References:
        - [Simonyan et al., 2013](https://arxiv.org/abs/1312.6034)
    """
    images = _validate_images(model, images)
    return _gradient_function(model, _resolve_classes(model, images, classes))(tf.constant(images)).numpy()


def smooth_grad(model, images, classes=None, *, noise=0.15, samples=25, seed=0):
    """SmoothGrad: the mean of the input gradients over noisy copies of the image.

    Args:
        model: A `keras.Model` from images to logits.
        images: Array of shape (count, height, width, channels).
        classes: Integer or integer array of shape (count,), the classes to explain; None takes the predicted ones.
        noise: Float, standard deviation of the Gaussian noise as a fraction of the range of each image, default 0.15.
        samples: Integer, number of noisy copies of each image, default 25.
        seed: Integer, seed of the noise, default 0.

    Returns:
        float32 array of the shape of the images.

    Raises:
        ValueError: If the images have a shape that the model does not take, or a class does not exist.

    References:
        - [Smilkov et al., 2017](https://arxiv.org/abs/1706.03825)
    """
    images = _validate_images(model, images)
    gradients = _gradient_function(model, _resolve_classes(model, images, classes))
    rng = np.random.default_rng(seed)
    deviation = noise * np.ptp(images, axis=(1, 2, 3), keepdims=True)  # (count, 1, 1, 1)
    total = np.zeros_like(images)
    for _ in range(samples):
        noisy = images + deviation * rng.standard_normal(images.shape).astype("float32")
        total += gradients(tf.constant(noisy)).numpy()
    return total / samples


def integrated_gradients(model, images, classes=None, *, baseline=0.0, steps=64):
    """Integrated gradients: the contribution of each pixel to the change of the class logit from a baseline image.

    The gradients are averaged along the straight line from the baseline to the image and multiplied by the difference
    of both. The attributions are **complete**: for each image they sum to logit(image) - logit(baseline), up to the
    error of the sum that approximates the integral, which decreases with `steps`.

    Args:
        model: A `keras.Model` from images to logits.
        images: Array of shape (count, height, width, channels).
        classes: Integer or integer array of shape (count,), the classes to explain; None takes the predicted ones.
        baseline: Float, one value for all pixels, or array of shape (height, width, channels), an image without
            content. Default 0.
        steps: Integer, number of points on the line: the midpoints of as many equal intervals. Default 64.

    Returns:
        float32 array of the shape of the images.

    Raises:
        ValueError: If the images have a shape that the model does not take, or a class does not exist.

    References:
        - [Sundararajan et al., 2017](https://arxiv.org/abs/1703.01365)
    """
    images = _validate_images(model, images)
    gradients = _gradient_function(model, _resolve_classes(model, images, classes))
    difference = images - np.broadcast_to(np.asarray(baseline, "float32"), images.shape)
    total = np.zeros_like(images)
    for fraction in (np.arange(steps) + 0.5) / steps:  # 0 at the baseline, 1 at the image
        total += gradients(tf.constant(images - np.float32(1 - fraction) * difference)).numpy()
    return difference * total / steps


def grad_cam(model, images, classes=None, *, layer):
    """Grad-CAM: a class activation map, which shows how much each position of a layer supports the class.

    Every channel is weighted with the mean gradient of the class logit with respect to it, and negative sums are set to
    zero. Built by hand in lesson 22.

    Args:
        model: A `keras.Model` from images to logits.
        images: Array of shape (count, height, width, channels).
        classes: Integer or integer array of shape (count,), the classes to explain; None takes the predicted ones.
        layer: String, name of a layer whose output has the shape (count, rows, columns, channels), usually the
            activation of the last convolution.

    Returns:
        float32 array of shape (count, height, width), the maps resized to the size of the images.

    Raises:
        ValueError: If the model does not have that layer, the output of the layer does not have rows and columns, the
            images have a shape that the model does not take, or a class does not exist.

    References:
        - [Selvaraju et al., 2017](https://arxiv.org/abs/1610.02391)
    """
    images = _validate_images(model, images)
    lower = _truncate_at(model, layer)
    if len(lower.output.shape) != 4:
        raise ValueError(
            f'Expected a layer with rows, columns and channels. Received: "{layer}" with the output shape '
            f"{tuple(lower.output.shape)}. Choose the activation of the last convolution."
        )
    maps_and_logits = keras.Model(model.inputs, [lower.output, model.outputs[0]])
    classes = _resolve_classes(model, images, classes)

    @tf.function  # compiled for the reasons given in _gradient_function
    def maps_and_gradients(images):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            maps, logits = maps_and_logits(images, training=False)
            scores = tf.gather(logits, classes, axis=1, batch_dims=1)  # (count,)
        return maps, tape.gradient(scores, maps)

    maps, gradients = maps_and_gradients(tf.constant(images))  # both (count, rows, columns, channels)
    weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)  # (count, 1, 1, channels)
    cam = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1, keepdims=True))  # (count, rows, columns, 1)
    return tf.cast(tf.image.resize(cam, images.shape[1:3]), "float32")[..., 0].numpy()


def occlusion(model, images, classes=None, *, size=4, stride=2, fill=128):
    """Occlusion sensitivity: how much the class logit decreases when a square of the image is covered.

    Args:
        model: A `keras.Model` from images to logits.
        images: Array of shape (count, height, width, channels).
        classes: Integer or integer array of shape (count,), the classes to explain; None takes the predicted ones.
        size: Integer, side of the square in pixels, default 4.
        stride: Integer, distance between neighboring squares in pixels, default 2.
        fill: Float, pixel value of the square, default 128.

    Returns:
        float32 array of shape (count, height, width), the mean decrease over all squares that cover a pixel. Positive
        values mean that the pixel supports the class. Pixels that no square covers are 0.

    Raises:
        ValueError: If the images have a shape that the model does not take, or a class does not exist.

    References:
        - [Zeiler and Fergus, 2013](https://arxiv.org/abs/1311.2901)
    """
    images = _validate_images(model, images)
    classes = _resolve_classes(model, images, classes)
    decreases = np.zeros(images.shape[:3], "float32")  # (count, height, width)
    covered = np.zeros(images.shape[1:3], "float32")  # number of squares over each pixel
    before = _logits(model, images, classes)
    for top in range(0, images.shape[1] - size + 1, stride):
        for left in range(0, images.shape[2] - size + 1, stride):
            square = (slice(None), slice(top, top + size), slice(left, left + size))
            occluded = images.copy()
            occluded[square] = fill
            decrease = before - _logits(model, occluded, classes)
            decreases[square] += decrease[:, None, None]
            covered[square[1:]] += 1
    return decreases / np.maximum(covered, 1)


def _validate_images(model, images):
    images = np.asarray(images, "float32")
    expected = model.input_shape[1:]
    fits = (size in (None, n) for size, n in zip(expected, images.shape[1:], strict=False))
    if images.ndim != len(expected) + 1 or not all(fits):
        raise ValueError(
            f"Expected images of shape (count, {', '.join(map(str, expected))}). Received: {images.shape}. "
            "Pass a single image as a batch of one: `image[None]`."
        )
    return images


def _resolve_classes(model, images, classes):
    count = model.output_shape[-1]
    if classes is None:
        return model.predict_on_batch(images).argmax(axis=1).astype("int32")
    classes = np.broadcast_to(np.asarray(classes, "int32"), len(images))
    if classes.min() < 0 or classes.max() >= count:
        raise ValueError(f"Expected classes from 0 to {count - 1}. Received: {sorted(set(classes.tolist()))}.")
    return classes


def _gradient_function(model, classes):
    """A compiled function from images to the gradient of the class logit with respect to the pixels.

    Compilation leaves out the gradients with respect to the weights, which are not needed: they would double the cost,
    and TensorFlow 2.21 on processors crashes in them for 8 channels and 3 images.
    """

    @tf.function
    def gradients(images):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            scores = tf.gather(model(images, training=False), classes, axis=1, batch_dims=1)  # (count,)
        return tape.gradient(scores, images)

    return gradients


def _logits(model, images, classes):
    return model.predict_on_batch(images)[np.arange(len(images)), classes].astype("float32")


def _truncate_at(model, layer):
    """The model from the inputs to the output of a layer."""
    names = [each.name for each in model.layers]
    if layer not in names:
        raise ValueError(f'Expected one of the layers {", ".join(names)}. Received: "{layer}".')
    return keras.Model(model.inputs, model.get_layer(layer).output)
