"""The configuration of the device that Keras computes on, and the precision that is chosen for it."""

import contextlib

import keras
import pytest
import tensorflow as tf

from dlkit import runtime


@pytest.fixture
def gpu(monkeypatch):
    """A function (capability) that makes TensorFlow report a GPU of that compute capability.

    The GPU is only reported: everything is still computed on the processor, so that the choice of the precision can be
    tested on every machine. Afterwards Keras computes in float32 again.
    """

    def install(*capability):
        details = {"compute_capability": capability, "device_name": "Test GPU"}
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: ["gpu:0"])
        monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda device, on: None)
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: details)

    yield install
    runtime.device.use_precision("float32", tensor_float_32=True)


@pytest.mark.parametrize(
    ("gpus", "name", "visible"),
    [
        ([], "cpu", []),
        (["A", "B"], "cpu", []),
        (["A", "B"], "gpu", ["A", "B"]),
        (["A", "B"], "gpu:1", ["B"]),
    ],
)
def test_select_device_hides_the_others(gpus, name, visible, monkeypatch):
    chosen = {}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda devices, kind: chosen.update({kind: devices}))
    runtime.select_device(name)
    assert chosen == {"GPU": visible}


@pytest.mark.parametrize(
    ("gpus", "name", "message"),
    [
        ([], "gpu", 'machine: cpu. Received: "gpu". TensorFlow finds no GPU here'),
        (["A", "B"], "gpu:2", 'machine: cpu, gpu, gpu:0, gpu:1. Received: "gpu:2".$'),
        (["A"], "tpu", 'machine: cpu, gpu, gpu:0. Received: "tpu".$'),
    ],
)
def test_select_device_names_what_is_there(gpus, name, message, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    with pytest.raises(ValueError, match=f"Expected a device of this {message}"):
        runtime.select_device(name)


def test_device_cannot_be_selected_after_tensorflow_has_begun(monkeypatch):
    def refuse(devices, kind):
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "set_visible_devices", refuse)
    with pytest.raises(ValueError, match="only be chosen before TensorFlow computes anything"):
        runtime.select_device("cpu")


def precision():
    """The precision in force: dtype policy of new layers, dtype of their weights, and whether TensorFloat-32 is on."""
    layer = keras.layers.Dense(1)
    return layer.compute_dtype, layer.variable_dtype, tf.config.experimental.tensor_float_32_execution_enabled()


@pytest.mark.parametrize(
    ("capability", "compute_dtype"),
    [((8, 0), "bfloat16"), ((9, 0), "bfloat16"), ((7, 5), "float16"), ((6, 1), "float32")],
)
def test_setup_on_a_gpu_chooses_mixed_precision(gpu, capability, compute_dtype, monkeypatch):
    monkeypatch.delenv("DLKIT_PRECISION", raising=False)
    gpu(*capability)
    rt = runtime.setup()
    assert (rt.tier, rt.device) == ("full", "GPU: Test GPU")
    assert precision() == (compute_dtype, "float32", True)
    runtime.setup(exact=True)
    assert precision() == ("float32", "float32", False)


def test_setup_on_a_processor_computes_in_float32(monkeypatch):
    monkeypatch.delenv("DLKIT_PRECISION", raising=False)
    keras.config.set_dtype_policy("mixed_bfloat16")
    runtime.setup()
    assert precision()[:2] == ("float32", "float32")


def test_exact_is_float32_without_tensor_float_32_and_restores(gpu):
    gpu(8, 0)
    runtime.setup()
    before = precision()
    with contextlib.suppress(ZeroDivisionError), runtime.exact():
        assert precision() == ("float32", "float32", False)
        raise ZeroDivisionError
    assert precision() == before == ("bfloat16", "float32", True)


def test_dlkit_precision_overrides_the_choice(gpu, monkeypatch):
    monkeypatch.setenv("DLKIT_PRECISION", "mixed_bfloat16")
    assert runtime.setup().precision == "mixed_bfloat16"
    assert precision()[0] == "bfloat16", "on a processor too"
    gpu(8, 0)
    monkeypatch.setenv("DLKIT_PRECISION", "float32")
    assert runtime.setup().precision == "float32"
    assert precision()[0] == "float32"
    monkeypatch.setenv("DLKIT_PRECISION", "bfloat16")
    with pytest.raises(ValueError, match='DLKIT_PRECISION to be float32, .* Received: "bfloat16"'):
        runtime.setup()


def test_empty_dlkit_precision_is_no_choice(monkeypatch):
    monkeypatch.setenv("DLKIT_PRECISION", "")
    runtime.setup()
    assert precision()[0] == "float32"
