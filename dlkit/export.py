"""Export to LiteRT, with and without quantization, and an interpreter to run the files.

`.keras` files and SavedModels need only Keras: `model.save(path)`, `model.export(folder)`.
"""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf

from dlkit import runtime

QUANTIZATIONS = ("float32", "dynamic", "int8")


def to_litert(model, path, *, quantization="float32", calibration=None):
    """Writes a model as a LiteRT file, which runs on phones and small computers.

    The file is written under another name and then renamed, so that a file with that name is always complete.

    Args:
        model: A built `keras.Model` with one input and one output.
        path: String or path of the file; it ends in `.tflite`.
        quantization: String. "float32" (the default) exports the model unchanged. "dynamic" stores the weights as 8-bit
            integers and computes in floating point where necessary. "int8" uses 8-bit integers everywhere, for inputs
            and outputs too.
        calibration: Array of shape (count, ...), needed for "int8" only: about a hundred typical inputs. The range of
            values of every layer is measured on them.

    Returns:
        Path of the file.

    Raises:
        ValueError: If `quantization` is unknown, or it is "int8" and `calibration` is missing or does not have the
            shape of the inputs.
    """
    if quantization not in QUANTIZATIONS:
        raise ValueError(f"Expected quantization to be one of {', '.join(QUANTIZATIONS)}. Received: {quantization!r}.")
    if quantization == "int8":
        expected, received = tuple(model.input_shape[1:]), np.shape(calibration)[1:]
        if calibration is None or len(calibration) == 0 or received != expected:
            raise ValueError(
                "Quantization int8 needs calibration. Expected typical inputs of shape "
                f"(count, {', '.join(map(str, expected))}). "
                f"Received: {None if calibration is None else np.shape(calibration)}."
            )
    with tempfile.TemporaryDirectory() as folder, runtime.suppress_native_stderr():
        model.export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if quantization != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == "int8":
            converter.representative_dataset = lambda: ([row[None]] for row in np.asarray(calibration, "float32"))
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of missing input statistics, which the calibration provides
            content = converter.convert()
    part = Path(f"{path}.part")
    part.write_bytes(content)
    os.replace(part, path)
    return Path(path)


class LiteRT:
    """Interpreter of a LiteRT file: called with the same inputs as the Keras model, it returns the same outputs.

    If the inputs or outputs of the file are integers, the inputs are quantized and the outputs dequantized, with the
    scale and the zero point that the file holds.

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
        """Runs the model on a batch, one input at a time.

        Args:
            inputs: Array of shape (count, ...).

        Returns:
            float32 array of shape (count, ...), the outputs.

        Raises:
            ValueError: If the inputs do not have the shape that the model takes.
        """
        inputs = np.asarray(inputs, "float32")
        expected = tuple(self._input["shape"][1:])
        if inputs.shape[1:] != expected:
            raise ValueError(
                f"Expected inputs of shape (count, {', '.join(map(str, expected))}). Received: {inputs.shape}."
            )
        scale, zero_point = self._input["quantization"]
        if scale:
            limits = np.iinfo(self._input["dtype"])
            inputs = np.clip(np.round(inputs / scale + zero_point), limits.min, limits.max).astype(self._input["dtype"])
        scale, zero_point = self._output["quantization"]
        outputs = np.concatenate([self._run(row[None]) for row in inputs]).astype("float32")
        return (outputs - zero_point) * scale if scale else outputs

    def _run(self, row):
        self.interpreter.set_tensor(self._input["index"], row)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self._output["index"])


def file_size(path):
    """Size of a file, or of all files in a folder, in bytes.

    Args:
        path: String or path of a file or a folder.

    Returns:
        Integer.
    """
    path = Path(path)
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def measure_latency(predict, image, *, repeats=100):
    """Median latency of a model for a batch of one image. The first call, which may compile, is not measured.

    Args:
        predict: Function (batch) -> outputs.
        image: Array of shape (1, ...).
        repeats: Integer, number of measured calls, default 100.

    Returns:
        Float, seconds.
    """
    predict(image)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        predict(image)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))
