"""What is done with a finished run: `dlkit predict` and `dlkit evaluate` on files, folders and patterns."""

import csv
import io
import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from dlkit import data, recipes
from dlkit.cli import main
from dlkit.data.layouts import find_images
from dlkit.recipes import results, run_folder

RED, GREEN, BLUE = (250, 10, 10), (10, 250, 10), (10, 10, 250)
CLASSES = ["red", "green", "blue"]


@pytest.fixture
def run(tmp_path):
    """A run whose model returns the mean of each color channel as its logits."""
    folder = tmp_path / "run"
    folder.mkdir()
    inputs = keras.Input((8, 8, 3))
    keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs)).save(folder / "model.keras")
    (folder / "metrics.json").write_text(json.dumps({"class_names": CLASSES, "train_counts": [5, 5, 5]}))
    return folder


def save(file, color):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), color).save(file)


@pytest.fixture
def photos(tmp_path):
    """A folder with two readable images, one of them in a subfolder, a damaged one, and a text."""
    photos = tmp_path / "my photos"
    save(photos / "a.png", RED)
    save(photos / "inner" / "b.jpg", BLUE)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8 no image")
    (photos / "notes.txt").write_text("text")
    return photos


def test_folders_patterns_and_files_name_images(photos, monkeypatch):
    names = [file.relative_to(photos).as_posix() for file in find_images([photos])]
    assert names == ["a.png", "broken.jpg", "inner/b.jpg"]
    monkeypatch.chdir(photos)
    assert [file.as_posix() for file in find_images(["*.png", "**/*.jpg"])] == ["a.png", "broken.jpg", "inner/b.jpg"]
    assert [file.name for file in find_images(["inn*", "**/b.jpg"])] == ["b.jpg"], "a folder; each file once"
    (photos / "notes[1].txt").write_text("text")
    assert [file.name for file in find_images(["notes[1].txt"])] == ["notes[1].txt"], "a file, not a pattern"


def test_one_bad_file_does_not_stop_the_others(run, photos, capsys):
    assert main(["predict", str(run), str(photos)]) == 1
    output = capsys.readouterr().out
    assert f"{photos / 'a.png'}: red 100%, " in output
    assert f"{photos / 'inner' / 'b.jpg'}: blue 100%, " in output
    assert "broken.jpg: " in output
    (photos / "broken.jpg").unlink()
    assert main(["predict", str(run), str(photos)]) == 0


def test_only_bad_files_are_all_named(run, photos, capsys):
    shutil.copy(photos / "broken.jpg", photos / "broken2.jpg")
    assert main(["predict", str(run), str(photos / "broken*.jpg")]) == 1
    assert "2 of 2 files could not be decoded as images" in capsys.readouterr().out


def test_many_files_are_classified_in_parts(run, photos, monkeypatch):
    monkeypatch.setattr(run_folder, "CHUNK", 2)
    files = [photos / name for name in ("broken.jpg", "broken.jpg", "a.png", "broken.jpg", "inner/b.jpg")]
    answers = recipes.predict(run, files, top=1, on_error="skip")
    assert [answer and answer[0][0] for answer in answers] == [None, None, "red", None, "blue"]


def test_json_holds_every_file_and_nothing_else(run, photos, capsys):
    assert main(["predict", str(run), str(photos), "--json", "--top", "2"]) == 1
    entries = {entry["file"]: entry["classes"] for entry in json.loads(capsys.readouterr().out)}
    assert entries[str(photos / "broken.jpg")] is None
    first, second = entries[str(photos / "a.png")]
    assert first == {"class": "red", "probability": pytest.approx(1)}
    assert second["probability"] == pytest.approx(0)


def test_csv_has_a_row_for_every_file(run, photos, capsys):
    assert main(["predict", str(run), str(photos), "--csv", "--top", "1"]) == 1
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == ["file", "class_1", "probability_1"]
    assert rows[1:] == [
        [str(photos / "a.png"), "red", "1.000000"],
        [str(photos / "broken.jpg")],
        [str(photos / "inner" / "b.jpg"), "blue", "1.000000"],
    ]


@pytest.fixture
def new_photos(tmp_path):
    """Three red images, of which one is in the folder of blue ones, and a blue one."""
    for k in range(2):
        save(tmp_path / "new" / "red" / f"{k}.png", RED)
    save(tmp_path / "new" / "blue" / "0.png", BLUE)
    save(tmp_path / "new" / "blue" / "1.png", RED)
    return tmp_path / "new"


def test_evaluate_counts_the_answers_by_class(run, new_photos, capsys):
    found = recipes.evaluate_folder(run, new_photos)
    assert found["accuracy"] == 0.75
    assert found["confusion"] == [[2, 0, 0], [0, 0, 0], [1, 0, 1]]
    assert (found["test_counts"], found["recall"]) == ([2, 0, 2], [1, 0, 0.5])
    assert main(["evaluate", str(run), str(new_photos)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["red", "2", "1.000"]
    assert lines[2].split() == ["green", "0", "–"]
    assert lines[3].split() == ["blue", "2", "0.500", '"red",', "1", "times"]
    assert "est accuracy 0.7500 (95% interval" in lines[4]
    assert "of training" not in lines[4]
    assert main(["evaluate", str(run), str(new_photos), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 0.75


def test_evaluate_takes_the_test_split_where_there_is_one(run, new_photos, tmp_path):
    for name in ("red", "blue"):
        save(tmp_path / "all" / "train" / name / "0.png", GREEN)
        shutil.copytree(new_photos / name, tmp_path / "all" / "test" / name)
    assert recipes.evaluate_folder(run, tmp_path / "all")["test_counts"] == [2, 0, 2]


def test_evaluate_refuses_classes_that_the_run_lacks(run, new_photos):
    save(new_photos / "yellow" / "0.png", RED)
    with pytest.raises(data.DataError, match="classes of the run: red, green, blue. Received: yellow. Rename"):
        recipes.evaluate_folder(run, new_photos)


def test_evaluate_stops_at_broken_files_unless_they_are_skipped(run, new_photos):
    (new_photos / "red" / "broken.png").write_bytes(b"")
    with pytest.raises(data.DataError, match=r"broken\.png"):
        recipes.evaluate_folder(run, new_photos)
    assert recipes.evaluate_folder(run, new_photos, on_error="skip")["test_counts"] == [2, 0, 2]
    for file in new_photos.rglob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(data.DataError, match="5 files, all of them broken"):
        recipes.evaluate_folder(run, new_photos, on_error="skip")


@pytest.mark.parametrize("num_classes", [2, 5, 20])
def test_examples_are_of_different_classes(num_classes):
    labels = np.sort(np.arange(40) % num_classes)
    images = np.arange(40, dtype="uint8").reshape(40, 1, 1)
    probs = np.eye(num_classes, dtype="float32")[np.zeros(40, int)]
    dataset = data.Dataset("a", (images, labels), (images, labels), list(map(str, range(num_classes))), True, "", "")
    kept = results._examples(dataset, probs)
    assert len(kept["samples"]) == len(set(kept["samples"])) == 12
    counts = np.bincount(labels[kept["samples"]], minlength=num_classes)
    assert counts.max() - counts.min() <= 1
    assert set(labels[kept["mistakes"]]) <= set(range(1, num_classes))
    np.testing.assert_array_equal(kept["mistake_images"], images[kept["mistakes"]])
    assert len(kept["calibration"]) == 40
