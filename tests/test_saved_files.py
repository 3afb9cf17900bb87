"""Every kind of saved file is opened by a fresh process: without dlkit, and runs also by `recipes.predict`.

A file that only the process that wrote it can open is worthless. Everything is saved once; then one other process loads
all models, checkpoints, features and LiteRT files with Keras, NumPy and TensorFlow alone, before it imports dlkit and
predicts with all runs. Each test looks at what this process reported about one file.
"""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

from dlkit import data, export, models, recipes, transfer
from tests.random_weights import randomize
from tests.recipes.helpers import build_small_backbone
from tools.notebooks import ROOT

IMAGE, CLASSES, WORDS = (32, 32, 3), 3, 20
BUILDERS = {
    "build_alexnet": lambda: models.build_alexnet(IMAGE, CLASSES, hidden=(16,)),
    "build_classic_cnn": lambda: models.build_classic_cnn(IMAGE, CLASSES),
    "build_fast_cnn": lambda: models.build_fast_cnn(IMAGE, CLASSES, precision="mixed_bfloat16"),
    "build_language_model": lambda: models.build_language_model(WORDS, embedding_dim=8, blocks=1),
    "build_lenet5": lambda: models.build_lenet5(IMAGE, CLASSES),
    "build_mlp": lambda: models.build_mlp(IMAGE, CLASSES),
    "build_resnet": lambda: models.build_resnet(IMAGE, CLASSES, depth=8),
    "build_small_resnet": lambda: models.build_small_resnet(IMAGE, CLASSES),
    "build_text_cnn": lambda: models.build_text_cnn(WORDS, CLASSES),
    "build_text_lstm": lambda: models.build_text_lstm(WORDS, CLASSES),
    "build_text_mean": lambda: models.build_text_mean(WORDS, CLASSES),
    "build_text_transformer": lambda: models.build_text_transformer(WORDS, CLASSES),
    "build_vgg": lambda: models.build_vgg(IMAGE, CLASSES),
}
FAST_BACKBONES = ("resnet50", "mobilenet")  # those of the recipes; resnet50 with a small network behind its scaling
SLOW_BACKBONES = [name for name in transfer.BACKBONES if name != "mobilenet"]
# The others take longer, and differ from cifar10-fast and mobilenet in options. Here mobilenet has a small backbone.
FAST_RECIPES = [name for name in recipes.RECIPES if name not in ("cifar10-long", "resnet50")]
QUANTIZATIONS = ("float32", "dynamic", "int8")

OPEN = """
import json, sys
from pathlib import Path
import keras, keras_hub, numpy as np, tensorflow as tf

def run_keras(file, inputs):
    return np.asarray(keras.models.load_model(file)(inputs, training=False), "float32")

def run_litert(file, inputs):
    interpreter = tf.lite.Interpreter(model_path=str(file))
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    def quantize(values, details, inverse=False):
        scale, zero = details["quantization"]
        if not scale:
            return values
        if inverse:
            return (values.astype("float32") - zero) * scale
        return np.clip(np.round(values / scale + zero), -128, 127).astype(details["dtype"])
    outputs = []
    for row in inputs:
        interpreter.set_tensor(source["index"], quantize(row[None], source))
        interpreter.invoke()
        outputs.append(quantize(interpreter.get_tensor(target["index"]), target, inverse=True))
    return np.concatenate(outputs)

report = {}
for example in sorted(Path(sys.argv[1]).rglob("*.example.npz")):
    file = Path(str(example).removesuffix(".example.npz"))
    try:
        with np.load(example, allow_pickle=False) as saved:
            run = run_litert if file.suffix == ".tflite" else run_keras
            expected = saved["outputs"]
            report[str(file)] = float(np.abs(run(file, saved["inputs"]) - expected).max() / np.abs(expected).max())
    except Exception as error:
        report[str(file)] = repr(error)
for file in sorted(Path(sys.argv[1]).rglob("checkpoint.npz")):
    with np.load(file, allow_pickle=False) as saved:
        about = json.loads(str(saved["about"]))
        finite = all(np.isfinite(saved[f"variable_{k}"]).all() for k in range(about["variables"]))
        report[str(file)] = [len(about["history"]), about["variables"], finite]
for file in sorted(Path(sys.argv[1]).rglob("features/*")):
    rows = np.fromfile(file, file.suffix[1:]).reshape(-1, 4)
    report[str(file)] = [len(rows), bool(np.isfinite(rows).all())]
assert "dlkit" not in sys.modules

from dlkit import recipes
runs, files = json.loads(sys.argv[2]), sys.argv[3:]
for run in runs:
    report[run] = [classes[0][0] for classes in recipes.predict(run, files)]
print(json.dumps(report))
"""


