"""A trained network leaves Keras: LiteRT files in 32-bit or 8-bit numbers, checked against the network they came from.

`.keras` files and SavedModels need nothing of ours: `model.save(path)`, `model.export(folder)`.
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
    """Writes a network as a LiteRT file, the quantization that phones and small computers run.

    Args:
        model: a built `keras.Model` with one input and one output.
        path: the file, ending in `.tflite`. It is written beside and renamed, so what has its name is whole.
        quantization: "float32", the network as it is; "dynamic", weights as 8-bit integers, the rest in floating point;
            "int8", everything in 8-bit integers, input and output too.
        calibration: for "int8" a hundred or so typical inputs, shape (count, ...), as the network gets them in use:
            from them the range of every layer is read.

    Returns:
        The path.

    Raises:
        ValueError: for an unknown quantization, or when "int8" has no calibration of the input's shape.
    """
    if quantization not in QUANTIZATIONS:
        raise ValueError(f"Expected one of the forms {', '.join(QUANTIZATIONS)}. Received: {quantization!r}.")
    if quantization == "int8":
        expected, found = tuple(model.input_shape[1:]), np.shape(calibration)[1:]
        if calibration is None or len(calibration) == 0 or found != expected:
            raise ValueError(
                f"int8 needs calibration: typical inputs of shape (count, {', '.join(map(str, expected))}). "
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
            warnings.simplefilter("ignore")  # that float input statistics are missing: the calibration gives them
            content = converter.convert()
    part = Path(f"{path}.part")
    part.write_bytes(content)
    os.replace(part, path)
    return Path(path)


class LiteRT:
    """A LiteRT file, ready to run: call it with a batch of inputs as the Keras network gets them.

    Integers at the file's border are translated: inputs by its scale and zero point, outputs back.

    Args:
        path: a file that `to_litert` or anyone else wrote.

    Raises:
        ValueError: when the file is no LiteRT model.
    """

    def __init__(self, path):
        with warnings.catch_warnings(), runtime.suppress_native_stderr():
            warnings.simplefilter("ignore")  # TensorFlow announces that the class will move to a package of its own
            try:
                self.interpreter = tf.lite.Interpreter(model_path=str(path))
            except ValueError as error:
                raise ValueError(f"{path} is no LiteRT model: {error}") from error
            self.interpreter.allocate_tensors()
        self._input, self._output = self.interpreter.get_input_details()[0], self.interpreter.get_output_details()[0]

    def __call__(self, inputs):
        """float32 outputs of shape (count, ...) for inputs of shape (count, ...), one after the other."""
        inputs = np.asarray(inputs, "float32")
        expected = tuple(self._input["shape"][1:])
        if inputs.shape[1:] != expected:
            raise ValueError(f"Expected inputs of shape (count, {', '.join(map(str, expected))}): {inputs.shape} came.")
        scale, zero = self._input["quantization"]
        if scale:
            limits = np.iinfo(self._input["dtype"])
            inputs = np.clip(np.round(inputs / scale + zero), limits.min, limits.max).astype(self._input["dtype"])
        scale, zero = self._output["quantization"]
        outputs = np.concatenate([self._run(row[None]) for row in inputs]).astype("float32")
        return (outputs - zero) * scale if scale else outputs

    def _run(self, row):
        self.interpreter.set_tensor(self._input["index"], row)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self._output["index"])


def file_size(path):
    """Bytes of a file, or of all files in a folder."""
    path = Path(path)
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def measure_latency(predict, image, *, repeats=100):
    """Median seconds that `predict` takes for a batch of one image; the first call is left out.

    Args:
        predict: a function of a batch.
        image: array of shape (1, ...).
        repeats: number of calls.
    """
    predict(image)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        predict(image)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))
