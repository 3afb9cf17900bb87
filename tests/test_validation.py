"""The checks of arguments: what they accept and return, and what they say about everything else."""

import re

import numpy as np
import pytest
import tensorflow as tf

from dlkit import validation
from dlkit.data.image_files import LazyImages
from tests.arrays import assert_same_arrays


def refused(function, *args, message, **options):
    """Asserts that a call raises a ValueError with a message that contains this text."""
    with pytest.raises(ValueError, match=re.escape(message)):
        function(*args, **options)


# --- numbers


@pytest.mark.parametrize("value", [1, 3, np.int32(3), np.uint8(3)])
def test_check_integer_returns_an_int(value):
    found = validation.check_integer("steps", value)
    assert found == value
    assert type(found) is int


@pytest.mark.parametrize("value", [0, -1, 2.0, True, np.bool_(True), "3", None, np.array([3]), float("nan")])
def test_check_integer_refuses_everything_else(value):
    refused(
        validation.check_integer,
        "steps",
        value,
        message=f"Expected steps to be an integer of 1 or more. Received: {value!r}.",
    )


def test_check_integer_between_bounds():
    assert [validation.check_integer("n", n, at_least=-2, at_most=4) for n in (-2, 4)] == [-2, 4]
    for n in (-3, 5):
        refused(validation.check_integer, "n", n, at_least=-2, at_most=4, message=f"from -2 to 4. Received: {n}.")


def test_check_seed():
    assert [validation.check_seed(seed) for seed in (0, 2**32 - 1)] == [0, 2**32 - 1]
    for seed in (-1, 2**32, 1.5, None):
        refused(
            validation.check_seed,
            seed,
            message=f"Expected seed to be an integer from 0 to 4294967295. Received: {seed}",
        )


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.5), np.int64(1)])
def test_check_number_returns_a_float(value):
    found = validation.check_number("rate", value)
    assert found == value
    assert type(found) is float


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, True, np.bool_(False), "1", None, 1j, np.array([1.0])])
def test_check_number_refuses_everything_else(value):
    refused(
        validation.check_number,
        "rate",
        value,
        message=f"Expected rate to be a number that is finite. Received: {value!r}.",
    )


@pytest.mark.parametrize(
    ("bounds", "good", "bad", "text"),
    [
        ({"above": 0}, 0.1, 0, "above 0"),
        ({"at_least": 0}, 0, -0.1, "of at least 0"),
        ({"at_most": 1}, 1, 1.1, "of at most 1"),
        ({"above": 0, "at_most": 1}, 1, 0, "above 0 and of at most 1"),
        ({"at_least": 0.5, "at_most": 2}, 0.5, 2.5, "of at least 0.5 and of at most 2"),
    ],
)
def test_check_number_between_bounds(bounds, good, bad, text):
    assert validation.check_number("rate", good, **bounds) == good
    refused(validation.check_number, "rate", bad, **bounds, message=f"to be a number {text}. Received: {bad}.")


# --- finite arrays


@pytest.mark.parametrize(
    "array", [np.zeros(3), np.arange(3), np.array(["a"]), np.zeros((0, 2)), np.float32(1), np.array([True])]
)
def test_check_finite_returns_what_it_was_given(array):
    assert validation.check_finite("values", array) is array


def test_check_finite_says_where_the_first_one_is():
    array = np.zeros((2500, 2, 3), "float32")
    array[2300, 1, 2], array[2400, 0, 0] = np.nan, np.inf
    refused(
        validation.check_finite,
        "images",
        array,
        message="Expected finite images. Received: nan at position [2300, 1, 2].",
    )
    refused(validation.check_finite, "x", np.array([0, -np.inf]), message="Received: -inf at position [1].")
    refused(validation.check_finite, "x", np.array(np.nan), message="Received: nan at position [0].")
    refused(validation.check_finite, "x", np.array([1, complex(0, np.inf)]), message="at position [1].")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_check_finite_of_short_floats(dtype):
    array = tf.cast([1.0, 2.0], dtype).numpy()
    assert validation.check_finite("x", array) is array
    array[1] = np.inf
    refused(validation.check_finite, "x", array, message="Received: inf at position [1].")


# --- images


