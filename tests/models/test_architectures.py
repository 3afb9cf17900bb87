"""dlkit.models.architectures: what is characteristic of each network, and that it can be trained."""

import keras
import numpy as np
import pytest
from keras import layers

from dlkit import data, models
from tests.models.helpers import BUILDERS, SHAPE
from tests.random_weights import randomize


def test_architecture_takes_raw_pixels_and_can_be_saved(architecture, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, *SHAPE)).astype("uint8")
    logits = keras.ops.convert_to_numpy(architecture(pixels))
    assert logits.shape == (2, 10)
    assert (logits < 0).any(), "logits, not probabilities"
    assert np.abs(logits).max() < 50, "pixels are scaled inside the model"
    assert not architecture.compiled
    randomize(architecture).save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(pixels), architecture(pixels))


def layers_of_type(model, types):
    return [layer for layer in model.layers if isinstance(layer, types)]


def test_lenet5_has_the_shapes_of_its_paper():
    lenet = models.build_lenet5((32, 32, 1), 10)
    shapes = [lenet.get_layer(name).output.shape[1:] for name in ("conv_1", "pool_1", "conv_2", "pool_2")]
    assert shapes == [(28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16)]  # figure 2
    assert lenet.count_params() == 156 + 2416 + 48_120 + 10_164 + 850


def test_alexnet_has_the_channels_of_its_paper():
    alexnet = models.build_alexnet(SHAPE, 10)
    assert [layer.filters for layer in layers_of_type(alexnet, layers.Conv2D)] == [96, 256, 384, 384, 256]
    assert [layer.units for layer in layers_of_type(alexnet, layers.Dense)] == [4096, 4096, 10]
    # without the split over two GPUs, each convolution is connected to all channels of the one before
    kernels = 3 * 25 * 96 + 96 * 25 * 256 + 256 * 9 * 384 + 384 * 9 * 384 + 384 * 9 * 256
    assert sum(layer.kernel.shape.num_elements() for layer in layers_of_type(alexnet, layers.Conv2D)) == kernels


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "vgg16"])
def test_alexnet_and_vgg_have_relu_and_dropout_of_one_half(name):
    network = BUILDERS[name]()
    with_weights = layers_of_type(network, (layers.Conv2D, layers.Dense))
    assert [layer.activation.__name__ for layer in with_weights] == ["relu"] * (len(with_weights) - 1) + ["linear"]
    hidden_layers = len(layers_of_type(network, layers.Dense)) - 1
    assert [layer.rate for layer in layers_of_type(network, layers.Dropout)] == [0.5] * hidden_layers


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_vgg_has_the_convolutions_of_keras_applications(depth):
    vgg = models.build_vgg(SHAPE, 10, depth=depth, hidden=())
    convolutions = layers_of_type(vgg, layers.Conv2D)
    assert len(convolutions) == depth - 3
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    application = {16: keras.applications.VGG16, 19: keras.applications.VGG19}.get(depth)
    if application:
        theirs = application(weights=None, include_top=False, input_shape=SHAPE).count_params()
        assert vgg.count_params() - vgg.get_layer("logits").count_params() == theirs


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


@pytest.mark.parametrize("depth", [8, 14, 32, 56, 110])
def test_resnet_depth_is_the_number_of_layers_with_weights(depth):
    resnet = models.build_resnet((8, 8, 3), 10, depth=depth, channels=(2, 2, 2))
    assert len(layers_of_type(resnet, layers.Conv2D)) + 1 == depth
    assert resnet.name == f"resnet{depth}"


def test_build_vgg_and_resnet_refuse_wrong_settings():
    with pytest.raises(ValueError, match="11, 13, 16 or 19. Received: 12"):
        models.build_vgg(SHAPE, 10, depth=12)
    with pytest.raises(ValueError, match="6n \\+ 2.*Received: 18"):
        models.build_resnet(SHAPE, 10, depth=18)
    with pytest.raises(ValueError, match="Received: 'identity'"):
        models.build_resnet(SHAPE, 10, shortcut="identity")


FULL_SIZE = BUILDERS | {
    "alexnet": lambda: models.build_alexnet(SHAPE, 10),
    "vgg11": lambda: models.build_vgg(SHAPE, 10, depth=11),
    "vgg16": lambda: models.build_vgg(SHAPE, 10),
}
# Settings that suffice for 512 images: learning rate of Adam, largest number of epochs.
TRAINING = {
    "lenet5": (0.001, 120),
    "alexnet": (0.0002, 60),
    "vgg11": (0.0003, 60),
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
