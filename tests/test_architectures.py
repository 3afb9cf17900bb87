"""The well-known networks: what makes each itself, its costs against TensorFlow's own counter, and that it trains."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from dlkit import data, models
from tests.random_weights import randomize

SHAPE = (32, 32, 3)
SMALL_HEAD = {"hidden": (32,)}
BUILDERS = {
    "lenet5": lambda: models.build_lenet5(SHAPE, 10),
    "alexnet": lambda: models.build_alexnet(SHAPE, 10, **SMALL_HEAD),
    "vgg11": lambda: models.build_vgg(SHAPE, 10, depth=11, **SMALL_HEAD),
    "vgg16": lambda: models.build_vgg(SHAPE, 10, **SMALL_HEAD),
    "resnet20": lambda: models.build_resnet(SHAPE, 10),
    "plain20": lambda: models.build_resnet(SHAPE, 10, shortcut=None),
    "resnet20_projection": lambda: models.build_resnet(SHAPE, 10, shortcut="projection", name="resnet20_projection"),
}


@pytest.fixture(params=BUILDERS)
def network(request):
    keras.utils.set_random_seed(0)
    return BUILDERS[request.param]()


def test_raw_pixels_in_logits_out_and_the_same_after_saving(network, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, *SHAPE)).astype("uint8")
    logits = keras.ops.convert_to_numpy(network(pixels))
    assert logits.shape == (2, 10)
    assert (logits < 0).any(), "logits, not probabilities"
    assert np.abs(logits).max() < 50, "pixels are scaled inside"
    assert not network.compiled
    randomize(network).save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(pixels), network(pixels))


def tensorflows_own_count(model):
    """Multiply-adds of convolutions and matrix products as TensorFlow's profiler counts them in the graph."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function = tf.function(lambda x: model(x, training=False))
    graph = convert_variables_to_constants_v2(
        function.get_concrete_function(tf.TensorSpec((1, *model.input_shape[1:]), tf.float32))
    ).graph
    options = {**tf.compat.v1.profiler.ProfileOptionBuilder.float_operation(), "output": "none"}
    ops = tf.compat.v1.profiler.profile(graph, cmd="op", options=options).children
    flops, ops = {}, list(ops)
    while ops:
        op = ops.pop()
        ops += op.children
        flops[op.name] = op.float_ops
    return sum(flops.get(name, 0) for name in ("Conv2D", "DepthwiseConv2dNative", "MatMul")) / 2


def test_multiply_adds_are_those_of_tensorflows_profiler(network):
    assert sum(models.count_macs(network).values()) == tensorflows_own_count(network)


def test_multiply_adds_of_every_kind_of_layer():
    inputs = keras.Input((12, 10, 6))
    x = layers.Conv2D(8, 3, strides=2, padding="same", groups=2, name="grouped")(inputs)
    x = layers.DepthwiseConv2D(3, dilation_rate=2, name="depthwise")(x)
    x = layers.BatchNormalization()(x)
    x = layers.SeparableConv2D(5, 3, padding="same", name="separable")(x)
    x = layers.Flatten()(keras.Sequential([layers.Conv2D(4, 1)], name="inner")(x))
    model = keras.Model(inputs, layers.Dense(7, name="dense")(x))
    assert models.count_macs(model) == {
        "grouped": 6 * 5 * 3 * 3 * 3 * 8,
        "depthwise": 2 * 1 * 3 * 3 * 8,
        "separable": 2 * 1 * (3 * 3 * 8 + 8 * 5),
        "inner": 2 * 1 * 5 * 4,
        "dense": 8 * 7,
    }


def test_multiply_adds_of_separable_layers_are_the_profilers():
    inputs = keras.Input((12, 10, 6))
    x = layers.DepthwiseConv2D(3, strides=2)(inputs)
    x = layers.SeparableConv2D(5, 3, padding="same")(x)
    model = keras.Model(inputs, layers.Dense(7)(layers.Flatten()(x)))
    assert sum(models.count_macs(model).values()) == tensorflows_own_count(model) > 0


def test_a_layer_whose_products_are_not_known_is_named():
    with pytest.raises(ValueError, match=r'layer "memory" \(LSTM\) are not known'):
        models.count_macs(keras.Sequential([keras.Input((5, 2)), layers.LSTM(3, name="memory")]))


