"""dlkit.evaluate, compared with scikit-learn and with the published formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy.special import softmax
from scipy.stats import binom

from dlkit import evaluate, models
from tests.random_weights import randomize

LABELS = np.array([0, 1, 2, 2, 1])
PROBS = np.array([[0.9, 0.1, 0], [0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0, 0, 1], [0.3, 0.3, 0.4]])


def test_predict_probs_flip_tta_is_invariant_to_flipping():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    images = np.random.default_rng(0).normal(size=(5, 4, 4, 1)).astype("float32")
    probs, flipped = (evaluate.predict_probs(model, x, flip_tta=True) for x in (images, images[:, :, ::-1]))
    np.testing.assert_allclose(probs, flipped, rtol=1e-5)
    assert not np.allclose(probs, evaluate.predict_probs(model, images))


def test_predict_probs_is_the_softmax_of_the_logits():
    logits = np.log(np.array([[0.2, 0.3, 0.5], [0.98, 0.01, 0.01]])).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Identity()])
    np.testing.assert_allclose(evaluate.predict_probs(model, logits), np.exp(logits), rtol=1e-5)


IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 1)).astype("uint8")


def classifier(*last):
    """A small network with random weights that scales pixels from 0 to 255 itself."""
    return randomize(keras.Sequential([keras.Input((4, 4, 1)), layers.Rescaling(1 / 255), layers.Flatten(), *last]))


def test_predict_probs_of_a_softmax_model_are_its_outputs():
    logits = classifier(layers.Dense(3))
    for model in (classifier(layers.Dense(3), layers.Softmax()), classifier(layers.Dense(3, activation="softmax"))):
        np.testing.assert_allclose(evaluate.predict_probs(model, IMAGES), model.predict_on_batch(IMAGES))
        np.testing.assert_allclose(evaluate.predict_probs(model, IMAGES), evaluate.predict_probs(logits, IMAGES), 1e-5)


def test_predict_probs_does_not_depend_on_the_batch_size():
    model = classifier(layers.Dense(3))
    expected = softmax(model.predict(IMAGES, verbose=0), axis=1)
    for batch_size in (1, 3, 7, 500):
        np.testing.assert_allclose(evaluate.predict_probs(model, IMAGES, batch_size=batch_size), expected, 1e-5)


def test_predict_probs_decodes_images_in_parts():
    class OnDisk:
        shape, dtype, ndim, parts = IMAGES.shape, IMAGES.dtype, 4, []

        def __len__(self):
            return len(IMAGES)

        def __getitem__(self, index):
            self.parts.append(index)
            return IMAGES[index]

    model, images = classifier(layers.Dense(3)), OnDisk()
    found = evaluate.predict_probs(model, images, batch_size=3)
    np.testing.assert_array_equal(found, evaluate.predict_probs(model, IMAGES, batch_size=3))
    assert images.parts == [slice(0, 3), slice(3, 6), slice(6, 9)]


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (layers.Dense(1), r"two or more classes.* Received: outputs of shape \(7, 1\)"),
        (layers.Dense(1, activation="sigmoid"), r"np.hstack\(\[1 - p, p\]\)"),
        (layers.Dense(3, activation="sigmoid"), r"without a sigmoid. Received: outputs of shape \(7, 3\)"),
        (layers.Reshape((4, 4)), r"shape \(7, 4, 4\)"),
    ],
)
def test_predict_probs_refuses_a_model_without_classes(last, message):
    with pytest.raises(ValueError, match=message):
        evaluate.predict_probs(classifier(last), IMAGES)


def as_pipeline(images):
    return tf.data.Dataset.from_tensor_slices(images).shuffle(7).batch(2)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (as_pipeline(IMAGES), "images as an array. Received: _BatchDataset.*another order than the labels"),
        ((IMAGES, LABELS), "Received: tuple"),
        (IMAGES[:0], "Received: .0, 4, 4, 1."),
        (IMAGES[0], r"images\[None\]` for one image"),
        (IMAGES[..., 0], r"images\[..., None\]` for channels"),
        (IMAGES[:, :3], "count, 4, 4, 1"),
        (np.where(IMAGES > 9, IMAGES, np.nan), "finite images. Received: nan"),
        (IMAGES / 255, "Received: float64 from 0 to 1. Bring them to that range"),
        (IMAGES.astype("uint16") * 257, "pixels from 0 to 255.*Received: uint16 from [0-9]+ to 65535"),
    ],
    ids=["pipeline", "tuple", "none", "one_image", "no_channel", "shape", "nan", "zero_to_one", "16_bit"],
)
def test_predict_probs_refuses_inputs_that_do_not_fit(images, message):
    with pytest.raises(ValueError, match=message):
        evaluate.predict_probs(classifier(layers.Dense(3)), images)


def test_predict_probs_refuses_nan_in_weights_and_outputs():
    model = classifier(layers.Dense(3))
    model.layers[-1].bias.assign([0, np.nan, 0])
    with pytest.raises(ValueError, match="finite weights in .*bias. Received: nan"):
        evaluate.predict_probs(model, IMAGES)
    with pytest.raises(ValueError, match="finite outputs of the model"):
        evaluate.predict_probs(classifier(layers.Dense(3), layers.Rescaling(1e30), layers.Rescaling(1e30)), IMAGES)


def test_predict_probs_refuses_tokens_that_a_model_does_not_know():
    model = models.build_text_transformer(30, 2, max_length=16)
    assert evaluate.predict_probs(model, [[1, 29]]).shape == (1, 2)
    with pytest.raises(ValueError, match="tokens from 0 to 29. Received: 1 to 30"):
        evaluate.predict_probs(model, [[1, 30]])
    with pytest.raises(ValueError, match="from 0 to 29"):
        evaluate.predict_probs(model, [[-1, 2]])
    with pytest.raises(ValueError, match="at most 16"):
        evaluate.predict_probs(model, [[1] * 17])


def after_input(*layers, shape=(4, 4, 3)):
    return keras.Sequential([keras.Input(shape), *layers])


def normalization(mean, **options):
    return after_input(layers.Normalization(mean=mean, variance=[1.0] * len(mean)), **options)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: models.build_mlp((4, 4), 3), True),
        (lambda: models.build_small_resnet((8, 8, 3), 3), True),
        (lambda: normalization([103.9, 116.8, 123.7]), True),
        (lambda: after_input(layers.RandomFlip(), layers.Resizing(4, 4), models.build_mlp((4, 4, 3), 3)), True),
        (lambda: normalization([0.4, 0.5, 0.5]), False),
        (lambda: normalization([40.0, 170.0], shape=(2,)), False),
        (lambda: after_input(layers.Rescaling(255)), False),
        (lambda: after_input(layers.Conv2D(2, 3), layers.Rescaling(1 / 255)), False),
        (lambda: after_input(layers.Flatten()), False),
    ],
    ids=["mlp", "resnet", "means", "nested", "means_0_to_1", "table", "times_255", "scaled_later", "none"],
)
def test_scales_pixels_recognizes_models_of_raw_pixels(build, expected):
    assert evaluate.scales_pixels(build()) == expected


@pytest.mark.parametrize(("correct", "count"), [(0, 10), (5, 10), (58, 60), (10, 10), (9_000, 10_000)])
def test_wilson_interval_contains_the_accuracy(correct, count):
    low, high = evaluate.wilson_interval(correct / count, count)
    assert 0 <= low <= correct / count + 1e-12
    assert correct / count - 1e-12 <= high <= 1


def test_wilson_interval_solves_its_equation():
    # Brown, Cai and DasGupta, 2001: the bounds are the p at which (accuracy - p)^2 = z^2 p (1 - p) / n.
    low, high = evaluate.wilson_interval(0.7, 50)
    for bound in (low, high):
        assert (0.7 - bound) ** 2 == pytest.approx(1.959964**2 * bound * (1 - bound) / 50)


def test_wilson_interval_covers_the_truth_in_19_of_20_cases():
    intervals = [evaluate.wilson_interval(correct / 450, 450) for correct in range(400, 451)]
    covered = [low <= 0.96 <= high for low, high in intervals]
    assert 0.93 < np.sum(binom.pmf(range(400, 451), 450, 0.96)[covered]) < 0.97


@pytest.mark.parametrize(
    ("accuracy", "count", "message"),
    [
        (1.2, 10, "accuracy to be a number of at least 0 and of at most 1"),
        (np.nan, 10, "accuracy to be a number"),
        (0.5, 0, "count to be an integer of 1 or more"),
        (0.9667, 1000, "a fraction of 1000 examples, such as 967 / 1000 = 0.9670. Received: 0.9667"),
    ],
)
def test_wilson_interval_refuses_impossible_values(accuracy, count, message):
    with pytest.raises(ValueError, match=message):
        evaluate.wilson_interval(accuracy, count)


def test_wilson_interval_takes_rounded_accuracies():
    for accuracy in (0.9667, np.float32(58 / 60)):
        assert evaluate.wilson_interval(accuracy, 60) == evaluate.wilson_interval(58 / 60, 60)


def test_worst_mistakes_are_in_order_of_confidence():
    assert list(evaluate.worst_mistakes(LABELS, PROBS, 5)) == [2, 4]
    assert list(evaluate.worst_mistakes(LABELS, PROBS, 1)) == [2]


def test_worst_mistakes_take_the_labels_of_keras_datasets():
    assert list(evaluate.worst_mistakes(LABELS[:, None], PROBS, 5)) == [2, 4]


@pytest.mark.parametrize(
    ("labels", "probs", "message"),
    [
        (LABELS + 1, PROBS, "They begin at 1"),
        (LABELS[:4], PROBS, r"labels of shape \(5,\)"),
        (np.eye(3)[LABELS], PROBS, "one-hot"),
        (LABELS, 9 * PROBS, "a softmax"),
        (LABELS, PROBS * np.nan, "finite probs"),
    ],
)
def test_worst_mistakes_refuse_labels_and_probs_that_do_not_fit(labels, probs, message):
    with pytest.raises(ValueError, match=message):
        evaluate.worst_mistakes(labels, probs, 5)


# --- sample_tokens


@pytest.fixture(scope="module")
def language_model():
    """A small language model with random weights."""
    return randomize(models.build_language_model(30, max_length=16, embedding_dim=16, heads=2))


def test_sample_tokens_depends_on_the_seed_only(language_model):
    def sample(seed):
        return evaluate.sample_tokens(language_model, [1], 20, window=16, seed=seed)

    assert sample(0) == sample(0) != sample(1)
    assert sample(0)[0] == 1
    assert len(sample(0)) == 21


def test_sample_tokens_at_low_temperature_is_the_most_probable(language_model):
    cold = evaluate.sample_tokens(language_model, [1, 2], 1, window=16, temperature=1e-3)
    assert cold[-1] == np.asarray(language_model(np.array([[1, 2]])))[0, -1].argmax()


@pytest.mark.parametrize(
    ("start", "options", "message"),
    [
        ([], {}, "at least one"),
        ([1], {"temperature": 0}, "above 0"),
        ([30], {}, "start of shape .*, integers from 0 to 29"),
        ([1], {"window": 17}, "window of at most 16 tokens, the max_length. Received: 17 for language_model"),
        ([1], {"window": 0}, "window to be an integer"),
        ([1], {"count": 0}, "count to be an integer"),
        ([1], {"seed": -1}, "seed to be an integer"),
    ],
)
def test_sample_tokens_refuses_wrong_arguments(language_model, start, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate.sample_tokens(language_model, start, **{"count": 3, "window": 16} | options)


def test_sample_tokens_of_a_softmax_model_are_those_of_its_logits(language_model):
    probs = keras.Model(language_model.inputs, layers.Softmax()(language_model.outputs[0]))
    found, expected = (evaluate.sample_tokens(model, [1], 9, window=16) for model in (probs, language_model))
    assert found == expected
