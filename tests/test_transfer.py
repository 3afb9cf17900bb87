"""Backbones fed rightly, weights never silently random, freezing by stage, features computed once."""

import contextlib
import functools
import http.server
import os
import shutil
import threading

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from dlkit import data, evaluate, training, transfer
from tests.random_weights import randomize

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
IMAGES = np.random.default_rng(0).integers(0, 256, (10, 16, 16, 3)).astype("uint8")


def build_tiny(image_size=None):
    """A backbone in small: two stages, batch normalisation, a shortcut, pooled features."""
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
    backbone = build_tiny()
    head = transfer.build_head(backbone.output_shape[1:], 3, hidden=(5,))
    return keras.Model(backbone.input, head(backbone.output), name="classifier")


# --- backbones


@pytest.mark.parametrize("name", transfer.BACKBONES)
def test_a_backbone_gives_what_keras_applications_gives_with_its_own_preprocessing(name):
    backbone = transfer.BACKBONES[name]
    ours = transfer.build_backbone(name, (20, 24, 3), image_size=32, weights=None)
    theirs = getattr(keras.applications, backbone.application)(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg", **backbone.options
    )
    theirs.set_weights(randomize(ours).get_weights()[-len(theirs.weights) :])
    module = {"mobilenetv2": "mobilenet_v2", "resnet50v2": "resnet_v2", "efficientnetv2b0": "efficientnet_v2"}
    preprocess = getattr(keras.applications, module.get(name, name)).preprocess_input
    pixels = np.random.default_rng(0).integers(0, 256, (2, 20, 24, 3)).astype("float32")
    resized = np.array(keras.ops.image.resize(pixels, (32, 32)))
    expected = np.array(theirs(preprocess(resized.copy())))
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(ours(pixels), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_images_of_the_right_size_are_not_resized():
    names = [
        layer.name for layer in transfer.build_backbone("mobilenet", (32, 32, 3), image_size=32, weights=None).layers
    ]
    assert "resize" not in names
    assert "conv_pw_13" in names, "layers keep the names of keras.applications"


def test_a_saved_backbone_gives_the_same_numbers(tmp_path):
    model = randomize(transfer.build_backbone("resnet50", (16, 16, 3), image_size=32, weights=None))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(IMAGES[:2]), again(IMAGES[:2]))


def test_unknown_backbones_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match='resnet50, .*Received: "vgg"'):
        transfer.build_backbone("vgg", (32, 32, 3))


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    """Weights of a MobileNet in the old HDF5 format in which Keras publishes them."""
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    keras.utils.set_random_seed(7)
    model = keras.applications.MobileNet(include_top=False, weights=None, alpha=0.25, input_shape=(224, 224, 3))
    path = tmp_path_factory.mktemp("weights") / transfer.BACKBONES["mobilenet"].file
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)
    return path, model.get_weights()