def kinds(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


def test_lenet_has_its_papers_shapes():
    lenet = models.build_lenet5((32, 32, 1), 10)
    shapes = [lenet.get_layer(name).output.shape[1:] for name in ("conv_1", "pool_1", "conv_2", "pool_2")]
    assert shapes == [(28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16)]  # figure 2
    assert lenet.count_params() == 156 + 2416 + 48_120 + 10_164 + 850


def test_alexnet_has_five_convolutions_with_its_papers_channels():
    alexnet = models.build_alexnet(SHAPE, 10)
    assert [layer.filters for layer in kinds(alexnet, layers.Conv2D)] == [96, 256, 384, 384, 256]
    assert [layer.units for layer in kinds(alexnet, layers.Dense)] == [4096, 4096, 10]
    # without the split over two GPUs: what a convolution sees is all that the one before gives
    kernels = 3 * 25 * 96 + 96 * 25 * 256 + 256 * 9 * 384 + 384 * 9 * 384 + 384 * 9 * 256
    assert sum(layer.kernel.shape.num_elements() for layer in kinds(alexnet, layers.Conv2D)) == kernels


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "vgg16"])
def test_every_layer_but_the_last_has_relu_and_half_of_each_hidden_layer_is_dropped(name):
    network = BUILDERS[name]()
    with_weights = kinds(network, (layers.Conv2D, layers.Dense))
    assert [layer.activation.__name__ for layer in with_weights] == ["relu"] * (len(with_weights) - 1) + ["linear"]
    assert [layer.rate for layer in kinds(network, layers.Dropout)] == [0.5] * (len(kinds(network, layers.Dense)) - 1)


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_vgg_has_the_convolutions_of_keras_applications(depth):
    vgg = models.build_vgg(SHAPE, 10, depth=depth, hidden=())
    convolutions = kinds(vgg, layers.Conv2D)
    assert len(convolutions) == depth - 3
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    application = {16: keras.applications.VGG16, 19: keras.applications.VGG19}.get(depth)
    if application:
        theirs = application(weights=None, include_top=False, input_shape=SHAPE).count_params()
        assert vgg.count_params() - vgg.get_layer("logits").count_params() == theirs


def test_resnet20_has_its_papers_size_and_plain20_as_many_parameters():
    resnet, plain = models.build_resnet(SHAPE, 10), models.build_resnet(SHAPE, 10, shortcut=None)
    assert round(resnet.count_params() / 1e6, 2) == 0.27  # table 6
    assert resnet.count_params() == plain.count_params()
    assert len(kinds(resnet, layers.Conv2D)) + len(kinds(resnet, layers.Dense)) == 20
    assert len(kinds(resnet, layers.Add)) == 9
    assert not kinds(plain, layers.Add)
    assert [resnet.get_layer(f"stage_{s}_block_3_relu_2").output.shape[1:] for s in (1, 2, 3)] == [
        (32, 32, 16),
        (16, 16, 32),
        (8, 8, 64),
    ]


@pytest.mark.parametrize("depth", [8, 14, 32, 56, 110])
def test_depth_counts_the_layers_with_weights(depth):
    resnet = models.build_resnet((8, 8, 3), 10, depth=depth, channels=(2, 2, 2))
    assert len(kinds(resnet, layers.Conv2D)) + 1 == depth
    assert resnet.name == f"resnet{depth}"


def test_a_shortcut_of_zeros_passes_every_second_pixel_and_adds_empty_channels():
    inputs = keras.Input((6, 6, 2))
    block = keras.Model(inputs, models.residual_block(inputs, 4, stride=2, shortcut="zeros", name="b"))
    norm = randomize(block).get_layer("b_norm_2")  # silence the branch
    norm.gamma.assign(0 * norm.gamma)
    norm.beta.assign(0 * norm.beta)
    x = np.random.default_rng(0).normal(size=(1, 6, 6, 2)).astype("float32")
    result = np.asarray(block(x))
    np.testing.assert_allclose(result[..., :2], np.maximum(x[:, ::2, ::2], 0), atol=1e-6)
    assert (result[..., 2:] == 0).all()


def test_wrong_settings_are_told():
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
# Settings that suffice for 512 images: learning rate of Adam, epochs at most.
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
    """Stops when the training images themselves are classified well enough, in inference mode."""

    def __init__(self, images, labels, accuracy):
        super().__init__()
        self.images, self.labels, self.wanted, self.accuracy = images, labels, accuracy, 0.0

    def on_epoch_end(self, epoch, logs=None):
        if logs["accuracy"] > 0.5:  # dropout keeps it low in training
            logits = self.model.predict(self.images, batch_size=256, verbose=0)
            self.accuracy = np.mean(logits.argmax(axis=1) == self.labels)
            self.model.stop_training = bool(self.accuracy >= self.wanted)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILDERS)
def test_it_learns_512_images(name):
    """Overfitting a little data is the first thing a network must be able to do."""
    keras.utils.set_random_seed(0)
    photos = data.load("cifar10")
    images, labels = photos.train[0][:512], photos.train[1][:512]
    network, (learning_rate, epochs) = FULL_SIZE[name](), TRAINING[name]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(learning_rate), loss, metrics=["accuracy"])
    train_ds = data.pipeline(images, labels, batch_size=32, training=True)
    stop = StopAt(images, labels, 0.95)
    history = network.fit(train_ds, epochs=epochs, callbacks=[stop], verbose=0, shuffle=False).history
    print(f"{name}: {stop.accuracy:.3f} after {len(history['loss'])} epochs")
    assert stop.accuracy >= 0.95
