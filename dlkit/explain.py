"""Grad-CAM: which positions of an image support a class. Lesson 22 builds it and other attribution methods by hand."""

import keras
import numpy as np
import tensorflow as tf

from dlkit import evaluate, validation


def grad_cam(model, images, classes=None, *, layer):
    """Grad-CAM: a class activation map, which shows how much each position of a layer supports the class.

    Every channel is weighted with the mean gradient of the class logit with respect to it, and negative sums are set to
    zero. Built by hand in lesson 22. All images are explained together, so they should be a few hundred at most.

    Args:
        model: A `keras.Model` from images to logits.
        images: Array of shape (count, height, width, channels).
        classes: Integer or integer array of shape (count,), the classes to explain; None takes the predicted ones.
        layer: String, name of a layer whose output has the shape (count, rows, columns, channels), usually the
            activation of the last convolution.

    Returns:
        float32 array of shape (count, height, width), the maps resized to the size of the images.

    Raises:
        ValueError: If the model does not have that layer or returns probabilities, the output of the layer does not
            have rows and columns, `evaluate.check_inputs` refuses the images, or a class does not exist.

    References:
        - [Selvaraju et al., 2017](https://arxiv.org/abs/1610.02391)
    """
    images = np.asarray(evaluate.check_inputs(model, images), "float32")
    if classes is not None:
        classes = np.full(len(images), classes) if np.ndim(classes) == 0 else classes
        num_classes = model.output_shape[-1]
        classes = validation.check_labels(classes, count=len(images), num_classes=num_classes, name="classes")
    output = model.get_layer(layer).output
    if len(output.shape) != 4:
        raise ValueError(f"Expected a layer with rows, columns and channels. Received: {layer}, shape {output.shape}.")
    maps_and_logits = _add_output(model, layer)

    # Compiled without the gradients of the weights: with them, TensorFlow 2.21 crashes on processors for 8 channels.
    @tf.function
    def compute(images, classes):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            maps, logits = maps_and_logits(images, training=False)
            classes = tf.argmax(logits, axis=1) if classes is None else classes
            scores = tf.gather(logits, classes, axis=1, batch_dims=1)  # (count,)
        return maps, logits, tape.gradient(scores, maps)

    maps, logits, gradients = compute(tf.constant(images), classes)
    if validation.are_probabilities(logits):
        raise ValueError(
            "Expected a model that returns logits, because the gradients of probabilities vanish where the model is "
            f"sure. Received: probabilities of {model.name}. Do `model.layers[-1].activation = "
            "keras.activations.linear`."
        )
    weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)  # (count, 1, 1, channels)
    cams = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1, keepdims=True))  # (count, rows, columns, 1)
    cams = tf.cast(tf.image.resize(cams, images.shape[1:3]), "float32")[..., 0].numpy()
    return validation.check_finite("class activation maps", cams)


def _add_output(model, name):
    """A model that also returns the output of a layer, with the weights of `model`."""
    if not isinstance(model, keras.Sequential):
        return keras.Model(model.inputs, [model.get_layer(name).output, model.outputs[0]])
    # Adding a layer to a Sequential calls the earlier ones again, and their `output` stays that of the first call.
    inputs = values = keras.Input(model.input_shape[1:])
    outputs = {layer.name: (values := layer(values)) for layer in model.layers}
    return keras.Model(inputs, [outputs[name], values])
