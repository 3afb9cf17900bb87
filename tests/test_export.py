"""dlkit.export: every quantization gives the outputs of the network, and no incomplete file is left behind."""

import keras
import numpy as np
import pytest
from keras import layers

from dlkit import export, models
from tests.random_weights import randomize

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


def test_int8_with_dark_calibration_is_inaccurate(network, files, tmp_path):
    dark = np.full_like(IMAGES, 2)
    wrong = export.to_litert(network, tmp_path / "wrong.tflite", quantization="int8", calibration=dark)
    truth = network.predict(IMAGES, verbose=0)
    errors = [np.abs(export.LiteRT(path)(IMAGES) - truth).max() for path in (files["int8"], wrong)]
    assert errors[1] > 5 * errors[0]


TOKENS = np.array([[3, 1, 4, 1, 5], [9, 2, 6, 0, 0]], "int32")


# Before 3.15, Keras exports for any number of inputs, for which LiteRT has no recurrent layers.
NEW_KERAS = pytest.mark.skipif(tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15), reason="needs Keras 3.15")


@pytest.mark.parametrize("name", ["text_mean", pytest.param("text_lstm", marks=NEW_KERAS)])
def test_text_models_take_tokens_of_any_length(tmp_path, name):
    build = {"text_mean": models.build_text_mean, "text_lstm": models.build_text_lstm}[name]
    model = randomize(build(10, 3, embedding_dim=4))
    file = export.LiteRT(export.to_litert(model, tmp_path / "text.tflite"))
    for tokens in (TOKENS, TOKENS[:, :3]):
        np.testing.assert_allclose(file(tokens), model.predict_on_batch(tokens), atol=1e-5)


def test_a_text_model_in_int8_is_refused(tmp_path):
    model = models.build_text_mean(10, 3, embedding_dim=4)
    with pytest.raises(ValueError, match='int32 inputs and .* Choose "dynamic"'):
        export.to_litert(model, tmp_path / "text.tflite", quantization="int8", calibration=TOKENS)


def test_a_recurrent_model_in_int8_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((5, 2)), layers.LSTM(3, name="memory"), layers.Dense(2)])
    with pytest.raises(ValueError, match=r"recurrent layers \['memory'\]"):
        export.to_litert(model, tmp_path / "x.tflite", quantization="int8", calibration=np.zeros((2, 5, 2)))


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_model_in_mixed_precision_is_exported_in_float32(network, tmp_path, precision, monkeypatch):
    mixed = keras.models.clone_model(
        network, clone_function=lambda layer: layer.from_config({**layer.get_config(), "dtype": precision})
    )
    assert mixed.layers[2].compute_dtype == precision.removeprefix("mixed_")
    mixed.set_weights(network.get_weights())
    mixed.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    copy = export.in_float32(mixed)
    assert {layer.compute_dtype for layer in copy.layers} == {"float32"}
    np.testing.assert_allclose(copy.predict_on_batch(IMAGES), network.predict_on_batch(IMAGES), atol=1e-4)
    converted = []
    monkeypatch.setattr(export, "_convert", lambda model, *options: converted.append(model))
    with pytest.raises(TypeError):  # since there are no bytes to write
        export.to_litert(mixed, tmp_path / "mixed.tflite")
    assert converted[0].layers[2].compute_dtype == "float32"


def test_nan_in_the_weights_is_refused(network, tmp_path):
    broken = keras.models.clone_model(network)
    broken.layers[-1].bias.assign([0, np.nan, 0, 0, 0])
    with pytest.raises(ValueError, match="finite weights in .*bias. Received: nan"):
        export.to_litert(broken, tmp_path / "x.tflite")


def test_a_missing_folder_is_reported_before_the_conversion(network, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_convert", lambda *arguments: pytest.fail("it was converted"))
    with pytest.raises(FileNotFoundError, match="nowhere to exist"):
        export.to_litert(network, tmp_path / "nowhere" / "x.tflite")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantization": "int4"}, "float32, dynamic, int8"),
        ({"quantization": "int8"}, "needs calibration"),
        ({"quantization": "int8", "calibration": IMAGES[:0]}, r"calibration of shape \(count, 8, 8, 1\)"),
        ({"quantization": "int8", "calibration": IMAGES[..., 0]}, r"\(count, 8, 8, 1\)"),
        ({"quantization": "int8", "calibration": IMAGES / 255}, "calibration with pixels from 0 to 255"),
        ({"quantization": "int8", "calibration": np.where(IMAGES > 9, IMAGES, np.nan)}, "finite calibration"),
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
    with pytest.raises(ValueError, match="finite inputs"):
        export.LiteRT(files["int8"])(IMAGES * np.nan)


def test_file_size_of_files_and_folders(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b").write_bytes(b"123")
    assert export.file_size(tmp_path / "a") == 5
    assert export.file_size(tmp_path) == 8
    with pytest.raises(FileNotFoundError):
        export.file_size(tmp_path / "c")


def test_measure_latency_skips_the_first_call():
    calls = []

    def predict(image):
        calls.append(image)

    assert 0 < export.measure_latency(predict, IMAGES[:1], repeats=7) < 0.1
    assert len(calls) == 8
    with pytest.raises(ValueError, match="repeats to be an integer of 1 or more"):
        export.measure_latency(predict, IMAGES[:1], repeats=0)
