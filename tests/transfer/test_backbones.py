"""dlkit.transfer.backbones: the preprocessing of every backbone, and where its weights come from."""

import contextlib
import functools
import http.server
import json
import shutil
import sys
import tempfile
import threading
import zipfile
from pathlib import Path

import h5py
import keras
import keras_hub
import numpy as np
import pytest

from dlkit import data, transfer
from dlkit.transfer import backbones, efficientnet
from tests.arrays import assert_same_arrays
from tests.random_weights import randomize
from tests.transfer.helpers import IMAGES

APPLICATIONS = [name for name, backbone in transfer.BACKBONES.items() if backbone.scaling != "preset"]


@pytest.mark.parametrize("name", APPLICATIONS)
def test_build_backbone_equals_keras_applications(name):
    backbone = transfer.BACKBONES[name]
    ours = transfer.build_backbone(name, (20, 24, 3), image_size=32, weights=None)
    theirs = getattr(keras.applications, backbone.application)(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg", **backbone.options
    )
    theirs.set_weights(randomize(ours).get_weights()[-len(theirs.weights) :])
    preprocess = sys.modules[getattr(keras.applications, backbone.application).__module__].preprocess_input
    pixels = np.random.default_rng(0).integers(0, 256, (2, 20, 24, 3)).astype("float32")
    resized = np.array(keras.ops.image.resize(pixels, (32, 32)))
    expected = np.array(theirs(preprocess(resized.copy())))
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(ours(pixels), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_build_backbone_does_not_resize_needlessly():
    names = [
        layer.name for layer in transfer.build_backbone("mobilenet", (32, 32, 3), image_size=32, weights=None).layers
    ]
    assert "resize" not in names
    assert "conv_pw_13" in names, "layers keep the names of keras.applications"


@pytest.fixture(scope="module")
def lite0():
    """EfficientNet-Lite0 of KerasHub with random weights, and a preset folder that holds it."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "weights" / "efficientnet_lite0"
        network = randomize(keras_hub.models.EfficientNetBackbone(**efficientnet._ARCHITECTURE))
        network.save_to_preset(str(folder))
        yield network, folder


def lite0_features(network, pixels, scale=1 / 128, offset=-127 / 128):
    resized = keras.ops.image.resize(pixels, (32, 32))
    return np.mean(network(resized * np.array(scale, "float32") + np.array(offset, "float32")), axis=(1, 2))


def test_build_backbone_equals_keras_hub(lite0, no_data_env):
    network, folder = lite0
    shutil.copytree(folder, no_data_env / "weights" / "efficientnet_lite0")
    model = transfer.build_backbone("efficientnet_lite0", (16, 16, 3), image_size=32)
    pixels = IMAGES.astype("float32")
    np.testing.assert_allclose(model(pixels), lite0_features(network, pixels), rtol=1e-4, atol=1e-4)
    assert model.count_params() == 3_413_024
    assert not any(isinstance(layer, keras.Model) for layer in model.layers), "it is flat, so it can be split"
    lower, upper = transfer.split_model(model, "block7")
    np.testing.assert_allclose(upper(lower(pixels)), model(pixels), atol=1e-4)
    assert transfer.unfreeze(model, "top") == 320 * 1280


def test_build_backbone_scales_as_the_preset_says(lite0, tmp_path):
    network, folder = lite0
    shutil.copytree(folder, tmp_path / "preset")
    scale, offset = [0.017, 0.018, 0.019], [-2.1, -2.0, -1.8]
    converter = {"config": {"scale": scale, "offset": offset}}
    (tmp_path / "preset" / "image_converter.json").write_text(json.dumps(converter))
    model = transfer.build_backbone("efficientnet_lite0", (16, 16, 3), image_size=32, weights=tmp_path / "preset")
    expected = lite0_features(network, IMAGES.astype("float32"), scale, offset)
    np.testing.assert_allclose(model(IMAGES), expected, rtol=1e-4, atol=1e-4)


def test_saved_efficientnet_holds_layers_of_keras_only(lite0, tmp_path):
    model = transfer.build_backbone("efficientnet_lite0", (16, 16, 3), image_size=32, weights=lite0[1])
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        assert b"keras_hub" not in file.read("config.json")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(IMAGES), model(IMAGES))
    model.save_weights(tmp_path / "own.weights.h5")
    again = transfer.build_backbone(
        "efficientnet_lite0", (16, 16, 3), image_size=32, weights=tmp_path / "own.weights.h5"
    )
    assert_same_arrays(again.get_weights(), model.get_weights())


def test_find_weights_downloads_the_preset_of_keras_hub(lite0, no_data_env, monkeypatch):
    monkeypatch.delenv("DLKIT_OFFLINE")
    handles = []
    monkeypatch.setattr("kagglehub.model_download", lambda handle: handles.append(handle) or str(lite0[1]))
    assert transfer.find_weights("efficientnet_lite0") == lite0[1]
    assert handles == ["keras/efficientnet/keras/efficientnet_lite0_ra_imagenet/2"]


def test_build_backbone_reports_a_damaged_preset(lite0, tmp_path):
    shutil.copytree(lite0[1], tmp_path / "cut")
    weights = tmp_path / "cut" / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(data.DataError, match="cut does not hold weights of efficientnet_lite0"):
        transfer.build_backbone("efficientnet_lite0", (32, 32, 3), weights=tmp_path / "cut")


def test_saved_backbone_gives_the_same_features(tmp_path):
    model = randomize(transfer.build_backbone("mobilenet", (16, 16, 3), image_size=32, weights=None))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(IMAGES[:2]), loaded(IMAGES[:2]))


def test_build_backbone_lists_the_known_names():
    with pytest.raises(ValueError, match="resnet50, .*Received: 'vgg'"):
        transfer.build_backbone("vgg", (32, 32, 3))


@pytest.mark.parametrize("channels", [1, 4])
def test_build_backbone_refuses_images_without_three_channels(channels):
    with pytest.raises(ValueError, match=rf"Received: \(32, 32, {channels}\).*`images.repeat\(3, axis=-1\)`"):
        transfer.build_backbone("mobilenet", (32, 32, channels), weights=None)


@pytest.mark.parametrize("image_size", [31, 0, 96.0, (96, 96)])
def test_build_backbone_refuses_a_size_below_32(image_size):
    with pytest.raises(ValueError, match="Expected image_size to be an integer of 32 or more"):
        transfer.build_backbone("mobilenet", (32, 32, 3), image_size=image_size, weights=None)


def test_find_weights_lists_the_known_names():
    with pytest.raises(ValueError, match="resnet50, .*Received: 'vgg'"):
        transfer.find_weights("vgg")


@pytest.mark.parametrize("name", APPLICATIONS)
def test_backbone_has_the_address_and_checksum_that_keras_has(name):
    backbone = transfer.BACKBONES[name]
    application = getattr(keras.applications, backbone.application)
    module = sys.modules["keras.src.applications.resnet" if "resnet" in name else application.__module__]
    address = getattr(module, "BASE_WEIGHTS_PATH", None) or module.BASE_WEIGHT_PATH
    assert backbones.WEIGHTS_URL + backbone.path == address + backbone.file
    published = getattr(module, "WEIGHTS_HASHES", {}).get(name)
    assert backbone.md5 == (published and published[1])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((4, 4, 8), {}, "feature_shape to be a tuple of 1 integers"),
        ((8,), {"dropout": 1}, "dropout to be a number"),
        ((8,), {"hidden": 512}, "hidden to be a tuple"),
    ],
)
def test_build_head_names_the_wrong_argument(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        transfer.build_head(arguments, 10, **options)
    with pytest.raises(ValueError, match="num_classes to be an integer of 2 or more"):
        transfer.build_head((8,), 1)


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


def test_build_backbone_finds_weights_in_dlkit_data(weights_file, no_data_env):
    (no_data_env / "weights").mkdir()
    shutil.copy(weights_file[0], no_data_env / "weights")
    model = transfer.build_backbone("mobilenet", (32, 32, 3), image_size=96)
    assert_same_arrays(model.get_weights(), weights_file[1])


@contextlib.contextmanager
def file_server(folder):
    """An HTTP server on this machine that offers the files of a folder, in place of Keras's download server."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = lambda *arguments: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_find_weights_downloads_into_the_cache_of_keras(weights_file, no_data_env, monkeypatch, capsys):
    monkeypatch.delenv("DLKIT_OFFLINE")
    (no_data_env.parent / "keras").mkdir()
    published = no_data_env.parent / "server" / "mobilenet"
    published.mkdir(parents=True)
    shutil.copy(weights_file[0], published)
    with file_server(published.parent) as address:
        monkeypatch.setattr(backbones, "WEIGHTS_URL", address)
        monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(no_data_env.parent / "keras"))
        path = transfer.find_weights("mobilenet")
    assert path == no_data_env.parent / "keras" / "models" / weights_file[0].name
    model = transfer.build_backbone("mobilenet", (32, 32, 3), image_size=96)  # from the cache: the server is closed
    np.testing.assert_array_equal(model.get_weights()[0], weights_file[1][0])