def test_weights_are_found_in_dlkit_data(weights_file, empty_room):
    (empty_room / "weights").mkdir()
    shutil.copy(weights_file[0], empty_room / "weights")
    model = transfer.build_backbone("mobilenet", (32, 32, 3), image_size=96)
    for ours, theirs in zip(model.get_weights(), weights_file[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@contextlib.contextmanager
def served(folder):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = lambda *arguments: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_weights_are_downloaded_by_keras_into_its_cache(weights_file, empty_room, monkeypatch, capsys):
    monkeypatch.delenv("DLKIT_OFFLINE")
    (empty_room.parent / "keras").mkdir()
    with served(weights_file[0].parent) as address:
        monkeypatch.setattr("keras.src.applications.mobilenet.BASE_WEIGHT_PATH", address)
        monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(empty_room.parent / "keras"))
        path = transfer.find_weights("mobilenet")
    assert path == empty_room.parent / "keras" / "models" / weights_file[0].name
    model = transfer.build_backbone("mobilenet", (32, 32, 3), image_size=96)  # from the cache: the server is gone
    np.testing.assert_array_equal(model.get_weights()[0], weights_file[1][0])


@pytest.mark.parametrize("network", [False, True])
def test_missing_weights_are_an_error_with_the_next_step(empty_room, monkeypatch, network):
    if network:
        monkeypatch.delenv("DLKIT_OFFLINE")
        monkeypatch.setattr("keras.src.applications.mobilenet.BASE_WEIGHT_PATH", "http://127.0.0.1:9/")
    with pytest.raises(data.DataError, match=r"mobilenet_2_5_224_tf_no_top.h5 into the folder weights/.*weights=None"):
        transfer.build_backbone("mobilenet", (32, 32, 3))


def test_damaged_and_foreign_weights_are_named(weights_file, tmp_path):
    (tmp_path / "cut.h5").write_bytes(weights_file[0].read_bytes()[:5000])
    with pytest.raises(data.DataError, match="cut.h5 does not hold weights of mobilenet"):
        transfer.build_backbone("mobilenet", (32, 32, 3), weights=tmp_path / "cut.h5")
    with pytest.raises(data.DataError, match="does not hold weights of mobilenetv2"):
        transfer.build_backbone("mobilenetv2", (32, 32, 3), weights=weights_file[0])


# --- freezing


def moved(model):
    """Names of the weights that one training step changes."""
    before = [np.array(weight) for weight in model.weights]
    model.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.train_on_batch(IMAGES, np.arange(10) % 3)
    return {w.path for w, old in zip(model.weights, before, strict=True) if (np.array(w) != old).any()}


def test_frozen_nothing_moves(capsys):
    model = build_classifier()
    assert transfer.freeze(model) == 0
    assert moved(model) == set()
    assert "classifier: 0 of" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("stage", "parts"),
    [
        ("head", {"hidden_1", "logits"}),
        ("conv3", {"conv3_conv", "hidden_1", "logits"}),
        ("conv2", {"conv2_conv", "conv3_conv", "hidden_1", "logits"}),
        ("", {"conv1_conv", "conv2_conv", "conv3_conv", "hidden_1", "logits"}),
    ],
)
def test_unfrozen_from_a_stage_on_that_moves_and_nothing_else(stage, parts, capsys):
    model = build_classifier()
    count = transfer.unfreeze(model, stage)
    assert f"{count:,} of {model.count_params():,} parameters are trained" in capsys.readouterr().out
    changed = moved(model)
    assert {path.split("/")[-2] for path in changed} == parts, "batch normalisation, its statistics too, stays as it is"
    assert count == sum(np.size(w) for w in model.weights if w.path in changed)


def test_batch_normalisation_is_trained_from_the_stage_on_when_asked_for():
    model = build_classifier()
    count = transfer.unfreeze(model, "conv3", batch_norm=True)
    assert count == transfer.unfreeze(model, "conv3") + 12, "gamma and beta of six channels"
    transfer.unfreeze(model, "conv3", batch_norm=True)
    assert {path.split("/")[-2] for path in moved(model)} == {"conv3_conv", "conv3_bn", "hidden_1", "logits"}


def test_unfreezing_again_freezes_what_is_before():
    model = build_classifier()
    assert transfer.unfreeze(model, "") > transfer.unfreeze(model, "conv3") > transfer.unfreeze(model, "head")


def test_an_unknown_stage_is_told_with_the_known_ones():
    with pytest.raises(ValueError, match='begins with "conv9".*conv1, conv2, conv3, .*head'):
        transfer.unfreeze(build_classifier(), "conv9")


@pytest.mark.parametrize("stage", ["conv2", "conv3", "head"])
def test_split_models_do_together_what_the_whole_does_and_share_its_weights(stage):
    model = randomize(build_classifier())
    lower, upper = transfer.split_model(model, stage)
    np.testing.assert_allclose(upper(lower(IMAGES)), model(IMAGES), atol=1e-6)
    upper.layers[-1].layers[-1].bias.assign([5.0, 6.0, 7.0])
    np.testing.assert_allclose(upper(lower(IMAGES)), model(IMAGES), atol=1e-6)


def test_a_cut_through_a_residual_block_is_refused():
    with pytest.raises(ValueError, match="cannot be cut before conv2_bn: a shortcut goes past it"):
        transfer.split_model(build_classifier(), "conv2_bn")
    with pytest.raises(ValueError, match="conv2_add has several inputs"):
        transfer.split_model(build_classifier(), "conv2_add")


def test_l2_sp_is_nothing_at_the_start_and_pulls_back_after():
    model = build_classifier()
    transfer.unfreeze(model, "conv3")
    assert transfer.add_l2_sp(model, 0.1) == 2
    assert float(sum(model.losses)) == 0
    kernel = model.get_layer("conv3_conv").kernel
    kernel.assign(kernel + 0.5)
    assert float(sum(model.losses)) == pytest.approx(0.1 * 0.25 * np.size(kernel), rel=1e-4)


