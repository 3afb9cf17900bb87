"""dlkit.models.common: every builder names an argument that is out of range, before anything is built."""

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
    small = {"hidden": (8,)} if build in (models.build_alexnet, models.build_vgg) else {}
    assert build((size, size, 3), 2, **small).output_shape == (None, 2)
    with pytest.raises(ValueError, match=rf"at least {size} x {size} pixels. Received: \(32, {size - 1}, 3\)"):
        build((32, size - 1, 3), 2)


@pytest.mark.parametrize("shape", [32, None, (32,), (None, 32, 32, 3), (32.0, 32, 3), (None, None, 3), "abc"])
@pytest.mark.parametrize("build", IMAGE_BUILDERS, ids=lambda build: build.__name__)
def test_image_builder_refuses_other_shapes(build, shape):
    with pytest.raises(ValueError, match="Expected input_shape .*Received: "):
        build(shape, 10)


@pytest.mark.parametrize("build", [build for build in IMAGE_BUILDERS if build is not models.build_mlp])
def test_image_builder_says_how_to_pass_gray_images(build):
    with pytest.raises(ValueError, match=r"Received: \(32, 32\). Gray images need an axis of channels"):
        build((32, 32), 10)


@pytest.mark.parametrize("num_classes", [0, 1, -2, 2.0, True, None])
@pytest.mark.parametrize("build", [*IMAGE_BUILDERS, *TEXT_BUILDERS], ids=lambda build: build.__name__)
def test_builder_refuses_fewer_than_two_classes(build, num_classes):
    with pytest.raises(ValueError, match="Expected num_classes to be an integer of 2 or more"):
        build(SHAPE if build in IMAGE_BUILDERS else 30, num_classes)


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (models.build_mlp, {"hidden": 64}, "hidden to be a tuple of 0 or more integers. Received: 64"),
        (models.build_mlp, {"hidden": (64, 0)}, r"hidden\[1\] to be an integer of 1 or more. Received: 0"),
        (models.build_alexnet, {"hidden": (2.5,)}, r"hidden\[0\]"),
        (models.build_small_resnet, {"channels": ()}, "channels to be a tuple of 1 or more integers"),
        (models.build_small_resnet, {"blocks": 0}, "blocks to be an integer of 1 or more"),
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
        *[(build, {"dropout": 1.5}, "dropout to be a number") for build in TEXT_BUILDERS],
        (models.build_text_cnn, {"channels": 0}, "channels to be an integer"),
        (models.build_text_cnn, {"kernel_size": 0}, "kernel_size to be an integer"),
        (models.build_text_lstm, {"units": 0}, "units to be an integer"),
        (models.build_text_transformer, {"heads": 3}, "embedding_dim to be a multiple of heads = 3. Received: 32"),
        (models.build_text_transformer, {"max_length": 0}, "max_length to be an integer"),
        (models.build_text_transformer, {"blocks": 0}, "blocks to be an integer"),
        (models.build_text_transformer, {"hidden": 0}, "hidden to be an integer"),
    ],
)
def test_text_builder_names_the_wrong_argument(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(30, 2, **options)
    with pytest.raises(ValueError, match="vocabulary_size to be an integer of 2 or more. Received: 1"):
        build(1, 2)


def test_language_model_names_the_wrong_argument():
    with pytest.raises(ValueError, match="embedding_dim to be a multiple of heads = 3. Received: 64"):
        models.build_language_model(30, heads=3)
    with pytest.raises(ValueError, match="blocks to be an integer"):
        models.build_language_model(30, blocks=-1)


def test_dtype_policy_is_restored_after_an_error():
    before = keras.config.dtype_policy()
    with pytest.raises(ValueError, match="num_classes"):
        models.build_small_resnet(SHAPE, 1, precision="mixed_bfloat16")
    assert keras.config.dtype_policy() is before