def open_files(folder, runs=(), images=()):
    """Opens all files in a folder in a fresh process: {file: relative difference, error, content, or classes}."""
    line = [sys.executable, "-W", "ignore", "-c", OPEN, folder, json.dumps(list(map(str, runs))), *map(str, images)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def save_example(file, outputs, inputs):
    """Saves what a model answered, next to its file."""
    np.savez(f"{file}.example.npz", inputs=inputs, outputs=np.asarray(outputs, "float32"))


def save_model(model, file):
    randomize(model)
    rng = np.random.default_rng(0)
    if len(model.input_shape) == 2:
        inputs = rng.integers(1, WORDS, (4, 7))
        inputs[0, 3:] = 0  # padding
    else:
        inputs = rng.uniform(0, 255, (2, *model.input_shape[1:])).astype("float32")
    model.save(file)
    save_example(file, model(inputs, training=False), inputs)


def save_backbones(names, folder):
    for name in names:
        backbone = transfer.build_backbone(name, IMAGE, image_size=64, weights=None)
        head = transfer.build_head(backbone.output_shape[1:], CLASSES)
        save_model(keras.Model(backbone.input, head(backbone.output)), folder / f"{name}.keras")


def add_small_network(*, input_tensor, **options):
    """Stands for a network of `keras.applications`."""
    x = keras.layers.Conv2D(4, 3, strides=4)(input_tensor)
    return SimpleNamespace(output=keras.layers.GlobalAveragePooling2D()(x))


def train(recipe, photos, out):
    pretrained = isinstance(recipes.RECIPES[recipe], recipes.FineTuning)
    options = {"weights": "none", "image_size": 32} if pretrained else {}
    return recipes.train(recipe, data_dir=photos, out=out, epochs=1, verbose=0, **options)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Class folders of 24 training and 8 test images of 32 x 32 pixels, in two classes."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 4)):
        for name, level in (("dark", 90), ("light", 160)):
            (folder / split / name).mkdir(parents=True)
            for k in range(count):
                pixels = rng.normal(level, 40, IMAGE).clip(0, 255).astype("uint8")
                Image.fromarray(pixels).save(folder / split / name / f"{k}.png")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photos):
    """A folder with one file of each kind, saved by this process, and an example of what each model answers."""
    folder = tmp_path_factory.mktemp("saved")
    for name, build in BUILDERS.items():
        save_model(build(), folder / f"{name}.keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "ResNet50", add_small_network)
        save_backbones(FAST_BACKBONES, folder)
    images = data.image_folder(photos).test[0].astype("float32")
    for name in FAST_RECIPES:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transfer, "build_backbone", build_small_backbone)
            train(name, photos, folder / name)
        model = keras.models.load_model(folder / name / "model.keras")
        save_example(folder / name / "model.keras", model(images, training=False), images)
    model = randomize(models.build_mlp((8, 8), CLASSES))
    inputs = np.random.default_rng(0).uniform(0, 255, (100, 8, 8)).astype("float32")
    for quantization in QUANTIZATIONS:
        file = folder / f"{quantization}.tflite"
        export.to_litert(model, file, quantization=quantization, calibration=inputs)
        save_example(file, model(inputs, training=False), inputs)
    return folder


def find_test_images(photos):
    return sorted((photos / "test").rglob("*.png"))


@pytest.fixture(scope="module")
def report(folder, photos):
    """What a fresh process found, as `open_files` returns it."""
    return open_files(folder, [folder / name for name in FAST_RECIPES], find_test_images(photos))


def assert_same_outputs(difference, tolerance=1e-5):
    """Asserts that a fresh process found hardly any difference, and no error, which is reported as a string."""
    assert isinstance(difference, float), difference
    assert difference < tolerance


def test_every_builder_is_saved():
    assert set(BUILDERS) == {name for name in vars(models) if name.startswith("build_")}


@pytest.mark.parametrize("name", [*BUILDERS, *FAST_BACKBONES])
def test_model_loads_in_plain_keras(name, folder, report):
    assert_same_outputs(report[str(folder / f"{name}.keras")])


@pytest.mark.slow
def test_further_backbones_load_in_plain_keras(tmp_path):
    save_backbones(SLOW_BACKBONES, tmp_path)
    differences = open_files(tmp_path)
    assert len(differences) == len(SLOW_BACKBONES)
    for difference in differences.values():
        assert_same_outputs(difference)


@pytest.mark.parametrize("name", FAST_RECIPES)
def test_model_of_a_run_loads_in_plain_keras(name, folder, report):
    assert_same_outputs(report[str(folder / name / "model.keras")])


@pytest.mark.parametrize("name", FAST_RECIPES)
def test_run_predicts_in_a_fresh_process(name, folder, report):
    correct = np.repeat(["dark", "light"], 4) == report[str(folder / name)]
    assert np.mean(correct) == json.loads((folder / name / "metrics.json").read_text())["accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar10-long", "mobilenet", "resnet50"])
def test_run_of_a_large_network_predicts_in_a_fresh_process(name, photos, tmp_path):
    run = tmp_path / "run"
    metrics = train(name, photos, run)
    predicted = open_files(tmp_path, [run], find_test_images(photos))[str(run)]
    assert np.mean(np.repeat(["dark", "light"], 4) == predicted) == metrics["accuracy"]


@pytest.mark.parametrize("name", FAST_RECIPES)
def test_checkpoint_is_plain_numpy(name, folder, report):
    epochs, variables, finite = report[str(folder / name / "checkpoint.npz")]
    assert epochs == 1
    assert variables > len(keras.models.load_model(folder / name / "model.keras").weights)
    assert finite


def test_features_are_plain_numpy(folder, report):
    rows = [content for file, content in report.items() if Path(file).parent.name == "features"]
    assert sorted(rows) == [[3, True]] * 2 + [[21, True]] * 2, "for the validation and the training images"


@pytest.mark.parametrize(("quantization", "tolerance"), [("float32", 1e-5), ("dynamic", 0.05), ("int8", 0.1)])
def test_litert_file_runs_in_plain_tensorflow(quantization, tolerance, folder, report):
    assert_same_outputs(report[str(folder / f"{quantization}.tflite")], tolerance)