@pytest.mark.parametrize("shape", [(2, 4, 5), (2, 4, 5, 1), (2, 4, 5, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float16", "int64", "bool"])
def test_check_images_accepts_batches_of_any_real_dtype(shape, dtype):
    images = np.zeros(shape, dtype)
    assert validation.check_images(images) is images
    assert validation.check_images(images, shape=shape[1:]) is images
    assert validation.check_images(images, shape=(None,) * len(shape[1:])) is images


def test_check_images_makes_arrays_of_lists_and_tensors():
    images = np.arange(24, dtype="float32").reshape(2, 3, 4)
    for given in (images.tolist(), tf.constant(images), [*images]):
        found = validation.check_images(given)
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, images)


def test_check_images_leaves_lazy_images_on_the_disk(tmp_path):
    images = LazyImages([tmp_path / "nowhere.png"] * 3, (4, 5))
    assert validation.check_images(images) is images
    assert validation.check_images(images, shape=(None, 5, 3)) is images
    refused(validation.check_images, images, shape=(8, 8, 3), message="(count, 8, 8, 3). Received: (3, 4, 5, 3).")


@pytest.mark.parametrize(
    ("received", "shape", "message"),
    [
        ((4, 5), None, "Expected images of shape (count, height, width[, channels]). Received: (4, 5)."),
        ((2, 4, 5, 3, 1), None, "Received: (2, 4, 5, 3, 1)."),
        ((0, 4, 5), None, "Received: (0, 4, 5)."),
        ((2, 4, 0), None, "Received: (2, 4, 0)."),
        ((2, 4, 6), (4, 5), "Expected images of shape (count, 4, 5). Received: (2, 4, 6)."),
        ((2, 4, 6, 1), (None, 6, 3), "Expected images of shape (count, any, 6, 3). Received: (2, 4, 6, 1)."),
        ((4, 5, 3), (4, 5, 3), "Received: (4, 5, 3). Add an axis: `images[None]` for one image, `images[..., None]`"),
        ((7, 4, 5), (4, 5, 1), "Received: (7, 4, 5). Add an axis: `images[None]` for one image, `images[..., None]`"),
    ],
)
def test_check_images_refuses_other_shapes(received, shape, message):
    refused(validation.check_images, np.zeros(received), shape=shape, message=message)


@pytest.mark.parametrize("images", [np.full((2, 3, 3), "a"), np.full((2, 3, 3), None), np.zeros((2, 3, 3), complex)])
def test_check_images_refuses_what_is_no_number(images):
    refused(
        validation.check_images,
        images,
        name="pictures",
        message=f"Expected pictures that hold real numbers. Received: an array of dtype {images.dtype}",
    )


def test_check_images_refuses_uneven_lists_and_infinite_pixels():
    refused(validation.check_images, [[[1, 2]], [[1]]], message="Expected images that form an array. Received: list (")
    refused(
        validation.check_images,
        np.full((2, 3, 3), np.nan),
        message="finite images. Received: nan at position [0, 0, 0]",
    )


@pytest.mark.parametrize(
    "images",
    [
        np.full((2, 3, 3), 1, "uint8"),
        np.array([[[0.0, 255.0]]]),
        np.array([[[0.0, 1.5]]]),
        np.zeros((2, 3, 3)),  # black images say nothing about their range
        np.array([[[0, 1]]]),  # nor do integers
        np.zeros((0, 3, 3)),
    ],
)
def test_check_raw_pixels_accepts_0_to_255(images):
    assert validation.check_raw_pixels(images) is images


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        ([0, 0.5, 1], "Received: float32 from 0 to 1. Bring them to that range, as they were before any scaling."),
        ([-1, 0, 1], "Received: float32 from -1 to 1."),
        ([0, 300], "Received: float32 from 0 to 300."),
        (np.array([0, 65535], "uint16"), "Received: uint16 from 0 to 65535."),
    ],
)
def test_check_raw_pixels_refuses_scaled_ones(pixels, message):
    pixels = np.asarray(pixels, None if isinstance(pixels, np.ndarray) else "float32")
    refused(validation.check_raw_pixels, pixels[None, None], message=message)


def test_check_raw_pixels_looks_at_all_images():
    images = np.full((2500, 1, 1), 0.5, "float32")
    refused(validation.check_raw_pixels, images, message="from 0.5 to 0.5")
    images[2400] = 200
    assert validation.check_raw_pixels(images) is images


# --- labels, probabilities, names


@pytest.mark.parametrize("labels", [[2, 0, 1], np.array([[2], [0], [1]], "uint8"), tf.constant([2, 0, 1])])
def test_check_labels_returns_a_vector_of_int64(labels):
    for options in ({}, {"count": 3}, {"num_classes": 3}, {"count": 3, "num_classes": 9}):
        found = validation.check_labels(labels, **options)
        np.testing.assert_array_equal(found, np.array([2, 0, 1]), strict=True)


