"""Reads an exported model as a program elsewhere would, without dlkit, and classifies images with it.

`export_run` starts it in a new process, with the format, the path of the export, that of images (.npy) and that of the
probabilities to write (.npy).
"""

import sys

import numpy as np


def read_onnx(path, images):
    """Probabilities by ONNX Runtime."""
    import onnxruntime  # of the extra

    session = onnxruntime.InferenceSession(path)
    return session.run(None, {session.get_inputs()[0].name: images})[0]


def read_saved_model(path, images):
    """Probabilities by TensorFlow, without Keras."""
    import tensorflow as tf

    model = tf.saved_model.load(path)  # kept, since its function does not keep it
    return model.serve(tf.constant(images)).numpy()


def read_litert(path, images):
    """Probabilities by the LiteRT interpreter, one image at a time, as on a phone."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_path=path)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    (scale, zero), (out_scale, out_zero) = source["quantization"], target["quantization"]
    if scale:
        images = np.clip(np.round(images / scale) + zero, -128, 127).astype(source["dtype"])
    outputs = []
    for image in images:
        interpreter.set_tensor(source["index"], image[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(target["index"])[0].astype("float32"))
    return (np.array(outputs) - out_zero) * out_scale if out_scale else np.array(outputs)


if __name__ == "__main__":
    kind, path, source, target = sys.argv[1:]
    read = {"onnx": read_onnx, "saved_model": read_saved_model}.get(kind, read_litert)
    np.save(target, read(path, np.load(source).astype("float32")))
