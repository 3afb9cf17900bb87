"""Tables that name the class of each image, as spreadsheets and scripts write them."""

import pytest

from dlkit import data
from dlkit.data.labels_csv import read_labels
from tests.data.helpers import make_image


@pytest.mark.parametrize(
    "text",
    [
        "file,label\na.png,cat\nsub/b.png,dog\n",
        "LABEL,File\ncat,a.png\ndog,sub/b.png\n",
        "a.png,cat\nsub/b.png,dog",
        "id;filename;class\n1;a.png;cat\n2;./sub/b.png;dog\n",
        "\ufefffile\tlabel\r\na.png\tcat\r\n\r\nsub\\b.png\tdog\r\n",
        'image,label\n"a.png"," cat "\nsub/b.png,dog\nsub/b.png,dog\n',
    ],
)
def test_read_labels_of_many_programs(tmp_path, text):
    (tmp_path / "labels.csv").write_text(text, "utf-8")
    labels = read_labels(tmp_path / "labels.csv")
    assert labels == {tmp_path / "a.png": ("cat", "train"), tmp_path / "sub" / "b.png": ("dog", "train")}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Received: an empty file"),
        (b"photo,animal\na.png,cat", "Received: photo, animal."),
        (b"file\na.png", "Received: file."),
        ("file,label\na.png,K\xe4tzchen".encode("latin-1"), "expected text in UTF-8.*Save it as CSV in UTF-8"),
        (b"file,label\na.png,cat\na.png,dog", "one label for each file. Received two for a.png"),
    ],
)
def test_read_labels_says_what_is_wrong(tmp_path, content, message):
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(data.DataError, match=message):
        read_labels(tmp_path / "labels.csv")


@pytest.fixture
def labeled_files(tmp_path):
    """Twelve images in a folder, and one more that no table names."""
    for k in range(12):
        make_image(tmp_path / "images" / f"{k}.png", (20 * k, 0, 0))
    make_image(tmp_path / "images" / "extra.png")
    return tmp_path


def write_table(folder, *rows):
    (folder / "Labels.CSV").write_text("\n".join(rows), "utf-8")


def test_image_folder_with_a_table(labeled_files, capsys):
    write_table(labeled_files, "file,label", *(f"images/{k}.png,{['猫', 'dog'][k % 2]}" for k in range(12)))
    photos = data.image_folder(labeled_files)
    assert photos.class_names == ["dog", "猫"]
    assert (len(photos.train[1]), len(photos.test[1])) == (10, 2)
    assert ((photos.train[0][:, 0, 0, 0] // 20 % 2 == 0) == photos.train[1]).all(), "each image has its own label"
    assert photos.source == "labels.csv"
    assert "1 not in labels.csv" in photos.description
    assert "2 of 12 images are set aside for testing" in capsys.readouterr().out


def test_image_folder_with_a_table_of_splits(labeled_files):
    splits = ["train", "Train", "training", "training", "VAL", "valid"]
    write_table(labeled_files, *(f"images/{k}.png,{k % 2},{splits[k // 2]}" for k in range(12)))
    photos = data.image_folder(labeled_files)
    assert (len(photos.train[1]), len(photos.test[1]), photos.validation) == (8, 4, None)
    write_table(labeled_files, "file,label,split", "images/0.png,1,holdout")
    with pytest.raises(data.DataError, match="expected the split train, val or test .*0.png. Received: holdout"):
        data.image_folder(labeled_files)
    write_table(labeled_files, "file,label,split", "images/0.png,1,test")
    with pytest.raises(data.DataError, match="expected training images. Received: none"):
        data.image_folder(labeled_files)


def test_image_folder_finds_files_that_the_table_names_without_folder_or_suffix(labeled_files):
    make_image(labeled_files / "more" / "3.png", (250, 0, 0))
    names = ["images/3.png" if k == 3 else f"{k}.png" if k % 2 else str(k) for k in range(12)]
    write_table(labeled_files, "id,label", *(f"{name},{k % 2}" for k, name in enumerate(names)))
    photos = data.image_folder(labeled_files)
    assert len(photos.train[1]) + len(photos.test[1]) == 12
    assert ((photos.train[0][:, 0, 0, 0] // 20 % 2) == photos.train[1]).all(), "each image has its own label"
    assert "2 not in labels.csv" in photos.description
    write_table(labeled_files, "id,label", *(f"{name},{k % 2}" for k, name in enumerate(names)), "3,1")
    with pytest.raises(data.DataError, match="1 of 13 files.*\n.*3: it does not exist"):
        data.image_folder(labeled_files)


def test_image_folder_names_files_of_the_table_that_do_not_exist(labeled_files, capsys):
    rows = [f"images/{k}.png,{k % 2}" for k in range(12)]
    write_table(labeled_files, *rows, "images/lost.png,1", "images/70,0", "images/extra.png,")
    with pytest.raises(
        data.DataError, match=r"2 of 14 files.*\n.*70: it does not exist\n.*lost.png: it does not exist"
    ):
        data.image_folder(labeled_files)
    photos = data.image_folder(labeled_files, on_error="skip")
    assert "lost.png: it does not exist" in capsys.readouterr().out
    assert "1 without a label in labels.csv" in photos.description
