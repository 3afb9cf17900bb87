"""dlkit.models.common: every builder refuses an argument that is out of range, or lets Keras refuse it."""

import keras
import pytest

from dlkit import models
from tests.models.helpers import SHAPE

IMAGE_BUILDERS = {
    models.build_mlp: 1,
    models.build_classic_cnn: 18,
    models.build_small_resnet: 1,
    models.build_fast_cnn: 7,
    models.build_lenet5: 16,
    models.build_alexnet: 15,
    models.build_vgg: 32,
    models.build_resnet: 1,
}
TEXT_BUILDERS = (models.build_text_mean, models.build_text_cnn, models.build_text_lstm, models.build_text_transformer)


@pytest.mark.parametrize(("build", "size"), IMAGE_BUILDERS.items(), ids=lambda value: getattr(value, "__name__", None))
def test_image_builder_takes_the_smallest_documented_image(build, size):
    small = {"hidden": (8,)} if build is models.build_alexnet else {}
    assert build((size, size, 3), 2, **small).output_shape == (None, 2)
    with pytest.raises(ValueError, match=rf"at least {size} x {size} pixels. Received: \(32, {size - 1}, 3\)"):
        build((32, size - 1, 3), 2)


@pytest.mark.parametrize("shape", [32, None, (32,), (None, 32, 32, 3), (32.0, 32, 3), (None, None, 3), "abc"])
@pytest.mark.parametrize("build", IMAGE_BUILDERS, ids=lambda build: build.__name__)
def test_image_builder_refuses_other_shapes(build, shape):
    with pytest.raises(ValueError, match="Expected input_shape .*Received: "):
        build(shape, 10)


@pytest.mark.parametrize("num_classes", [0, 1, -2, 2.0, True, None])
@pytest.mark.parametrize("build", [models.build_fast_cnn, models.build_mlp], ids=lambda build: build.__name__)
def test_builder_refuses_fewer_than_two_classes(build, num_classes):
    with pytest.raises(ValueError, match="Expected num_classes to be an integer of 2 or more"):
        build(SHAPE, num_classes)


@pytest.mark.parametrize("build", [*IMAGE_BUILDERS, *TEXT_BUILDERS], ids=lambda build: build.__name__)
def test_every_builder_refuses_one_class(build):
    small = {"hidden": ()} if build is models.build_alexnet else {}
    with pytest.raises(ValueError, match="Expected num_classes to be an integer of 2 or more"):
        build(SHAPE if build in IMAGE_BUILDERS else 30, 1, **small)


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (models.build_mlp, {"hidden": 64}, "hidden to be a tuple of 0 or more integers. Received: 64"),
        (models.build_mlp, {"hidden": (64, 0)}, r"hidden\[1\] to be an integer of 1 or more. Received: 0"),
        (models.build_alexnet, {"hidden": (2.5,)}, r"hidden\[0\]"),
        (models.build_small_resnet, {"channels": ()}, "channels to be a tuple of 1 or more integers"),
        (models.build_small_resnet, {"channels": (8, 0)}, r"channels\[1\] to be an integer of 1 or more"),
        (models.build_fast_cnn, {"channels": (0, 8)}, r"channels\[0\] to be an integer of 1 or more"),
        (models.build_fast_cnn, {"patch": 0}, "patch to be an integer of 1 or more"),
        (models.build_fast_cnn, {"stride": 0}, "stride to be an integer of 1 or more"),
        (models.build_resnet, {"channels": (16, 32)}, "channels to be a tuple of 3 integers"),
        (models.build_resnet, {"channels": (32, 16, 8)}, "channels to be an integer of 32 or more. Received: 16"),
        (models.build_resnet, {"depth": 20.0}, "depth to be an integer of 8 or more"),
    ],
)
def test_image_builder_names_the_wrong_argument(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(SHAPE, 10, **options)


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        *[(build, {"embedding_dim": 0}, "embedding_dim to be an integer of 1 or more") for build in TEXT_BUILDERS],
        (models.build_text_cnn, {"channels": 0}, "filters"),  # Keras's words, here and in the next two lines
        (models.build_text_lstm, {"units": 0}, "units"),
        (models.build_text_transformer, {"heads": 33}, "key_dim"),
        (models.build_text_transformer, {"max_length": 0}, "max_length to be an integer"),
        (models.build_text_transformer, {"blocks": 0}, "blocks to be an integer"),
    ],
)
def test_text_builder_names_the_wrong_argument(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(30, 2, **options)
    with pytest.raises(ValueError, match="vocabulary_size to be an integer of 2 or more. Received: 1"):
        build(1, 2)


def test_language_model_names_the_wrong_argument():
    with pytest.raises(ValueError, match="blocks to be an integer"):
        models.build_language_model(30, blocks=-1)


def test_dtype_policy_is_restored_after_an_error():
    before = keras.config.dtype_policy()
    with pytest.raises(ValueError, match="num_classes"):
        models.build_small_resnet(SHAPE, 1, precision="mixed_bfloat16")
    assert keras.config.dtype_policy() is before
