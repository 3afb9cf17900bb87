"""What the tests of several modules in dlkit/transfer share: a small backbone, images, a trained head."""

import keras
import numpy as np
from keras import layers

from dlkit import training, transfer

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
IMAGES = np.random.default_rng(0).integers(0, 256, (10, 16, 16, 3)).astype("uint8")


def build_tiny(image_size=None):
    """A small backbone: three stages with batch normalization, a residual connection, pooled features."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 3), name="pixels")
    x = keras.ops.image.resize(inputs, (image_size, image_size)) if image_size else inputs
    x = layers.Rescaling(1 / 255)(x)
    x = layers.Conv2D(4, 3, padding="same", name="conv1_conv")(x)
    x = layers.ReLU(name="conv1_relu")(layers.BatchNormalization(name="conv1_bn")(x))
    y = layers.Conv2D(4, 3, padding="same", name="conv2_conv")(x)
    y = layers.BatchNormalization(name="conv2_bn")(y)
    x = layers.ReLU(name="conv2_out")(layers.Add(name="conv2_add")([x, y]))
    x = layers.Conv2D(6, 3, name="conv3_conv")(x)
    x = layers.BatchNormalization(name="conv3_bn")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x), name="tiny")


def build_classifier():
    """The small backbone with a head of two dense layers."""
    backbone = build_tiny()
    head = transfer.build_head(backbone.output_shape[1:], 3, hidden=(5,))
    return keras.Model(backbone.input, head(backbone.output), name="classifier")


def backbone_with_head(dataset, image_size, folder, epochs=10):
    """MobileNet with its ImageNet weights, and a linear head trained on its features of 10,000 images."""
    keras.utils.set_random_seed(0)
    backbone = transfer.build_backbone("mobilenet", (32, 32, 3), image_size=image_size)
    images, labels = (array[:10_000] for array in dataset.train)
    features = np.asarray(transfer.cached_features(backbone, images, folder), "float32")
    head = transfer.build_head(features.shape[1:], 10, hidden=())
    head.compile(keras.optimizers.Adam(training.OneCycle(1e-2, epochs * -(-len(labels) // 128))), LOSS)
    head.fit(features, labels, batch_size=128, epochs=epochs, verbose=0)
    return backbone, head
