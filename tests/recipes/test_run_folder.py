"""The files of a run: settings, the description of the data, the validation split, and atomic writes."""

import dataclasses
import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from dlkit import data
from dlkit.data.image_files import LazyImages
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


@pytest.mark.parametrize(
    ("labels", "counts"), [([0, 0, 0, 0, 1], [4, 1]), ([0, 1, 2] * 5, [5, 5, 5]), ([0] * 30 + [1], [30, 1])]
)
def test_split_validation_says_how_many_images_are_needed(labels, counts):
    with pytest.raises(data.DataError) as error:
        run_folder.split_validation((np.arange(len(labels)), np.array(labels)), 0)
    assert f"Expected ten or more training images of each of the {len(counts)} classes" in str(error.value)
    assert f"Received: {counts} images of the classes. Add images." in str(error.value)


@pytest.fixture
def two_forms(class_folders):
    """The same class folders in memory and decoded from disk."""
    return [data.image_folder(class_folders, in_memory=in_memory) for in_memory in (True, False)]


def test_split_validation_decodes_nothing(two_forms):
    in_memory, lazy = (run_folder.split_validation(dataset.train, 0) for dataset in two_forms)
    for (images, labels), (lazy_images, lazy_labels) in zip(in_memory, lazy, strict=True):
        assert isinstance(lazy_images, LazyImages)
        assert np.array_equal(lazy_images[: len(lazy_images)], images)
        assert np.array_equal(lazy_labels, labels)


def test_describe_data_is_the_same_for_images_on_disk(two_forms, monkeypatch):
    monkeypatch.setattr(run_folder, "CHUNK", 5)
    in_memory, lazy = (run_folder.describe_data(dataset) for dataset in two_forms)
    assert in_memory == lazy


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


def save_epoch(folder):
    """What a training leaves behind that was stopped after its first epoch."""
    (folder / "checkpoint.npz").write_bytes(b"an epoch")


def test_claim_refuses_a_folder_of_other_settings(tmp_path):
    folder = tmp_path / "new" / "run"
    for _ in range(2):
        with run_folder.claim(folder, {"seed": 0, "epochs": 2}):
            save_epoch(folder)
    with (
        pytest.raises(ValueError, match="belongs to another training: epochs was 2, now 3. Choose another --out"),
        run_folder.claim(folder, {"seed": 0, "epochs": 3}),
    ):
        pass
    assert json.loads((folder / "settings.json").read_text()) == {"seed": 0, "epochs": 2}


@pytest.mark.parametrize("saves", [False, True])
def test_claim_ends_with_a_mistake_before_the_first_epoch_but_not_after_it(tmp_path, saves):
    def train():
        with run_folder.claim(tmp_path, {"seed": 0}):
            if saves:
                save_epoch(tmp_path)
            raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        train()
    assert (tmp_path / "settings.json").exists() == saves


@pytest.mark.parametrize("content", ["", '{"seed": 0', "[1]", "\x00"])
def test_claim_names_damaged_settings_and_what_to_do(tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(data.DataError) as error, run_folder.claim(tmp_path, {"seed": 0}):
        pass
    assert f"{tmp_path / 'settings.json'} is damaged" in str(error.value)
    assert f"Delete {tmp_path} and train again, or choose another --out" in str(error.value)


@pytest.mark.skipif(os.name == "nt", reason="Windows does not have this lock")
def test_claim_keeps_a_second_process_out_until_the_first_one_ends(tmp_path):
    """The lock belongs to the open file, so a second `claim` in this process is refused like one in another process."""
    with run_folder.claim(tmp_path, {"seed": 0}):
        with (
            pytest.raises(ValueError, match=f"Another process is training in {tmp_path}. Wait until it has ended"),
            run_folder.claim(tmp_path, {"seed": 0}),
        ):
            pass
        assert (tmp_path / "settings.json").exists(), "the first one goes on undisturbed"
    with run_folder.claim(tmp_path, {"seed": 0}):
        pass


def left_or_right():
    """A model that says which half of an image is brighter, so the mirror image contradicts every answer."""
    inputs = keras.Input((4, 4, 1))
    halves = [keras.ops.mean(half, axis=(1, 2)) for half in (inputs[:, :, :2], inputs[:, :, 2:])]
    return keras.Model(inputs, keras.layers.Concatenate()(halves))


@pytest.mark.parametrize(("count", "reports"), [(100, True), (3, False)])
def test_report_flips_names_no_flip_where_mirror_images_are_other_classes(count, reports, capsys):
    labels = np.arange(count) % 2
    images = np.zeros((count, 4, 4, 1), "uint8")
    images[labels == 0, :, :2] = 200
    images[labels == 1, :, 2:] = 200
    run_folder.report_flips(left_or_right(), (images, labels))
    message = capsys.readouterr().out
    assert ("Validation accuracy is 1.000, and 0.500 with the mean" in message) == reports
    assert ("--no-flip" in message) == reports


def test_report_flips_is_silent_where_flips_do_not_hurt(capsys):
    images = np.zeros((100, 4, 4, 1), "uint8")
    run_folder.report_flips(left_or_right(), (images, np.zeros(100, int)))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("shape", [(5, 4, 6), (5, 4, 6, 1), (5, 4, 6, 3)])
def test_border_brightness_leaves_the_inside_out(shape):
    images = np.full(shape, 10, "uint8")
    images[:, 1:-1, 1:-1] = 255
    images[2, 0] = 100
    assert run_folder.border_brightness(images).tolist() == [10, 10, 10 + 6 * 90 / 16, 10, 10]


def test_write_json_leaves_the_old_file_after_an_error(tmp_path, monkeypatch):
    path, write_text = tmp_path / "metrics.json", Path.write_text
    run_folder.write_json(path, {"a": 1})

    def write_half(path, text):
        write_text(path, text[:4])
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", write_half)
    with pytest.raises(OSError, match="no space left"):
        run_folder.write_json(path, {"a": 2})
    assert run_folder.read_json(path, a=int) == {"a": 1}