def test_check_labels_of_none_at_all():
    assert validation.check_labels(np.zeros(0, int), count=0, num_classes=2).shape == (0,)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([0, 3], {"num_classes": 3}, "(count,), integers from 0 to 2. Received: int64 of shape (2,) from 0 to 3."),
        ([-1, 0], {}, "integers from 0 on. Received: int64 of shape (2,) from -1 to 0."),
        ([0, 1], {"count": 3}, "Expected labels of shape (3,)"),
        ([1, 2, 3], {"num_classes": 3}, "from 1 to 3. They begin at 1: pass `labels - 1`."),
        (["cat", "dog"], {}, "Number the classes: `np.unique(labels, return_inverse=True)`"),
        (np.array(["cat", None], object), {}, "Number the classes"),
        ([[0, 1], [1, 0]], {}, "They are one-hot: pass `labels.argmax(axis=1)`."),
        ([[0.0, 1.0], [1.0, 0.0]], {}, "They are one-hot"),
        ([0.0, 2.0], {}, '(2,) from 0 to 2. Convert them: `labels.astype("int64")`.'),
        ([0.5, 1.0], {}, "Received: float64 of shape (2,) from 0.5 to 1."),
        ([[0, 1], [1, 1]], {}, "Received: int64 of shape (2, 2)."),
        (3, {}, "Received: int64 of shape ()."),
        ([[1, 2], [3]], {}, "Expected labels that form an array. Received: list"),
    ],
)  # fmt: skip
def test_check_labels_says_what_to_do(labels, options, message):
    refused(validation.check_labels, labels, **options, message=message)


def test_check_labels_gives_no_advice_that_does_not_fit():
    for labels, options in ((["a"], {"count": 2}), ([0.5], {}), ([0, 4], {"num_classes": 3}), ([[0.2, 0.8]], {})):
        with pytest.raises(ValueError, match="Received") as caught:
            validation.check_labels(labels, **options)
        assert "pass `" not in str(caught.value)
        assert "Convert" not in str(caught.value)


def test_check_probs_returns_the_array():
    probs = np.array([[0.25, 0.75], [1, 0]], "float32")
    for options in ({}, {"count": 2, "num_classes": 2}):
        assert validation.check_probs(probs, **options) is probs
    assert_same_arrays(validation.check_probs(probs.tolist()), probs)
    assert validation.check_probs([[1, 0], [0, 1]]).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("probs", "options", "message"),
    [
        ([0.5, 0.5], {}, "Expected probs of shape (count, two or more). Received: float64 of shape (2,)."),
        ([[0.5, 0.5]], {"count": 2, "num_classes": 3}, "probs of shape (2, 3). Received: float64 of shape (1, 2)."),
        ([[0.7]], {}, "Expected probs of shape (count, two or more). Received: float64 of shape (1, 1)."),
        ([["a", "b"]], {}, "Received: <U1 of shape (1, 2)."),
        ([[0.5, np.nan]], {}, "Expected finite probs. Received: nan at position [0, 1]."),
        ([[0.5, 0.5], [-1.5, 2.5]], {}, "values from -1.5 to 2.5. Turn logits into probabilities with a softmax"),
        ([[0.5, 0.4]], {}, "whose rows are probabilities"),
    ],
)  # fmt: skip
def test_check_probs_refuses_what_are_no_probabilities(probs, options, message):
    refused(validation.check_probs, probs, **options, message=message)


def test_are_probabilities():
    assert validation.are_probabilities([[0.25, 0.75], [0.999, 0]])
    assert validation.are_probabilities(tf.nn.softmax(tf.random.normal((50, 10))))
    for outputs in ([[0.5, 0.6]], [[-0.1, 1.1]], [[2.0, -1.0], [0.5, 0.5]], [[0.5]], [[np.nan, 0.5]]):
        assert not validation.are_probabilities(outputs)


def test_check_class_names_returns_strings():
    assert validation.check_class_names(np.array(["cat", "dog"])) == ["cat", "dog"]
    assert type(validation.check_class_names(np.array(["cat", "dog"]))[0]) is str
    assert validation.check_class_names(("猫", "$1_$5")) == ["猫", "$1_$5"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["cat"], "Expected two or more different class names, strings. Received 1: ['cat']."),
        (["cat", "cat"], "Received 2: ['cat', 'cat']."),
        (["cat", ""], "Received 2: ['cat', '']."),
        (["cat", 1], "Received 2: ['cat', 1]."),
        ("cat", "Received 1: ['cat']."),
        ([], "Received 0: []."),
    ],
)
def test_check_class_names_refuses_others(names, message):
    refused(validation.check_class_names, names, message=message)


@pytest.mark.parametrize("texts", [["a", "b"], ("a", ""), np.array(["a", "b"]), np.array(["a", "b"], object)])
def test_check_texts_returns_an_array_of_objects(texts):
    found = validation.check_texts(texts)
    assert found.dtype == object
    assert found.tolist() == list(texts)
    assert all(type(text) is str for text in found)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("a text", "Expected texts, a list of one or more strings. Received: 'a text'."),
        (b"a text", "Received: b'a text'."),
        ([], "Received: []."),
        ("", "Received: ''."),
        (["a", 3], "Received: 3 at position 1."),
        ([None], "Received: None at position 0."),
        ([b"a"], "Received: b'a' at position 0."),
    ],
)
def test_check_texts_refuses_others(texts, message):
    refused(validation.check_texts, texts, message=message)
