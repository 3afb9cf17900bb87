"""The report of a run: what it holds, that it needs nothing from outside, and what it says where files are missing."""

import json
import re
import shlex
import shutil

import keras
import numpy as np
import pytest

from dlkit import recipes
from dlkit.cli import main
from dlkit.data import DataError
from dlkit.recipes import finished, report, report_figures
from tests.pages import AXE, FAULTS
from tests.test_jupyterlab import browser  # noqa: F401


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    run = tmp_path_factory.mktemp("report") / "run"
    recipes.train("digits-mlp", out=run, epochs=2, verbose=0)
    return run


@pytest.fixture(scope="module")
def photo_run(photo_folder, tmp_path_factory):
    run = tmp_path_factory.mktemp("report") / "photos"
    recipes.train("cifar10-cnn", data_dir=photo_folder, out=run, epochs=2, batch_size=32, verbose=0)
    return run


@pytest.fixture
def run(digits_run, tmp_path):
    return shutil.copytree(digits_run, tmp_path / "run")


def read(run):
    return (run / "report.html").read_text(encoding="utf-8")


def change(run, **entries):
    file = run / "metrics.json"
    metrics = json.loads(file.read_text()) | entries
    file.write_text(json.dumps(metrics))
    return metrics


def test_training_writes_a_report_with_its_result(digits_run):
    page, metrics = read(digits_run), finished.load(digits_run).metrics
    low, high = metrics["accuracy_interval_95"]
    assert f"accuracy {metrics['accuracy']:.4f} (95% interval {low:.3f} to {high:.3f}" in page
    assert page.count("<h1>") == 1
    assert page.count("<img ") == page.count('<img alt="') == 4, "curves, confusion, mistakes, calibration"
    assert "Grad-CAM needs" in page
    assert not list(digits_run.glob("part-*"))


def test_report_on_photographs(photo_run):
    page = read(photo_run)
    assert page.count("<img ") - page.count('alt="Mistakes') == 4, "the fourth is Grad-CAM"
    assert "Your own images" in page
    assert '<th scope="row">blue sky</th><td>20</td><td>5</td>' in page
    assert "--image-size 64" in page


def test_report_refers_to_nothing_outside(photo_run):
    page = read(photo_run)
    assert all(source.startswith("data:image/png;base64,") for source in re.findall(r'src="([^"]*)', page))
    assert not re.search(r"<(link|script|iframe)|url\(|@import", page)
    assert str(photo_run.parent) not in page, "no path of this machine"


def test_class_names_are_escaped(run):
    change(run, class_names=["<script>alert(1)</script>", "x" * 300, "$5", *"abcdefg"])
    page = report.write_report(run).read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(("num_classes", "numbers"), [(5, 5), (40, 0)])
def test_confusion_matrix_of_many_classes_has_no_numbers(num_classes, numbers, monkeypatch):
    monkeypatch.setattr(report_figures, "embed", lambda figure, alt: figure)
    labels, names = np.arange(80) % num_classes, [f"class {k}" for k in range(num_classes)]
    assert len(report_figures.draw_confusion(labels, labels, names).axes[0].texts) == numbers


def test_layer_of_grad_cam_has_the_size_of_the_last_convolution():
    layers = keras.layers
    body = [layers.Conv2D(4, 3, name="conv"), layers.ReLU(name="relu"), layers.MaxPooling2D(name="pool")]
    model = keras.Sequential([keras.Input((9, 9, 3)), *body, layers.Flatten(), layers.Dense(2)])
    assert report_figures.find_map_layer(model) == "relu"
    assert report_figures.find_map_layer(keras.Sequential([keras.Input((9,)), layers.Dense(2)])) is None


def test_grad_cam_of_gray_images():
    """The images of such a model have no axis of channels."""
    layers = keras.layers
    body = [layers.Reshape((9, 9, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]
    model = keras.Sequential([keras.Input((9, 9)), *body])
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 9)).astype("uint8")
    assert "activation maps" in report_figures.draw_grad_cam(model, images, ["a", "b"])


def test_classes_without_images_have_no_scores():
    probs = np.eye(4)[[0, 0, 1, 1]]  # of four classes, the last two have no image, and the last is never predicted
    table = report._classes(np.array([0, 0, 0, 1]), probs, ["a", "b", "c", "d"])
    assert "<td>1.000</td><td>0.667</td><td>0.21 to 0.94</td><td>0.800</td><td>3</td>" in table
    assert '<th scope="row">d</th><td>–</td><td>–</td><td>–</td><td>–</td><td>0</td>' in table


def test_command_line_writes_a_report_elsewhere(digits_run, tmp_path, capsys):
    assert main(["report", str(digits_run), "--out", str(tmp_path / "page.html")]) == 0
    assert f"Report: {tmp_path / 'page.html'}" in capsys.readouterr().out
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == read(digits_run)
    assert main(["report", str(digits_run), "--out", str(tmp_path / "none" / "page.html")]) == 1
    assert main(["report", str(tmp_path / "none")]) == 1


def test_finished_training_gets_its_missing_report(run):
    (run / "report.html").unlink()
    recipes.train("digits-mlp", out=run, epochs=2, verbose=0)
    assert (run / "report.html").exists()


def test_run_of_an_earlier_version(run):
    (run / "test.npz").unlink()
    with pytest.raises(DataError, match="lacks test.npz.*--overwrite"):
        report.write_report(run)


def test_damaged_file(run):
    (run / "test.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="damaged"):
        report.write_report(run)


def test_failed_report_leaves_the_previous_one(run, monkeypatch):
    before = read(run)
    monkeypatch.setattr("os.replace", lambda *paths: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report.write_report(run)
    assert read(run) == before
    assert not list(run.glob("part-*"))


def test_command_repeats_the_training(photo_run, photo_folder, tmp_path, monkeypatch):
    metrics = finished.load(photo_run).metrics
    monkeypatch.chdir(photo_folder.parent)
    words = shlex.split(report.command(metrics))
    assert words[:3] == ["dlkit", "train", "cifar10-cnn"]
    assert main([*words[1:-1], str(tmp_path / "again")]) == 0
    again = finished.load(tmp_path / "again")
    assert again.metrics["history"][-1]["loss"] == metrics["history"][-1]["loss"]


def test_command_quotes_the_folder(run):
    about = finished.load(run).metrics["data"] | {"name": "my photos; rm", "source": "class folders"}
    words = shlex.split(report.command(change(run, data=about)))
    assert words[words.index("--data") + 1] == "my photos; rm"


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(360, False), (1200, True)], ids=["phone", "dark desktop"])
def test_report_in_a_browser(photo_run, browser, axe, width, dark):  # noqa: F811
    context = browser.new_context(viewport={"width": width, "height": 740}, color_scheme="dark" if dark else "light")
    page, messages = context.new_page(), []
    page.on("console", lambda message: messages.append(message.text))
    page.on("request", lambda request: messages.append(request.url) if request.url.startswith("http") else None)
    page.goto((photo_run / "report.html").as_uri())
    assert page.evaluate(FAULTS) == []
    page.add_script_tag(path=axe)
    assert page.evaluate(AXE, True) == []
    assert messages == []
    context.close()