@pytest.mark.parametrize("network", [False, True])
def test_build_backbone_reports_missing_weights(no_data_env, monkeypatch, network):
    if network:
        monkeypatch.delenv("DLKIT_OFFLINE")
        monkeypatch.setattr(backbones, "WEIGHTS_URL", "http://127.0.0.1:9/")
    with pytest.raises(data.DataError, match=r"mobilenet_2_5_224_tf_no_top.h5 into the folder weights/.*weights=None"):
        transfer.build_backbone("mobilenet", (32, 32, 3))


def test_build_backbone_reports_damaged_and_wrong_weights(weights_file, tmp_path):
    (tmp_path / "cut.h5").write_bytes(weights_file[0].read_bytes()[:5000])
    with pytest.raises(data.DataError, match="cut.h5 does not hold weights of mobilenet"):
        transfer.build_backbone("mobilenet", (32, 32, 3), weights=tmp_path / "cut.h5")
    with pytest.raises(data.DataError, match="does not hold weights of efficientnet_lite0"):
        transfer.build_backbone("efficientnet_lite0", (32, 32, 3), weights=weights_file[0])
    with pytest.raises(data.DataError, match='Expected weights "imagenet", None or a weights file. Received: none,'):
        transfer.build_backbone("mobilenet", (32, 32, 3), weights="none")


def test_build_backbone_refuses_published_weights_with_another_checksum(weights_file, no_data_env):
    (no_data_env / "weights").mkdir()
    shutil.copy(weights_file[0], no_data_env / "weights" / transfer.BACKBONES["resnet50"].file)
    with pytest.raises(data.DataError, match="Expected MD5 4d473c1dd8becc155b73f8504c6f6626"):
        transfer.build_backbone("resnet50", (32, 32, 3), image_size=32)


def test_build_backbone_refuses_weights_with_nan(tmp_path):
    model = transfer.build_backbone("mobilenet", (32, 32, 3), image_size=32, weights=None)
    weights = model.get_weights()
    weights[0][0, 0, 0, 0] = np.nan
    model.set_weights(weights)
    model.save_weights(tmp_path / "nan.weights.h5")
    with pytest.raises(data.DataError, match="does not hold weights of mobilenet: Expected finite"):
        transfer.build_backbone("mobilenet", (32, 32, 3), image_size=32, weights=tmp_path / "nan.weights.h5")
