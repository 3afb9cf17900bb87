"""The code written in notebooks 21 to 26, tested on more cases than the lessons show."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.random_weights import randomize
from tools.notebooks import ROOT, code_cells, definitions, read

RNG = np.random.default_rng(0)


# --- 21


@pytest.fixture(scope="module")
def search():
    module = definitions(ROOT / "notebooks" / "21_hyperparameter_search.ipynb")
    module.epochs, module.tries, module.to_choose = 4, 6, 100
    module.rt = type("Runtime", (), {"seed": 0})
    images = RNG.random((200, 64))
    module.parts = [(images, (images @ RNG.normal(size=(64, 10))).argmax(axis=1))] * 3
    module.parts[0] = tuple(values[:150] for values in module.parts[0])
    return module


@pytest.mark.parametrize("dropout", [0, 0.5])
def test_the_gradients_with_dropout_and_decay_are_those_of_gradient_tape(search, dropout):
    settings = {"units": 7}
    weights = [w + RNG.normal(0, 0.1, w.shape) for w in search.start(settings, 0)[0]]
    x, y = RNG.random((5, 64)), RNG.integers(0, 10, 5)
    keep = (RNG.random((5, 7)) >= dropout) / (1 - dropout)
    variables = [tf.Variable(w) for w in weights]
    with tf.GradientTape() as tape:
        hidden = tf.nn.relu(x @ variables[0] + variables[1]) * keep
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(y, hidden @ variables[2] + variables[3])
        ) + 0.03 / 2 * sum(tf.reduce_sum(variables[k] ** 2) for k in (0, 2))
    for ours, theirs in zip(search.gradients(weights, x, y, keep, 0.03), tape.gradient(loss, variables), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_the_training_is_keras_sgd_with_momentum_on_the_same_batches(search):
    settings = {"units": 16, "rate": 0.05, "momentum": 0.8, "decay": 0.0, "dropout": 0.0}
    weights, velocities, rng = search.start(settings, 3)
    network = keras.Sequential([keras.Input((64,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(10)])
    network.set_weights(weights)
    network.compile(
        keras.optimizers.SGD(0.05, momentum=0.8), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    x, y = search.parts[0]
    for batch in _batches(search, settings):
        network.train_on_batch(x[batch], y[batch])
    ours = search.train((weights, velocities, rng), settings, search.parts[0], 2)[0]
    for our, their in zip(ours, network.get_weights(), strict=True):
        np.testing.assert_allclose(our, their, atol=1e-5)


def test_right_is_where_keras_says_the_label(search):
    weights = [w + RNG.normal(0, 0.5, w.shape) for w in search.start({"units": 8}, 0)[0]]
    network = keras.Sequential([keras.Input((64,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(10)])
    network.set_weights(weights)
    x, y = RNG.normal(size=(300, 64)), RNG.integers(0, 10, 300)
    expected = network.predict(x, verbose=0).argmax(axis=1) == y
    np.testing.assert_array_equal(search.right(weights, (x, y)), expected)


def _batches(search, settings):
    """The batches of two epochs: the same draws as `train` makes, dropout's included."""
    rng = search.start(settings, 3)[2]
    for _ in range(2):
        for batch in rng.permutation(150).reshape(-1, 30):
            rng.random((30, settings["units"]))
            yield batch


