"""The files of a run: settings, the description of the data, the validation split, and atomic writes."""

import dataclasses
import errno
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from dlkit import data
from dlkit.data.image_files import LazyImages
from dlkit.recipes import results, run_folder


def make_dataset(labels, validation=None):
    """A data set whose images are numbers, so that it shows which of them a split holds."""
    labels = np.array(labels)
    names = [f"class {k}" for k in range(max(labels) + 1)]
    return data.Dataset("own", (np.arange(len(labels)), labels), (labels, labels), names, True, "here", "", validation)


def test_split_validation_takes_a_fraction_of_every_class():
    dataset = make_dataset(np.repeat([0, 1], [150, 50]))
    (train_images, train_labels), (val_images, val_labels) = run_folder.split_validation(dataset, 0.1, 0)
    assert sorted([*train_images, *val_images]) == list(range(200))
    assert np.bincount(val_labels).tolist() == [15, 5]
    assert np.bincount(run_folder.split_validation(dataset, 0.4, 0)[1][1]).tolist() == [60, 20]
    assert np.array_equal(dataset.train[1][train_images], train_labels)
    again = run_folder.split_validation(dataset, 0.1, 0)
    assert np.array_equal(again[1][0], val_images)
    assert not np.array_equal(run_folder.split_validation(dataset, 0.1, 1)[1][0], val_images)


def test_split_validation_takes_the_validation_images_of_a_data_set():
    validation = np.arange(3), np.array([0, 1, 1])
    train, val = run_folder.split_validation(make_dataset([0, 1], validation), 0.1, 0)
    assert len(train[1]) == 2
    assert val[1].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("labels", "counts"),
    [
        ([0, 0, 0, 0, 1], '1 of "class 1", 4 of "class 0"'),
        ([0, 1, 2] * 5, '5 of "class 0", 5 of "class 1", 5 of "class 2"'),
        ([0] * 30 + [1], '1 of "class 1", 30 of "class 0"'),
        (range(7), '1 of "class 0", 1 of "class 1", 1 of "class 2", 1 of "class 3", 1 of "class 4", …'),
    ],
)
def test_split_validation_says_how_many_images_are_needed(labels, counts):
    dataset = make_dataset(labels)
    with pytest.raises(data.DataError) as error:
        run_folder.split_validation(dataset, 0.1, 0)
    expected = f"Expected about 10 training images or more of each of the {len(dataset.class_names)} classes"
    assert expected in str(error.value)
    assert f"Received: {counts}. Add images" in str(error.value)


def test_larger_fraction_is_enough_for_five_images_a_class():
    (_, train_labels), (_, val_labels) = run_folder.split_validation(make_dataset([0, 1, 2] * 5), 0.2, 0)
    assert np.bincount(val_labels).tolist() == [1, 1, 1]
    assert np.bincount(train_labels).tolist() == [4, 4, 4]


@pytest.fixture
def two_forms(class_folders):
    """The same class folders in memory and decoded from disk."""
    return [data.image_folder(class_folders, in_memory=in_memory) for in_memory in (True, False)]


def test_split_validation_decodes_nothing(two_forms):
    in_memory, lazy = (run_folder.split_validation(dataset, 0.1, 0) for dataset in two_forms)
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
        dataclasses.replace(dataset, validation=(images, labels)),
    ):
        assert run_folder.describe_data(other)["sha256"] != description["sha256"]


def save_epoch(folder):
    """What a training leaves behind that was stopped after its first epoch."""
    (folder / "checkpoint.npz").write_bytes(b"an epoch")


SETTINGS = {
    "recipe": "mobilenet",
    "epochs": 12,
    "seed": 0,
    "learning_rate": 1e-3,
    "flip": True,
    "data": {"sha256": "abc", "train_images": 400, "test_images": 100},
}


def claimed(folder, settings, **options):
    """Claims a folder and saves an epoch; returns the settings that it then holds."""
    with run_folder.claim(folder, settings, **options):
        save_epoch(folder)
    return json.loads((folder / "settings.json").read_text())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 5}, "it was trained with epochs 12 instead of 5. Choose another --out"),
        (
            {"seed": 1, "learning_rate": 1 / 3000},
            "with seed 0 instead of 1, with learning rate 0.001 instead of 0.000333",
        ),
        ({"recipe": "resnet50"}, "with recipe mobilenet instead of resnet50"),
        ({"flip": False}, "with flip True instead of False"),
        (
            {"data": {"sha256": "x", "train_images": 420, "test_images": 100}},
            "on other images or labels (400 for training and 100 for testing instead of 420 for training and 100 for",
        ),
        ({"data": {**SETTINGS["data"], "sha256": "x"}}, "trained on other images or labels. Choose"),
    ],
)
def test_claim_tells_the_differences_to_another_training_in_words(tmp_path, changes, words):
    folder = tmp_path / "new" / "run"
    for _ in range(2):
        assert claimed(folder, SETTINGS) == SETTINGS
    with pytest.raises(ValueError, match=f"belongs to another training: .*{re.escape(words)}"):
        claimed(folder, SETTINGS | changes)
    assert json.loads((folder / "settings.json").read_text()) == SETTINGS