def test_l2_sp_keeps_weights_nearer_to_where_they_started():
    distances = []
    for strength in (0.0, 1.0):
        model = build_classifier()
        transfer.unfreeze(model, "")
        transfer.add_l2_sp(model, strength)
        start = np.array(model.get_layer("conv1_conv").kernel)
        model.compile(keras.optimizers.SGD(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        for _ in range(20):
            model.train_on_batch(IMAGES, np.arange(10) % 3)
        distances.append(np.abs(np.array(model.get_layer("conv1_conv").kernel) - start).sum())
    assert distances[1] < 0.7 * distances[0]


# --- cached features


class Counting:
    """Counts how many images a model is given."""

    def __init__(self, model, monkeypatch, stop_after=None):
        self.seen, self.stop_after, original = 0, stop_after, model.predict_on_batch

        def predict(images):
            if self.stop_after is not None and self.seen >= self.stop_after:
                raise KeyboardInterrupt
            self.seen += len(images)
            return original(images)

        monkeypatch.setattr(model, "predict_on_batch", predict)


def test_features_are_the_models_and_computed_once(tmp_path, monkeypatch):
    model = randomize(build_tiny())
    counting = Counting(model, monkeypatch)
    features = transfer.cached_features(model, IMAGES, tmp_path, batch_size=4)
    assert (features.dtype, features.shape, counting.seen) == (np.float16, (10, 6), 10)
    np.testing.assert_allclose(features, model(IMAGES), rtol=1e-2, atol=1e-3)
    again = transfer.cached_features(randomize(build_tiny()), IMAGES, tmp_path)
    assert isinstance(again, np.memmap)
    np.testing.assert_array_equal(features, again)
    np.testing.assert_array_equal(transfer.cached_features(model, IMAGES, tmp_path), features)
    assert counting.seen == 10
    assert len(list(tmp_path.iterdir())) == 1


def test_the_folder_is_made_together_with_its_parents(tmp_path):
    features = transfer.cached_features(build_tiny(), IMAGES, tmp_path / "runs" / "first" / "features")
    assert len(features) == len(IMAGES)


def test_flipped_copies_come_second(tmp_path):
    model = build_tiny()
    both = transfer.cached_features(model, IMAGES, tmp_path, flipped=True)
    assert both.shape == (2, 10, 6)
    np.testing.assert_allclose(both[1], model(IMAGES[:, :, ::-1]), rtol=1e-2, atol=1e-3)
    np.testing.assert_array_equal(both[0], transfer.cached_features(model, IMAGES, tmp_path))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such lock")
def test_two_at_once_compute_the_same_features_once(tmp_path, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    model = build_tiny()
    whole = transfer.cached_features(model, IMAGES, tmp_path / "whole", batch_size=2)
    counting = Counting(model, monkeypatch)
    with ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(transfer.cached_features, model, IMAGES, tmp_path / "run", batch_size=2) for _ in range(2)]
        found = [task.result() for task in tasks]
    for features in found:
        np.testing.assert_array_equal(features, whole)
    assert counting.seen == 10


def test_whoever_renames_second_takes_what_the_first_has_finished(tmp_path, monkeypatch):
    def overtaken(part, target, replace=os.replace):
        replace(part, target)  # the other process
        replace(part, target)

    monkeypatch.setattr("dlkit.transfer.features.os.replace", overtaken)
    found = transfer.cached_features(build_tiny(), IMAGES, tmp_path / "run", batch_size=2)
    assert len(found) == len(IMAGES)
    assert [path.suffix for path in (tmp_path / "run").iterdir()] == [".npy"]


@pytest.mark.parametrize("rows", [0, 4, 8])
@pytest.mark.parametrize("torn", [0, 5])
def test_after_a_kill_only_what_is_missing_is_computed(tmp_path, monkeypatch, rows, torn):
    model = build_tiny()
    whole = transfer.cached_features(model, IMAGES, tmp_path / "whole", batch_size=4)
    with monkeypatch.context() as patch:
        Counting(model, patch, stop_after=rows)
        with pytest.raises(KeyboardInterrupt):
            transfer.cached_features(model, IMAGES, tmp_path / "run", batch_size=4)
    (part,) = (tmp_path / "run").iterdir()
    assert part.suffix == ".part", "nothing that looks whole"
    with open(part, "ab") as file:
        file.write(b"\1" * torn)  # a kill in the middle of a row
    counting = Counting(model, monkeypatch)
    found = transfer.cached_features(model, IMAGES, tmp_path / "run", batch_size=4)
    np.testing.assert_array_equal(found, whole)
    assert counting.seen == 10 - rows


def test_a_kill_within_the_files_first_bytes(tmp_path):
    model = build_tiny()
    (tmp_path / f"{transfer.cache_key(model, IMAGES)}.part").write_bytes(b"\x93NUMPY\x01")
    np.testing.assert_allclose(transfer.cached_features(model, IMAGES, tmp_path), model(IMAGES), rtol=1e-2, atol=1e-3)


def test_the_files_name_knows_layers_weights_size_and_pixels():
    model = build_tiny()
    name = transfer.cache_key(model, IMAGES)
    assert transfer.cache_key(build_tiny(), IMAGES) == name, "not what Keras happens to number"
    frozen = build_tiny()
    transfer.freeze(frozen)
    assert transfer.cache_key(frozen, IMAGES) == name, "not what is trained later"
    assert transfer.cache_key(build_tiny(image_size=24), IMAGES) != name
    assert transfer.cache_key(model, IMAGES[:9]) != name
    assert transfer.cache_key(model, IMAGES.astype("float32")) != name
    other = IMAGES.copy()
    other[3, 2, 1, 0] ^= 1
    assert transfer.cache_key(model, other) != name
    model.get_layer("conv1_bn").moving_mean.assign([0.0, 0.0, 0.0, 1e-6])
    assert transfer.cache_key(model, IMAGES) != name


def test_features_at_an_inner_layer_train_the_rest(tmp_path):
    model = build_classifier()
    lower, upper = transfer.split_model(model, "conv3")
    inner = transfer.cached_features(lower, IMAGES, tmp_path)
    assert inner.shape == (10, 16, 16, 4)
    transfer.unfreeze(model, "conv3")
    before = np.array(model.get_layer("conv3_conv").kernel)
    upper.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    upper.fit(inner.astype("float32"), np.arange(10) % 3, verbose=0)
    assert (np.array(model.get_layer("conv3_conv").kernel) != before).any(), "the whole model learns with its part"


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(data.DataError, match=r"could not be kept in .*file: .*choose another folder"):
        transfer.cached_features(build_tiny(), IMAGES, tmp_path / "file")


# --- the published figures, with real images and real weights


@pytest.fixture(scope="module")
def real():
    """CIFAR-10 itself; skips where it or MobileNet's weights are missing."""
    try:
        photos = data.load("cifar10", real=True)
        transfer.find_weights("mobilenet")
    except data.DataError as error:
        pytest.skip(str(error))
    return photos


def backbone_with_head(photos, image_size, folder, epochs=10):
    """MobileNet with its ImageNet weights, and a linear head trained on its features of 10,000 images."""
    keras.utils.set_random_seed(0)
    backbone = transfer.build_backbone("mobilenet", (32, 32, 3), image_size=image_size)
    images, labels = (part[:10_000] for part in photos.train)
    features = np.asarray(transfer.cached_features(backbone, images, folder), "float32")
    head = transfer.build_head(features.shape[1:], 10, hidden=())
    head.compile(keras.optimizers.Adam(training.OneCycle(1e-2, epochs * -(-len(labels) // 128))), LOSS)
    head.fit(features, labels, batch_size=128, epochs=epochs, verbose=0)
    return backbone, head


@pytest.mark.slow
def test_a_linear_head_on_features_of_10_000_images_reaches_seventy_percent(real, tmp_path):
    backbone, head = backbone_with_head(real, 128, tmp_path)
    features = transfer.cached_features(backbone, real.test[0], tmp_path)
    reached = evaluate.accuracy(real.test[1], evaluate.predict_probs(head, np.asarray(features, "float32")))
    print(f"linear head on 10,000 images at 128 px: {reached:.4f} on {len(features):,} test images")
    assert reached >= 0.70


@pytest.mark.slow
def test_one_epoch_of_fine_tuning_reaches_seventy_eight_percent(real, tmp_path):
    backbone, head = backbone_with_head(real, 96, tmp_path)
    model = keras.Model(backbone.input, head(backbone.output))
    transfer.unfreeze(model, "", batch_norm=True)
    train_ds = data.pipeline(*real.train, batch_size=64, training=True)
    model.compile(keras.optimizers.Adam(training.OneCycle(2e-3, len(train_ds), warmup=0.1)), LOSS)
    model.fit(train_ds, verbose=0, shuffle=False)
    reached = evaluate.accuracy(real.test[1], evaluate.predict_probs(model, real.test[0]))
    print(f"one epoch of fine-tuning at 96 px: {reached:.4f}")
    assert reached >= 0.78