def test_going_on_with_a_training_equals_training_at_once(search):
    settings = search.settings_at(np.full(5, 0.5))
    at_once = search.train(search.start(settings, 0), settings, search.parts[0], 5)[0]
    first = search.train(search.start(settings, 0), settings, search.parts[0], 2)
    in_two = search.train(first, settings, search.parts[0], 3)[0]
    for a, b in zip(at_once, in_two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_hyperband_trains_no_longer_than_it_says_and_goes_on_with_its_trials(search):
    search.epochs = 9
    log = search.tune(search.kt.Hyperband, search.parts, 0, max_epochs=9, factor=3, hyperband_iterations=1)
    assert log.shape[1] == 3
    assert set(log[:, 2]) <= {1, 2, 3, 4, 5, 6, 8, 9}
    assert (log[:, 2] < 9).any()


def test_the_optimist_asks_where_nobody_looked_or_where_it_was_good(search):
    points = RNG.random((12, 5)) * 0.3
    asked = search.suggest(points, points[:, 0], np.random.default_rng(0))
    assert asked.shape == (5,)
    assert np.linalg.norm(points - asked, axis=1).min() > 0.2


def test_a_setting_that_decides_all_explains_all_and_another_little(search):
    values, other = RNG.random(400), RNG.random(400)
    assert search.share_explained(values, np.floor(values * 8)) > 0.95
    assert search.share_explained(other, np.floor(values * 8)) < 0.1


def test_the_best_of_n_on_validation_is_judged_on_test(search):
    search.many, search.hits = 4, np.zeros((1, 4, 300), bool)
    search.hits[0, 2, :210] = True  # right on 210 of 300 images, whichever are drawn to choose with
    validation, test = search.best_of(4)
    assert 100 * validation + 200 * test == pytest.approx(210)
    assert validation == pytest.approx(0.7, abs=0.01)


def test_the_best_of_many_that_only_guess_promises_too_much(search):
    search.many, search.hits = 50, RNG.random((1, 50, 1_100)) < 0.5
    validation, test = search.best_of(50)
    assert validation > 0.58
    assert test == pytest.approx(0.5, abs=0.02)
    validation, test = search.best_of(1)
    assert validation == pytest.approx(test, abs=0.02)


# --- 22


@pytest.fixture(scope="module")
def explaining():
    return definitions(ROOT / "notebooks" / "22_explaining_predictions.ipynb")


@pytest.fixture(scope="module")
def small_resnet():
    from dlkit.models import vision

    return randomize(vision.build_small_resnet((32, 32, 3), 2, channels=(16, 16, 16)))


def test_the_lessons_own_methods_equal_dlkit_explain(explaining, small_resnet):
    from dlkit import explain

    explaining.last = "stage_2_block_1_relu_2"
    images = RNG.integers(0, 256, (3, 32, 32, 3)).astype("uint8")
    slopes = explaining.gradients_by_hand(small_resnet, images, 1)
    np.testing.assert_allclose(slopes, explain.gradients(small_resnet, images, 1), atol=1e-7)
    shares = explaining.integrated_by_hand(small_resnet, images, 0, 8)
    theirs = explain.integrated_gradients(small_resnet, images, 0, baseline=128, steps=8)
    np.testing.assert_allclose(shares, theirs, atol=1e-5)
    small = explaining.grad_cam_by_hand(small_resnet, images, 1)
    enlarged = tf.image.resize(small[..., None], (32, 32))[..., 0]
    np.testing.assert_allclose(enlarged, explain.grad_cam(small_resnet, images, 1, layer=explaining.last), atol=1e-6)


def test_the_sticker_covers_sixteen_pixels_of_a_copy(explaining):
    images = np.zeros((2, 32, 32, 3), "uint8")
    assert (explaining.mark(images).any(axis=-1).sum(axis=(1, 2)) == 16).all()
    assert not images.any()
    assert explaining.on_sticker(explaining.mark(images).max(axis=-1)) == pytest.approx(1)


def test_the_guided_network_answers_the_same_and_lets_no_negative_slope_through(explaining, small_resnet):
    guided = keras.models.clone_model(small_resnet, clone_function=explaining.guide)
    guided.set_weights(small_resnet.get_weights())
    images = RNG.random((2, 32, 32, 3)).astype("float32") * 255
    np.testing.assert_allclose(guided(images), small_resnet(images), atol=1e-6)
    x = tf.constant([-1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(explaining.guided_relu(x) * [1.0, 1.0, -1.0])
    assert tape.gradient(y, x).numpy().tolist() == [0, 1, 0]


def test_another_last_layer_leaves_all_others_as_they_were(explaining, small_resnet):
    headless = explaining.without_head(small_resnet, 0)
    for ours, theirs in zip(headless.get_weights()[:-2], small_resnet.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert np.abs(headless.get_weights()[-2] - small_resnet.get_weights()[-2]).max() > 0.1


def test_likeness_is_about_the_order_of_pixels(explaining):
    maps = RNG.random((3, 5, 5))
    assert explaining.likeness(maps, maps**3) == pytest.approx(1)
    assert explaining.likeness(maps, -maps) == pytest.approx(-1)
    assert explaining.likeness(maps, 0 * maps) == 0


# --- 23


@pytest.fixture(scope="module")
def generating():
    module = definitions(ROOT / "notebooks" / "23_generative_models.ipynb")
    module.rt = type("Runtime", (), {"seed": 0})
    module.sigma, module.steps, module.noise_levels = 0.1, 200, 20
    module.images = RNG.random((64, 64)).astype("float32")
    module.all_images = tf.constant(module.images)
    module.all_labels = tf.one_hot(np.arange(64) % 10, 10)
    return module


@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (2, 0.5), (-1, 3)])
def test_the_divergence_is_that_of_the_integral(generating, mean, deviation):
    z = np.linspace(mean - 12 * deviation, mean + 12 * deviation, 200_001)
    log_q = -0.5 * ((z - mean) / deviation) ** 2 - np.log(deviation)
    integral = np.sum(np.exp(log_q) / np.sqrt(2 * np.pi) * (log_q + 0.5 * z**2)) * (z[1] - z[0])
    found = generating.divergence(np.array([mean]), np.array([2 * np.log(deviation)]))
    assert found == pytest.approx(integral, abs=1e-6)


def test_the_density_of_a_digit_integrates_to_one(generating):
    """One pixel varies; the other 63 are exactly as painted, which costs their normalisation only."""
    x = np.zeros((4001, 64))
    x[:, 0] = np.linspace(-1, 1, 4001)
    log_p = generating.log_density(x, np.zeros((1, 64)))[:, 0] + 63 * 0.5 * np.log(2 * np.pi * 0.1**2)
    assert np.sum(np.exp(log_p)) * (x[1, 0] - x[0, 0]) == pytest.approx(1, abs=1e-6)


def test_repeat_runs_every_step_and_reports_the_last_of_each_block(generating):
    counter = tf.Variable(0.0)

    def step():
        counter.assign_add(1)
        return [counter.read_value()]

    assert generating.repeat(step, 30, each=10).tolist() == [[10], [20], [30]]


@pytest.mark.parametrize("variational", [True, False])
def test_autoencoders_beat_the_mean_image_and_repeat_themselves(generating, variational):
    images = generating.images
    of_mean = ((images - images.mean(axis=0)) ** 2).sum(axis=1).mean() / (2 * generating.sigma**2)
    first, again = (generating.train_autoencoder(3, variational=variational) for _ in range(2))
    terms = first[2][-1]
    assert (terms.sum() if variational else terms[0]) < 0.75 * of_mean
    np.testing.assert_array_equal(first[0].get_weights()[0], again[0].get_weights()[0])


def test_variety_is_within_a_class_and_distance_to_the_nearest(generating):
    classes = np.arange(100) % 10
    same = np.repeat(np.arange(10)[None], 10, axis=0).reshape(100, 1) * np.ones((1, 64))
    assert generating.variety(same, classes) == 0
    assert generating.variety(same, np.sort(classes)) > 1
    assert generating.nearest(generating.images) == pytest.approx(0)
    assert generating.nearest(generating.images + 1) > 1


def test_steps_are_told_apart_by_their_sines_and_cosines(generating):
    codes = generating.when(np.arange(20)).numpy()
    assert codes.shape == (20, 32)
    assert np.abs(codes[:, None] - codes[None]).sum(axis=-1)[~np.eye(20, dtype=bool)].min() > 0.1


# --- 24


@pytest.fixture(scope="module")
def exporting():
    return definitions(ROOT / "notebooks" / "24_export_and_quantization.ipynb")


@pytest.mark.parametrize(("low", "high"), [(-1, 4), (0, 255), (2, 10), (-7, -3), (-1e-3, 1e3)])
def test_quantizing_is_off_by_a_mark_at_most_and_keeps_zero(exporting, low, high):
    scale, zero = exporting.scale_and_zero(low, high)
    assert -128 <= zero <= 127
    x = np.linspace(low, high, 10_001)
    found = exporting.restore(exporting.quantize(x, scale, zero), scale, zero)
    assert np.abs(found - x).max() <= scale
    assert exporting.restore(exporting.quantize(np.zeros(1), scale, zero), scale, zero) == 0


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (6, 4), (30, 7)])
def test_the_integer_layer_gives_litert_s_integers(exporting, tmp_path, inputs, outputs):
    from dlkit import export

    layer = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])
    W, b = RNG.normal(size=(inputs, outputs)).astype("float32"), RNG.normal(size=outputs).astype("float32")
    layer.set_weights([W, b])
    typical = RNG.uniform(-2, 3, (100, inputs)).astype("float32")
    theirs = export.LiteRT(export.to_litert(layer, tmp_path / "x.tflite", form="int8", calibration=typical))
    exporting.their_scale, exporting.their_zero = theirs.interpreter.get_input_details()[0]["quantization"]
    exporting.scale_y, exporting.zero_y = theirs.interpreter.get_output_details()[0]["quantization"]
    exporting.b, exporting.scale_w = b, np.abs(W).max(axis=0) / 127
    exporting.W_q = np.round(W / exporting.scale_w).astype("int8")
    ours = exporting.restore(exporting.integer_dense(typical), exporting.scale_y, exporting.zero_y)
    apart = np.abs(ours - theirs(typical)) / exporting.scale_y
    assert apart.max() < 1.5
    assert np.mean(apart < 0.5) > 0.95