def test_settings_that_an_earlier_version_did_not_write_are_not_compared(tmp_path):
    claimed(tmp_path, SETTINGS)
    assert claimed(tmp_path, SETTINGS | {"resize": "crop"})["resize"] == "crop"


def finish(folder, epochs):
    """What a training leaves behind that is finished."""
    history = [{"phase": "head"}, *[{"loss": 1.0}] * epochs]
    (folder / "metrics.json").write_text(json.dumps({"history": history}))


def test_more_epochs_continue_a_finished_training(tmp_path, capsys):
    claimed(tmp_path, SETTINGS)
    finish(tmp_path, 12)
    assert claimed(tmp_path, SETTINGS | {"epochs": 20}, extensible=True)["epochs"] == 20
    assert not (tmp_path / "metrics.json").exists(), "it is not finished any more"
    assert (tmp_path / "checkpoint.npz").exists()
    assert "continues after epoch 12" in capsys.readouterr().out


def test_more_epochs_do_not_continue_what_early_stopping_ended(tmp_path, capsys):
    claimed(tmp_path, SETTINGS)
    finish(tmp_path, 7)
    assert claimed(tmp_path, SETTINGS | {"epochs": 20}, extensible=True)["epochs"] == 12
    assert (tmp_path / "metrics.json").exists()
    assert "with epoch 7, so it does not continue" in capsys.readouterr().out


def test_more_epochs_do_not_continue_a_learning_rate_that_fell_to_zero(tmp_path):
    claimed(tmp_path, SETTINGS)
    with pytest.raises(ValueError, match=r"falls to zero with epoch 12, so .* epoch 20.*--overwrite"):
        claimed(tmp_path, SETTINGS | {"epochs": 20})


def test_overwrite_deletes_what_a_training_wrote_and_nothing_else(tmp_path):
    claimed(tmp_path, SETTINGS)
    finish(tmp_path, 12)
    (tmp_path / "notes.txt").write_text("mine")
    with run_folder.claim(tmp_path, SETTINGS | {"seed": 1}, overwrite=True):
        assert {path.name for path in tmp_path.iterdir()} == {".lock", "settings.json", "notes.txt"}


def test_overwrite_leaves_a_folder_of_something_else(tmp_path):
    (tmp_path / "settings.json").write_text('{"theme": "dark"}')
    (tmp_path / "model.keras").write_text("mine")
    with pytest.raises(data.DataError, match="was not written by a training"):
        claimed(tmp_path, SETTINGS, overwrite=True)
    assert (tmp_path / "model.keras").exists()


@pytest.mark.parametrize("path", ["file", "file/run", "file/deep/run"])
def test_run_folder_that_is_a_file_or_below_one_is_named(path, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=rf"but {tmp_path / 'file'} is a file. Received: {tmp_path / path}"):
        run_folder.check_out(tmp_path / path)


def test_run_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def refuse(dir):
        raise PermissionError(errno.EACCES, "Permission denied", str(dir))

    run_folder.check_out(tmp_path / "new" / "run")
    assert list(tmp_path.iterdir()) == [], "nothing is made"
    monkeypatch.setattr(run_folder.tempfile, "TemporaryFile", refuse)
    with pytest.raises(ValueError, match=f"no file can be made in {tmp_path}: Permission denied. Choose another --out"):
        run_folder.check_out(tmp_path / "new" / "run")


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


@pytest.mark.parametrize("shape", [(5, 4, 6), (5, 4, 6, 1), (5, 4, 6, 3)])
def test_border_brightness_leaves_the_inside_out(shape):
    images = np.full(shape, 10, "uint8")
    images[:, 1:-1, 1:-1] = 255
    images[2, 0] = 100
    assert results.border_brightness(images).tolist() == [10, 10, 10 + 6 * 90 / 16, 10, 10]


def test_write_json_leaves_the_old_file_after_an_error(tmp_path, monkeypatch):
    path, write_text = tmp_path / "metrics.json", Path.write_text
    run_folder.write_json(path, {"a": 1})

    def write_half(path, text, **options):
        write_text(path, text[:4], **options)
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", write_half)
    with pytest.raises(OSError, match="no space left"):
        run_folder.write_json(path, {"a": 2})
    assert run_folder.read_json(path, a=int) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]
