"""dlkit.export: every quantization gives the outputs of the network, and no incomplete file is left behind."""

import keras
import numpy as np
import pytest
from keras import layers

from dlkit import export

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 8, 8, 1)).astype("float32")


@pytest.fixture(scope="module")
def network():
    """A small convolutional network for raw pixels, newly initialized."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(8, 3, activation="relu")(x)
    x = layers.BatchNormalization()(x)
    return keras.Model(inputs, layers.Dense(5)(layers.Flatten()(x)))


@pytest.fixture(scope="module")
def files(network, tmp_path_factory):
    """The network as a LiteRT file in every quantization: {quantization: path}."""
    folder = tmp_path_factory.mktemp("litert")
    return {
        name: export.to_litert(network, folder / f"{name}.tflite", quantization=name, calibration=IMAGES)
        for name in export.QUANTIZATIONS
    }


def test_every_quantization_gives_the_outputs_of_the_network(network, files):
    truth = network.predict(IMAGES, verbose=0)
    spread = np.ptp(truth)
    for quantization, tolerance in (("float32", 1e-5), ("dynamic", 0.02), ("int8", 0.03)):
        found = export.LiteRT(files[quantization])(IMAGES)
        assert found.shape == truth.shape
        assert found.dtype == np.float32
        assert np.abs(found - truth).max() < tolerance * spread, quantization
    assert np.abs(export.LiteRT(files["int8"])(IMAGES) - truth).max() > 1e-4, "int8 cannot be as exact as float32"


def test_int8_is_smaller_and_has_integer_inputs_and_outputs(files):
    assert export.file_size(files["int8"]) < export.file_size(files["float32"])
    interpreter = export.LiteRT(files["int8"]).interpreter
    dtypes = {d["dtype"] for d in (*interpreter.get_input_details(), *interpreter.get_output_details())}
    assert dtypes == {np.int8}


def test_int8_with_wrong_calibration_is_inaccurate(network, files, tmp_path):
    wrong = export.to_litert(network, tmp_path / "wrong.tflite", quantization="int8", calibration=IMAGES / 255)
    truth = network.predict(IMAGES, verbose=0)
    errors = [np.abs(export.LiteRT(path)(IMAGES) - truth).max() for path in (files["int8"], wrong)]
    assert errors[1] > 5 * errors[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantization": "int4"}, "float32, dynamic, int8"),
        ({"quantization": "int8"}, "needs calibration"),
        ({"quantization": "int8", "calibration": IMAGES[:0]}, "needs calibration"),
        ({"quantization": "int8", "calibration": IMAGES[..., 0]}, r"\(count, 8, 8, 1\)"),
    ],
)
def test_to_litert_refuses_wrong_arguments_before_the_work(network, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        export.to_litert(network, tmp_path / "x.tflite", **options)
    assert not list(tmp_path.iterdir())


def test_to_litert_leaves_the_old_file_when_it_fails(network, files, tmp_path, monkeypatch):
    path = tmp_path / "model.tflite"
    path.write_bytes(files["float32"].read_bytes())

    def fail(*arguments, **options):
        raise RuntimeError("no export")

    monkeypatch.setattr(network, "export", fail)
    with pytest.raises(RuntimeError, match="no export"):
        export.to_litert(network, path)
    assert path.read_bytes() == files["float32"].read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["model.tflite"]


def test_litert_reports_wrong_files_and_shapes(files, tmp_path):
    other = tmp_path / "other.tflite"
    other.write_bytes(b"this is not a model")
    with pytest.raises(ValueError, match="other.tflite is not a LiteRT model"):
        export.LiteRT(other)
    with pytest.raises(ValueError, match=r"\(count, 8, 8, 1\)"):
        export.LiteRT(files["float32"])(IMAGES[0])


def test_file_size_of_files_and_folders(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b").write_bytes(b"123")
    assert export.file_size(tmp_path / "a") == 5
    assert export.file_size(tmp_path) == 8


def test_measure_latency_skips_the_first_call():
    calls = []

    def predict(image):
        calls.append(image)

    assert 0 < export.measure_latency(predict, IMAGES[:1], repeats=7) < 0.1
    assert len(calls) == 8
