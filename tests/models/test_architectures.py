"""dlkit.models.architectures: what is characteristic of each network, and that it can be trained."""

import inspect

import keras
import numpy as np
import pytest
from keras import layers

from dlkit import data, models
from tests.models.helpers import BUILDERS, SHAPE


@pytest.mark.parametrize("name", BUILDERS)
def test_architecture_takes_raw_pixels(name):
    keras.utils.set_random_seed(0)
    architecture = BUILDERS[name]()
    pixels = np.random.default_rng(0).integers(0, 256, (2, *SHAPE)).astype("uint8")
    logits = keras.ops.convert_to_numpy(architecture(pixels))
    assert logits.shape == (2, 10)
    assert (logits < 0).any(), "logits, not probabilities"
    assert np.abs(logits).max() < 50, "pixels are scaled inside the model"
    assert not architecture.compiled


def layers_of_type(model, types):
    return [layer for layer in model.layers if isinstance(layer, types)]


def assert_relu_and_dropout_of_one_half(model, hidden):
    with_weights = layers_of_type(model, (layers.Conv2D, layers.Dense))
    assert [layer.activation.__name__ for layer in with_weights] == ["relu"] * (len(with_weights) - 1) + ["linear"]
    assert [layer.units for layer in layers_of_type(model, layers.Dense)] == [*hidden, 10]
    assert [layer.rate for layer in layers_of_type(model, layers.Dropout)] == [0.5, 0.5]


def test_lenet5_has_the_shapes_of_its_paper():
    lenet = models.build_lenet5((32, 32, 1), 10)
    shapes = [lenet.get_layer(name).output.shape[1:] for name in ("conv_1", "pool_1", "conv_2", "pool_2")]
    assert shapes == [(28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16)]  # figure 2
    assert lenet.count_params() == 156 + 2416 + 48_120 + 10_164 + 850


def test_alexnet_has_the_layers_of_its_paper():
    alexnet = models.build_alexnet(SHAPE, 10, hidden=(32, 16))
    assert [layer.filters for layer in layers_of_type(alexnet, layers.Conv2D)] == [96, 256, 384, 384, 256]
    assert_relu_and_dropout_of_one_half(alexnet, hidden=(32, 16))
    # without the split over two GPUs, each convolution is connected to all channels of the one before
    kernels = 3 * 25 * 96 + 96 * 25 * 256 + 256 * 9 * 384 + 384 * 9 * 384 + 384 * 9 * 256
    assert sum(layer.kernel.shape.num_elements() for layer in layers_of_type(alexnet, layers.Conv2D)) == kernels
    assert inspect.signature(models.build_alexnet).parameters["hidden"].default == (4096, 4096)


def test_vgg_has_the_convolutions_of_keras_applications():
    ours, theirs = models.build_vgg(SHAPE, 10), keras.applications.VGG16(False, weights=None, input_shape=SHAPE)
    convolutions = [layers_of_type(model, layers.Conv2D) for model in (ours, theirs)]
    assert len(convolutions[0]) == 16 - 3
    kernels = [[tuple(layer.kernel.shape) for layer in found] for found in convolutions]
    assert kernels[0] == kernels[1]
    assert_relu_and_dropout_of_one_half(ours, hidden=(512, 512))


def test_resnet20_has_the_size_of_its_paper():
    resnet, plain = models.build_resnet(SHAPE, 10), models.build_resnet(SHAPE, 10, shortcut=None)
    assert round(resnet.count_params() / 1e6, 2) == 0.27  # table 6
    assert resnet.count_params() == plain.count_params()
    assert len(layers_of_type(resnet, layers.Conv2D)) + len(layers_of_type(resnet, layers.Dense)) == 20
    assert len(layers_of_type(resnet, layers.Add)) == 9
    assert not layers_of_type(plain, layers.Add)
    assert [resnet.get_layer(f"stage_{s}_block_3_relu_2").output.shape[1:] for s in (1, 2, 3)] == [
        (32, 32, 16),
        (16, 16, 32),
        (8, 8, 64),
    ]


@pytest.mark.parametrize("depth", [8, 14])
def test_resnet_depth_is_the_number_of_layers_with_weights(depth):
    resnet = models.build_resnet((8, 8, 3), 10, depth=depth, channels=(2, 2, 2))
    assert len(layers_of_type(resnet, layers.Conv2D)) + 1 == depth
    assert resnet.name == f"resnet{depth}"


def test_build_resnet_refuses_wrong_settings():
    with pytest.raises(ValueError, match="6n \\+ 2.*Received: 18"):
        models.build_resnet(SHAPE, 10, depth=18)
    with pytest.raises(ValueError, match="Received: 'identity'"):
        models.build_resnet(SHAPE, 10, shortcut="identity")


FULL_SIZE = BUILDERS | {"alexnet": lambda: models.build_alexnet(SHAPE, 10)}
# Settings that suffice for 512 images: learning rate of Adam, largest number of epochs.
TRAINING = {
    "lenet5": (0.001, 120),
    "alexnet": (0.0002, 60),
    "vgg16": (0.0002, 100),
    "resnet20": (0.003, 60),
    "plain20": (0.003, 120),
    "resnet20_projection": (0.003, 60),
}


class StopAt(keras.callbacks.Callback):
    """Stops when the accuracy on the training images themselves, in inference mode, reaches a target."""

    def __init__(self, images, labels, target):
        super().__init__()
        self.images, self.labels, self.target, self.accuracy = images, labels, target, 0.0

    def on_epoch_end(self, epoch, logs=None):
        if logs["accuracy"] > 0.5:  # because of dropout, the accuracy in training mode is lower
            logits = self.model.predict(self.images, batch_size=256, verbose=0)
            self.accuracy = np.mean(logits.argmax(axis=1) == self.labels)
            self.model.stop_training = bool(self.accuracy >= self.target)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILDERS)
def test_architecture_overfits_512_images(name):
    """A network must at least be able to overfit a small data set."""
    keras.utils.set_random_seed(0)
    dataset = data.load("cifar10")
    images, labels = dataset.train[0][:512], dataset.train[1][:512]
    network, (learning_rate, epochs) = FULL_SIZE[name](), TRAINING[name]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(learning_rate), loss, metrics=["accuracy"])
    train_ds = data.pipeline(images, labels, batch_size=32, training=True)
    stop = StopAt(images, labels, 0.95)
    history = network.fit(train_ds, epochs=epochs, callbacks=[stop], verbose=0, shuffle=False).history
    print(f"{name}: {stop.accuracy:.3f} after {len(history['loss'])} epochs")
    assert stop.accuracy >= 0.95
