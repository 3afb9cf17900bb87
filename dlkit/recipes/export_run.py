"""Exports the model of a finished run for use elsewhere: a LiteRT file for phones, a SavedModel, or ONNX.

A file is written under another name, opened in a new process that does not import dlkit, compared with the model, and
only then gets its name. It takes pixels from 0 to 255, since scaling is part of the model, and returns probabilities.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np

import dlkit
from dlkit import export, runtime
from dlkit.recipes import finished

FORMATS = {"litert": "model.tflite", "int8": "model-int8.tflite", "saved_model": "saved_model", "onnx": "model.onnx"}
ONNX_PACKAGES = ("onnx", "tf2onnx", "onnxruntime")
MAX_DIFFERENCE = 1e-3  # of probabilities that are computed in floating point
MIN_AGREEMENT = 0.9  # of the images, with 8-bit integers
READER = Path(__file__).with_name("read_export.py")


def export_run(run, *, format, out=None, overwrite=False):
    """Exports the model of a finished run, and compares the export with it.

    Class names, and what the images have to look like, are inside: `labels.txt` and `input.json` in a zip archive at
    the end of a LiteRT file or in the folder `assets.extra` of a SavedModel, `class_names` and `input` in the metadata
    of ONNX.

    Args:
        run: String or path, the run folder, or the `model.keras` in it.
        format: String. "litert" is a LiteRT file in float32, "int8" one that computes with 8-bit integers, quantized
            with training images of the run; its input is the pixel minus 128. "saved_model" is a folder for TensorFlow,
            and "onnx" a file for ONNX Runtime and many other programs; it needs the extra `onnx`.
        out: String or path of the file or folder, default a name for the format in the run folder. A LiteRT file ends
            in .tflite, and an ONNX file in .onnx.
        overwrite: Boolean, default False, whether to replace an existing file or folder.

    Returns:
        Dictionary with "path", "bytes" and "model_bytes" of export and `model.keras`, the number of "images" on which
        they were compared, how many of them get the "same_class", the "max_difference" of their probabilities, and
        "flip_tta", whether the run itself predicts from each image and its mirror image, which the export does not.

    Raises:
        ValueError: If the format is unknown, `out` exists or has another ending, or the export does not agree with the
            model; then nothing is written.
        ImportError: If packages for ONNX are missing.
        data.DataError: If the run is not finished, or an earlier version made it.
        OSError: If nothing can be written there.
    """
    if format not in FORMATS:
        raise ValueError(f"Expected a format: {', '.join(FORMATS)}. Received: {format!r}.")
    if format == "onnx" and (missing := [name for name in ONNX_PACKAGES if not importlib.util.find_spec(name)]):
        raise ImportError(f"ONNX needs {', '.join(missing)}: pip install onnx tf2onnx onnxruntime")
    run = finished.load(run)
    target = _check_target(Path(out or run.folder / FORMATS[format]), format, overwrite)
    arrays = finished.read_arrays(run.folder)
    images = np.concatenate([arrays["sample_images"], arrays["calibration"]])
    probs = keras.layers.Softmax(dtype="float32", name="probabilities")(run.model.outputs[0])
    model = export.in_float32(keras.Model(run.model.inputs[0], probs, name=run.model.name))
    expected = model.predict(images.astype("float32"), verbose=0)  # Keras exports what has been called
    with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as folder:
        part = Path(folder, target.name)
        _write(model, part, format, images[-len(arrays["calibration"]) :], _describe(run))
        result = _compare(format, part, images, expected)
        if target.is_dir():
            os.replace(target, Path(folder, "before"))  # deleted with the folder
        os.replace(part, target)
    sizes = {"bytes": export.file_size(target), "model_bytes": export.file_size(run.folder / "model.keras")}
    return {"path": target, **sizes, **result, "flip_tta": bool(run.metrics.get("flip_tta"))}


def _check_target(target, format, overwrite):
    suffix = Path(FORMATS[format]).suffix
    if target.suffix != suffix and suffix:
        raise ValueError(f"Expected a file (--out) that ends in {suffix}. Received: {target}.")
    if target.exists() and not overwrite:
        raise ValueError(f"{target} exists. Choose another --out, or replace it with --overwrite.")
    if target.exists() and target.is_dir() == bool(suffix):
        raise ValueError(f"Expected {target} to be a {'file' if suffix else 'folder'}. Choose another --out.")
    if not target.absolute().parent.is_dir():
        raise FileNotFoundError(f"Expected the folder {target.parent} to exist. Make it, or choose another --out.")
    return target


def _describe(run):
    """The texts inside an export: {file name: content}."""
    _, height, width, *channels = run.model.input_shape
    about = {
        "pixels": "0 to 255, red, green, blue" if channels else "0 to 255, gray",
        "height": height,
        "width": width,
        "resize": run.metrics.get("resize", "stretch"),  # how other images are fitted to this size
        "output": "probabilities, in the order of the class names",
        "dlkit": dlkit.__version__,
    }
    return {"labels.txt": "\n".join(run.class_names) + "\n", "input.json": json.dumps(about, indent=2)}


def _write(model, part, format, calibration, texts):
    if part.suffix == ".tflite":
        quantization = "int8" if format == "int8" else "float32"
        export.to_litert(model, part, quantization=quantization, calibration=calibration)
        with zipfile.ZipFile(part, "a") as archive:  # LiteRT ignores what follows the model
            for name, text in texts.items():
                archive.writestr(name, text)
        return
    with runtime.suppress_native_stderr():
        model.export(part, format="onnx" if format == "onnx" else "tf_saved_model", verbose=False)
    if format == "saved_model":
        (part / "assets.extra").mkdir()
        for name, text in texts.items():
            (part / "assets.extra" / name).write_text(text, encoding="utf-8")
    else:
        import onnx  # of the extra

        found = onnx.load(part)
        names = json.dumps(texts["labels.txt"].splitlines(), ensure_ascii=False)
        onnx.helper.set_model_props(found, {"class_names": names, "input": texts["input.json"]})
        onnx.save(found, part)


def _compare(format, part, images, expected):
    """How the answers of an export, in a new process, differ from those of the model."""
    source, target = part.parent / "images.npy", part.parent / "probabilities.npy"
    np.save(source, images)
    command = [sys.executable, "-P", *map(str, (READER, format, part, source, target))]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode or not target.exists():
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ValueError(f"The export could not be opened in a new process, so it was deleted: {reason}")
    found = np.load(target)
    same = int((found.argmax(axis=1) == expected.argmax(axis=1)).sum())
    result = {"images": len(images), "same_class": same, "max_difference": float(np.abs(found - expected).max())}
    is_good = same >= MIN_AGREEMENT * len(images) if format == "int8" else result["max_difference"] <= MAX_DIFFERENCE
    if not is_good:
        advice = " Use the format litert." if format == "int8" else ""
        raise ValueError(
            f"The export gives the class of the model for {same} of {len(images)} images only, or its probabilities "
            f"differ too much, by up to {result['max_difference']:.2g}, so it was deleted.{advice}"
        )
    return result


def in_words(result):
    """The result of `export_run` in a sentence or two."""
    size, before = result["bytes"] / 1e6, result["model_bytes"] / 1e6
    text = (
        f"✓ {result['path']}: {size:.2f} MB (model.keras: {before:.2f} MB). In a new process, it gives "
        f"{result['same_class']} of {result['images']} images the same class as the model, and its probabilities "
        f"differ from those of the model by {result['max_difference']:.2g} at most."
    )
    if result["flip_tta"]:
        text += " The run itself predicts from each image and its mirror image; the export takes the image alone."
    return text
