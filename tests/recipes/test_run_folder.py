"""The files of a run: settings, the description of the data, the validation split, and atomic writes."""

import dataclasses
import json

import numpy as np
import pytest

from dlkit import data
from dlkit.recipes import run_folder


def test_split_validation_takes_a_tenth_of_every_class():
    images, labels = np.arange(200), np.repeat([0, 1], [150, 50])
    (train_images, train_labels), (val_images, val_labels) = run_folder.split_validation((images, labels), 0)
    assert sorted([*train_images, *val_images]) == list(range(200))
    assert np.bincount(val_labels).tolist() == [15, 5]
    assert np.array_equal(labels[train_images], train_labels)
    again = run_folder.split_validation((images, labels), 0)
    assert np.array_equal(again[1][0], val_images)
    assert not np.array_equal(run_folder.split_validation((images, labels), 1)[1][0], val_images)


def test_split_validation_reports_too_few_images():
    images, labels = np.arange(5), np.array([0, 0, 0, 0, 1])
    with pytest.raises(ValueError, match=r"Received: \[4, 1\] images of the classes"):
        run_folder.split_validation((images, labels), 0)


def test_describe_data_changes_with_pixels_and_class_names():
    images, labels = np.zeros((4, 2, 2), "uint8"), np.array([0, 1, 0, 1])
    dataset = data.Dataset("own", (images, labels), (images, labels), ["a", "b"], True, "here")
    description = run_folder.describe_data(dataset)
    assert description == run_folder.describe_data(dataset)
    assert json.loads(json.dumps(description)) == description
    assert (description["train_images"], description["test_images"]) == (4, 4)
    other_pixel = images.copy()
    other_pixel[3, 1, 1] = 1
    for other in (
        dataclasses.replace(dataset, test=(other_pixel, labels)),
        dataclasses.replace(dataset, class_names=["a", "c"]),
    ):
        assert run_folder.describe_data(other)["sha256"] != description["sha256"]


def test_check_settings_refuses_a_folder_of_other_settings(tmp_path):
    folder = tmp_path / "new" / "run"
    run_folder.check_settings(folder, {"seed": 0, "epochs": 2})
    run_folder.check_settings(folder, {"seed": 0, "epochs": 2})
    with pytest.raises(ValueError, match="belongs to another training: epochs was 2, now 3. Choose another --out"):
        run_folder.check_settings(folder, {"seed": 0, "epochs": 3})
    assert json.loads((folder / "settings.json").read_text()) == {"seed": 0, "epochs": 2}


def test_write_atomically_leaves_the_old_file_after_an_error(tmp_path):
    path = tmp_path / "metrics.json"
    run_folder.write_atomically(path, lambda part: part.write_text("complete"))

    def write_half(part):
        part.write_text("ha")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        run_folder.write_atomically(path, write_half)
    assert path.read_text() == "complete"