def test_the_exercises_quantization_is_that_of_keras():
    from tests.answers_practice import ANOTHER_WAY

    W = RNG.normal(size=(9, 5)).astype("float32")
    integers, scales = ANOTHER_WAY["24.symmetric"](W)
    theirs, inverse = keras.quantizers.abs_max_quantize(W, axis=0, to_numpy=True)
    np.testing.assert_allclose(scales, 1 / np.ravel(inverse), rtol=1e-4)
    assert np.abs(integers - np.asarray(theirs, int)).max() <= 1


# --- 25


@pytest.fixture(scope="module")
def scaling():
    module = definitions(ROOT / "notebooks" / "25_scaling_up.ipynb")
    module.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return module


@pytest.mark.parametrize("cut", [1, 10, 29])
def test_parts_of_a_batch_add_up_to_its_gradient_and_to_what_keras_computes(scaling, cut):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(3)])
    x, y = RNG.normal(size=(30, 5)).astype("float32"), RNG.integers(0, 3, 30)
    parts = [scaling.part_gradient(model, x[k], y[k], 30) for k in (slice(cut), slice(cut, None))]
    with tf.GradientTape() as tape:
        loss = scaling.loss(y, model(x))
    whole = tape.gradient(loss, model.trainable_variables)
    assert scaling.largest([a + b for a, b in zip(*parts, strict=True)], whole) < 1e-6


