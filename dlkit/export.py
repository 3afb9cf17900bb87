"""Export to LiteRT, with and without quantization, and an interpreter to run the files.

`.keras` files and SavedModels need only Keras: `model.save(path)`, `model.export(folder)`.
"""

import json
import os
import re
import tempfile
import timeit
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from dlkit import evaluate, runtime, validation

QUANTIZATIONS = ("float32", "dynamic", "int8")


def to_litert(model, path, *, quantization="float32", calibration=None):
    """Writes a model as a LiteRT file, which runs on phones and small computers.

    The file is written under another name, opened, and then renamed, so it is complete. A model in mixed precision is
    exported in float32, the precision of its weights.

    Args:
        model: A built `keras.Model` with one input and one output.
        path: String or path of the file.
        quantization: String. "float32" (the default) exports the model unchanged. "dynamic" stores the weights as 8-bit
            integers and computes in floating point where necessary. "int8" uses 8-bit integers everywhere, for inputs
            and outputs too; it is for models of pixels or other real numbers, without recurrent layers.
        calibration: Array of shape (count, ...), needed for "int8" only: about a hundred typical inputs. The range of
            values of every layer is measured on them.

    Returns:
        Path of the file.

    Raises:
        ValueError: If `quantization` is unknown or does not fit the model, `calibration` is missing or refused by
            `evaluate.check_inputs`, or a weight of the model is not finite.
        FileNotFoundError: If the folder of the file does not exist.
    """
    path = Path(path)
    if quantization not in QUANTIZATIONS:
        raise ValueError(f"Expected quantization to be one of {', '.join(QUANTIZATIONS)}. Received: {quantization!r}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"Expected the folder {path.parent} to exist. Make it, or choose another path.")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(f"Expected one input and one output. Received: {model.input_shape} and {model.output_shape}.")
    evaluate.check_weights(model)
    if quantization == "int8":
        calibration = _check_calibration(model, calibration)
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(_convert(in_float32(model), quantization, calibration))
        LiteRT(part)  # raises an error if the file is damaged
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _check_calibration(model, calibration):
    if calibration is None:
        raise ValueError("Quantization int8 needs calibration, about a hundred typical inputs. Received: None.")
    # TensorFlow 2.21 quantizes the masks of attention badly, and does not finish with a recurrent layer.
    recurrent = [layer.name for layer in model.layers if isinstance(layer, (layers.RNN, layers.Bidirectional))]
    if recurrent or "int" in model.inputs[0].dtype:
        raise ValueError(
            "Expected a model of pixels or other real numbers without recurrent layers for int8. Received: "
            f'{model.inputs[0].dtype} inputs and the recurrent layers {recurrent}. Choose "dynamic".'
        )
    return np.asarray(evaluate.check_inputs(model, calibration, name="calibration"), "float32")


def in_float32(model):
    """The model itself, or a copy of it without 16-bit numbers, with which LiteRT cannot compute.

    Args:
        model: A built `keras.Model`, perhaps in mixed precision.

    Returns:
        A `keras.Model` that computes in float32.
    """
    if not any("float16" in layer.compute_dtype for layer in model.layers):
        return model
    config = keras.saving.serialize_keras_object(model)
    config.pop("compile_config", None)
    config = re.sub(r'"(mixed_)?b?float16"', '"float32"', json.dumps(config))
    copy = keras.saving.deserialize_keras_object(json.loads(config))
    copy.set_weights(model.get_weights())
    return copy


def _convert(model, quantization, calibration):
    spec = tf.TensorSpec((1, *model.inputs[0].shape[1:]), model.inputs[0].dtype)
    with tempfile.TemporaryDirectory() as folder, runtime.suppress_native_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of missing input statistics, which the calibration provides
        # One input at a time, as `LiteRT` runs it: LiteRT has no recurrent layers for any number of inputs.
        model.export(folder, verbose=False, input_signature=[spec])
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if quantization != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == "int8":
            converter.representative_dataset = lambda: ([row[None]] for row in calibration)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        return converter.convert()


class LiteRT:
    """Interpreter of a LiteRT file: called with the same inputs as the Keras model, it returns the same outputs.

    Quantized inputs and outputs are converted with the scale and the zero point that the file holds.

    Args:
        path: String or path of a `.tflite` file with one input and one output.

    Attributes:
        interpreter: The `tf.lite.Interpreter`.

    Raises:
        ValueError: If the file is not a LiteRT model.
    """

    def __init__(self, path):
        with warnings.catch_warnings(), runtime.suppress_native_stderr():
            warnings.simplefilter("ignore")  # TensorFlow announces that the class will move to a separate package
            try:
                self.interpreter = tf.lite.Interpreter(model_path=str(path))
            except ValueError as error:
                raise ValueError(f"{path} is not a LiteRT model: {error}") from error
            self.interpreter.allocate_tensors()
        self._input, self._output = self.interpreter.get_input_details()[0], self.interpreter.get_output_details()[0]

    def __call__(self, inputs):
        """Runs the model on an array of shape (count, ...), one input at a time.

        Returns:
            float32 array of shape (count, ...), the outputs.

        Raises:
            ValueError: If the inputs do not have the shape that the model takes, or are not finite.
        """
        shape = [None if size < 0 else size for size in self._input["shape_signature"][1:]]
        inputs = np.asarray(validation.check_images(inputs, shape=shape, name="inputs"))
        if None in shape:  # such as the number of tokens of a text
            self.interpreter.resize_tensor_input(self._input["index"], (1, *inputs.shape[1:]))
            self.interpreter.allocate_tensors()
        scale, zero_point = self._input["quantization"]
        if scale:
            limits = np.iinfo(self._input["dtype"])
            inputs = np.clip(np.round(inputs / np.float32(scale) + zero_point), limits.min, limits.max)
        outputs = []
        for row in inputs.astype(self._input["dtype"]):
            self.interpreter.set_tensor(self._input["index"], row[None])
            self.interpreter.invoke()
            outputs.append(self.interpreter.get_tensor(self._output["index"]))
        outputs = np.concatenate(outputs).astype("float32")
        scale, zero_point = self._output["quantization"]
        return (outputs - zero_point) * scale if scale else outputs


def file_size(path):
    """Size in bytes of a file, or of all files in a folder, given as a string or a path."""
    path = Path(path)
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if not file.is_dir())


def measure_latency(predict, image, *, repeats=100):
    """Median latency of a model for a batch of one image. The first call, which may compile, is not measured.

    Args:
        predict: Function (batch) -> outputs.
        image: Array of shape (1, ...).
        repeats: Integer, number of measured calls, default 100.

    Returns:
        Float, seconds.
    """
    repeats = validation.check_integer("repeats", repeats)
    predict(image)
    return float(np.median(timeit.repeat(lambda: predict(image), number=1, repeat=repeats)))