def test_amdahls_law_at_its_ends(scaling):
    assert scaling.amdahl(0, 100) == 1
    assert scaling.amdahl(1, 100) == pytest.approx(100)
    assert scaling.amdahl(0.75, 3) == pytest.approx(2)


def test_a_median_time_is_that_of_the_action(scaling):
    import time

    assert scaling.seconds(lambda: time.sleep(0.05)) == pytest.approx(0.05, rel=0.5)


# --- 26


@pytest.fixture(scope="module")
def checking():
    return definitions(ROOT / "notebooks" / "26_claims_checked.ipynb")


@pytest.mark.parametrize("places", [2, 3, 4])
def test_the_counts_behind_a_number_are_all_that_round_to_it(checking, places):
    for printed in RNG.random(20).round(places):
        found = set(checking.counts_behind(printed, places, 120))
        tried = {n for n in range(1, 121) for k in range(n + 1) if abs(k / n - printed) <= 0.5 * 10**-places + 1e-12}
        assert found == tried


def test_every_row_of_the_table_has_its_verdict_and_its_evidence():
    said = "".join(
        output.get("text", "")
        for cell in code_cells(read(ROOT / "notebooks" / "26_claims_checked.ipynb"))
        for output in cell.outputs
    )
    rows = re.findall(r"^ ?(\d+) (?:✓ right|✗ wrong|~ half): .+\n      so: .+$", said, re.MULTILINE)
    assert sorted(map(int, rows)) == list(range(1, 27))


def test_moved_images_keep_their_ink(checking):
    images = RNG.random((5, 8, 8))
    moved = checking.moved(images, 2, np.random.default_rng(0))
    np.testing.assert_allclose(moved.sum(axis=(1, 2)), images.sum(axis=(1, 2)))
    np.testing.assert_array_equal(checking.moved(images, 0, np.random.default_rng(0)), images)
